// What all parts of the Stripe stand-in have in common: routes, forms checked against the specification, and the
// idempotency of calls that move no money.
import { hash } from 'node:crypto';
import qs from 'qs';
import { type Answer, header, jsonAnswer, type WireRequest } from '../answer.ts';
import { fixed, hold, type KeyedCall, keyConflict, keyRecord, replay } from '../money-call.ts';
import { dashed, type Effect } from '../payment.ts';
import { type Defect, specChecker } from '../schema.ts';
import { rememberedKey, type Voice, type World } from '../world.ts';
import * as wire from './wire.ts';

const DAY_MS = 24 * 60 * 60 * 1000; // Stripe may prune v1 keys after a day
const KEY_LENGTH_MAX = 255;

export type Call = { request: WireRequest; world: World; id: string; query: Record<string, unknown> };

/** A path that the kept specification does not have (null) takes any query. */
export type Route = { method: string; pattern: RegExp; specPath: string | null; run: (call: Call) => Answer };

export const spec = specChecker(new URL('../specs/stripe-reduced-2023-08-16-noexpand.json', import.meta.url));

/** Names that came to these calls after the kept specification, and are in the parameters of the package 23.1.0. */
const NEWER = new Set(['allowed_payment_method_types', 'excluded_payment_method_types', 'payment_details', 'hooks']);

/** Everything of a voice that is the same for transfers, payment intents and refunds. */
export const stripeVoice = {
  keyRetentionMs: DAY_MS,
  replayHeader: { 'idempotent-replayed': 'true' },
  keepsServerError: true,
  repeatsError: true,
  keeps: 'first',
  successStatus: 200,
  serverError: () => wire.problem(500, { type: 'api_error', message: 'An unknown error occurred.' }),
  unavailable: () => wire.problem(503, { type: 'api_error', message: 'The service is unavailable. Try again.' }),
  rateLimited: () => wire.rateLimited(),
  keyInUse: (callKey) => wire.keyInUse(callKey),
  keyReused: (used) => wire.keyReused(used),
} satisfies Partial<Voice>;

export type Form = { fields: Record<string, unknown>; keyed: KeyedCall } | { defect: Defect };

export function readForm(request: WireRequest, { specPath, voice }: { specPath: string; voice: Voice }): Form {
  const fields: Record<string, unknown> = qs.parse(request.body);
  const checked = Object.fromEntries(Object.entries(fields).filter(([name]) => !NEWER.has(name)));
  const defect = spec.body(specPath, checked);
  if (defect) return { defect };
  const callKey = header(request, 'idempotency-key');
  if (callKey !== null && (callKey === '' || callKey.length > KEY_LENGTH_MAX)) {
    return {
      defect: { kind: 'wrong', field: 'Idempotency-Key', detail: `must have 1 to ${KEY_LENGTH_MAX} characters` },
    };
  }
  const keyName = callKey === null ? null : `stripe:${callKey}`;
  // Stripe compares parameters, whatever their order.
  const fingerprint = hash('sha256', request.body.split('&').toSorted().join('&'), 'hex');
  return { fields: checked, keyed: { voice, keyName, callKey, endpoint: request.path, fingerprint } };
}

type Made = { answer: Answer; effect?: Omit<Effect, 'key'>; isKept?: boolean };

/** An answer and its effect, made once and repeated for their key. A refusal that came first is not kept. */
export function once(world: World, keyed: KeyedCall, make: () => Made): Answer {
  const conflict = keyConflict(world, keyed);
  if (conflict) return conflict;
  const known = rememberedKey(world, keyed.voice, keyed.keyName);
  if (known) return replay(world, keyed, known);
  const { answer, effect, isKept = true } = make();
  if (!isKept) return answer;
  const key = keyRecord(world, keyed, { paymentId: null, answer: fixed(answer) });
  world.commit({ at: world.now(), ...effect, ...key });
  return { ...answer, inFlight: hold(world, keyed) };
}

export function shown(object: object, key: string | null = null): Answer {
  return { ...jsonAnswer(200, object), seen: { key } };
}

export function operationKey({ callKey }: KeyedCall): string | null {
  return callKey === null ? null : dashed(callKey);
}
