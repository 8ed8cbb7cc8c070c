// The life of an adjustment: one commit that corrects a person's wallet against equity. What would overdraw is
// refused, and nothing is kept of it.

import { equityWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf, postingIdOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { RefusalCode } from '../domain/movements.ts';
import type { Adjustment } from '../entities/adjustment.ts';
import type { Journal } from '../ledger/journal.ts';
import type { Booked, Booking, Intake } from '../ledger/step.ts';
import type { WalletDirectory } from '../ledger/wallet-directory.ts';
import { isDuplicateKey } from '../runtime/db.ts';
import { noSuchWallet, otherCurrency } from './transfer.ts';

export interface AdjustmentRequest {
  readonly semanticKey: string;
  readonly walletId: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly reason: string;
  /** The API key that asks; not part of what is asked. */
  readonly actor: string;
}

export type AdjustmentLife = ReturnType<typeof createAdjustmentLife>;

export function createAdjustmentLife({ journal, wallets }: { journal: Journal; wallets: WalletDirectory }) {
  return {
    async request(request: AdjustmentRequest): Promise<Intake<Adjustment>> {
      const { semanticKey, walletId, amountMinor, currency } = request;
      const wallet = await wallets.find(walletId);
      if (wallet === null) throw noSuchWallet(walletId);
      if (wallet.currency !== currency) throw otherCurrency(wallet);
      const pkid = pkidOf('adjustment', semanticKey);
      const postingId = postingIdOf(pkid, 'settle');
      const equity = equityWalletId(currency);
      const booking: Booking<Adjustment> = {
        pkid,
        walletIds: [walletId, equity],
        row: (now) => ({ ...request, pkid, postingId, fingerprint: fingerprintOf(askedFor(request)), createdAt: now }),
        movement: {
          type: 'post',
          posting: { postingId, event: 'adjustment', kind: 'adjustment', pkid, semanticKey, reverses: null },
          currency,
          lines: [
            { walletId: equity, amountMinor: -amountMinor },
            { walletId, amountMinor },
          ],
        },
      };
      return bookedOnce(() => journal.bookAdjustment(booking));
    },
  };
}

/**
 * Equal bookings meet at their wallets' locks. Two processes may also book one key for different wallets, which meet
 * at the primary key only: the loser looks again, and finds what the other has booked.
 */
export async function bookedOnce<Row>(book: () => Promise<Booked<Row>>): Promise<Intake<Row>> {
  const booked = await book().catch((error: unknown) => {
    if (!isDuplicateKey(error)) throw error;
    return book();
  });
  if (booked.type === 'refused') throw bookingRefused(booked.code);
  return booked;
}

/** What the ledger says of a booking by hand, as an error for the caller. */
function bookingRefused(code: RefusalCode): PaymentError {
  if (code === 'insufficient_funds') return new PaymentError('insufficient-funds');
  if (code === 'limit_exceeded') return new PaymentError('limit-exceeded');
  return new PaymentError('internal', { detail: `The ledger refused the booking: ${code}. Run the audit.` });
}

function askedFor({ semanticKey: _key, actor: _actor, ...asked }: AdjustmentRequest) {
  return asked;
}
