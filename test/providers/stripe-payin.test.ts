// Pay-ins by the Stripe adapter against the sandbox: each behaviour word in each form of currency, the buyer who acts,
// and the cancel that comes too late.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';
import { CURRENCIES, IMPATIENT, money, payinOf, referenceOf, SILENT, type Stripe, until, whole } from './stripe-rig.ts';

vi.setConfig({ maxConcurrency: 40, testTimeout: 30_000 });

let rig: Rig;
let stripe: Stripe;

beforeAll(async () => {
  rig = await openRig();
  stripe = whole(rig.make('stripe'));
  // The first call also loads and compiles; the impatient ones should not pay for it.
  await stripe.payin.send(payinOf('warm'), LIMITS);
});
afterAll(() => rig.close());

interface Said {
  readonly word: string;
  readonly first: string;
  readonly repeat: string;
  readonly find: string;
  /** What the look-up says in the end, where that differs. */
  readonly finally?: string;
  readonly moved: 0 | 1;
}

const paid = { first: 'succeeded', repeat: 'succeeded', find: 'succeeded', moved: 1 } as const;
const always = (said: string) => ({ first: said, repeat: said, find: said, moved: 0 }) as const;
const stored = 'uncertain:http_500 stored';

const WORDS: readonly Said[] = [
  { word: 'ok', ...paid },
  { word: 'decline', ...always('declined:declined') },
  { word: 'insufficient', ...always('declined:declined') },
  { word: 'error_before', ...paid, first: 'uncertain:http_503' },
  { word: 'error_stored', ...always(stored), find: 'not_found' },
  { word: 'paid_then_500', ...paid, first: stored, repeat: stored },
  { word: 'timeout_before', ...paid, first: 'uncertain:timeout' },
  { word: 'paid_then_timeout', ...paid, first: 'uncertain:timeout' },
  { word: 'paid_then_reset', ...paid, first: 'uncertain:reset' },
  {
    word: 'hidden',
    first: 'uncertain:timeout',
    repeat: 'uncertain:key_in_use',
    find: 'not_found',
    finally: 'succeeded',
    moved: 1,
  },
  { word: 'html', ...paid, first: 'uncertain:http_502' },
  { word: 'rate_limit', ...paid, first: 'not_taken:http_429' },
  { word: 'slow', ...paid, first: 'uncertain:timeout' },
  { word: 'pending', ...always('pending'), finally: 'succeeded', moved: 1 },
  { word: 'pending_then_fail', ...always('pending'), finally: 'declined:declined' },
  { word: 'never', ...always('pending') },
  { word: 'bounce', ...paid },
  { word: 'action', ...always('action_required') },
  { word: 'abandon', ...always('action_required'), finally: 'declined:canceled' },
  { word: 'dispute_won', ...paid },
  { word: 'dispute_lost', ...paid },
];

const CASES = CURRENCIES.flatMap((currency) => WORDS.map((said) => ({ ...said, currency })));

describe('each behaviour word, at first, at a repeat and at a look-up', () => {
  test.concurrent.each(CASES)(
    '$word in $currency',
    async ({ currency, word, first, repeat, find, finally: last = find, moved }) => {
      const order = payinOf(`${word}:${currency}`, { token: `pm_${word}_1`, money: money(1500n, currency) });
      const limits = SILENT.has(word) ? IMPATIENT : LIMITS;
      expect(await outcomeOf(stripe.payin.send(order, limits))).toBe(first);
      expect(await outcomeOf(stripe.payin.send(order, LIMITS))).toBe(repeat);
      const look = () => stripe.payin.find(referenceOf(order), LIMITS);
      // On a busy machine what ends by itself may have ended already.
      expect([find, last]).toContain(await outcomeOf(look()));
      expect(
        await until(
          () => outcomeOf(look()),
          (said) => said === last,
        ),
      ).toBe(last);
      const row = { provider: 'stripe', direction: 'in', amount: '1500', currency };
      expect(rig.moved(order.pkid)).toEqual(moved === 1 ? [row] : []);
      const answer = await look();
      if (answer.type === 'not_found') return;
      expect(answer).toMatchObject(answer.type === 'succeeded' ? { money: order.money, beneficiary: null } : {});
      if (answer.type === 'declined') expect(answer.isOpen).toBe(answer.code === 'declined');
      const { externId } = answer;
      expect(await stripe.payin.find(referenceOf(order, externId), LIMITS)).toEqual(answer);
    },
  );
});

describe('a buyer', () => {
  test.concurrent('who must act is sent to Stripe, and has paid once they approved', async () => {
    const order = payinOf('buyer:acts', { token: 'pm_action' });
    const answer = await stripe.payin.send(order, LIMITS);
    if (answer.type !== 'action_required') throw new Error(`Expected an action, not ${answer.type}.`);
    const url = `${rig.url}/_sandbox/approve/${answer.externId}`;
    expect(answer.nextAction).toEqual({ type: 'redirect', url, expiresAt: null });
    await rig.control(`/approve/${answer.externId}`);
    expect(await outcomeOf(stripe.payin.find(referenceOf(order, answer.externId), LIMITS))).toBe('succeeded');
    expect(rig.moved(order.pkid)).toHaveLength(1);
  });

  test.concurrent('without a token gets a client secret, and is found before anything was tried', async () => {
    const order = payinOf('buyer:chooses', { token: null });
    const answer = await stripe.payin.send(order, LIMITS);
    expect(answer).toMatchObject({ type: 'action_required', nextAction: { type: 'client_secret' } });
    expect(await stripe.payin.send(order, LIMITS)).toEqual(answer);
    expect(await stripe.payin.find(referenceOf(order), LIMITS)).toEqual(answer);
    expect(rig.moved(order.pkid)).toEqual([]);
    if (answer.type !== 'action_required') return;
    await rig.control(`/approve/${answer.externId}`);
    expect(await outcomeOf(stripe.payin.find(referenceOf(order), LIMITS))).toBe('succeeded');
  });

  test.concurrent('whose card was refused is told why in the provider’s words', async () => {
    for (const [word, detail] of [
      ['decline', 'Your card was declined.'],
      ['insufficient', 'Your card has insufficient funds.'],
    ] as const) {
      const order = payinOf(`why:${word}`, { token: `pm_${word}` });
      const answer = await stripe.payin.send(order, LIMITS);
      expect(answer).toMatchObject({ type: 'declined', code: 'declined', detail, isOpen: true });
    }
  });
});

describe('a cancel', () => {
  const canceled = { type: 'declined', code: 'canceled', isOpen: false };

  test.concurrent.each(['decline', 'action'])('ends what is still open (%s), and ends it again', async (word) => {
    const order = payinOf(`cancel:${word}`, { token: `pm_${word}` });
    const answer = await stripe.payin.send(order, LIMITS);
    const externId = answer.type === 'declined' || answer.type === 'action_required' ? answer.externId : null;
    for (let times = 0; times < 2; times += 1) {
      expect(await stripe.payin.cancel(referenceOf(order, externId), LIMITS)).toMatchObject(canceled);
    }
    expect(await stripe.payin.find(referenceOf(order, externId), LIMITS)).toMatchObject(canceled);
    await expect(rig.control(`/approve/${externId}`)).rejects.toThrow('over');
    expect(rig.moved(order.pkid)).toEqual([]);
  });

  test.concurrent('finds by our key what it has no id of', async () => {
    const order = payinOf('cancel:lost', { token: null });
    await stripe.payin.send(order, LIMITS);
    expect(await stripe.payin.cancel(referenceOf(order), LIMITS)).toMatchObject(canceled);
    const unsent = payinOf('cancel:unsent');
    expect(await stripe.payin.cancel(referenceOf(unsent), LIMITS)).toEqual({ type: 'not_found' });
  });

  test.concurrent.each(['ok', 'paid_then_timeout'])('of what was paid (%s) says that it was paid', async (word) => {
    const order = payinOf(`cancel:paid:${word}`, { token: `pm_${word}` });
    await outcomeOf(stripe.payin.send(order, SILENT.has(word) ? IMPATIENT : LIMITS));
    const found = await stripe.payin.find(referenceOf(order), LIMITS);
    if (found.type !== 'succeeded') throw new Error(`Expected a success, not ${found.type}.`);
    for (const externId of [null, found.externId]) {
      expect(await stripe.payin.cancel(referenceOf(order, externId), LIMITS)).toEqual(found);
    }
  });

  test.concurrent('of what Stripe is working on says that it is pending, and ends it once it was refused', async () => {
    const order = payinOf('cancel:pending', { token: 'pm_pending_then_fail' });
    const sent = await stripe.payin.send(order, LIMITS);
    const externId = sent.type === 'pending' ? sent.externId : null;
    const cancel = () => stripe.payin.cancel(referenceOf(order, externId), LIMITS);
    expect(await outcomeOf(cancel())).toBe('pending');
    // A cancel that comes at the very moment of the refusal is told of that, and the next one ends it.
    expect(
      await until(
        () => outcomeOf(cancel()),
        (said) => said === 'declined:canceled',
      ),
    ).toBe('declined:canceled');
  });

  test.concurrent('against the buyer who pays: one of them wins, and both are told the same', async () => {
    const ends = await Promise.all(
      Array.from({ length: 10 }, async (_, number) => {
        const order = payinOf(`cancel:race:${number}`, { token: 'pm_action' });
        const sent = await stripe.payin.send(order, LIMITS);
        const externId = sent.type === 'action_required' ? sent.externId : null;
        const [said] = await Promise.all([
          outcomeOf(stripe.payin.cancel(referenceOf(order, externId), LIMITS)),
          rig.control(`/approve/${externId}`).catch(() => undefined),
        ]);
        expect(await outcomeOf(stripe.payin.find(referenceOf(order, externId), LIMITS))).toBe(said);
        expect(rig.moved(order.pkid)).toHaveLength(said === 'succeeded' ? 1 : 0);
        return said;
      }),
    );
    expect(ends.every((said) => said === 'succeeded' || said === 'declined:canceled')).toBe(true);
  });
});

test('what Stripe kept of a pay-in is told with its own id, at once and at every look-up', async () => {
  const order = payinOf('fee', { token: 'pm_ok_fee', money: money(10_001n) });
  await rig.control('/fees', { stripe: { percent: '2.9', fixed: '30' } });
  const answer = await stripe.payin.send(order, LIMITS).finally(() => rig.control('/fees', {}));
  if (answer.type !== 'succeeded') throw new Error(`Expected a success, not ${answer.type}.`);
  expect(answer.fee).toEqual({ externId: expect.stringMatching(/^txn_/), money: money(320n) });
  expect(await stripe.payin.find(referenceOf(order), LIMITS)).toEqual(answer);
  expect(await stripe.payin.find(referenceOf(order, answer.externId), LIMITS)).toEqual(answer);
});

test('the same key with another amount is a conflict, and never a decline', async () => {
  const order = payinOf('conflict');
  await stripe.payin.send(order, LIMITS);
  const other = stripe.payin.send({ ...order, money: money(1600n) }, LIMITS);
  expect(await outcomeOf(other)).toBe('key_conflict:key_conflict');
});
