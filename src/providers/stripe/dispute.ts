// Disputes at Stripe: a payer's bank takes a payment back, until it is decided whether it may.

import { z } from 'zod';
import type { DisputeStatus, Provider } from '../../domain/provider.ts';
import { parseAnswer, uncertain } from '../surprise.ts';
import { fromWire } from './amount.ts';
import { boundsOf, isMissing, PROVIDER, pkidIn, type StripeAccess, surpriseOf } from './call.ts';
import { balanceLine, feeOf } from './fee.ts';
import { metadataBody } from './intent.ts';

/** The money goes, and comes back when it is won; Stripe writes no further lines. */
const LINES_MAX = 20;

const disputeBody = z.object({
  id: z.string().regex(/^(du|dp|pdp)_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('dispute'),
  amount: z.int().positive(),
  balance_transactions: z.array(balanceLine).max(LINES_MAX),
  currency: z.string().regex(/^[a-z]{3}$/),
  evidence_details: z.object({ due_by: z.int().positive().nullish() }).nullish(),
  payment_intent: z.union([
    z.object({ id: z.string().min(1).max(255), metadata: metadataBody }),
    z.string().min(1).max(255),
    z.null(),
  ]),
  status: z.string(),
});

/** A dispute that a refund prevented took no money. */
const STATUSES: Readonly<Record<string, DisputeStatus>> = {
  needs_response: 'open',
  under_review: 'open',
  appeal_needs_response: 'open',
  appeal_under_review: 'open',
  prevented: 'won',
  won: 'won',
  lost: 'lost',
};

/** A question of the bank before any dispute: it takes no money, and people answer it at Stripe. */
const INQUIRY = /^warning_/;

export function createDisputeLookUp({ stripe, log }: StripeAccess): NonNullable<Provider['findDispute']> {
  return async (externId, limits) => {
    try {
      const found = await stripe.disputes.retrieve(externId, { expand: ['payment_intent'] }, boundsOf(limits)());
      const dispute = parseAnswer(PROVIDER, disputeBody, found);
      const { payment_intent: payin, status } = dispute;
      // Of a charge without an intent, so of none of our pay-ins.
      if (payin === null) return null;
      if (INQUIRY.test(status)) {
        log.warn(
          { provider: PROVIDER, extern_id: externId, status },
          'Stripe reports an inquiry. Answer it in its dashboard.',
        );
        return null;
      }
      const money = fromWire(dispute);
      if (money === null) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
      if (STATUSES[status] === undefined) {
        log.warn({ provider: PROVIDER, status }, 'Stripe reports a dispute status that is not known here.');
      }
      const dueBy = dispute.evidence_details?.due_by;
      return {
        externId: dispute.id,
        payinExternId: typeof payin === 'string' ? payin : payin.id,
        payinPkid: typeof payin === 'string' ? null : pkidIn(payin.metadata?.pkid),
        money,
        fee: dispute.balance_transactions.map(feeOf).find((fee) => fee !== null) ?? null,
        status: STATUSES[status] ?? 'open',
        evidenceDue: dueBy ? new Date(dueBy * 1000) : null,
      };
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw surpriseOf(cause);
    }
  };
}
