// Square as far as pay-ins need it: payments at once or in two steps, their cancelling, refunds, disputes, locations.
// Requests are checked against Square's own specification.
import { createHmac } from 'node:crypto';
import { type Answer, header, jsonAnswer, type WireRequest } from './answer.ts';
import { isHidden, kindOf, type Payment } from './payment.ts';
import * as payin from './square/payment.ts';
import * as refund from './square/refund.ts';
import { spec } from './square/request.ts';
import * as wire from './square/wire.ts';
import type { Provider, World } from './world.ts';

const PAGE_MAX = 100; // Square's own, and its default

export const square: Provider = {
  name: 'square',
  voices: { payin: payin.voice, refund: refund.voice },
  handle(request, world) {
    if (!/^Bearer \S/i.test(header(request, 'authorization') ?? '')) return wire.unauthorized();
    for (const { method, pattern, specPath, run } of ROUTES) {
      const match = method === request.method ? pattern.exec(request.path) : null;
      if (!match) continue;
      const query = Object.fromEntries(new URLSearchParams(request.query));
      const defect = specPath && request.query !== '' ? spec.query(specPath, query) : null;
      return defect ? wire.badField(defect) : run({ request, world, id: match[1] ?? '', query });
    }
    return wire.invalid('NOT_FOUND', `There is no ${request.method} ${request.path} here. See GET /_sandbox.`, 404);
  },
  webhookBody: (event) => JSON.stringify(wire.event(event)),
  sign({ body, url, secret }) {
    const signature = createHmac('sha256', secret)
      .update(url + body)
      .digest('base64');
    return { 'x-square-hmacsha256-signature': signature, 'square-environment': 'Sandbox' };
  },
};

type Call = { request: WireRequest; world: World; id: string; query: Record<string, unknown> };
type Route = { method: string; pattern: RegExp; specPath?: string; run: (call: Call) => Answer };

const ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v2\/payments$/, run: payin.create },
  { method: 'GET', pattern: /^\/v2\/payments$/, specPath: '/v2/payments', run: listPayments },
  { method: 'POST', pattern: /^\/v2\/payments\/cancel$/, run: payin.cancelByKey },
  { method: 'POST', pattern: /^\/v2\/payments\/([^/]+)\/complete$/, run: payin.complete },
  { method: 'POST', pattern: /^\/v2\/payments\/([^/]+)\/cancel$/, run: payin.cancel },
  { method: 'GET', pattern: /^\/v2\/payments\/([^/]+)$/, run: getPayment },
  { method: 'POST', pattern: /^\/v2\/refunds$/, run: refund.create },
  { method: 'GET', pattern: /^\/v2\/refunds$/, specPath: '/v2/refunds', run: listRefunds },
  { method: 'GET', pattern: /^\/v2\/refunds\/([^/]+)$/, run: getRefund },
  { method: 'GET', pattern: /^\/v2\/disputes$/, run: listDisputes },
  { method: 'GET', pattern: /^\/v2\/disputes\/([^/]+)$/, run: getDispute },
  { method: 'GET', pattern: /^\/v2\/locations$/, run: () => jsonAnswer(200, { locations: [wire.location()] }) },
  { method: 'GET', pattern: /^\/v2\/locations\/([^/]+)$/, run: getLocation },
];

function getPayment({ world, id }: Call): Answer {
  const found = payin.visible(world, id);
  if (!found) return wire.notFound(`payment with id: ${id}`);
  return { ...jsonAnswer(200, { payment: shown(world, found) }), seen: { key: found.key } };
}

function getRefund({ world, id }: Call): Answer {
  const found = world.state.payment(id);
  if (found?.provider !== 'square' || kindOf(found) !== 'refund' || isHidden(found, world.now())) {
    return wire.notFound(`refund with id: ${id}`);
  }
  return { ...jsonAnswer(200, { refund: wire.refund(found) }), seen: { key: found.key } };
}

function shown(world: World, one: Payment) {
  const refunds = world.state.refundsOf(one.id).filter((made) => !isHidden(made, world.now()));
  return wire.payment(one, refunds);
}

function listPayments(call: Call): Answer {
  const { world } = call;
  const { rows, cursor } = page(call, (one) => (kindOf(one) === 'payin' ? payin.visible(world, one.id) : null));
  return jsonAnswer(200, { payments: rows.map((one) => shown(world, one)), ...cursor });
}

function listRefunds(call: Call): Answer {
  const { world } = call;
  const isShown = (one: Payment) => kindOf(one) === 'refund' && !isHidden(one, world.now());
  const { rows, cursor } = page(call, (one) => (isShown(one) ? one : null));
  return jsonAnswer(200, { refunds: rows.map(wire.refund), ...cursor });
}

/** One page, newest first unless asked otherwise; the cursor is the last id of the page before. */
function page({ world, query }: Call, see: (one: Payment) => Payment | null) {
  const asked = Number(query.limit ?? PAGE_MAX);
  const limit = asked >= 1 && asked <= PAGE_MAX ? asked : PAGE_MAX;
  const begin = timeOf(query.begin_time, Number.NEGATIVE_INFINITY);
  const end = timeOf(query.end_time, Number.POSITIVE_INFINITY);
  const fits = (one: Payment) =>
    one.createdAt >= begin && one.createdAt <= end && (query.total === undefined || one.amount === String(query.total));
  const newest = world.state.newest('square');
  const rows: Payment[] = [];
  let started = query.cursor === undefined;
  for (const one of query.sort_order === 'ASC' ? [...newest].toReversed() : newest) {
    const seen = started && fits(one) ? see(one) : null;
    if (seen) rows.push(seen);
    if (one.id === query.cursor) started = true;
    if (rows.length > limit) break;
  }
  const next = rows.length > limit ? rows[limit - 1]?.id : undefined;
  return { rows: rows.slice(0, limit), cursor: next === undefined ? {} : { cursor: next } };
}

function timeOf(text: unknown, otherwise: number): number {
  const ms = Date.parse(String(text));
  return Number.isNaN(ms) ? otherwise : ms;
}

function listDisputes({ world }: Call): Answer {
  const disputes: unknown[] = [];
  for (const one of world.state.newest('square')) {
    if (one.dispute && disputes.length < PAGE_MAX) disputes.push(wire.dispute(one, one.dispute));
  }
  return jsonAnswer(200, { disputes });
}

function getDispute({ world, id }: Call): Answer {
  for (const one of world.state.newest('square')) {
    if (one.dispute?.id === id) {
      return { ...jsonAnswer(200, { dispute: wire.dispute(one, one.dispute) }), seen: { key: one.key } };
    }
  }
  return wire.notFound(`dispute with id: ${id}`);
}

function getLocation({ id }: Call): Answer {
  return id === wire.LOCATION_ID || id === 'main'
    ? jsonAnswer(200, { location: wire.location() })
    : wire.notFound(`location with id: ${id}`);
}
