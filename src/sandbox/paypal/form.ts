// What all parts of the PayPal stand-in have in common: routes, bodies checked against the specifications, and the
// idempotency header.
import { hash } from 'node:crypto';
import { type Answer, header, type WireRequest } from '../answer.ts';
import type { KeyedCall } from '../money-call.ts';
import type { Defect } from '../schema.ts';
import type { Voice, World } from '../world.ts';
import * as problem from './problem.ts';

export type Call = { request: WireRequest; world: World; id: string };
export type Route = { method: string; pattern: RegExp; run: (call: Call) => Answer };

export const DAY_MS = 24 * 60 * 60 * 1000;

/** Everything of a voice that is the same for orders, refunds and payouts. */
export const paypalVoice = {
  replayHeader: {},
  keepsServerError: false,
  repeatsError: false,
  objectFirst: true,
  keeps: 'latest',
  successStatus: 201,
  serverError: problem.serverError,
  unavailable: problem.unavailable,
  rateLimited: problem.rateLimited,
  keyInUse: problem.inProgress,
} satisfies Partial<Voice>;

export type Fields = Record<string, unknown>;

export function readBody(
  request: WireRequest,
  check: (fields: Fields) => Defect | null,
): { fields: Fields } | { refused: Answer } {
  try {
    const parsed: unknown = JSON.parse(request.body === '' ? '{}' : request.body);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return { refused: malformed() };
    const fields: Fields = Object.fromEntries(Object.entries(parsed));
    const defect = check(fields);
    return defect ? { refused: problem.invalid(defect) } : { fields };
  } catch {
    return { refused: malformed() };
  }
}

function malformed(): Answer {
  const details = [{ issue: 'MALFORMED_REQUEST_JSON', description: 'The body is not JSON. Send a JSON object.' }];
  const message = 'Request is not well-formed, syntactically incorrect, or violates schema.';
  return problem.problem(400, 'INVALID_REQUEST', message, { details });
}

/** A request id counts within one kind of call: the same one may serve an order and its capture. */
export function keyedBy(
  request: WireRequest,
  { voice, scope, lengthMax }: { voice: Voice; scope: string; lengthMax: number },
): { keyed: KeyedCall } | { refused: Answer } {
  const callKey = header(request, 'paypal-request-id');
  if (callKey !== null && (callKey === '' || callKey.length > lengthMax)) {
    const detail = `must have 1 to ${lengthMax} characters`;
    return { refused: problem.invalid({ kind: 'wrong', field: 'PayPal-Request-Id', detail }) };
  }
  const keyName = callKey === null ? null : `paypal:${scope}:${callKey}`;
  const fingerprint = hash('sha256', request.body, 'hex');
  return { keyed: { voice, keyName, callKey, endpoint: request.path, fingerprint } };
}

/** A value inside parsed JSON, by its path; undefined where the path ends early. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let found: unknown = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Object.entries(found).find(([own]) => own === String(name))?.[1];
  }
  return found;
}

export function textAt(value: unknown, ...path: (string | number)[]): string | null {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? found : null;
}
