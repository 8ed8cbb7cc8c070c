// What a provider tells of and no operation stands for: somebody moved money that we know nothing of, another system
// shares the account, or the books were restored from a backup that is older. A person must look.

import { sql } from 'kysely';
import { type Pkid, uuidV5 } from '../../domain/id.ts';
import type { Money } from '../../domain/money.ts';
import type { Answer, Provider, ProviderEvent, ProviderName } from '../../domain/provider.ts';
import type { DiscrepancyReason } from '../../entities/discrepancy.ts';
import type { LifeOptions } from '../life.ts';
import { providerOf } from '../provider-of.ts';

interface Unmatched {
  readonly provider: ProviderName;
  readonly eventId: string;
  readonly subject: ProviderEvent['subject'];
  readonly pkid: Pkid | null;
  readonly externId: string | null;
}

interface Shown {
  readonly pkid: Pkid | null;
  readonly money: Money | null;
  /** The provider was asked, and knows nothing of it. */
  readonly isUnknown: boolean;
}

const REASON = 'unmatched_event' satisfies DiscrepancyReason;
/** Any fixed value: one unknown payment is reported once, however many events speak of it. */
const UNMATCHED_NAMESPACE = '0a0f1c1e-2f0a-5d7b-9a63-5d0e8f3c7b11';

export function createUnmatched({ db, providers, timing, log }: LifeOptions) {
  const limits = { timeoutMs: timing.providerTimeoutMs };

  /** How much it is, and which of our keys it was made under, where the provider says so. */
  async function show(event: Unmatched): Promise<Shown> {
    const { subject, externId, pkid } = event;
    const provider = providerOf(providers, event.provider);
    if (externId === null) return { pkid, money: null, isUnknown: false };
    switch (subject) {
      case 'payin': {
        const view = await provider.findPayin?.(externId, limits);
        return { pkid: pkid ?? view?.pkid ?? null, money: moneyIn(view?.answer), isUnknown: view === null };
      }
      case 'refund': {
        const view = await provider.findRefund?.(externId, limits);
        return { pkid: pkid ?? view?.pkid ?? null, money: view?.money ?? null, isUnknown: view === null };
      }
      case 'dispute': {
        const view = await provider.findDispute?.(externId, limits);
        return { pkid, money: view?.money ?? null, isUnknown: view === null };
      }
      case 'payout': {
        const answer = await findPayout(provider, { pkid, externId });
        return { pkid, money: moneyIn(answer), isUnknown: answer?.type === 'not_found' };
      }
      default:
        return { pkid, money: null, isUnknown: false };
    }
  }

  /** Providers that look payouts up by their own id still want to hear ours. */
  async function findPayout(
    { payout }: Provider,
    { pkid, externId }: { pkid: Pkid | null; externId: string },
  ): Promise<Answer | undefined> {
    if (payout === null || pkid === null) return undefined;
    return payout.find({ pkid, externId, key: pkid, payinExternId: null }, limits);
  }

  return {
    /** Opens its discrepancy, once. Returns our id of it, which its event did not need to carry. */
    async report(event: Unmatched): Promise<Pkid | null> {
      const { provider, eventId, subject, externId } = event;
      log.error({ provider, reason: REASON }, 'a provider event matches no operation');
      // What is not shown is told without its amount: that it is there is what matters.
      const unseen: Shown = { pkid: event.pkid, money: null, isUnknown: false };
      const { pkid, money, isUnknown } = await show(event).catch(() => unseen);
      const kind = subject === 'dispute' || subject === 'payee' ? null : subject;
      const unknown = isUnknown
        ? 'It knew nothing under this id either when it was asked: is there a slip in it? '
        : '';
      const detail =
        `The event ${eventId} speaks of ${externId ?? 'a payment'}, of which nothing was sent as far as the books ` +
        `say. Look it up at ${provider}. ${unknown}If it was asked for here and is gone, as after a restored backup, ` +
        'have the request repeated under its key: that finds the payment. If somebody paid it out by hand, record it ' +
        'with POST /v1/treasury. Then close this.';
      await sql`
        INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, extern_payment_id, amount,
                                 currency, detail, opened_at)
        VALUES (${uuidV5(UNMATCHED_NAMESPACE, `${provider}:${externId ?? eventId}`)}::uuid, ${REASON},
                ${provider}, ${kind}, ${pkid}::uuid, ${externId}, ${money?.amountMinor.toString() ?? null}::bigint,
                ${money?.currency ?? null}, ${detail}, clock_timestamp())
        ON CONFLICT DO NOTHING`.execute(db.sql);
      return pkid;
    },

    /** A later statement shows it again, and by now its operation is here: nothing is left to find out. */
    async close({ provider, externId }: Unmatched): Promise<void> {
      await sql`
        UPDATE discrepancy
        SET closed_at = date_trunc('milliseconds', clock_timestamp()), closed_by = 'statement',
            closed_reason = 'Its operation is here again.'
        WHERE reason = ${REASON} AND provider = ${provider} AND extern_payment_id = ${externId}
          AND closed_at IS NULL`.execute(db.sql);
    },
  };
}

function moneyIn(answer: Answer | undefined): Money | null {
  return answer?.type === 'succeeded' ? answer.money : null;
}
