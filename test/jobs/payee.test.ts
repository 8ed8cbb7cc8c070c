// Payees: what their provider says of them decides whether they are paid, and its webhooks keep us informed.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { sql } from 'kysely';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { CallLimits, PayeeView } from '../../src/domain/provider.ts';
import type { Payee } from '../../src/entities/payee.ts';
import { createPayeeLife } from '../../src/jobs/payee.ts';
import { parseRow, tableOf } from '../../src/ledger/table.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
/** Tipalti's page that vouches for a notification; the sandbox knows none about payees. */
let notary: Server;
beforeAll(async () => {
  notary = createServer((request, response) => {
    request.resume();
    response.end('VERIFIED');
  });
  notary.listen(0, '127.0.0.1');
  await once(notary, 'listening');
  const address = notary.address();
  if (address === null || typeof address === 'string') throw new Error('The notary got no port.');
  ({ shop, desk, close } = await openShopWithDesk({
    TIPALTI_IPN_URL: `http://127.0.0.1:${address.port}/notif/ipn.aspx`,
  }));
});
afterAll(async () => {
  await close();
  notary.close();
});

const AMOUNT = 1_000n;

async function register(payeeId: string, provider: 'stripe' | 'tipalti', account: string): Promise<Payee> {
  const walletId = `${payeeId}-wallet`;
  await shop.remit.fundedWallet(walletId, 10_000n);
  const request = { payeeId, ownerId: `owner-${walletId}`, provider, account, metadata: {} };
  return (await shop.app.payees.request(request)).row;
}

async function payeeOf(payeeId: string): Promise<Payee> {
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM payee WHERE payee_id = ${payeeId}`.execute(shop.app.db.sql);
  const [raw] = rows;
  if (raw === undefined) throw new Error(`There is no payee ${payeeId}.`);
  return parseRow(tableOf<Payee>(shop.app.db, 'Payee'), raw);
}

/** As it stood when we last heard of it, before the provider changed its mind. */
async function rememberAs(payeeId: string, status: Payee['status']): Promise<void> {
  const reason = status === 'payable' ? null : 'as we last heard';
  await sql`UPDATE payee SET status = ${status}, blocked_reason = ${reason}
    WHERE payee_id = ${payeeId}`.execute(shop.app.db.sql);
}

async function payOut(payee: Payee, key: string) {
  const { payeeId, provider } = payee;
  const rest = { destination: null, expiresAt: null, metadata: {}, traceparent: null, confirm: true };
  const money = { amountMinor: AMOUNT, currency: parseCurrency('USD') };
  await shop.app.payouts.request({
    semanticKey: key,
    walletId: `${payeeId}-wallet`,
    payeeId,
    provider,
    ...money,
    ...rest,
  });
  return shop.remit.settled(key);
}

function deliveryOf(provider: Payee['provider'], account: string) {
  if (provider === 'tipalti') {
    const form = { key: crypto.randomUUID(), c_date: '1795392000', type: 'payee_details_changed', payee_id: account };
    return { provider, raw: Buffer.from(new URLSearchParams(form).toString()), headers: {} };
  }
  const payload = JSON.stringify({
    id: `evt_${crypto.randomUUID()}`,
    object: 'event',
    type: 'account.updated',
    created: 1,
    data: { object: { id: account, object: 'account' } },
  });
  const [secret = ''] = shop.app.config.stripe.webhookSecrets;
  const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret });
  return { provider, raw: Buffer.from(payload), headers: { 'stripe-signature': signature } };
}

describe.each([
  ['stripe', 'acct_', 'Stripe'],
  ['tipalti', 'payee_', 'compliance'],
] as const)('a payee at %s', (provider, prefix, blockedBy) => {
  const name = (what: string) => `${provider}-${what}`;

  test('is payable, pending or blocked as its provider says when it is registered', async () => {
    expect(await register(name('able'), provider, `${prefix}ok_1`)).toMatchObject({ status: 'payable' });
    expect(await register(name('new'), provider, `${prefix}onboarding_1`)).toMatchObject({
      status: 'pending',
      blockedReason: expect.any(String),
    });
    expect(await register(name('barred'), provider, `${prefix}blocked_1`)).toMatchObject({
      status: 'blocked',
      blockedReason: expect.stringContaining(blockedBy),
    });
  });

  test.each([
    ['onboarding', 'Complete its onboarding and make a new payout.'],
    ['blocked', `Only ${provider} can unblock it: ask there, or make a new payout to another payee.`],
  ])('whose account is %s gets nothing, nothing stays held, and the payout says what helps', async (word, wayOut) => {
    const payee = await register(name(`unpaid-${word}`), provider, `${prefix}${word}_2`);
    const payout = await payOut(payee, name(`unpaid-${word}`));
    expect(payout).toMatchObject({ status: 'failed', failureCode: 'payee_not_payable', calls: 0 });
    expect(payout.failureDetail).toMatch(/^The payee "[^"]+" cannot be paid: .*[^.]\. [CO]/);
    expect(payout.failureDetail?.endsWith(wayOut)).toBe(true);
    expect(await shop.available(payout.walletId)).toBe(10_000n);
    expect(await desk.callsOf(payout.pkid)).toEqual([]);
    expect(await desk.told(name(`unpaid-${word}`))).toContain('payout.failed');
    await shop.expectBooksAgree();
  });

  test('who was blocked meanwhile is known as such by a webhook, told of once, and no longer paid', async () => {
    const account = `${prefix}blocked_3`;
    const payee = await register(name('meanwhile'), provider, account);
    await rememberAs(payee.payeeId, 'payable');
    for (const _time of [1, 2]) await shop.app.events.receive(deliveryOf(provider, account));
    const seen = await until(
      () => payeeOf(payee.payeeId),
      ({ status }) => status === 'blocked',
    );
    expect(seen.blockedReason).toContain(blockedBy);
    await desk.eventsDone(provider);
    expect(await desk.told(payee.payeeId)).toEqual(['payee.updated']);
    const payout = await payOut(payee, name('meanwhile'));
    expect(payout).toMatchObject({ status: 'failed', failureCode: 'payee_not_payable' });
    expect(await shop.app.payouts.find(pkidOf('payout', name('meanwhile')))).toMatchObject({ firstSentAt: null });
    await shop.expectBooksAgree();
  });

  test('who completed the onboarding is paid, even before we hear of it', async () => {
    const payee = await register(name('ready'), provider, `${prefix}ok_4`);
    await rememberAs(payee.payeeId, 'pending');
    expect(await payOut(payee, name('ready'))).toMatchObject({ status: 'succeeded' });
    await shop.app.events.receive(deliveryOf(provider, payee.account));
    await until(
      () => payeeOf(payee.payeeId),
      ({ status, blockedReason }) => status === 'payable' && !blockedReason,
    );
    await shop.expectBooksAgree();
  });

  test('that is no payee of ours is none of our business', async () => {
    const delivery = deliveryOf(provider, `${prefix}ok_stranger`);
    await shop.app.events.receive(delivery);
    await desk.eventsDone(provider);
    const { discrepancies } = await shop.app.reviews.attention();
    expect(discrepancies.filter((row) => row.extern_payment_id === `${prefix}ok_stranger`)).toEqual([]);
  });
});

test('an answer to an older question changes nothing of what the provider said later', async () => {
  const payee = await register('asked-twice', 'stripe', 'acct_ok_5');
  const stripe = shop.app.providers.get('stripe');
  const findPayee = stripe?.findPayee;
  if (stripe === undefined || !findPayee) throw new Error('Stripe tells of payees.');
  const slow = Promise.withResolvers<PayeeView>();
  const answers = [() => slow.promise, findPayee];
  const ask = async (account: string, limits: CallLimits) => (await answers.shift()?.(account, limits)) ?? null;
  const providers = new Map([['stripe' as const, { ...stripe, findPayee: ask }]]);
  const payees = createPayeeLife({ db: shop.app.db, providers, onDeliveries: () => undefined });
  const older = payees.refresh('stripe', payee.account);
  await until(
    async () => answers.length,
    (left) => left === 1,
  );
  expect(await payees.refresh('stripe', payee.account)).toBe('no_effect');
  slow.resolve({ status: 'blocked', blockedReason: 'It was, when it was asked.', onboardingUrl: null });
  expect(await older).toBe('no_effect');
  expect(await payeeOf(payee.payeeId)).toMatchObject({ status: 'payable' });
});

test('a payee that its provider does not know is refused', async () => {
  await expect(register('unknown', 'stripe', 'not-an-account')).rejects.toMatchObject({ code: 'not-found' });
});
