// Stripe's v1 API: payouts to connected accounts (transfers and their reversals), balance, events, accounts; money that
// comes in is in the files beside this one. Requests are checked against Stripe's own specification.
import { createHmac } from 'node:crypto';
import qs from 'qs';
import { type Answer, header, jsonAnswer, type WireRequest } from './answer.ts';
import { returnEffect } from './delayed.ts';
import { moveMoney } from './money-call.ts';
import { leftToReturn } from './movement.ts';
import { dashed, isHidden, kindOf, newId, type Payment } from './payment.ts';
import { CHARGE_ROUTES } from './stripe/charge.ts';
import { expanded } from './stripe/expand.ts';
import { type Call, once, operationKey, type Route, readForm, spec, stripeVoice } from './stripe/form.ts';
import { page } from './stripe/page.ts';
import { PAYIN_ROUTES, payinVoice } from './stripe/payin.ts';
import { REFUND_ROUTES, refundVoice } from './stripe/refund.ts';
import * as wire from './stripe/wire.ts';
import type { Provider, Voice, World } from './world.ts';

const voice: Voice = {
  ...stripeVoice,
  objectFirst: false,
  lateDeclineCode: 'insufficient_funds',
  events: { paid: ['transfer.created'], returned: ['transfer.reversed'] },
  render: (payment) => JSON.stringify(wire.transfer(payment)),
  // A transfer has no pending status: until it is decided, its key is in use.
  pending: (payment) => wire.keyInUse(payment.callKey),
  refusal: (payment) => wire.refusal(payment),
};

export const stripe: Provider = {
  name: 'stripe',
  voices: { payout: voice, payin: payinVoice, refund: refundVoice },
  handle(request, world) {
    const found = answerTo(request, world);
    return { ...found, headers: { ...found.headers, 'request-id': newId('req_') } };
  },
  webhookBody: (event, world) => JSON.stringify(wire.event(world, event)),
  sign({ body, secret, atSeconds }) {
    const signature = createHmac('sha256', secret).update(`${atSeconds}.${body}`).digest('hex');
    return { 'stripe-signature': `t=${atSeconds},v1=${signature}`, 'user-agent': 'Stripe/1.0 (sandbox)' };
  },
};

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
  ...PAYIN_ROUTES,
  ...REFUND_ROUTES,
  ...CHARGE_ROUTES,
];

function answerTo(request: WireRequest, world: World): Answer {
  if (!hasSecretKey(request)) return wire.unauthorized();
  for (const route of ROUTES) {
    const match = route.method === request.method ? route.pattern.exec(request.path) : null;
    if (!match) continue;
    const query: Record<string, unknown> = request.query === '' ? {} : qs.parse(request.query);
    const isChecked = route.method === 'GET' && request.query !== '' && route.specPath !== null;
    const defect = isChecked ? spec.query(route.specPath ?? '', query) : null;
    if (defect) return wire.badParameter(defect);
    const { expand } = request.method === 'GET' ? query : expandIn(request.body);
    return expanded(world, route.run({ request, world, id: match[1] ?? '', query }), expand);
  }
  return wire.unknownUrl(request);
}

/** Few forms have it, and the handlers read theirs by themselves. */
function expandIn(body: string): qs.ParsedQs {
  return body.includes('expand') ? qs.parse(body) : {};
}

function hasSecretKey(request: WireRequest): boolean {
  const given = header(request, 'authorization') ?? '';
  if (/^Bearer sk_\S+$/i.test(given)) return true;
  const basic = /^Basic (\S+)$/i.exec(given)?.[1];
  return basic !== undefined && Buffer.from(basic, 'base64').toString('utf8').startsWith('sk_');
}

function createTransfer({ request, world }: Call): Answer {
  const form = readForm(request, { specPath: '/v1/transfers', voice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const destination = String(fields.destination);
  const defect = wire.badMoney(fields);
  if (defect) return defect;
  if (!destination.startsWith('acct_')) return wire.noSuch('destination', destination);
  if (!wire.canReceive(destination)) return wire.notCapable(destination);
  const reference = typeof fields.transfer_group === 'string' ? fields.transfer_group : null;
  const key = operationKey(keyed);
  const { description = null, metadata = {} } = fields;
  const payment: Payment = {
    id: newId('tr_'),
    provider: 'stripe',
    key,
    callKey: keyed.callKey,
    reference,
    amount: String(Number(fields.amount)),
    currency: String(fields.currency).toUpperCase(),
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

/** A transfer exists for look-ups once its money moved, and not while it is hidden. */
function visible(world: World, id: string): Payment | undefined {
  const payment = world.state.payment(id);
  return payment && isVisible(payment, world) ? payment : undefined;
}

function isVisible(payment: Payment, world: World): boolean {
  const moved = payment.status === 'paid' || payment.status === 'returned';
  return payment.provider === 'stripe' && kindOf(payment) === 'payout' && moved && !isHidden(payment, world.now());
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
  const form = readForm(request, { specPath: '/v1/transfers/{id}/reversals', voice });
  if ('defect' in form) return wire.badParameter(form.defect);
  const { fields, keyed } = form;
  const payment = visible(world, id);
  const answer = once(world, keyed, () => {
    if (!payment) return { answer: wire.noSuch('transfer', id), isKept: false };
    const left = leftToReturn(payment);
    const asked = fields.amount === undefined ? left : BigInt(Number(fields.amount));
    if (asked < 1n || asked > left) return { answer: wire.tooMuchReversed(payment, asked), isKept: false };
    const { description = null, metadata = {} } = fields;
    const back = {
      payment,
      amount: asked,
      callKey: keyed.callKey,
      id: newId('trr_'),
      extra: { description, metadata },
    };
    const effect = returnEffect(world, voice, back);
    const made = effect.payment?.returns.at(-1);
    if (!made) throw new Error(`the reversal of ${payment.id} was not recorded`);
    return { answer: jsonAnswer(200, wire.reversal(payment, made)), effect };
  });
  return { ...answer, seen: { key: payment?.key ?? null, callKey: keyed.callKey } };
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
  return jsonAnswer(
    200,
    wire.list(
      '/v1/events',
      rows.map((event) => wire.event(world, event)),
      hasMore,
    ),
  );
}

function getEvent({ world, id }: Call): Answer {
  const event = world.state.event(id);
  return event?.provider === 'stripe' ? jsonAnswer(200, wire.event(world, event)) : wire.noSuch('event', id);
}

function getAccount({ id }: Call): Answer {
  return id.startsWith('acct_') ? jsonAnswer(200, wire.account(id)) : wire.noSuch('account', id);
}
