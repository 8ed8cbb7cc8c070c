// The life of a payee: registered once, and asked about whenever the provider says that something changed. The payouts
// of its owner may go to it while it is payable.

import { sql } from 'kysely';
import { PaymentError } from '../domain/errors.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { pkidOf } from '../domain/id.ts';
import type { OutgoingEvent } from '../domain/outgoing.ts';
import type { PayeeView, Provider, ProviderName } from '../domain/provider.ts';
import { type Payee, PayeeEntity } from '../entities/payee.ts';
import { outgoingTablesOf, writeOutgoing } from '../ledger/outgoing.ts';
import { readClock } from '../ledger/reads.ts';
import type { Intake } from '../ledger/step.ts';
import { parseRow, tableOf } from '../ledger/table.ts';
import { insertNew } from '../ledger/table-writes.ts';
import type { Db } from '../runtime/db.ts';
import { statementsOf } from '../runtime/statements.ts';
import { choiceFor, providerOf, unavailable } from './provider-of.ts';

export interface PayeeRequest {
  readonly payeeId: string;
  readonly ownerId: string;
  readonly provider: ProviderName;
  readonly account: string;
  readonly metadata: Record<string, unknown>;
}

export type PayeeLife = ReturnType<typeof createPayeeLife>;

export function createPayeeLife(options: {
  db: Db;
  providers: ReadonlyMap<ProviderName, Provider>;
  onDeliveries: (deliveryIds: readonly string[]) => void;
}) {
  const { db, providers, onDeliveries } = options;
  const outgoing = outgoingTablesOf(db);
  const table = tableOf<Payee>(db, 'Payee');
  return {
    /** Registers the account, or compares with the payee that has this id. */
    async request(request: PayeeRequest): Promise<Intake<Payee>> {
      const provider = providerOf(providers, request.provider);
      if (provider.payout === null) {
        const detail = `${request.provider} cannot pay out. ${choiceFor('payout', providers)}`;
        throw new PaymentError('provider-not-able', { detail });
      }
      const askedAt = await readClock(statementsOf(db.sql));
      const view = await viewOf(provider, request.account);
      const fingerprint = fingerprintOf({ ...request });
      return db.transaction(async (tx) => {
        const row = { ...request, ...view, askedAt, fingerprint, createdAt: await readClock(statementsOf(tx)) };
        const inserted = await insertNew(statementsOf(tx), table, [row]);
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

    /** The provider is asked again about the payees of one account; tells the platform what changed. */
    async refresh(name: ProviderName, account: string): Promise<'applied' | 'no_effect' | 'ignored'> {
      const provider = providerOf(providers, name);
      const { rows } = await sql<{ payee_id: string }>`
        SELECT payee_id FROM payee WHERE provider = ${name} AND account = ${account}`.execute(db.sql);
      // Of an account that no payee names: the platform may have others at the same provider.
      if (rows.length === 0) return 'ignored';
      const askedAt = await readClock(statementsOf(db.sql));
      const view = await provider.findPayee?.(account, { timeoutMs: ASK_TIMEOUT_MS }).catch(unavailable);
      if (view === null || view === undefined) return 'no_effect';
      return (await writeView({ provider: name, account, askedAt }, view)) ? 'applied' : 'no_effect';
    },
  };

  /** Whether anything changed. The rows stay locked until the events are written, so that their order is kept. */
  async function writeView(
    of: { provider: ProviderName; account: string; askedAt: Date },
    view: PayeeView,
  ): Promise<boolean> {
    const askedAt = of.askedAt.toISOString();
    const deliveryIds = await db.transaction(async (tx) => {
      const now = await readClock(statementsOf(tx));
      const seen = sql`(${view.status}, coalesce(${view.blockedReason}, ''), coalesce(${view.onboardingUrl}, ''))`;
      const { rows: asked } = await sql<{ payee_id: string; is_changed: boolean }>`
        WITH before AS (
          SELECT payee_id, (status, coalesce(blocked_reason, ''), coalesce(onboarding_url, ''))
            IS DISTINCT FROM ${seen} AS is_changed
          FROM payee
          WHERE provider = ${of.provider} AND account = ${of.account}
            AND (asked_at IS NULL OR asked_at <= ${askedAt}::timestamptz)
          ORDER BY payee_id FOR UPDATE)
        UPDATE payee p SET status = ${view.status}, blocked_reason = ${view.blockedReason},
                           onboarding_url = ${view.onboardingUrl}, asked_at = ${askedAt}::timestamptz
        FROM before b WHERE p.payee_id = b.payee_id RETURNING p.payee_id, b.is_changed`.execute(tx);
      const rows = asked.filter((row) => row.is_changed);
      if (rows.length === 0) return null;
      const events = rows.map(({ payee_id }) => payeeEvent(payee_id));
      const statements = statementsOf(tx);
      return writeOutgoing(statements, { tables: outgoing, events, now });
    });
    if (deliveryIds !== null) onDeliveries(deliveryIds);
    return deliveryIds !== null;
  }
}

const ASK_TIMEOUT_MS = 5_000;

function payeeEvent(payeeId: string): OutgoingEvent {
  return { type: 'payee.updated', kind: 'payee', pkid: pkidOf('payee', payeeId), semanticKey: payeeId };
}

/** A provider without such a question, or without an answer, decides when the payout is sent. */
async function viewOf(provider: Provider, account: string): Promise<PayeeView> {
  const payable: PayeeView = { status: 'payable', blockedReason: null, onboardingUrl: null };
  if (provider.findPayee === null) return payable;
  try {
    const view = await provider.findPayee(account, { timeoutMs: ASK_TIMEOUT_MS });
    if (view !== null) return view;
  } catch (error) {
    if (error instanceof PaymentError && error.surprise !== undefined) return payable;
    throw error;
  }
  const detail = `${provider.name} knows no account "${account}". Have it onboarded there, or correct "account".`;
  throw new PaymentError('not-found', { detail });
}

/** Without an answer a blocked payee stays blocked; of one that was still being onboarded the payout itself tells. */
async function viewNow(payee: Payee, provider: Provider): Promise<PayeeView> {
  const { status, blockedReason = null, onboardingUrl = null } = payee;
  const known = { status, blockedReason, onboardingUrl };
  try {
    return (await provider.findPayee?.(payee.account, { timeoutMs: ASK_TIMEOUT_MS })) ?? known;
  } catch {
    return status === 'blocked' ? known : { ...known, status: 'payable' };
  }
}

/** Why a payout may not be sent to its payee after all; asked again where it was not payable when we last heard. */
export async function obstacleOfPayee(
  { payeeId }: { payeeId: string | null },
  { db, providers }: { db: Db; providers: ReadonlyMap<ProviderName, Provider> },
): Promise<string | null> {
  if (payeeId === null) return null;
  const payee = await db.em().findOne(PayeeEntity, { payeeId });
  if (payee === null || payee.status === 'payable') return null;
  const { provider } = payee;
  const view = await viewNow(payee, providerOf(providers, provider));
  if (view.status === 'payable') return null;
  const isBlocked = view.status === 'blocked';
  const reason = view.blockedReason ?? (isBlocked ? `${provider} has blocked it` : 'its onboarding is not complete');
  // Nothing that the payee completes lifts a block.
  const wayOut = isBlocked
    ? `Only ${provider} can unblock it: ask there, or make a new payout to another payee.`
    : 'Complete its onboarding and make a new payout.';
  return `The payee "${payeeId}" cannot be paid: ${reason.replace(/\.$/, '')}. ${wayOut}`;
}
