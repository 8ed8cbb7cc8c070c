// Square's requests: a JSON body held to the specification, with the idempotency key in it.
import { hash } from 'node:crypto';
import type { Answer, WireRequest } from '../answer.ts';
import { specChecker } from '../schema.ts';
import * as wire from './wire.ts';

const KEY_LENGTH_MAX = 45; // Square's own, for payments and refunds alike

export const spec = specChecker(new URL('../specs/square-reduced-2025-08-20.json', import.meta.url), 'json');

export type Fields = Record<string, unknown>;

export function readBody(request: WireRequest, specPath: string): { fields: Fields } | { refused: Answer } {
  let fields: Fields;
  try {
    fields = JSON.parse(request.body === '' ? '{}' : request.body);
  } catch {
    return { refused: wire.invalid('EXPECTED_JSON_BODY', 'The body is not JSON. Send a JSON object.') };
  }
  const defect = spec.body(specPath, fields);
  if (defect) return { refused: wire.badField(defect) };
  const key = fields.idempotency_key;
  if (typeof key === 'string' && key.length > KEY_LENGTH_MAX) {
    const detail = `must NOT have more than ${KEY_LENGTH_MAX} characters`;
    return { refused: wire.badField({ kind: 'wrong', field: 'idempotency_key', detail }) };
  }
  return { fields };
}

/** A positive amount with its currency, or what is wrong with it. */
export function readMoney(fields: Fields): { amount: string; currency: string } | { refused: Answer } {
  const missing = (field: string) => ({ refused: wire.badField({ kind: 'missing', field, detail: '' }) });
  const { amount, currency }: Fields = Object(fields.amount_money);
  if (fields.amount_money === undefined) return missing('amount_money');
  if (amount === undefined || amount === null) return missing('amount_money.amount');
  if (typeof currency !== 'string') return missing('amount_money.currency');
  const refused = (code: string, detail: string) => {
    const field = 'amount_money.amount';
    return { refused: wire.problem(400, { category: 'INVALID_REQUEST_ERROR', code, detail, field }) };
  };
  if (Number(amount) < 1) return refused('VALUE_TOO_LOW', 'The amount must be at least 1.');
  if (!Number.isSafeInteger(amount)) return refused('VALUE_TOO_HIGH', 'The amount is too high. Send less.');
  return { amount: String(amount), currency };
}

/** The same for equal bodies, in whatever order their fields stand. */
export function fingerprintOf(fields: Fields): string {
  return hash('sha256', JSON.stringify(sorted(fields)), 'hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, one]) => [name, sorted(one)]);
}
