// The life of a payee: registered once. The payouts of its owner may go to it while it is payable.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import type { Provider, ProviderName } from '../domain/provider.ts';
import type { Payee } from '../entities/payee.ts';
import { readClock } from '../ledger/reads.ts';
import type { Intake } from '../ledger/step.ts';
import { insertNew, parseRow, tableOf } from '../ledger/table.ts';
import type { Db } from '../runtime/db.ts';
import { providerOf } from './payout.ts';

export interface PayeeRequest {
  readonly payeeId: string;
  readonly ownerId: string;
  readonly provider: ProviderName;
  readonly account: string;
  readonly metadata: Record<string, unknown>;
}

export type PayeeLife = ReturnType<typeof createPayeeLife>;

export function createPayeeLife(options: { db: Db; providers: ReadonlyMap<ProviderName, Provider> }) {
  const { db, providers } = options;
  const table = tableOf<Payee>(db, 'Payee');
  return {
    /** Registers the account, or compares with the payee that has this id. */
    async request(request: PayeeRequest): Promise<Intake<Payee>> {
      if (providerOf(providers, request.provider).payout === null) {
        const detail = `${request.provider} cannot pay out. Choose another provider.`;
        throw new PaymentError('provider-not-able', { detail });
      }
      const fingerprint = fingerprintOf({ ...request });
      return db.transaction(async (tx) => {
        const row = newPayee({ request, fingerprint, now: await readClock(tx) });
        const inserted = await insertNew(tx, table, [row]);
        if (inserted.size > 0) return { type: 'created', row };
        const { rows } = await sql<Record<string, unknown>>`
          SELECT * FROM payee WHERE payee_id = ${request.payeeId}`.execute(tx);
        const [raw] = rows;
        if (raw === undefined) throw new PaymentError('unavailable', { retryAfterMs: 1000 });
        const existing = parseRow(table, raw);
        const isEqual = existing.fingerprint.equals(fingerprint);
        return { type: isEqual ? 'replayed' : 'key_reused', row: existing };
      });
    },
  };
}

/** Neither of today's providers tells whether an account can receive money before it is paid, so it counts as able. */
function newPayee({ request, fingerprint, now }: { request: PayeeRequest; fingerprint: Buffer; now: Date }): Payee {
  return { ...request, status: 'payable', blockedReason: null, onboardingUrl: null, fingerprint, createdAt: now };
}
