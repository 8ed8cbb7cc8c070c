// What the Stripe adapter sees besides payments: disputes, payees, the balance, and what its events speak of.

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ProviderEvent } from '../../src/domain/provider.ts';
import { createStripe } from '../../src/providers/stripe.ts';
import { type LocalServer, serveText } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';
import { money, payinOf, referenceOf, refundOf, type Stripe, stripeAt, until, whole } from './stripe-rig.ts';

vi.setConfig({ maxConcurrency: 40, testTimeout: 30_000 });

let rig: Rig;
let stripe: Stripe;
const open: LocalServer[] = [];

beforeAll(async () => {
  rig = await openRig();
  stripe = whole(rig.make('stripe'));
});
afterAll(async () => {
  await rig.close();
  await Promise.all(open.map((server) => server.close()));
});

async function answering(body: object, warnings: object[] = []): Promise<Stripe> {
  const server = await serveText(200, JSON.stringify(body));
  open.push(server);
  return stripeAt(server.url, warnings);
}

/** The events of a type that arrived, verified, about the objects of one pay-in (their ids end alike). */
function eventsOf(type: string, externId: string): ProviderEvent[] {
  const suffix = externId.slice(externId.indexOf('_'));
  const events = rig.deliveries.flatMap(({ event }) => event ?? []);
  return events.filter((event) => event.type === type && (event.externId ?? '').endsWith(suffix));
}

describe('a dispute', () => {
  test.concurrent.each([
    { word: 'dispute_won', status: 'won' },
    { word: 'dispute_lost', status: 'lost' },
    { word: 'bounce', status: 'lost' },
  ])('($word) is told by its event and looked up, until it is $status', async ({ word, status }) => {
    const order = payinOf(`views:${word}`, { token: `pm_${word}` });
    const paid = await stripe.payin.send(order, LIMITS);
    if (paid.type !== 'succeeded') throw new Error(`Expected a success, not ${paid.type}.`);
    const type = word === 'bounce' ? 'charge.dispute.closed' : 'charge.dispute.created';
    const [event] = await until(
      async () => eventsOf(type, paid.externId),
      (events) => events.length > 0,
    );
    expect(event).toMatchObject({ subject: 'dispute', pkid: null, externId: expect.stringMatching(/^dp_/) });
    const look = () => stripe.findDispute?.(event?.externId ?? '', LIMITS) ?? Promise.resolve(null);
    expect(['open', status]).toContain((await look())?.status);
    expect(await until(look, (seen) => seen?.status === status)).toEqual({
      externId: event?.externId,
      payinExternId: paid.externId,
      payinPkid: order.pkid,
      money: order.money,
      fee: null,
      status,
      evidenceDue: expect.any(Date),
    });
    // Disputes have a life of their own; the pay-in does not report them a second time.
    expect(await outcomeOf(stripe.payin.find(referenceOf(order), LIMITS))).toBe('succeeded');
  });

  test('that Stripe does not know is none', async () => {
    expect(await stripe.findDispute?.('dp_unknown', LIMITS)).toBeNull();
  });

  const dispute = {
    id: 'du_1',
    object: 'dispute',
    amount: 1500,
    balance_transactions: [],
    currency: 'usd',
    evidence_details: { due_by: 1_795_374_000 },
    payment_intent: 'pi_1',
    status: 'needs_response',
  };

  test.each([
    ['needs_response', 'open'],
    ['under_review', 'open'],
    ['prevented', 'won'],
    ['appeal_under_review', 'open'],
    ['won', 'won'],
    ['lost', 'lost'],
    ['new', 'open'],
  ])('in the status %s is %s', async (written, status) => {
    const warnings: object[] = [];
    const at = await answering({ ...dispute, status: written }, warnings);
    expect(await at.findDispute?.('du_1', LIMITS)).toMatchObject({
      status,
      payinExternId: 'pi_1',
      payinPkid: null,
      evidenceDue: new Date(1_795_374_000_000),
    });
    expect(warnings).toHaveLength(written === 'new' ? 1 : 0);
  });

  test.each(['warning_needs_response', 'warning_under_review', 'warning_closed'])(
    'in the status %s is an inquiry, which takes no money',
    async (status) => {
      const warnings: object[] = [];
      const at = await answering({ ...dispute, status }, warnings);
      expect(await at.findDispute?.('du_1', LIMITS)).toBeNull();
      expect(warnings).toMatchObject([{ status }]);
    },
  );

  test('tells what Stripe charged for it, and not what came back', async () => {
    const line = (id: string, fee: number) => ({ id, object: 'balance_transaction', fee, currency: 'usd' });
    const lines = { balance_transactions: [line('txn_2', -1500), line('txn_1', 1500)] };
    const at = await answering({ ...dispute, ...lines, evidence_details: { due_by: null } });
    const fee = { externId: 'txn_1', money: money(1500n) };
    expect(await at.findDispute?.('du_1', LIMITS)).toMatchObject({ fee, evidenceDue: null });
  });

  test('of a charge without an intent is none of ours, and an unreadable one proves nothing', async () => {
    const foreign = await answering({ ...dispute, payment_intent: null });
    expect(await foreign.findDispute?.('du_1', LIMITS)).toBeNull();
    const odd = await answering({ ...dispute, amount: '1500' });
    const error = await errorFrom(odd.findDispute?.('du_1', LIMITS) ?? Promise.resolve());
    expect(error.surprise?.reason).toBe('unexpected_body');
  });
});

describe('a payee', () => {
  test.each([
    ['acct_ok_1', 'payable', null],
    ['acct_blocked_1', 'blocked', 'Stripe has disabled this account (rejected.fraud). Ask Stripe, or pay another way.'],
    [
      'acct_onboarding_1',
      'pending',
      'Stripe still needs external_account and 1 more. The payee gives it to Stripe, by its onboarding.',
    ],
  ])('%s is %s', async (account, status, blockedReason) => {
    expect(await stripe.findPayee?.(account, LIMITS)).toEqual({ status, blockedReason, onboardingUrl: null });
  });

  test('that Stripe does not know is none', async () => {
    expect(await stripe.findPayee?.('ba_1', LIMITS)).toBeNull();
  });

  const account = {
    id: 'acct_1',
    object: 'account',
    capabilities: { transfers: 'active' },
    payouts_enabled: true,
    requirements: { currently_due: [], disabled_reason: null, past_due: [], pending_verification: [] },
  };

  test.each<[string, object, string, RegExp | null]>([
    ['with everything', {}, 'payable', null],
    ['without the capability', { capabilities: {} }, 'pending', /Request its capability "transfers"/],
    ['without payouts', { payouts_enabled: false }, 'pending', /have payouts enabled/],
    [
      'that is being verified',
      { payouts_enabled: false, requirements: { pending_verification: ['individual.id_number'] } },
      'pending',
      /Wait for its decision/,
    ],
    [
      'that lacks one thing',
      {
        payouts_enabled: false,
        requirements: { past_due: ['tos_acceptance.date'], currently_due: ['tos_acceptance.date'] },
      },
      'pending',
      /needs tos_acceptance\.date\. /,
    ],
    [
      'that the platform paused',
      { payouts_enabled: false, requirements: { disabled_reason: 'platform_paused' } },
      'blocked',
      /platform_paused/,
    ],
  ])('%s', async (_name, change, status, reason) => {
    const seen = await (await answering({ ...account, ...change })).findPayee?.('acct_1', LIMITS);
    expect(seen?.status).toBe(status);
    expect(seen?.blockedReason ?? '').toMatch(reason ?? /^$/);
  });

  test('another account in the answer proves nothing', async () => {
    const at = await answering({ ...account, id: 'acct_2' });
    const error = await errorFrom(at.findPayee?.('acct_1', LIMITS) ?? Promise.resolve());
    expect(error.surprise?.reason).toBe('another_account');
  });
});

test('a pay-in raises our balance, and a refund lowers it', async () => {
  const balance = async () => (await stripe.balance(money(1n, 'EUR').currency, LIMITS)) ?? 0n;
  const before = await balance();
  const paid = await stripe.payin.send(payinOf('balance', { money: money(1500n, 'EUR') }), LIMITS);
  expect((await balance()) - before).toBe(1500n);
  const externId = paid.type === 'succeeded' ? paid.externId : '';
  await stripe.refund.send(refundOf('balance', externId, money(500n, 'EUR')), LIMITS);
  expect((await balance()) - before).toBe(1000n);
});

describe('an event', () => {
  test('of the sandbox verifies and leads to the row it is about', async () => {
    const order = payinOf('events', { token: 'pm_ok' });
    const paid = await stripe.payin.send(order, LIMITS);
    const payinId = paid.type === 'succeeded' ? paid.externId : '';
    const refund = refundOf('events', payinId);
    const sent = await stripe.refund.send(refund, LIMITS);
    const refundId = sent.type === 'succeeded' ? sent.externId : '';
    const told = async (type: string, pkid: string) =>
      rig.deliveries.some(({ event }) => event?.type === type && event.pkid === pkid);
    expect(await until(() => told('payment_intent.succeeded', order.pkid), Boolean)).toBe(true);
    expect(await until(() => told('refund.updated', refund.pkid), Boolean)).toBe(true);
    expect(eventsOf('payment_intent.succeeded', payinId)).toMatchObject([{ subject: 'payin', externId: payinId }]);
    expect(eventsOf('refund.updated', refundId)).toMatchObject([{ subject: 'refund', externId: refundId }]);
    expect(rig.deliveries.every(({ event }) => event !== null)).toBe(true);
  });

  const pkid = payinOf('event').pkid;
  test.each<[string, object, Pick<ProviderEvent, 'subject' | 'externId' | 'pkid'>]>([
    ['transfer.reversed', { id: 'tr_1', transfer_group: pkid }, { subject: 'payout', externId: 'tr_1', pkid }],
    ['payment_intent.canceled', { id: 'pi_1', metadata: { pkid } }, { subject: 'payin', externId: 'pi_1', pkid }],
    ['refund.failed', { id: 're_1', metadata: { pkid: 'x' } }, { subject: 'refund', externId: 're_1', pkid: null }],
    ['charge.refund.updated', { id: 're_1', metadata: { pkid } }, { subject: 'refund', externId: 're_1', pkid }],
    ['charge.refunded', { id: 'ch_1', metadata: { pkid } }, { subject: null, externId: null, pkid: null }],
    ['charge.dispute.closed', { id: 'du_1', metadata: { pkid } }, { subject: 'dispute', externId: 'du_1', pkid: null }],
    ['account.updated', { id: 'acct_1', metadata: { pkid } }, { subject: 'payee', externId: 'acct_1', pkid: null }],
    ['payout.paid', { id: 'po_1' }, { subject: null, externId: null, pkid: null }],
  ])('%s speaks of what it says', async (type, object, expected) => {
    expect(await parsed({ type, object })).toMatchObject({ type, ...expected });
  });

  test('that is forged is refused, and so is one that is stale', async () => {
    const event = { type: 'refund.failed', object: { id: 're_1' } };
    await expect(parsed({ ...event, secret: 'whsec_guess' })).rejects.toMatchObject({ code: 'invalid-signature' });
    await expect(parsed({ ...event, ageSeconds: 301 })).rejects.toMatchObject({ code: 'stale-timestamp' });
  });

  interface Signed {
    readonly type: string;
    readonly object: object;
    readonly secret?: string;
    readonly ageSeconds?: number;
  }

  async function parsed({ type, object, secret = 'whsec_new', ageSeconds = 0 }: Signed): Promise<ProviderEvent> {
    const log = { warn: () => undefined, error: () => undefined };
    const webhookSecrets = ['whsec_old', 'whsec_new'];
    const adapter = createStripe({ secretKey: 'sk_test_x', webhookSecrets, baseUrl: null, live: false, log });
    const raw = Buffer.from(JSON.stringify({ id: 'evt_1', type, created: 1_795_374_000, data: { object } }));
    const signature = createHmac('sha256', secret).update('1795374000.').update(raw).digest('hex');
    const headers = { 'Stripe-Signature': `t=1795374000,v1=${signature}` };
    return adapter.parseWebhook(raw, headers, new Date((1_795_374_000 + ageSeconds) * 1000));
  }
});
