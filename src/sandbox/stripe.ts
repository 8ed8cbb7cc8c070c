// Stripe's v1 API as far as payouts to connected accounts need it: transfers, their reversals, balance, events,
// accounts. Requests are checked against Stripe's own specification.
import { createHmac, hash } from 'node:crypto';
import qs from 'qs';
import { type Answer, header, jsonAnswer, type WireRequest } from './answer.ts';
import { returnEffect } from './delayed.ts';
import { fixed, hold, type KeyedCall, keyConflict, keyRecord, moveMoney, replay } from './money-call.ts';
import { leftToReturn } from './movement.ts';
import { dashed, isHidden, newId, type Payment } from './payment.ts';
import { type Defect, specChecker } from './schema.ts';
import { page } from './stripe-page.ts';
import * as wire from './stripe-wire.ts';
import { type Provider, rememberedKey, type Voice, type World } from './world.ts';

const DAY_MS = 24 * 60 * 60 * 1000; // Stripe may prune v1 keys after a day
const KEY_LENGTH_MAX = 255;

const spec = specChecker(new URL('./specs/stripe-reduced-2023-08-16-noexpand.json', import.meta.url));

const voice: Voice = {
  keyRetentionMs: DAY_MS,
  replayHeader: { 'idempotent-replayed': 'true' },
  keepsServerError: true,
  repeatsError: true,
  objectFirst: false,
  keeps: 'first',
  successStatus: 200,
  lateDeclineCode: 'insufficient_funds',
  events: { paid: ['transfer.created'], returned: ['transfer.reversed'] },
  render: (payment) => JSON.stringify(wire.transfer(payment)),
  // A transfer has no pending status: until it is decided, its key is in use.
  pending: (payment) => wire.keyInUse(payment.callKey),
  refusal: (payment) => wire.refusal(payment),
  serverError: () => wire.problem(500, { type: 'api_error', message: 'An unknown error occurred.' }),
  unavailable: () => wire.problem(503, { type: 'api_error', message: 'The service is unavailable. Try again.' }),
  rateLimited: () => wire.rateLimited(),
  keyInUse: (callKey) => wire.keyInUse(callKey),
  keyReused: (used) => wire.keyReused(used),
};

export const stripe: Provider = {
  name: 'stripe',
  voices: { payout: voice },
  handle(request, world) {
    const found = answerTo(request, world);
    return { ...found, headers: { ...found.headers, 'request-id': newId('req_') } };
  },
  webhookBody: (event) => JSON.stringify(wire.event(event)),
  sign({ body, secret, atSeconds }) {
    const signature = createHmac('sha256', secret).update(`${atSeconds}.${body}`).digest('hex');
    return { 'stripe-signature': `t=${atSeconds},v1=${signature}`, 'user-agent': 'Stripe/1.0 (sandbox)' };
  },
};

type Call = { request: WireRequest; world: World; id: string; query: Record<string, unknown> };
type Route = { method: string; pattern: RegExp; specPath: string; run: (call: Call) => Answer };

const ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v1\/transfers$/, specPath: '/v1/transfers', run: createTransfer },
  { method: 'GET', pattern: /^\/v1\/transfers$/, specPath: '/v1/transfers', run: listTransfers },
  { method: 'GET', pattern: /^\/v1\/transfers\/([^/]+)$/, specPath: '/v1/transfers/{transfer}', run: getTransfer },
  {
    method: 'POST',
    pattern: /^\/v1\/transfers\/([^/]+)\/reversals$/,
    specPath: '/v1/transfers/{id}/reversals',
    run: reverseTransfer,
  },
  {
    method: 'GET',
    pattern: /^\/v1\/transfers\/([^/]+)\/reversals$/,
    specPath: '/v1/transfers/{id}/reversals',
    run: listReversals,
  },
  { method: 'GET', pattern: /^\/v1\/balance$/, specPath: '/v1/balance', run: getBalance },
  { method: 'GET', pattern: /^\/v1\/events$/, specPath: '/v1/events', run: listEvents },
  { method: 'GET', pattern: /^\/v1\/events\/([^/]+)$/, specPath: '/v1/events/{id}', run: getEvent },
  { method: 'GET', pattern: /^\/v1\/accounts\/([^/]+)$/, specPath: '/v1/accounts/{account}', run: getAccount },
];

function answerTo(request: WireRequest, world: World): Answer {
  if (!hasSecretKey(request)) return wire.unauthorized();
  for (const route of ROUTES) {
    const match = route.method === request.method ? route.pattern.exec(request.path) : null;
    if (!match) continue;
    const query: Record<string, unknown> = request.query === '' ? {} : qs.parse(request.query);
    const defect = route.method === 'GET' && request.query !== '' ? spec.query(route.specPath, query) : null;
    return defect ? wire.badParameter(defect) : route.run({ request, world, id: match[1] ?? '', query });
  }
  return wire.unknownUrl(request);
}

function hasSecretKey(request: WireRequest): boolean {
  const given = header(request, 'authorization') ?? '';
  if (/^Bearer sk_\S+$/i.test(given)) return true;
  const basic = /^Basic (\S+)$/i.exec(given)?.[1];
  return basic !== undefined && Buffer.from(basic, 'base64').toString('utf8').startsWith('sk_');
}

function createTransfer({ request, world }: Call): Answer {
  const specPath = '/v1/transfers';
  const form = readForm(request, specPath);
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const amount = Number(fields.amount);
  const currency = String(fields.currency);
  const destination = String(fields.destination);
  if (fields.amount === undefined) return wire.badParameter({ kind: 'missing', field: 'amount', detail: '' });
  if (!Number.isSafeInteger(amount) || amount < 1) return wire.badAmount();
  if (!/^[a-z]{3}$/.test(currency)) return wire.badCurrency(currency);
  if (!destination.startsWith('acct_')) return wire.noSuch('destination', destination);
  const reference = typeof fields.transfer_group === 'string' ? fields.transfer_group : null;
  const key = keyed.callKey === null ? null : dashed(keyed.callKey);
  const { description = null, metadata = {} } = fields;
  const payment: Payment = {
    id: newId('tr_'),
    provider: 'stripe',
    key,
    callKey: keyed.callKey,
    reference,
    amount: String(amount),
    currency: currency.toUpperCase(),
    destination,
    status: 'created',
    declineCode: null,
    returns: [],
    createdAt: world.now(),
    hiddenUntil: 0,
    due: null,
    extra: { description, metadata },
  };
  const answer = moveMoney(world, { ...keyed, payment });
  return { ...answer, seen: { ...answer.seen, key, callKey: keyed.callKey } };
}

type Form = { fields: Record<string, unknown>; keyed: KeyedCall } | { defect: Defect };

function readForm(request: WireRequest, specPath: string): Form {
  const fields: Record<string, unknown> = qs.parse(request.body);
  const defect = spec.body(specPath, fields);
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
  return { fields, keyed: { voice, keyName, callKey, endpoint: request.path, fingerprint } };
}

/** A transfer exists for look-ups once its money moved, and not while it is hidden. */
function visible(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  return payment && isVisible(payment, world) ? payment : undefined;
}

function isVisible(payment: Payment, world: World): boolean {
  const moved = payment.status === 'paid' || payment.status === 'returned';
  return payment.provider === 'stripe' && moved && !isHidden(payment, world.now());
}

function getTransfer({ world, id }: Call): Answer {
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('transfer', id);
  return { ...jsonAnswer(200, wire.transfer(payment)), seen: { key: payment.key } };
}

function listTransfers({ world, query }: Call): Answer {
  const group = query.transfer_group;
  const { destination } = query;
  const found =
    typeof group === 'string'
      ? world.state.byReference({ provider: 'stripe', reference: group }).toReversed()
      : world.state.newest('stripe');
  const fits = (payment: Payment) =>
    isVisible(payment, world) && (destination === undefined || payment.destination === destination);
  const { rows, hasMore } = page(found, { query, fits, atOf: (payment) => payment.createdAt });
  const seen = typeof group === 'string' ? { key: dashed(group) } : {};
  return { ...jsonAnswer(200, wire.list('/v1/transfers', rows.map(wire.transfer), hasMore)), seen };
}

function reverseTransfer({ request, world, id }: Call): Answer {
  const form = readForm(request, '/v1/transfers/{id}/reversals');
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const conflict = keyConflict(world, keyed);
  if (conflict) return conflict;
  const known = rememberedKey(world, voice, keyed.keyName);
  if (known) return replay(world, keyed, known);
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('transfer', id);
  const left = leftToReturn(payment);
  const asked = fields.amount === undefined ? left : BigInt(Number(fields.amount));
  if (asked < 1n || asked > left) return wire.tooMuchReversed(payment, asked);
  const { description = null, metadata = {} } = fields;
  const back = { payment, amount: asked, callKey: keyed.callKey, id: newId('trr_'), extra: { description, metadata } };
  const effect = returnEffect(world, voice, back);
  const made = effect.payment?.returns.at(-1);
  if (!made) throw new Error(`the reversal of ${payment.id} was not recorded`);
  const answer = jsonAnswer(200, wire.reversal(payment, made));
  world.commit({ ...effect, ...keyRecord(world, keyed, { paymentId: null, answer: fixed(answer) }) });
  return { ...answer, inFlight: hold(world, keyed), seen: { key: payment.key, callKey: keyed.callKey } };
}

function listReversals({ world, id, query }: Call): Answer {
  const payment = visible(world, id);
  if (!payment) return wire.noSuch('transfer', id);
  const all = payment.returns.toReversed();
  const { rows, hasMore } = page(all, { query, fits: () => true, atOf: (one) => one.at });
  const url = `/v1/transfers/${id}/reversals`;
  return jsonAnswer(
    200,
    wire.list(
      url,
      rows.map((one) => wire.reversal(payment, one)),
      hasMore,
    ),
  );
}

function getBalance({ world }: Call): Answer {
  return jsonAnswer(200, wire.balance(world.state));
}

function listEvents({ world, query }: Call): Answer {
  const { type } = query;
  const { rows, hasMore } = page(world.state.newestEvents('stripe'), {
    query,
    fits: (event) => type === undefined || event.type === type,
    atOf: (event) => event.at,
  });
  return jsonAnswer(200, wire.list('/v1/events', rows.map(wire.event), hasMore));
}

function getEvent({ world, id }: Call): Answer {
  const event = world.state.event(id);
  return event?.provider === 'stripe' ? jsonAnswer(200, wire.event(event)) : wire.noSuch('event', id);
}

function getAccount({ id }: Call): Answer {
  return id.startsWith('acct_') ? jsonAnswer(200, wire.account(id)) : wire.noSuch('account', id);
}
