// Stripe's `expand`: objects in place of their ids, along paths such as `latest_charge.balance_transaction`.
import type { Answer } from '../answer.ts';
import type { World } from '../world.ts';
import { balanceTransaction, charge, chargeOwner, paymentIntent } from './payin-wire.ts';

const DEPTH_MAX = 4; // Stripe's own

/** What the caller asked to have in place of ids is put into the answer on its way out; keys keep it without. */
export function expanded(world: World, answer: Answer, paths: unknown): Answer {
  const { status, body } = answer;
  if (!Array.isArray(paths) || status !== 200 || typeof body !== 'string') return answer;
  if (body === '') return answer; // of a call that is to be left without one
  let object: object = JSON.parse(body);
  for (const path of paths) object = replaced(world, object, String(path).split('.').slice(0, DEPTH_MAX));
  return { ...answer, body: JSON.stringify(object) };
}

function replaced(world: World, object: object, [name, ...rest]: string[]): object {
  if (name === undefined) return object;
  if (Array.isArray(object)) return object.map((one) => replaced(world, one, [name, ...rest]));
  const value: unknown = Object.entries(object).find(([own]) => own === name)?.[1];
  const found = typeof value === 'string' ? lookUp(world, value) : value;
  if (typeof found !== 'object' || found === null) return object;
  return { ...object, [name]: replaced(world, found, rest) };
}

function lookUp(world: World, id: string): object | null {
  if (id.startsWith('txn_')) return balanceTransaction(world, id);
  const payin = chargeOwner(world, id) ?? world.state.payment(id);
  if (payin?.kind !== 'payin') return null;
  return id.startsWith('ch_') ? charge(world, payin) : paymentIntent(payin);
}
