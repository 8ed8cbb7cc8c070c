// The call that moves money, the same for every provider: the key is checked first, then the behaviour word decides,
// and the effect with its key becomes one line. What the answer looks like is the provider's voice.
import { type Answer, answer } from './answer.ts';
import {
  drawFault,
  LATER_MS,
  PLANS,
  type Plan,
  planOf,
  refundWordOf,
  SLOW_MS,
  type Word,
  wordOf,
} from './behaviour.ts';
import { eventParts, isShort, moved } from './movement.ts';
import { isHidden, type KeptAnswer, kindOf, type Payment } from './payment.ts';
import type { KnownKey } from './state.ts';
import { rememberedKey, type Voice, type World } from './world.ts';

export type KeyedCall = {
  voice: Voice;
  /** Provider and wire key together; null when the caller sent none, which makes every call a new one. */
  keyName: string | null;
  callKey: string | null;
  endpoint: string;
  fingerprint: string;
};

/** `payment` as it stands before the money moves. */
export type MoneyCall = KeyedCall & { payment: Payment };

export function moveMoney(world: World, call: MoneyCall): Answer {
  const conflict = keyConflict(world, call);
  if (conflict) return conflict;
  const known = rememberedKey(world, call.voice, call.keyName);
  const number = call.keyName === null ? 1 : world.countCall(call.keyName);
  const { word, plan, isRandom } = decide(world, call.payment, number);
  const seen = word === 'ok' ? {} : { fault: word };
  const isFirst = isRandom || number === 1;
  if (plan.edge && isFirst) return { ...edgeAnswer(call.voice, plan.edge), seen };
  const isForgotten = plan.outcome === 'error' && !call.voice.repeatsError;
  if (isForgotten && isFirst) return { ...call.voice.serverError(), seen };
  if (known) return { ...travelling(replay(world, call, known), isRandom ? plan.reply : 'plain'), seen };
  const ready = execute(world, call, plan.edge || isForgotten ? PLANS.ok : plan);
  return { ...travelling(ready, plan.reply), inFlight: hold(world, call), seen };
}

/** The answer to a call whose key cannot be used for it now, or null. Neither answer has an effect. */
export function keyConflict(world: World, call: KeyedCall): Answer | null {
  const { voice, keyName, callKey, endpoint, fingerprint } = call;
  if (keyName === null || callKey === null) return null;
  const first = rememberedKey(world, voice, keyName)?.record;
  if (first && (first.endpoint !== endpoint || first.fingerprint !== fingerprint)) {
    return voice.keyReused({ callKey, endpoint, first }, world);
  }
  return world.inFlight.has(keyName) ? voice.keyInUse(callKey) : null;
}

/** The stored answer of a key that has one. */
export function replay(world: World, { voice, callKey }: KeyedCall, known: KnownKey): Answer {
  const { answer: kept, paymentId } = known.record;
  const payment = paymentId === null ? undefined : world.state.payment(paymentId);
  if (payment && isHidden(payment, world.now())) return voice.keyInUse(callKey);
  if (kept.kind === 'fixed') return json(kept.status, kept.body, voice.replayHeader);
  if (kept.kind === 'snapshot' && known.snapshot) {
    return json(kept.status, voice.render(known.snapshot, world), voice.replayHeader);
  }
  if (payment && voice.repeat) return voice.repeat(payment, world);
  if (!payment) throw new Error(`the key ${known.record.name} points at no payment`);
  const now = standing(world, voice, payment);
  return { ...now, headers: { ...now.headers, ...voice.replayHeader } };
}

/** The answer that tells how a payment stands. */
export function standing(world: World, voice: Voice, payment: Payment): Answer {
  if (payment.status === 'pending' || payment.status === 'action') return voice.pending(payment, world);
  if (payment.status === 'declined') return voice.refusal(payment, world);
  return json(200, voice.render(payment, world), {});
}

/** Marks the key as in flight; the server frees it when the answer is ready. */
export function hold(world: World, { keyName }: KeyedCall): string | null {
  if (keyName !== null) world.inFlight.add(keyName);
  return keyName;
}

export function keyRecord(world: World, call: KeyedCall, kept: { paymentId: string | null; answer: KeptAnswer }) {
  const { keyName, endpoint, fingerprint } = call;
  return keyName === null ? {} : { key: { name: keyName, endpoint, fingerprint, at: world.now(), ...kept } };
}

/** A payment that the buyer or the card has allowed already is not asked about again. */
function decide(world: World, payment: Payment, number: number): { word: Word; plan: Plan; isRandom: boolean } {
  const kind = kindOf(payment);
  const own = kind === 'refund' ? refundWordOf(payment.destination) : wordOf(payment.destination);
  const planFor = (word: Word) => {
    const wanted = planOf(word, kind);
    return payment.status === 'approved' && wanted.outcome === 'action' ? PLANS.ok : wanted;
  };
  const plan = planFor(own);
  if (plan !== PLANS.ok) return { word: own, plan, isRandom: false };
  const drawn = drawFault({ faults: world.settings.faults, key: payment.key ?? payment.id, number });
  return drawn ? { word: drawn, plan: planFor(drawn), isRandom: true } : { word: own, plan, isRandom: false };
}

const BAD_GATEWAY = '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n';

export function edgeAnswer(voice: Voice, edge: NonNullable<Plan['edge']>): Answer {
  const answers = {
    unavailable: () => voice.unavailable(),
    rate_limited: () => ({ ...voice.rateLimited(), headers: { ...voice.rateLimited().headers, 'retry-after': '1' } }),
    html: () => answer(502, BAD_GATEWAY, { 'content-type': 'text/html' }),
    timeout: () => travelling(answer(200, ''), 'hold'),
  } satisfies Record<typeof edge, () => Answer>;
  return answers[edge]();
}

export function travelling(ready: Answer, reply: Plan['reply']): Answer {
  if (reply === 'hold' || reply === 'reset') return { ...ready, act: reply };
  return reply === 'slow' ? { ...ready, delayMs: SLOW_MS } : ready;
}

function execute(world: World, call: MoneyCall, plan: Plan): Answer {
  if (plan.outcome === 'error') return storeError(world, call);
  if (plan.outcome === 'declined') return refuse(world, call, 'declined');
  if (plan.outcome === 'insufficient' || (plan.outcome === 'paid' && isShort(world, call.payment))) {
    return refuse(world, call, 'insufficient_funds');
  }
  return plan.outcome === 'paid' ? pay(world, call, plan) : wait(world, call, plan);
}

function pay(world: World, call: MoneyCall, plan: Plan): Answer {
  const { voice } = call;
  const at = world.now();
  const step = plan.hidden ? 'reveal' : plan.later;
  const { payment, ...money } = moved(world, {
    ...call.payment,
    callKey: call.callKey,
    hiddenUntil: plan.hidden ? at + LATER_MS : 0,
    due: step ? { at: at + LATER_MS, step } : null,
  });
  const error = plan.reply === 'error' ? voice.serverError() : null;
  const kept: KeptAnswer = error && voice.keepsServerError ? fixed(error) : keptFirst(voice);
  world.commit({
    at,
    payment,
    ...keyRecord(world, call, { paymentId: payment.id, answer: kept }),
    ...money,
    ...(plan.hidden ? {} : eventParts(voice, 'paid')),
  });
  return error ?? first(voice, standing(world, voice, payment));
}

/** The money is not there yet: the provider takes its time, or the buyer must act. */
function wait(world: World, call: MoneyCall, plan: Plan): Answer {
  const { voice } = call;
  const at = world.now();
  const status = plan.outcome === 'action' ? 'action' : 'pending';
  const delayMs = plan.later === 'expire' ? world.settings.abandonMs : LATER_MS;
  const due = plan.later ? { at: at + delayMs, step: plan.later } : null;
  const payment: Payment = { ...call.payment, status, callKey: call.callKey, due };
  const answer: KeptAnswer = voice.objectFirst ? keptFirst(voice) : { kind: 'live' };
  const key = keyRecord(world, call, { paymentId: payment.id, answer });
  world.commit({ at, payment, ...key, ...eventParts(voice, status) });
  return first(voice, voice.pending(payment, world));
}

export function refuse(world: World, call: MoneyCall, declineCode: string): Answer {
  const { voice } = call;
  const payment: Payment = { ...call.payment, status: 'declined', callKey: call.callKey, declineCode };
  const refusal = first(voice, voice.refusal(payment, world));
  const isLive = voice.objectFirst && voice.keeps === 'latest';
  const answer: KeptAnswer = isLive ? { kind: 'live' } : fixed(refusal);
  const key = keyRecord(world, call, { paymentId: isLive ? payment.id : null, answer });
  const object = voice.objectFirst ? { payment, ...eventParts(voice, 'declined') } : {};
  world.commit({ at: world.now(), ...key, ...object });
  return refusal;
}

export function storeError(world: World, call: MoneyCall): Answer {
  const error = call.voice.serverError();
  world.commit({ at: world.now(), ...keyRecord(world, call, { paymentId: null, answer: fixed(error) }) });
  return error;
}

function keptFirst({ keeps }: Voice): KeptAnswer {
  return keeps === 'latest' ? { kind: 'live' } : { kind: 'snapshot', status: 200 };
}

/** A first success has the status that this provider gives to first ones. */
function first({ successStatus }: Voice, ready: Answer): Answer {
  return ready.status === 200 ? { ...ready, status: successStatus } : ready;
}

export function fixed({ status, body }: Answer): KeptAnswer {
  return { kind: 'fixed', status, body: typeof body === 'string' ? body : [...body].join('') };
}

function json(status: number, body: string, headers: Record<string, string>): Answer {
  return answer(status, body, { 'content-type': 'application/json', ...headers });
}
