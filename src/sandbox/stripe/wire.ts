// How Stripe writes things down: objects, lists, events and errors.
import { type Answer, jsonAnswer, type WireRequest } from '../answer.ts';
import { CURRENCIES } from '../currency.ts';
import { type EventRecord, type MoneyReturn, type Payment, returnedAmount } from '../payment.ts';
import type { Defect } from '../schema.ts';
import type { State } from '../state.ts';
import type { World } from '../world.ts';
import { charge, dispute, paymentIntent, refund, seconds } from './payin-wire.ts';

/** The version the official Node package 23.1.0 is pinned to. */
const API_VERSION = '2026-10-28.endive';

export function transfer(payment: Payment): { id: string } & Record<string, unknown> {
  const suffix = payment.id.slice('tr_'.length);
  const returned = returnedAmount(payment);
  const reversals = payment.returns.toReversed().map((one) => reversal(payment, one));
  return {
    id: payment.id,
    object: 'transfer',
    amount: Number(payment.amount),
    amount_reversed: Number(returned),
    balance_transaction: `txn_${suffix}`,
    created: seconds(payment.createdAt),
    currency: payment.currency.toLowerCase(),
    description: payment.extra.description ?? null,
    destination: payment.destination,
    destination_payment: `py_${suffix}`,
    livemode: false,
    metadata: payment.extra.metadata ?? {},
    reversals: {
      ...list(`/v1/transfers/${payment.id}/reversals`, reversals.slice(0, 10), reversals.length > 10),
      total_count: reversals.length,
    },
    reversed: returned === BigInt(payment.amount),
    source_transaction: null,
    source_type: 'card',
    transfer_group: payment.reference,
  };
}

export function reversal(payment: Payment, { id, amount, at, extra }: MoneyReturn) {
  return {
    id,
    object: 'transfer_reversal',
    amount: Number(amount),
    balance_transaction: `txn_${id.slice('trr_'.length)}`,
    created: seconds(at),
    currency: payment.currency.toLowerCase(),
    destination_payment_refund: null,
    metadata: extra.metadata ?? {},
    source_refund: null,
    transfer: payment.id,
  };
}

export function list(url: string, data: unknown[], hasMore: boolean) {
  return { object: 'list', data, has_more: hasMore, url };
}

export function event(world: World, { id, type, at, payment }: EventRecord) {
  return {
    id,
    object: 'event',
    api_version: API_VERSION,
    created: seconds(at),
    data: { object: objectOf(world, type, payment) },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: payment.callKey },
    type,
  };
}

function objectOf(world: World, type: string, payment: Payment): object | null {
  if (type.startsWith('payment_intent.')) return paymentIntent(payment);
  if (type.startsWith('charge.dispute.')) return dispute(payment);
  if (type.startsWith('refund.')) return refund(payment);
  if (!type.startsWith('charge.')) return transfer(payment);
  // A refund's charge is that of its pay-in, as it stands now.
  const payin = payment.parent === undefined ? payment : world.state.payment(payment.parent);
  return payin ? charge(world, payin) : null;
}

export function balance(state: State) {
  const currencies = [...new Set([...CURRENCIES, ...state.currencies('stripe')])];
  const available = currencies.map((currency) => ({
    amount: Number(state.available({ provider: 'stripe', currency })),
    currency: currency.toLowerCase(),
  }));
  return { object: 'balance', available, livemode: false, pending: [{ amount: 0, currency: 'usd' }] };
}

/** An account that Stripe rejected, or that has not told everything yet; said in its name as behaviour words are. */
const BLOCKED = /(?:^|[^A-Za-z0-9])blocked(?:$|[^A-Za-z0-9])/;
const ONBOARDING = /(?:^|[^A-Za-z0-9])onboarding(?:$|[^A-Za-z0-9])/;

/** Whether transfers to an account are taken. */
export function canReceive(id: string): boolean {
  return !BLOCKED.test(id) && !ONBOARDING.test(id);
}

export function account(id: string) {
  const isActive = canReceive(id);
  const isAsked = !BLOCKED.test(id) && ONBOARDING.test(id);
  const due = isAsked ? ['external_account', 'individual.verification.document'] : [];
  return {
    id,
    object: 'account',
    business_type: 'individual',
    capabilities: { transfers: isActive ? 'active' : 'inactive' },
    charges_enabled: isActive,
    country: 'US',
    created: 0,
    default_currency: 'usd',
    details_submitted: !isAsked,
    email: null,
    metadata: {},
    payouts_enabled: isActive,
    requirements: {
      alternatives: [],
      current_deadline: null,
      currently_due: due,
      disabled_reason: isActive ? null : isAsked ? 'requirements.past_due' : 'rejected.fraud',
      errors: [],
      eventually_due: due,
      past_due: due,
      pending_verification: [],
    },
    type: 'express',
  };
}

type Problem = { type: string; message: string; code?: string; param?: string };

export function problem(status: number, error: Problem): Answer {
  return jsonAnswer(status, { error });
}

function invalid(error: Omit<Problem, 'type'>, status = 400): Answer {
  return problem(status, { type: 'invalid_request_error', ...error });
}

export function unauthorized(): Answer {
  const message =
    'No valid API key was given. Send `Authorization: Bearer sk_...`; in the sandbox any key of that form does.';
  const refused = problem(401, { type: 'invalid_request_error', message });
  return { ...refused, headers: { ...refused.headers, 'www-authenticate': 'Basic realm="Stripe"' } };
}

export function unknownUrl({ method, path }: WireRequest): Answer {
  return invalid({ message: `Unrecognized request URL (${method}: ${path}). GET /_sandbox lists what is here.` }, 404);
}

export function noSuch(param: string, id: string): Answer {
  const status = param === 'destination' ? 400 : 404;
  return invalid({ code: 'resource_missing', param, message: `No such ${param}: '${id}'` }, status);
}

export function badParameter({ kind, field, detail }: Defect): Answer {
  const codes = { unknown: 'parameter_unknown', missing: 'parameter_missing', wrong: 'parameter_invalid' };
  const messages = {
    unknown: `Received unknown parameter: ${field}. Remove it.`,
    missing: `Missing required param: ${field}.`,
    wrong: `Invalid ${field}: ${detail}`,
  };
  return invalid({ code: codes[kind], param: field, message: messages[kind] });
}

export function badAmount(): Answer {
  return invalid({
    code: 'parameter_invalid_integer',
    param: 'amount',
    message: 'Invalid amount: it must be a whole number of at least 1.',
  });
}

export function badCurrency(currency: string): Answer {
  return invalid({ param: 'currency', message: `Invalid currency: ${currency}. Send three lower-case letters.` });
}

export function tooMuchReversed(payment: Payment, asked: bigint): Answer {
  const left = BigInt(payment.amount) - returnedAmount(payment);
  const message = `${asked} cannot be reversed: ${left} of ${payment.id} is left. Reverse 1 to that.`;
  return invalid({ param: 'amount', message });
}

/** What is wrong with the amount and the currency of a call that names both. */
export function badMoney({ amount, currency }: Record<string, unknown>): Answer | null {
  if (amount === undefined) return badParameter({ kind: 'missing', field: 'amount', detail: '' });
  if (!Number.isSafeInteger(Number(amount)) || Number(amount) < 1) return badAmount();
  return /^[a-z]{3}$/.test(String(currency)) ? null : badCurrency(String(currency));
}

export function refundRefused(code: string | undefined, message: string): Answer {
  return invalid({ ...(code === undefined ? {} : { code }), message });
}

export function shortOfMoney(purpose: 'transfer' | 'refund'): Answer {
  const message = `You have insufficient available funds in your Stripe account for this ${purpose}. Add funds first.`;
  return invalid({ code: 'balance_insufficient', message });
}

/** What a transfer is refused with, by the reason the sandbox has in mind. */
export function refusal({ declineCode, destination }: Payment): Answer {
  return declineCode === 'insufficient_funds' ? shortOfMoney('transfer') : notCapable(destination);
}

export function notCapable(destination: string): Answer {
  const message = `The account ${destination} cannot receive transfers. Enable its capability "transfers" first.`;
  return invalid({ code: 'insufficient_capabilities_for_transfer', message });
}

export function rateLimited(): Answer {
  return invalid({ code: 'rate_limit', message: 'Too many requests. Send fewer, and wait before the next.' }, 429);
}

export function keyInUse(callKey: string | null): Answer {
  const message = `A request with the idempotency key ${callKey ?? ''} is still in progress. Repeat this one later.`;
  return invalid({ code: 'idempotency_key_in_use', message }, 409);
}

export function keyReused(used: { callKey: string; endpoint: string; first: { endpoint: string } }): Answer {
  const { callKey, endpoint } = used;
  const firstEndpoint = used.first.endpoint;
  const what =
    endpoint === firstEndpoint ? 'with other parameters' : `for another endpoint (${firstEndpoint}, not ${endpoint})`;
  const message = `The idempotency key ${callKey} was first used ${what}. Use a new key for a different request.`;
  return problem(400, { type: 'idempotency_error', message });
}
