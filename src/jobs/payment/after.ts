// After a payment is final, the world may still take the money back, or claim what contradicts our books. A look at
// the provider decides: what came back is a new posting, a contradiction a discrepancy; the status stays.

import { PaymentError } from '../../domain/errors.ts';
import { moneyOf, type Payment } from '../../domain/payment.ts';
import type { Answer, Provider, Succeeded } from '../../domain/provider.ts';
import { isFinal } from '../../domain/state-machine.ts';
import type { DiscrepancyReason } from '../../entities/discrepancy.ts';
import type { Decision } from '../../ledger/step.ts';
import type { LifeOptions } from '../life.ts';
import { callProvider } from './call.ts';
import { type Answered, answerRow, discrepancyOf, intend } from './records.ts';
import { type Effects, type Held, NO_EFFECTS, type PaymentRules, together } from './rules.ts';
import { chargedBy, feeEffects, returnEffects } from './settle.ts';
import { change, lockingFor, refuseRefusals, unchanged } from './steps.ts';

interface Context<Row extends Payment> {
  readonly rules: PaymentRules<Row>;
  readonly provider: Provider;
  readonly options: LifeOptions;
}

/** Whether the look changed anything. Throws `unavailable` when the provider gave no usable answer. */
export function lookAgain<Row extends Payment>(final: Row, context: Context<Row>): Promise<'applied' | 'no_effect'> {
  return look(final, context, null);
}

/** At another payment that the provider holds under our key, whatever has become of the one on file. */
export function lookBeside<Row extends Payment>(
  row: Row,
  context: Context<Row> & { readonly externId: string },
): Promise<'applied' | 'no_effect'> {
  return look(row, context, context.externId);
}

/** Each but the first because a return was booked meanwhile, of which a payment has few. */
const LOOKS_MAX = 5;

async function look<Row extends Payment>(
  found: Row,
  context: Context<Row>,
  besideId: string | null,
): Promise<'applied' | 'no_effect'> {
  for (let look = 1; look <= LOOKS_MAX; look += 1) {
    const compared = await lookOnce(found, context, besideId);
    if (compared === 'no_answer') break;
    if (compared !== 'overtaken') return compared;
  }
  throw new PaymentError('unavailable', { detail: `${context.provider.name} gave no answer. It is asked again.` });
}

async function lookOnce<Row extends Payment>(
  found: Row,
  { rules, provider, options }: Context<Row>,
  besideId: string | null,
): Promise<Compared> {
  const { at } = options;
  if (at) await at(`${rules.kind}: before look commit`, found.pkid);
  const intended = await rules.step({
    pkid: found.pkid,
    walletIds: [],
    decide(row, now) {
      const { intent, intended } = intend(rules.kind, row, { step: 'find', now });
      // Looking changes nothing that anybody sees.
      const next = { ...intended.row, updatedAt: row.updatedAt };
      return change({ next, cause: null, intents: [intent], result: intended });
    },
  });
  const call = besideId === null ? intended : { ...intended, row: { ...intended.row, externPaymentId: besideId } };
  const answered = await callProvider(call, { rules, provider, startedAt: performance.now(), options });
  const companions = await rules.companionsOf(found);
  const compared = await rules.step({
    pkid: found.pkid,
    ...lockingFor(found, answered.answer, { kind: rules.kind, companions }),
    decide: (row, now, seen) => compare({ row, seen, companions, now }, rules, { ...answered, besideId }),
  });
  if (at) await at(`${rules.kind}: after comparison commit`, found.pkid);
  return compared;
}

/** `overtaken`: another look booked a return while this one asked, whose answer does not show it. */
type Compared = 'applied' | 'no_effect' | 'no_answer' | 'overtaken';

function compare<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  answered: Answered<Row> & { readonly besideId: string | null },
): Decision<Row, Compared> {
  const { row, now } = held;
  const { answer, besideId } = answered;
  const answers = [answerRow(answered, { verdict: 'compared', now })];
  if (answer.type === 'surprise') return unchanged('no_answer', answers);
  const shown = shownNow(row, rules, answer);
  if (besideId !== null && (shown === null || shown.externId !== besideId || besideId === row.externPaymentId)) {
    return unchanged('no_effect', answers);
  }
  if (besideId === null && !isFinal(row.status)) {
    throw new PaymentError('internal', { detail: 'Only a final payment is compared again.' });
  }
  if (row.status === 'succeeded' && shown?.externId === row.externPaymentId) {
    const isLastLook = row.calls === answered.call.number;
    const isReturnNew = row.returnedMinor > answered.call.row.returnedMinor;
    if (isLastLook && isReturnNew && row.returnedMinor > shown.reversedMinor) return unchanged('overtaken', answers);
    const told = together(
      feeEffects(held, rules, shown),
      withdrawnEffects(held, rules, { success: shown, isLastLook }),
    );
    const effects = together(told, returnEffects(held, rules, shown));
    if (effects.movements.length + (effects.discrepancies ?? []).length === 0) return unchanged('no_effect', answers);
    const { movements, ...records } = effects;
    return {
      movements,
      conclude(results) {
        refuseRefusals(results);
        const next = { ...row, ...chargedBy(row, shown), updatedAt: now };
        return { next, path: [], cause: 'returned', ...records, answers, result: 'applied' };
      },
    };
  }
  return contradict(held, rules, { answer, answers });
}

/**
 * What was taken back is paid again, or so it seems: a person compares the two books, because nobody knows by now whose
 * it should be. Of two looks only the later one may say so, and only one that began after the return was booked: any
 * other answer may be older than the return.
 */
function withdrawnEffects<Row extends Payment>(
  { row, now }: Held<Row>,
  rules: PaymentRules<Row>,
  { success, isLastLook }: { success: Succeeded; isLastLook: boolean },
): Effects {
  const amountMinor = row.returnedMinor - success.reversedMinor;
  if (amountMinor <= 0n || !isLastLook) return NO_EFFECTS;
  const { currency, provider, externPaymentId: externId } = row;
  const detail =
    `Of what ${provider} had taken back of it, ${amountMinor} ${currency} (minor units) seem to be paid again. ` +
    'Compare the payment there with its timeline here, book the difference as the runbook says, and close this.';
  const found = { reason: 'return_withdrawn', detail, externId, money: { amountMinor, currency }, now } as const;
  return { movements: [], discrepancies: [discrepancyOf(rules.kind, row, found)] };
}

/** Some providers show a refund that came back as one that failed: all of it was taken back. */
function shownNow<Row extends Payment>(row: Row, { kind }: PaymentRules<Row>, answer: Answer): Succeeded | null {
  if (answer.type === 'succeeded') return answer;
  if (kind !== 'refund' || answer.type !== 'declined' || row.externPaymentId === null) return null;
  return {
    type: 'succeeded',
    externId: row.externPaymentId,
    money: moneyOf(row),
    beneficiary: null,
    reversedMinor: row.amountMinor,
    arrival: null,
    fee: null,
    otherExternIds: [],
  };
}

function contradict<Row extends Payment>(
  held: Held<Row>,
  rules: PaymentRules<Row>,
  { answer, answers }: { answer: Answer; answers: ReturnType<typeof answerRow>[] },
): Decision<Row, Compared> {
  const { row, now } = held;
  const contradiction = contradictionIn(row, answer);
  if (contradiction === null) return unchanged('no_effect', answers);
  const success = answer.type === 'succeeded' ? answer : null;
  // Told of when its money was kept; what has become of that since is in its own row.
  if (success !== null && held.seen.unapplied?.externPaymentId === success.externId) {
    return unchanged('no_effect', answers);
  }
  const discrepancies = [discrepancyOf(rules.kind, row, { ...contradiction, success, now })];
  const stray = success === null ? NO_EFFECTS : rules.strayMoney(held, success, contradiction.reason);
  const { movements, ...records } = together({ movements: [], discrepancies }, stray);
  return {
    movements,
    conclude(results) {
      refuseRefusals(results);
      return { next: null, path: [], cause: null, ...records, answers, result: 'applied' };
    },
  };
}

function contradictionIn(row: Payment, answer: Answer): { reason: DiscrepancyReason; detail: string } | null {
  if (row.status === 'failed' && answer.type === 'succeeded' && answer.reversedMinor < answer.money.amountMinor) {
    const detail = 'The operation is failed here, but the provider shows it as paid. Have it taken back there.';
    return { reason: 'paid_but_failed', detail };
  }
  if (row.status !== 'failed' && answer.type === 'succeeded') {
    const detail = `The payment on file is ${row.externPaymentId}; ${answer.externId} is paid too. Have it taken back.`;
    return { reason: 'second_reference', detail };
  }
  if (row.status === 'succeeded' && answer.type !== 'action_required') {
    const detail = `The operation succeeded here, but the provider now says "${answer.type}". Compare the two.`;
    return { reason: 'contradicts_final', detail };
  }
  return null;
}
