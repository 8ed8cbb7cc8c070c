// Of a locked row and an answer about it: the evidence that the verdict is drawn from, and what the row learns of it.

import { PaymentError } from '../../domain/errors.ts';
import { isExpiring, moneyOf, type Payment, type Timing } from '../../domain/payment.ts';
import type { Provider } from '../../domain/provider.ts';
import type { Evidence } from '../../domain/verdict.ts';
import type { Answered } from './records.ts';
import type { PaymentRules } from './rules.ts';

export function evidenceOf<Row extends Payment>(
  row: Row,
  { call, answer }: Answered<Row>,
  context: { rules: PaymentRules<Row>; provider: Provider; timing: Timing; now: Date },
): Evidence {
  const { rules, provider, timing, now } = context;
  const account = rules.accountOf(provider);
  if (account === null) {
    throw new PaymentError('internal', { detail: `${provider.name} does no ${rules.kind}, yet one names it.` });
  }
  const { stages, canFindByKey, keyRetentionMs } = account;
  // A first step that is known by its id shows whether it moved the money; one whose answer was lost may have.
  const isNamed = row.externPaymentId !== null || ('externId' in answer && answer.externId !== null);
  const isDecidedBySend = stages === 1 || (!isNamed && rules.movesAtSend(provider, row));
  return {
    direction: rules.direction,
    step: call.step,
    answer,
    money: moneyOf(row),
    beneficiary: row.beneficiary,
    externId: row.externPaymentId,
    stages,
    canFindByKey,
    moneyIntendedAt: row.confirmSentAt ?? (isDecidedBySend ? row.firstSentAt : null),
    lastSentBy: row.lastSentAt === null ? null : new Date(row.lastSentAt.getTime() + timing.sendDeadlineMs),
    firstSentAt: row.firstSentAt,
    errorReplays: row.errorReplays,
    sawSuccess: row.sawSuccess,
    decline: row.declineCode === null ? null : { code: row.declineCode, detail: row.declineDetail ?? '' },
    cancelRequested: row.cancelRequestedAt !== null,
    isExpiring: isExpiring(row),
    inReview: row.reviewReason !== null,
    now,
    graceMs: timing.leaseMs,
    resendWindowMs: keyRetentionMs / 2,
  };
}

/** What any answer teaches, whoever got it. */
export function learn<Row extends Payment>(
  row: Row,
  { rules, answered: { call, answer } }: { rules: PaymentRules<Row>; answered: Answered<Row> },
): Row {
  const externId = 'externId' in answer ? answer.externId : null;
  const stored = answer.type === 'surprise' ? answer.surprise.storedError : null;
  const isSend = call.step === 'send' || call.step === 'confirm';
  const signature = stored === null ? null : `${call.step}:${stored}`;
  const isDecline = answer.type === 'declined' && answer.code !== 'canceled' && row.declineCode === null;
  const taught = {
    ...row,
    ...(row.externPaymentId === null && externId !== null ? { externPaymentId: externId } : {}),
    ...(answer.type === 'succeeded' ? { sawSuccess: true } : {}),
    ...(isDecline ? { declineCode: answer.code, declineDetail: answer.detail } : {}),
    ...(isSend && signature !== null
      ? { storedError: signature, errorReplays: row.storedError === signature ? row.errorReplays + 1 : 0 }
      : {}),
  };
  return answer.type === 'surprise' ? taught : rules.learn(taught, answer);
}
