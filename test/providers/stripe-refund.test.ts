// Refunds by the Stripe adapter against the sandbox: each behaviour word in each form of currency, and what an answer
// proves.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { closedUrl, type LocalServer, serveHttp, serveText } from './local-server.ts';
import { outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';
import {
  CURRENCIES,
  IMPATIENT,
  money,
  payinOf,
  referenceOf,
  refundOf,
  SILENT,
  type Stripe,
  stripeAt,
  until,
  whole,
} from './stripe-rig.ts';

vi.setConfig({ maxConcurrency: 40, testTimeout: 30_000 });

let rig: Rig;
let stripe: Stripe;

beforeAll(async () => {
  rig = await openRig();
  stripe = whole(rig.make('stripe'));
  await paidBy('pm_ok_warm', 'USD');
});
afterAll(() => rig.close());

async function paidBy(token: string, currency: string): Promise<string> {
  const order = payinOf(`${token}:${currency}`, { token, money: money(1500n, currency) });
  const answer = await stripe.payin.send(order, LIMITS);
  if (answer.type !== 'succeeded') throw new Error(`Expected a success, not ${answer.type}.`);
  return answer.externId;
}

interface Said {
  readonly word: string;
  readonly first: string;
  readonly repeat: string;
  readonly find: string;
  /** What the look-up says in the end, where that differs. */
  readonly finally?: string;
  readonly moved: 0 | 1;
}

const done = { first: 'succeeded', repeat: 'succeeded', find: 'succeeded', moved: 1 } as const;
const always = (said: string) => ({ first: said, repeat: said, find: said, moved: 0 }) as const;
const stored = 'uncertain:http_500 stored';

const WORDS: readonly Said[] = [
  { word: 'ok', ...done },
  { word: 'decline', ...always('declined:declined') },
  { word: 'insufficient', ...always('declined:provider_insufficient_funds'), find: 'not_found' },
  { word: 'error_before', ...done, first: 'uncertain:http_503' },
  { word: 'error_stored', ...always(stored), find: 'not_found' },
  { word: 'paid_then_500', ...done, first: stored, repeat: stored },
  { word: 'timeout_before', ...done, first: 'uncertain:timeout' },
  { word: 'paid_then_timeout', ...done, first: 'uncertain:timeout' },
  { word: 'paid_then_reset', ...done, first: 'uncertain:reset' },
  {
    word: 'hidden',
    first: 'uncertain:timeout',
    repeat: 'uncertain:key_in_use',
    find: 'not_found',
    finally: 'succeeded',
    moved: 1,
  },
  { word: 'html', ...done, first: 'uncertain:http_502' },
  { word: 'rate_limit', ...done, first: 'not_taken:http_429' },
  { word: 'slow', ...done, first: 'uncertain:timeout' },
  { word: 'pending', ...always('pending'), finally: 'succeeded', moved: 1 },
  { word: 'pending_then_fail', ...always('pending'), finally: 'declined:declined' },
  { word: 'never', ...always('pending') },
  { word: 'bounce', ...done, finally: 'succeeded:reversed 500' },
];

const CASES = CURRENCIES.flatMap((currency) => WORDS.map((said) => ({ ...said, currency })));

describe('each behaviour word, at first, at a repeat and at a look-up', () => {
  test.concurrent.each(CASES)(
    '$word in $currency',
    async ({ currency, word, first, repeat, find, finally: last = find, moved }) => {
      const payin = await paidBy(`pm_refund_${word}_1`, currency);
      const order = refundOf(`${word}:${currency}`, payin, money(500n, currency));
      const limits = SILENT.has(word) ? IMPATIENT : LIMITS;
      expect(await outcomeOf(stripe.refund.send(order, limits))).toBe(first);
      expect(await outcomeOf(stripe.refund.send(order, LIMITS))).toBe(repeat);
      const look = () => stripe.refund.find(referenceOf(order), LIMITS);
      // On a busy machine what ends by itself may have ended already.
      expect([find, last]).toContain(await outcomeOf(look()));
      expect(
        await until(
          () => outcomeOf(look()),
          (said) => said === last,
        ),
      ).toBe(last);
      const row = { provider: 'stripe', direction: 'refund', amount: '500', currency };
      expect(rig.moved(order.pkid)).toEqual(moved === 1 ? [row] : []);
      const answer = await look();
      if (answer.type === 'not_found' || answer.type === 'action_required') return;
      expect(answer).toMatchObject(answer.type === 'succeeded' ? { money: order.money, beneficiary: null } : {});
      const { externId } = answer;
      expect(await stripe.refund.find(referenceOf(order, externId), LIMITS)).toEqual(answer);
      const status = answer.type === 'succeeded' && answer.reversedMinor === 0n ? 'succeeded' : 'failed';
      expect(await stripe.findRefund?.(externId ?? '', LIMITS)).toEqual({
        externId,
        pkid: order.pkid,
        payinExternId: payin,
        money: order.money,
        status: answer.type === 'pending' ? 'pending' : status,
      });
    },
  );
});

describe('a refund', () => {
  test('of more than is left is declined in the words of Stripe, and cancelling a refund changes nothing', async () => {
    const payin = await paidBy('pm_ok_parts', 'USD');
    const whole = refundOf('parts:1', payin, money(1000n));
    expect(await outcomeOf(stripe.refund.send(whole, LIMITS))).toBe('succeeded');
    const more = await stripe.refund.send(refundOf('parts:2', payin, money(501n)), LIMITS);
    expect(more).toMatchObject({ type: 'declined', code: 'declined', detail: expect.stringContaining('500') });
    expect(await outcomeOf(stripe.refund.cancel(referenceOf(whole), LIMITS))).toBe('succeeded');
  });

  test('of a pay-in that Stripe does not know is declined, and not found', async () => {
    const order = refundOf('unknown', 'pi_unknown');
    expect(await outcomeOf(stripe.refund.send(order, LIMITS))).toBe('declined:declined');
    expect(await outcomeOf(stripe.refund.find(referenceOf(order), LIMITS))).toBe('not_found');
    expect(await stripe.findRefund?.('re_unknown', LIMITS)).toBeNull();
  });
});

describe('what an answer proves', () => {
  const order = refundOf('wire', 'pi_1');
  const refund = {
    id: 're_1',
    object: 'refund',
    amount: 500,
    balance_transaction: null,
    created: 100,
    currency: 'usd',
    metadata: { pkid: order.pkid },
    payment_intent: 'pi_1',
    status: 'succeeded',
  };
  const line = { id: 'txn_1', object: 'balance_transaction', fee: 25, currency: 'usd' };
  const list = (has_more: boolean, ...data: object[]) => JSON.stringify({ object: 'list', data, has_more });
  const open: LocalServer[] = [];
  const keep = (server: LocalServer) => {
    open.push(server);
    return server.url;
  };
  afterAll(() => Promise.all(open.map((server) => server.close())));

  test.each<[string, object, string, string]>([
    ['succeeded', {}, 'succeeded', 'succeeded'],
    ['pending', { status: 'pending' }, 'pending', 'pending'],
    ['waiting for the payer', { status: 'requires_action' }, 'pending', 'pending'],
    ['failed', { status: 'failed', failure_reason: 'lost_or_stolen_card' }, 'declined:declined', 'declined:declined'],
    [
      'failed after it had left',
      { status: 'failed', balance_transaction: 'txn_1' },
      'declined:declined',
      'succeeded:reversed 500',
    ],
    ['cancelled', { status: 'canceled' }, 'declined:canceled', 'declined:canceled'],
    ['in a status we do not know', { status: 'new' }, 'pending', 'pending'],
    ['in no status', { status: null }, 'pending', 'pending'],
    ['of another operation', { metadata: { pkid: 'x' } }, 'uncertain:another_payment', 'uncertain:another_payment'],
    ['of nobody', { metadata: null }, 'uncertain:another_payment', 'uncertain:another_payment'],
    ['with a fraction', { amount: 1.5 }, 'uncertain:unexpected_body', 'uncertain:unexpected_body'],
    ['in an unknown currency', { currency: 'zzz' }, 'uncertain:unexpected_body', 'uncertain:unexpected_body'],
  ])('a refund %s', async (_name, change, sent, found) => {
    const warnings: object[] = [];
    const at = stripeAt(keep(await serveText(200, JSON.stringify({ ...refund, ...change }))), warnings);
    expect(await outcomeOf(at.refund.send(order, LIMITS))).toBe(sent);
    expect(await outcomeOf(at.refund.find(referenceOf(order, 're_1'), LIMITS))).toBe(found);
    const isUnknown = 'status' in change && (change.status === 'new' || change.status === null);
    expect(warnings).toHaveLength(isUnknown ? 2 : 0);
  });

  test('a refund that Stripe charges for tells the fee', async () => {
    const body = JSON.stringify({ ...refund, balance_transaction: line });
    const answer = await stripeAt(keep(await serveText(200, body))).refund.send(order, LIMITS);
    expect(answer).toMatchObject({ type: 'succeeded', fee: { externId: 'txn_1', money: money(25n) } });
  });

  test('several refunds under one key: the first that lives counts, the others are named', async () => {
    const failed = { ...refund, id: 're_0', status: 'failed' };
    const newer = { ...refund, id: 're_2', status: 'pending' };
    const foreign = { ...refund, id: 're_3', metadata: {} };
    const at = stripeAt(keep(await serveText(200, list(false, foreign, newer, refund, failed))));
    const answer = await at.refund.find(referenceOf(order), LIMITS);
    expect(answer).toMatchObject({ type: 'succeeded', externId: 're_1', otherExternIds: ['re_2'] });
  });

  test('a look-up reads all pages, and a list without an end proves nothing', async () => {
    const foreign = { ...refund, id: 're_9', metadata: {} };
    const pages = await serveHttp((request, response) => {
      const isSecond = request.url?.includes('starting_after=re_9') ?? false;
      response.end(isSecond ? list(false, refund) : list(true, foreign));
    });
    expect(await outcomeOf(stripeAt(keep(pages)).refund.find(referenceOf(order), LIMITS))).toBe('succeeded');
    const endless = stripeAt(keep(await serveText(200, list(true, foreign))));
    expect(await outcomeOf(endless.refund.find(referenceOf(order), LIMITS))).toBe('uncertain:too_many_refunds');
  });

  test('nobody listens: not taken, and without the pay-in nothing is claimed', async () => {
    const away = stripeAt(await closedUrl());
    expect(await outcomeOf(away.refund.send(order, LIMITS))).toBe('not_taken:refused');
    const unnamed = { ...referenceOf(order), payinExternId: null };
    expect(await outcomeOf(away.refund.find(unnamed, LIMITS))).toBe('uncertain:payin_not_named');
  });
});
