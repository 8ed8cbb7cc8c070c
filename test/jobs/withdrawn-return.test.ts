// A provider that pays again what it had taken back: a person is told, but never by an answer that is only old.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pkid } from '../../src/domain/id.ts';
import type { Payin } from '../../src/domain/payin.ts';
import type { Provider } from '../../src/domain/provider.ts';
import { createPayinLife, payinRules } from '../../src/jobs/payin.ts';
import { locking } from '../../src/jobs/payment/steps.ts';
import { type Desk, openShopWithDesk } from '../harness/desk.ts';
import type { Shop } from '../harness/shop.ts';

let shop: Shop;
let desk: Desk;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ shop, desk, close } = await openShopWithDesk());
});
afterAll(() => close());

describe('a reversal that the provider cancels later', () => {
  // An event of the payment itself would be a look of its own, at a time of its own.
  beforeAll(() => desk.control('webhooks', { drop: 1 }));
  afterAll(() => desk.control('webhooks', { drop: 0 }));

  async function paid(name: string): Promise<Payin> {
    await shop.paidOrder(name, { amountMinor: 4_000n, feeMinor: 0n });
    const [payin] = await shop.app.checkouts.payinsOf(name);
    if (payin === undefined) throw new Error('It was not paid.');
    return payin;
  }

  async function rowOf(pkid: Pkid): Promise<Payin> {
    const row = await shop.app.payins.find(pkid);
    if (row === null) throw new Error('There is nothing to ask about.');
    return row;
  }

  /** As if the provider had shown it as taken back, which it does no longer. */
  async function reversed(name: string): Promise<Pkid> {
    const payin = await paid(name);
    const rules = payinRules(shop.app);
    const companions = await rules.companionsOf(payin);
    await rules.step({
      pkid: payin.pkid,
      ...locking(companions),
      decide(row, now, seen) {
        const more = { amountMinor: 1_500n, totalMinor: 1_500n };
        const { movements, ...records } = rules.takeBack({ row, seen, companions, now }, more);
        const next = { ...row, returnedMinor: 1_500n };
        return { movements, conclude: () => ({ next, path: [], cause: 'returned', ...records, result: undefined }) };
      },
    });
    return payin.pkid;
  }

  test('is told of, once, and moves nothing', async () => {
    const pkid = await reversed('reversed-for-nothing');
    for (const _time of [1, 2]) await shop.app.payins.query(pkid, 'tester');
    expect(await desk.discrepancies(pkid)).toEqual(['return_withdrawn']);
    expect(await desk.unappliedOf(pkid)).toEqual([]);
    expect(await desk.postings(pkid, 'payin.reversed')).toBe(1);
  });

  type Find = NonNullable<Provider['payin']>['find'];

  /** Whose looks at Stripe are answered by `asking`, which may ask Stripe. */
  function lifeAsking(asking: (ask: () => ReturnType<Find>) => ReturnType<Find>) {
    const stripe = shop.app.providers.get('stripe');
    if (stripe?.payin == null) throw new Error('Stripe is not there to ask.');
    const { payin } = stripe;
    const find: Find = (...asked) => asking(() => payin.find(...asked));
    const providers = new Map([...shop.app.providers, ['stripe' as const, { ...stripe, payin: { ...payin, find } }]]);
    return createPayinLife({ ...shop.app, providers });
  }

  const takenBack = (answer: Awaited<ReturnType<Find>>) =>
    answer.type === 'succeeded' ? { ...answer, reversedMinor: 1_500n } : answer;

  test('is not told of by an answer that is older than another look', async () => {
    const pkid = await reversed('asked-before');
    const row = await rowOf(pkid);
    const later = lifeAsking(async (ask) => takenBack(await ask()));
    const earlier = lifeAsking(async (ask) => {
      const answer = await ask();
      expect(await later.lookAgain(row)).toBe('no_effect');
      return answer;
    });
    expect(await earlier.lookAgain(row)).toBe('no_effect');
    expect(await desk.discrepancies(pkid)).toEqual([]);
  });

  test('is not told of by an answer older than a return booked meanwhile: it is asked for again', async () => {
    const row = await paid('asked-meanwhile');
    const { pkid } = row;
    const answers: ('paid' | 'taken back')[] = [];
    let booking: Promise<unknown> | undefined;
    const later = lifeAsking(async (ask) => {
      const answer = await ask();
      const isFirst = answers.push(answers.length === 0 ? 'paid' : 'taken back') === 1;
      begun.resolve();
      await booking;
      return isFirst ? answer : takenBack(answer);
    });
    const begun = Promise.withResolvers<void>();
    let looking: Promise<unknown> | undefined;
    const earlier = lifeAsking(async (ask) => {
      looking = later.lookAgain(row);
      await begun.promise;
      return takenBack(await ask());
    });
    booking = earlier.lookAgain(row);
    expect(await booking).toBe('applied');
    expect(await looking).toBe('no_effect');
    expect(answers).toEqual(['paid', 'taken back']);
    expect(await desk.discrepancies(pkid)).toEqual([]);
    expect(await desk.postings(pkid, 'payin.reversed')).toBe(1);
  });
});
