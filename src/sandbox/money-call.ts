// The call that moves money, the same for every provider: the key is checked first, then the behaviour word decides,
// and the effect with its key becomes one line. What the answer looks like is the provider's voice.
import { type Answer, answer } from './answer.ts';
import { drawFault, LATER_MS, PLANS, type Plan, SLOW_MS, type Word, wordOf } from './behaviour.ts';
import { type Effect, isHidden, type KeptAnswer, newId, type Payment } from './payment.ts';
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
  const { word, isRandom } = decide(world, call.payment, number);
  const plan: Plan = PLANS[word];
  const seen = word === 'ok' ? {} : { fault: word };
  if (plan.edge && (isRandom || number === 1)) return { ...edgeAnswer(call.voice, plan.edge), seen };
  if (known) return { ...travelling(replay(world, call, known), isRandom ? plan.reply : 'plain'), seen };
  const ready = execute(world, call, plan);
  return { ...travelling(ready, plan.reply), inFlight: hold(world, call), seen };
}

/** The answer to a call whose key cannot be used for it now, or null. Neither answer has an effect. */
export function keyConflict(world: World, call: KeyedCall): Answer | null {
  const { voice, keyName, callKey, endpoint, fingerprint } = call;
  if (keyName === null || callKey === null) return null;
  const first = rememberedKey(world, voice, keyName)?.record;
  if (first && (first.endpoint !== endpoint || first.fingerprint !== fingerprint)) {
    return voice.keyReused({ callKey, endpoint, firstEndpoint: first.endpoint });
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
    return json(kept.status, voice.render(known.snapshot), voice.replayHeader);
  }
  if (!payment) throw new Error(`the key ${known.record.name} points at no payment`);
  const now = standing(voice, payment);
  return { ...now, headers: { ...now.headers, ...voice.replayHeader } };
}

/** The answer that tells how a payment stands. */
export function standing(voice: Voice, payment: Payment): Answer {
  if (payment.status === 'pending') return voice.pending(payment);
  if (payment.status === 'declined') return voice.refusal(payment);
  return json(200, voice.render(payment), {});
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

function decide(world: World, payment: Payment, number: number): { word: Word; isRandom: boolean } {
  const own = wordOf(payment.destination);
  if (PLANS[own] !== PLANS.ok) return { word: own, isRandom: false };
  const drawn = drawFault({ faults: world.settings.faults, key: payment.key ?? payment.id, number });
  return drawn ? { word: drawn, isRandom: true } : { word: own, isRandom: false };
}

const BAD_GATEWAY = '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n';

function edgeAnswer(voice: Voice, edge: NonNullable<Plan['edge']>): Answer {
  const answers = {
    unavailable: () => voice.unavailable(),
    rate_limited: () => ({ ...voice.rateLimited(), headers: { ...voice.rateLimited().headers, 'retry-after': '1' } }),
    html: () => answer(502, BAD_GATEWAY, { 'content-type': 'text/html' }),
    timeout: () => travelling(answer(200, ''), 'hold'),
  } satisfies Record<typeof edge, () => Answer>;
  return answers[edge]();
}

function travelling(ready: Answer, reply: Plan['reply']): Answer {
  if (reply === 'hold' || reply === 'reset') return { ...ready, act: reply };
  return reply === 'slow' ? { ...ready, delayMs: SLOW_MS } : ready;
}

function execute(world: World, call: MoneyCall, plan: Plan): Answer {
  const { payment } = call;
  const isShort = world.state.available(payment) < BigInt(payment.amount);
  if (plan.outcome === 'error') return storeError(world, call);
  if (plan.outcome === 'declined') return refuse(world, call, 'declined');
  if (plan.outcome === 'insufficient' || (plan.outcome === 'paid' && isShort)) {
    return refuse(world, call, 'insufficient_funds');
  }
  return plan.outcome === 'pending' ? wait(world, call, plan) : pay(world, call, plan);
}

function pay(world: World, call: MoneyCall, plan: Plan): Answer {
  const { voice } = call;
  const now = world.now();
  const step = plan.hidden ? 'reveal' : plan.later;
  const payment: Payment = {
    ...call.payment,
    status: 'paid',
    callKey: call.callKey,
    hiddenUntil: plan.hidden ? now + LATER_MS : 0,
    due: step ? { at: now + LATER_MS, step } : null,
  };
  const error = plan.reply === 'error' ? voice.serverError() : null;
  const kept: KeptAnswer =
    error && voice.keepsServerError
      ? fixed(error)
      : voice.twoStage
        ? { kind: 'live' }
        : { kind: 'snapshot', status: 200 };
  world.commit({
    at: now,
    payment,
    ...keyRecord(world, call, { paymentId: payment.id, answer: kept }),
    row: { direction: 'out', amount: payment.amount, callKey: call.callKey },
    ...(plan.hidden ? {} : eventPart(voice.eventTypes.paid)),
  });
  return error ?? standing(voice, payment);
}

function wait(world: World, call: MoneyCall, plan: Plan): Answer {
  const now = world.now();
  const payment: Payment = {
    ...call.payment,
    status: 'pending',
    callKey: call.callKey,
    due: plan.later ? { at: now + LATER_MS, step: plan.later } : null,
  };
  const kept = keyRecord(world, call, { paymentId: payment.id, answer: { kind: 'live' } });
  world.commit({ at: now, payment, ...kept });
  return call.voice.pending(payment);
}

function refuse(world: World, call: MoneyCall, declineCode: string): Answer {
  const { voice } = call;
  const payment: Payment = { ...call.payment, status: 'declined', callKey: call.callKey, declineCode };
  const refusal = voice.refusal(payment);
  if (voice.twoStage) {
    const kept = keyRecord(world, call, { paymentId: payment.id, answer: { kind: 'live' } });
    world.commit({ at: world.now(), payment, ...kept, ...eventPart(voice.eventTypes.declined) });
  } else {
    world.commit({ at: world.now(), ...keyRecord(world, call, { paymentId: null, answer: fixed(refusal) }) });
  }
  return refusal;
}

function storeError(world: World, call: MoneyCall): Answer {
  const error = call.voice.serverError();
  world.commit({ at: world.now(), ...keyRecord(world, call, { paymentId: null, answer: fixed(error) }) });
  return error;
}

export function fixed({ status, body }: Answer): KeptAnswer {
  return { kind: 'fixed', status, body: typeof body === 'string' ? body : [...body].join('') };
}

export function eventPart(type: string | null): Pick<Effect, 'event'> {
  return type === null ? {} : { event: { id: newId('evt_'), type } };
}

function json(status: number, body: string, headers: Record<string, string>): Answer {
  return answer(status, body, { 'content-type': 'application/json', ...headers });
}
