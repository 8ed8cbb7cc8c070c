// What happens to payments by itself: pending ones are paid or refused, bounced money comes back, hidden ones appear,
// buyers are given up and payers dispute. The moment is in the payment's own line, so a restart only has to set the
// timers again.
import { LATER_MS } from './behaviour.ts';
import { fixed } from './money-call.ts';
import { eventParts, isShort, leftToReturn, moved, refundedAmount } from './movement.ts';
import { type Dispute, type Effect, kindOf, newId, type Payment } from './payment.ts';
import type { Voice, World } from './world.ts';

export type Delayed = { schedule(payment: Payment): void; stop(): void };

export function startDelayed(world: World, voiceFor: (payment: Payment) => Voice): Delayed {
  const timers = new Map<string, NodeJS.Timeout>();

  function schedule({ id, due }: Payment): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
    if (!due) return;
    timers.set(
      id,
      setTimeout(() => run(id), Math.max(0, due.at - world.now())),
    );
  }

  function run(id: string): void {
    timers.delete(id);
    const payment = world.state.payment(id);
    if (payment?.due) world.commit(stepEffect(world, voiceFor(payment), payment));
  }

  return {
    schedule,
    stop() {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}

function stepEffect(world: World, voice: Voice, waiting: Payment): Effect {
  const payment: Payment = { ...waiting, due: null };
  switch (waiting.due?.step) {
    case 'return':
      return returnEffect(world, voice, { payment, amount: leftOf(world, payment) });
    case 'reveal':
      return { at: world.now(), payment, ...eventParts(voice, 'paid') };
    case 'expire':
      return expireEffect(world, voice, payment);
    case 'dispute_then_win':
    case 'dispute_then_lose':
      return disputeEffect(world, voice, waiting);
    case 'win':
    case 'lose':
      return decisionEffect(world, voice, waiting);
    case 'pay':
      return isShort(world, payment)
        ? declinedEffect(world, voice, { ...payment, declineCode: 'insufficient_funds' })
        : paidEffect(world, voice, payment);
    default:
      return declinedEffect(world, voice, { ...payment, declineCode: voice.lateDeclineCode });
  }
}

/** Money coming back from a payment, all or a part of it, by whatever call. */
export function returnEffect(
  world: World,
  voice: Voice,
  back: { payment: Payment; amount: bigint; callKey?: string | null; id?: string; extra?: Record<string, unknown> },
): Effect {
  const { amount, callKey = back.payment.callKey, id = newId('trr_'), extra = {} } = back;
  const at = world.now();
  if (amount === 0n) return { at, payment: back.payment };
  const returns = [...back.payment.returns, { id, amount: String(amount), at, extra }];
  const isWhole = amount === leftOf(world, back.payment);
  const payment: Payment = { ...back.payment, returns, status: isWhole ? 'returned' : back.payment.status };
  const row = { direction: 'return' as const, amount: String(amount), callKey };
  return { at, payment, row, ...eventParts(voice, 'returned') };
}

/** What neither came back nor was refunded. */
function leftOf(world: World, payment: Payment): bigint {
  return leftToReturn(payment) - (kindOf(payment) === 'payin' ? refundedAmount(world, payment) : 0n);
}

function expireEffect(world: World, voice: Voice, waiting: Payment): Effect {
  const payment: Payment = { ...waiting, status: 'canceled', declineCode: 'expired' };
  return { at: world.now(), payment, ...eventParts(voice, 'expired') };
}

function disputeEffect(world: World, voice: Voice, paid: Payment): Effect {
  const at = world.now();
  const amount = String(leftOf(world, paid));
  if (amount === '0') return { at, payment: { ...paid, due: null } };
  const dispute: Dispute = { id: newId('dp_'), status: 'open', amount, openedAt: at, closedAt: null };
  const step = paid.due?.step === 'dispute_then_win' ? 'win' : 'lose';
  const payment: Payment = { ...paid, dispute, due: { at: at + LATER_MS, step } };
  const row = { direction: 'dispute' as const, amount, callKey: paid.callKey };
  return { at, payment, row, ...eventParts(voice, 'disputed') };
}

function decisionEffect(world: World, voice: Voice, disputed: Payment): Effect {
  const at = world.now();
  const isWon = disputed.due?.step === 'win';
  if (!disputed.dispute) throw new Error(`${disputed.id} has no dispute to decide`);
  const dispute: Dispute = { ...disputed.dispute, status: isWon ? 'won' : 'lost', closedAt: at };
  const payment: Payment = { ...disputed, dispute, due: null };
  if (!isWon) return { at, payment, ...eventParts(voice, 'dispute_lost') };
  const row = { direction: 'dispute_won' as const, amount: dispute.amount, callKey: disputed.callKey };
  return { at, payment, row, ...eventParts(voice, 'dispute_won') };
}

function paidEffect(world: World, voice: Voice, pending: Payment): Effect {
  const { payment, ...money } = moved(world, pending);
  const key = voice.objectFirst ? {} : finalKey(world, payment, { kind: 'snapshot', status: 200 });
  return { at: world.now(), payment, ...key, ...money, ...eventParts(voice, 'paid') };
}

function declinedEffect(world: World, voice: Voice, pending: Payment): Effect {
  const payment: Payment = { ...pending, status: 'declined' };
  const key = voice.objectFirst ? {} : finalKey(world, payment, fixed(voice.refusal(payment, world)));
  return { at: world.now(), payment, ...key, ...eventParts(voice, 'declined_late') };
}

// A key that was forgotten and used again belongs to another payment by now, and keeps that one's answer.
function finalKey(world: World, payment: Payment, answer: ReturnType<typeof fixed>): Pick<Effect, 'key'> {
  const record =
    payment.callKey === null ? undefined : world.state.key(`${payment.provider}:${payment.callKey}`)?.record;
  return record?.paymentId === payment.id ? { key: { ...record, answer } } : {};
}
