// The life of a treasury movement: an operator books what a bank statement shows, money on its way between a
// provider and our bank. Nothing else moves platform wallets by hand.

import { bankWalletId, isPlatformWalletId, parsePlatformWalletId, providerWalletId } from '../domain/chart.ts';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf, postingIdOf } from '../domain/id.ts';
import type { Currency } from '../domain/money.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';
import type { Treasury } from '../entities/treasury.ts';
import type { Journal } from '../ledger/journal.ts';
import type { Booking, Intake } from '../ledger/step.ts';
import { bookedOnce } from './adjustment.ts';

export interface TreasuryRequest {
  readonly semanticKey: string;
  readonly fromWallet: string;
  readonly toWallet: string;
  readonly amountMinor: bigint;
  readonly currency: Currency;
  readonly reference: string;
  /** The API key that asks; not part of what is asked. */
  readonly actor: string;
}

export type TreasuryLife = ReturnType<typeof createTreasuryLife>;

interface TreasuryOptions {
  readonly journal: Journal;
  readonly providers: ReadonlyMap<ProviderName, Provider>;
}

export function createTreasuryLife({ journal, providers }: TreasuryOptions) {
  return {
    async request(request: TreasuryRequest): Promise<Intake<Treasury>> {
      const { semanticKey, fromWallet, toWallet, amountMinor, currency } = request;
      refuseOtherWallets(request, providers);
      const pkid = pkidOf('treasury', semanticKey);
      const postingId = postingIdOf(pkid, 'settle');
      const booking: Booking<Treasury> = {
        pkid,
        walletIds: [fromWallet, toWallet],
        row: (now) => ({ ...request, pkid, postingId, fingerprint: fingerprintOf(askedFor(request)), createdAt: now }),
        movement: {
          type: 'transfer',
          posting: { postingId, event: 'treasury', kind: 'treasury', pkid, semanticKey, reverses: null },
          // Both wallets are below zero by what others owe us: where money leaves, the wallet grows.
          from: toWallet,
          to: fromWallet,
          money: { amountMinor, currency },
        },
      };
      return bookedOnce(() => journal.bookTreasury(booking));
    },
  };
}

/** One side is a provider's wallet, the other the bank's, both in the currency that moves. */
function refuseOtherWallets(request: TreasuryRequest, providers: TreasuryOptions['providers']): void {
  const { fromWallet, toWallet, currency } = request;
  if (fromWallet === toWallet) {
    const detail = 'Treasury moves money between a provider and the bank. Send one of each.';
    throw new PaymentError('same-wallet', { detail });
  }
  const sides = [fromWallet, toWallet].filter(isPlatformWalletId).map(parsePlatformWalletId);
  const provider = sides.find((side) => side.kind === 'provider');
  const bank = sides.find((side) => side.kind === 'bank');
  if (provider === undefined || bank === undefined) {
    const detail =
      'Treasury moves money between a provider and the bank only. ' +
      `Send one of each, such as "${providerWalletId('stripe', currency)}" and "${bankWalletId(currency)}".`;
    throw new PaymentError('wallet-not-allowed', { detail });
  }
  if (![...providers.keys()].some((name) => name === provider.ownerId)) {
    const known = [...providers.keys()].join(', ');
    throw new PaymentError('not-found', {
      detail: `There is no provider "${provider.ownerId}". Use one of: ${known}.`,
    });
  }
  if (sides.some((side) => side.currency !== currency)) {
    throw new PaymentError('invalid-currency', {
      detail: `Both wallets must be in ${currency}. Send their currency, or name other wallets.`,
    });
  }
}

function askedFor({ semanticKey: _key, actor: _actor, ...asked }: TreasuryRequest) {
  return asked;
}
