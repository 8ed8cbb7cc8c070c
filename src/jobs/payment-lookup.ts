// Which payment an id means: ours, of whichever kind, or the provider's.

import { sql } from 'kysely';
import type { Pkid } from '../domain/id.ts';
import type { PaymentKind, ProviderName } from '../domain/provider.ts';
import type { Sql } from '../runtime/db.ts';

export async function kindOfPkid(client: Sql, pkid: Pkid): Promise<PaymentKind | null> {
  const { rows } = await sql<{ kind: PaymentKind }>`
    SELECT 'payin' AS kind FROM payin WHERE pkid = ${pkid}::uuid
    UNION ALL SELECT 'payout' FROM payout WHERE pkid = ${pkid}::uuid
    UNION ALL SELECT 'refund' FROM refund WHERE pkid = ${pkid}::uuid`.execute(client);
  return rows[0]?.kind ?? null;
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

/** More than a checkout has orders. */
const PARTS_MAX = 1_000;
