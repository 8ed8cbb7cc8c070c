// What happens to payments by itself: pending ones are paid or refused, bounced money comes back, hidden ones appear.
// The moment is in the payment's own line, so a restart only has to set the timers again.
import { eventPart, fixed } from './money-call.ts';
import { type Effect, newId, type Payment, returnedAmount } from './payment.ts';
import type { Voice, World } from './world.ts';

export type Delayed = { schedule(payment: Payment): void; stop(): void };

export function startDelayed(world: World, voiceOf: (provider: string) => Voice): Delayed {
  const timers = new Map<string, NodeJS.Timeout>();

  function schedule({ id, due }: Payment): void {
    if (!due || timers.has(id)) return;
    timers.set(
      id,
      setTimeout(() => run(id), Math.max(0, due.at - world.now())),
    );
  }

  function run(id: string): void {
    timers.delete(id);
    const payment = world.state.payment(id);
    if (payment?.due) world.commit(stepEffect(world, voiceOf(payment.provider), payment));
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
  const step = waiting.due?.step;
  if (step === 'return') return returnEffect(world, voice, { payment, amount: leftToReturn(payment) });
  if (step === 'reveal') return { at: world.now(), payment, ...eventPart(voice.eventTypes.paid) };
  const isShort = world.state.available(payment) < BigInt(payment.amount);
  return step === 'pay' && !isShort
    ? paidEffect(world, voice, payment)
    : declinedEffect(world, voice, { ...payment, declineCode: isShort ? 'insufficient_funds' : voice.lateDeclineCode });
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
  const isWhole = amount === leftToReturn(back.payment);
  const payment: Payment = { ...back.payment, returns, status: isWhole ? 'returned' : back.payment.status };
  const row = { direction: 'return' as const, amount: String(amount), callKey };
  return { at, payment, row, ...eventPart(voice.eventTypes.returned) };
}

export function leftToReturn(payment: Payment): bigint {
  return BigInt(payment.amount) - returnedAmount(payment);
}

function paidEffect(world: World, voice: Voice, pending: Payment): Effect {
  const payment: Payment = { ...pending, status: 'paid' };
  const row = { direction: 'out' as const, amount: payment.amount, callKey: payment.callKey };
  const key = voice.twoStage ? {} : finalKey(world, payment, { kind: 'snapshot', status: 200 });
  return { at: world.now(), payment, ...key, row, ...eventPart(voice.eventTypes.paid) };
}

function declinedEffect(world: World, voice: Voice, pending: Payment): Effect {
  const payment: Payment = { ...pending, status: 'declined' };
  const key = voice.twoStage ? {} : finalKey(world, payment, fixed(voice.refusal(payment)));
  return { at: world.now(), payment, ...key, ...eventPart(voice.eventTypes.declined) };
}

// A key that was forgotten and used again belongs to another payment by now, and keeps that one's answer.
function finalKey(world: World, payment: Payment, answer: ReturnType<typeof fixed>): Pick<Effect, 'key'> {
  const record =
    payment.callKey === null ? undefined : world.state.key(`${payment.provider}:${payment.callKey}`)?.record;
  return record?.paymentId === payment.id ? { key: { ...record, answer } } : {};
}
