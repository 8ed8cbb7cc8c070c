// Disputes at PayPal: a buyer, or the bank of one, takes a payment back until it is decided whether that is right.

import type { DisputeStatus, Provider } from '../../domain/provider.ts';
import { type ProviderLog, parseAnswer, providerText } from '../surprise.ts';
import { type Caller, deadlineOf } from './call.ts';
import { PROVIDER } from './problem.ts';
import { readPayinOf } from './refund.ts';
import { disputeBody } from './wire.ts';

const DISPUTES = '/v1/customer/disputes';
const RESOLVED = 'RESOLVED';

/** With a payout PayPal pays the buyer itself, and we keep ours; what the buyer withdraws is won as well. */
const OUTCOMES: Readonly<Record<string, DisputeStatus>> = {
  RESOLVED_SELLER_FAVOUR: 'won',
  RESOLVED_WITH_PAYOUT: 'won',
  CANCELED_BY_BUYER: 'won',
  DENIED: 'won',
  RESOLVED_BUYER_FAVOUR: 'lost',
  ACCEPTED: 'lost',
};

export function createDisputeLookUp({ send, log }: { readonly send: Caller; readonly log: ProviderLog }) {
  const findDispute: NonNullable<Provider['findDispute']> = async (externId, limits) => {
    const signal = deadlineOf(limits);
    const answer = await send({ path: `${DISPUTES}/${encodeURIComponent(externId)}`, signal });
    if (answer.status === 404) return null;
    const dispute = parseAnswer(PROVIDER, disputeBody, answer.body);
    const [transaction] = dispute.disputed_transactions;
    const payin = transaction ? await readPayinOf(send, transaction.seller_transaction_id, signal) : null;
    // Of a payment without an order, so of none of our pay-ins.
    if (payin === null) return null;
    const due = dispute.seller_response_due_date;
    return {
      externId: dispute.dispute_id,
      payinExternId: payin.externId,
      payinPkid: payin.pkid,
      money: dispute.dispute_amount,
      fee: null,
      status: statusOf(dispute.status, dispute.dispute_outcome?.outcome_code ?? ''),
      evidenceDue: due ? new Date(due) : null,
    };
  };

  function statusOf(status: string, outcome: string): DisputeStatus {
    if (status !== RESOLVED) return 'open';
    const decided = OUTCOMES[outcome];
    if (decided !== undefined) return decided;
    const fields = { provider: PROVIDER, outcome: providerText(outcome) };
    log.warn(fields, 'PayPal reports an outcome of a dispute that is not known here, kept as open.');
    return 'open';
  }

  return findDispute;
}
