// Which payment an id means: ours, or the provider's.

import { sql } from 'kysely';
import type { Pkid } from '../../domain/id.ts';
import type { PaymentKind, ProviderName } from '../../domain/provider.ts';
import type { Sql } from '../../runtime/db.ts';

/** Whether such a payment is here, of that kind and at that provider. */
export async function isPayment(
  client: Sql,
  { kind, provider, pkid }: { kind: PaymentKind; provider: ProviderName; pkid: Pkid },
): Promise<boolean> {
  const { rows } = await sql`
    SELECT FROM ${sql.table(kind)} WHERE pkid = ${pkid}::uuid AND provider = ${provider}`.execute(client);
  return rows.length > 0;
}

/** One, unless somebody refunded several orders at once at the provider: then all the parts of that refund. */
export async function findPayments(
  client: Sql,
  { kind, provider, externId }: { kind: PaymentKind; provider: ProviderName; externId: string },
): Promise<Pkid[]> {
  const { rows } = await sql<{ pkid: Pkid }>`
    SELECT pkid FROM ${sql.table(kind)} WHERE extern_payment_id = ${externId} AND provider = ${provider}
    ORDER BY pkid LIMIT ${PARTS_MAX}`.execute(client);
  return rows.map(({ pkid }) => pkid);
}

/** A checkout has at most 100 orders, and one part more may be of none. */
const PARTS_MAX = 101;
