// After a restore the books may be older than the world: what looks as if it had never been sent may have been paid
// long ago, under a key that its provider has forgotten. So it is looked for there before it is sent.

import { sql } from 'kysely';
import type { Pkid } from '../../domain/id.ts';
import type { Payment } from '../../domain/payment.ts';
import type { Answer, CallLimits, Provider, ProviderName } from '../../domain/provider.ts';
import type { Sql } from '../../runtime/db.ts';
import type { PaymentRules } from './rules.ts';

/**
 * What the provider already has under our key, or null when it has nothing. By our key where it can be asked so, else
 * only by the id that an event or a statement has told.
 */
export async function foundBefore<Row extends Payment>(
  row: Row,
  context: { rules: PaymentRules<Row>; provider: Provider; db: { sql: Sql }; limits: CallLimits },
): Promise<Answer | null> {
  const { rules, provider, db, limits } = context;
  const account = rules.accountOf(provider);
  const externId = row.externPaymentId ?? (await toldId(db.sql, provider.name, row.pkid));
  if (account === null || (externId === null && !account.canFindByKey)) return null;
  const { pkid } = row;
  const answer = await account.find({ pkid, externId, key: pkid, payinExternId: rules.payinExternIdOf(row) }, limits);
  return answer.type === 'not_found' ? null : answer;
}

async function toldId(client: Sql, provider: ProviderName, pkid: Pkid): Promise<string | null> {
  const { rows } = await sql<{ extern_id: string }>`
    SELECT extern_payment_id AS extern_id FROM provider_event
    WHERE pkid = ${pkid}::uuid AND provider = ${provider} AND outcome = 'unmatched' AND extern_payment_id IS NOT NULL
    ORDER BY received_at LIMIT 1`.execute(client);
  return rows[0]?.extern_id ?? null;
}
