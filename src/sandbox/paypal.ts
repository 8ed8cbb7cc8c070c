// PayPal: sign-in, balances, signed webhooks; orders, refunds and payouts are in the files beside this one.
import { hash, sign } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Answer, answer, header, jsonAnswer, type WireRequest } from './answer.ts';
import type { EventRecord } from './payment.ts';
import { PAYPAL_CURRENCIES } from './paypal/amount.ts';
import { certificate } from './paypal/certificate.ts';
import type { Call, Route } from './paypal/form.ts';
import { captureVoice, ORDER_ROUTES } from './paypal/order.ts';
import { PAYOUT_ROUTES, payoutVoice } from './paypal/payout.ts';
import * as problem from './paypal/problem.ts';
import { REFUND_ROUTES, refundVoice } from './paypal/refund.ts';
import * as wire from './paypal/wire.ts';
import { issueToken, isTokenGood } from './token.ts';
import type { Provider, Unsigned, World } from './world.ts';

const TOKEN_LIFE_MS = 9 * 60 * 60 * 1000; // PayPal's own

export const paypal: Provider = {
  name: 'paypal',
  voices: { payout: payoutVoice, payin: captureVoice, refund: refundVoice },
  handle(request, world) {
    const open = find(OPEN_ROUTES, request);
    if (open) return open.run({ request, world, id: open.id });
    const token = /^Bearer (\S+)$/i.exec(header(request, 'authorization') ?? '')?.[1];
    if (!token || !isTokenGood(world, { provider: 'paypal', text: token })) return problem.unauthorized(Boolean(token));
    const found = find(ROUTES, request);
    return found ? found.run({ request, world, id: found.id }) : problem.notFound();
  },
  webhookBody: (event, world) => JSON.stringify(webhook(world, event)),
  sign: signed,
};

const OPEN_ROUTES: Route[] = [
  { method: 'POST', pattern: /^\/v1\/oauth2\/token$/, run: signIn },
  { method: 'GET', pattern: /^\/v1\/notifications\/certs\/([^/]+)$/, run: getCertificate },
];

const ROUTES: Route[] = [
  ...ORDER_ROUTES,
  ...REFUND_ROUTES,
  ...PAYOUT_ROUTES,
  { method: 'GET', pattern: /^\/v1\/reporting\/balances$/, run: getBalances },
];

function find(routes: Route[], { method, path }: WireRequest): { run: Route['run']; id: string } | null {
  for (const route of routes) {
    const match = route.method === method ? route.pattern.exec(path) : null;
    if (match) return { run: route.run, id: match[1] ?? '' };
  }
  return null;
}

function signIn({ request, world }: Call): Answer {
  const basic = /^Basic (\S+)$/i.exec(header(request, 'authorization') ?? '')?.[1] ?? '';
  const isNamed = /^[^:]+:.+/.test(Buffer.from(basic, 'base64').toString('utf8'));
  if (!isNamed) {
    const text = 'Client Authentication failed. Send Basic credentials; in the sandbox any id and secret do.';
    return jsonAnswer(401, { error: 'invalid_client', error_description: text });
  }
  if (new URLSearchParams(request.body).get('grant_type') !== 'client_credentials') {
    const text = 'Unsupported grant_type. Send grant_type=client_credentials.';
    return jsonAnswer(400, { error: 'unsupported_grant_type', error_description: text });
  }
  const token = issueToken(world, { provider: 'paypal', lifeMs: TOKEN_LIFE_MS });
  return jsonAnswer(200, {
    scope: 'https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/payouts',
    access_token: token.text,
    token_type: 'Bearer',
    app_id: 'APP-SANDBOX',
    expires_in: token.expiresInSeconds,
  });
}

function getBalances({ request, world }: Call): Answer {
  const asked = new URLSearchParams(request.query).get('currency_code') ?? 'ALL';
  const currencies = asked === 'ALL' ? PAYPAL_CURRENCIES : PAYPAL_CURRENCIES.filter((one) => one === asked);
  const balances = currencies.map((currency) => {
    const available = wire.money({ currency }, world.state.available({ provider: 'paypal', currency }));
    return {
      currency,
      primary: currency === 'USD',
      total_balance: available,
      available_balance: available,
      withheld_balance: wire.money({ currency }, 0n),
    };
  });
  const now = wire.time(world.now());
  return jsonAnswer(200, { balances, account_id: 'SANDBOX', as_of_time: now, last_refresh_time: now });
}

function getCertificate({ world, id }: Call): Answer {
  const { id: own, pem } = certificate(world);
  return id === own ? answer(200, pem, { 'content-type': 'application/x-pem-file' }) : problem.notFound();
}

function webhook(world: World, { id, type, at, payment }: EventRecord) {
  return {
    id: `WH-${id.slice('evt_'.length)}`,
    event_version: '1.0',
    create_time: wire.time(at),
    resource_version: type.startsWith('PAYMENT.PAYOUTS') ? '1.0' : '2.0',
    event_type: type,
    summary: `${type} in the sandbox`,
    ...resourceOf(world, type, payment),
    links: [],
  };
}

function resourceOf(world: World, type: string, payment: EventRecord['payment']) {
  if (type.startsWith('CHECKOUT.')) return { resource_type: 'checkout-order', resource: wire.order(world, payment) };
  if (type.startsWith('CUSTOMER.')) return { resource_type: 'dispute', resource: wire.dispute(payment) };
  if (type.startsWith('PAYMENT.PAYOUTSBATCH')) {
    return { resource_type: 'payouts', resource: wire.batch(world, payment) };
  }
  if (type.startsWith('PAYMENT.PAYOUTS-ITEM')) {
    return { resource_type: 'payouts_item', resource: wire.item(world, payment) };
  }
  if (payment.kind === 'refund') return { resource_type: 'refund', resource: wire.refund(world, payment) };
  return { resource_type: 'capture', resource: wire.capture(world, payment) };
}

/** PayPal keeps the id and the time of the first try in all later ones. */
function signed({ body, secret, event, world }: Unsigned): Record<string, string> {
  const { id, key } = certificate(world);
  const transmission = hash('sha256', `transmission ${event.id}`, 'hex').replace(UUID_PARTS, '$1-$2-$3-$4-$5');
  const time = wire.time(event.at).replace(/\.\d+/, '');
  const text = `${transmission}|${time}|${secret}|${crc32(body)}`;
  return {
    'paypal-transmission-id': transmission,
    'paypal-transmission-time': time,
    'paypal-transmission-sig': sign('sha256', Buffer.from(text), key).toString('base64'),
    'paypal-cert-url': `${world.url()}/paypal/v1/notifications/certs/${id}`,
    'paypal-auth-algo': 'SHA256withRSA',
    'user-agent': 'PayPal/AUHD-214.0-56897038 (sandbox)',
  };
}

const UUID_PARTS = /^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/;
