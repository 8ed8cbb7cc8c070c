// One contract for every provider, judged over HTTP against the sandbox: what the adapter says at the first call, at a
// repeat with the same key and at a look-up, for each thing that may happen to a payout, and how often money moved.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stepKeyOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { Answer } from '../../src/domain/provider.ts';
import { closedUrl } from './local-server.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import {
  firstCall,
  LIMITS,
  MAKE,
  type Made,
  openRig,
  type Payout,
  payoutsOf,
  payoutTo,
  payWithKeys,
  type Rig,
  referenceOf,
  USD,
} from './rig.ts';

/** For the calls that the sandbox leaves without an answer. */
const IMPATIENT = { timeoutMs: 800 };
/** How long the sandbox lets pending and hidden payments be so. */
const LATER_MS = 2000;

interface Said {
  readonly first: string;
  readonly repeat: string;
  readonly find: string;
  /** What the look-up says in the end, where that differs. */
  readonly finally?: string;
  /** What the same key says in the end, where the look-up cannot know. */
  readonly finallyRepeat?: string;
  readonly moved: 0 | 1;
}

const paid = { first: 'succeeded', repeat: 'succeeded', find: 'succeeded', moved: 1 } as const;
const later = (first: string): Said => ({ ...paid, first });

/** A word speaks of the call that moves the money. The calls of these words get no answer in time. */
const SILENT = new Set(['timeout_before', 'paid_then_timeout', 'hidden', 'slow']);

const ALIKE: Readonly<Record<string, Said>> = {
  ok: paid,
  error_before: later('uncertain:http_503'),
  timeout_before: later('uncertain:timeout'),
  paid_then_timeout: later('uncertain:timeout'),
  paid_then_reset: later('uncertain:reset'),
  html: later('uncertain:http_502'),
  rate_limit: later('not_taken:http_429'),
  slow: later('uncertain:timeout'),
  hidden: { ...later('uncertain:timeout'), repeat: 'uncertain:key_in_use', find: 'not_found', finally: 'succeeded' },
  bounce: { ...paid, finally: 'succeeded:reversed 1500' },
};

const refused = (code: string, find: string): Said => ({ first: code, repeat: code, find, moved: 0 });
const stored = 'uncertain:http_500 stored';
const busy = 'uncertain:key_in_use';
const short = 'declined:provider_insufficient_funds';

/** Where a one-stage provider shows only its key, a two-stage one shows the payment that waits or was refused. */
const BY_PROVIDER: Readonly<Record<Made, Readonly<Record<string, Said>>>> = {
  stripe: {
    ...ALIKE,
    decline: refused('declined:declined', 'not_found'),
    insufficient: refused(short, 'not_found'),
    error_stored: refused(stored, 'not_found'),
    paid_then_500: { ...later(stored), repeat: stored },
    pending: { first: busy, repeat: busy, find: 'not_found', finally: 'succeeded', moved: 1 },
    pending_then_fail: { ...refused(busy, 'not_found'), finallyRepeat: short },
    never: refused(busy, 'not_found'),
  },
  demobank: {
    ...ALIKE,
    decline: refused('declined:declined', 'declined:declined'),
    insufficient: refused(short, short),
    error_stored: refused(stored, 'pending:awaits_confirm'),
    paid_then_500: later(stored),
    pending: { first: 'pending', repeat: 'pending', find: 'pending', finally: 'succeeded', moved: 1 },
    pending_then_fail: { ...refused('pending', 'pending'), finally: 'declined:declined' },
    never: refused('pending', 'pending'),
  },
};

const NAMES: readonly Made[] = ['stripe', 'demobank'];
let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
  // The first call of each provider also loads and compiles; the impatient ones below should not pay for it.
  for (const name of NAMES) await pay(name, payoutTo(name, 'acct_ok_warm'));
});

afterAll(() => rig.close());

describe.concurrent.each(NAMES)('%s', (name) => {
  test.for(Object.entries(BY_PROVIDER[name]))(
    'a payout that meets "%s" says what is known',
    async ([word, said], { expect }) => {
      const payout = payoutTo(name, `acct_${word}_1`);
      const startedAt = performance.now();
      const first = await outcomeOf(pay(name, payout, SILENT.has(word) ? IMPATIENT : LIMITS));
      const repeat = await outcomeOf(pay(name, payout));
      const found = await outcomeOf(find(name, payout));
      const changes = said.finally !== undefined || said.finallyRepeat !== undefined;
      // On a machine too busy to look in time only the end can be judged.
      if (!changes || performance.now() - startedAt < LATER_MS) {
        expect({ first, repeat, found }).toEqual({ first: said.first, repeat: said.repeat, found: said.find });
      }
      const last = said.finally ?? said.find;
      await expect.poll(() => outcomeOf(find(name, payout)), { timeout: 15_000 }).toBe(last);
      if (said.finallyRepeat !== undefined) {
        await expect.poll(() => outcomeOf(pay(name, payout)), { timeout: 15_000 }).toBe(said.finallyRepeat);
      }
      expect(rig.timesMoved(payout)).toBe(said.moved);
    },
  );

  test('a success tells the money, the beneficiary and the id, the same at each call', async () => {
    const payout = payoutTo(name, 'acct_ok_told');
    const first = await pay(name, payout);
    expect(first).toMatchObject({
      money: payout.money,
      beneficiary: 'acct_ok_told',
      reversedMinor: 0n,
      otherExternIds: [],
    });
    expect(await pay(name, payout)).toEqual(first);
    expect(await find(name, payout)).toEqual(first);
    const externId = first.type === 'succeeded' ? first.externId : null;
    expect(await payoutsOf(providerOf(name)).find({ ...referenceOf(payout), externId }, LIMITS)).toEqual(first);
  });

  test('a rate limit says when to come back', async () => {
    const error = await errorFrom(pay(name, payoutTo(name, 'acct_rate_limit_2')));
    expect([error.code, error.retryAfterMs]).toEqual(['rate-limited', 1000]);
  });

  test('an error that is replayed has the same signature each time', async () => {
    const payout = payoutTo(name, 'acct_error_stored_2');
    const first = await errorFrom(pay(name, payout));
    const second = await errorFrom(pay(name, payout));
    expect(first.surprise?.storedError).toMatch(/^500:/);
    expect(second.surprise?.storedError).toBe(first.surprise?.storedError);
  });

  test('the same key with another body is a conflict, never a failure, and moves nothing', async () => {
    const payout = payoutTo(name, 'acct_ok_conflict');
    await pay(name, payout);
    const other = { ...payout, money: { amountMinor: 1501n, currency: USD } };
    expect(await outcomeOf(firstCall(providerOf(name), other))).toBe('key_conflict:key_conflict');
    expect(rig.timesMoved(payout)).toBe(1);
  });

  test('two payments under one reference are both told', async () => {
    const payout = payoutTo(name, 'acct_ok_twice');
    const first = await pay(name, payout);
    const second = await payWithKeys(providerOf(name), payout, { key: stepKeyOf(payout.pkid, 'again') });
    const found = await find(name, payout);
    if (first.type !== 'succeeded' || second.type !== 'succeeded' || found.type !== 'succeeded') {
      throw new Error('All three should have succeeded.');
    }
    expect([found.externId, ...found.otherExternIds].toSorted()).toEqual([first.externId, second.externId].toSorted());
  });

  test('what was never sent is not found, and cannot be cancelled into something', async () => {
    const payouts = payoutsOf(providerOf(name));
    const reference = referenceOf(payoutTo(name, 'acct_ok_absent'));
    expect(await outcomeOf(payouts.find(reference, LIMITS))).toBe('not_found');
    expect(await outcomeOf(payouts.cancel(reference, LIMITS))).toBe('not_found');
  });

  test("the id of another payout's payment is not taken for ours", async () => {
    const theirs = await pay(name, payoutTo(name, 'acct_ok_theirs'));
    const externId = theirs.type === 'succeeded' ? theirs.externId : null;
    const ours = { ...referenceOf(payoutTo(name, 'acct_ok_ours')), externId };
    expect(await outcomeOf(payoutsOf(providerOf(name)).find(ours, LIMITS))).toBe('uncertain:another_payment');
  });

  test('a cancel after the money moved answers that it moved', async () => {
    const payout = payoutTo(name, 'acct_ok_late');
    const first = await pay(name, payout);
    const externId = first.type === 'succeeded' ? first.externId : null;
    expect(await payoutsOf(providerOf(name)).cancel({ ...referenceOf(payout), externId }, LIMITS)).toEqual(first);
    expect(await payoutsOf(providerOf(name)).cancel(referenceOf(payout), LIMITS)).toEqual(first);
  });

  test('wrong credentials and a closed door take nothing', async () => {
    const payout = payoutTo(name, 'acct_ok_nowhere');
    expect(await outcomeOf(firstCall(MAKE[name](rig.url, ' '), payout))).toBe('not_taken:http_401');
    expect(await outcomeOf(firstCall(MAKE[name](await closedUrl()), payout))).toBe('not_taken:refused');
    expect(rig.timesMoved(payout)).toBe(0);
  });

  test('the balance is told in our minor units', async () => {
    const provider = providerOf(name);
    const before = await provider.balance(parseCurrency('EUR'), LIMITS);
    await pay(name, {
      ...payoutTo(name, 'acct_ok_balance'),
      money: { amountMinor: 7n, currency: parseCurrency('EUR') },
    });
    const after = await provider.balance(parseCurrency('EUR'), LIMITS);
    expect((before ?? 0n) - (after ?? 0n)).toBe(7n);
  });

  test('the event of a payment verifies and names it', async ({ expect }) => {
    const payout = payoutTo(name, 'acct_ok_event');
    const answer = await pay(name, payout);
    await expect.poll(() => rig.events.get(payout.pkid), { timeout: 15_000 }).toBeDefined();
    expect(rig.events.get(payout.pkid)?.externId).toBe(answer.type === 'succeeded' ? answer.externId : null);
  });
});

describe('two stages', () => {
  const provider = () => providerOf('demobank');
  const payouts = () => payoutsOf(provider());

  test('the first call moves nothing and is found as waiting', async () => {
    const payout = payoutTo('demobank', 'acct_ok_created');
    expect(await outcomeOf(firstCall(provider(), payout))).toBe('pending:awaits_confirm');
    expect(await outcomeOf(payouts().find(referenceOf(payout), LIMITS))).toBe('pending:awaits_confirm');
    expect(rig.timesMoved(payout)).toBe(0);
  });

  test('a cancelled first call can no longer be confirmed, and a second cancel says the same', async () => {
    const payout = payoutTo('demobank', 'acct_ok_canceled');
    const created = await firstCall(provider(), payout);
    const externId = created.type === 'pending' ? created.externId : null;
    const reference = { ...referenceOf(payout), externId };
    const confirmKey = stepKeyOf(payout.pkid, 'confirm');
    // By our own reference alone, as for an orphan whose id was lost.
    expect(await outcomeOf(payouts().cancel(referenceOf(payout), LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(payouts().cancel(reference, LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(payouts().confirm({ ...reference, key: confirmKey }, LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(payouts().find(referenceOf(payout), LIMITS))).toBe('declined:canceled');
    expect(rig.timesMoved(payout)).toBe(0);
  });

  test('a payment that moved money is found before an orphan of the same reference', async () => {
    const payout = payoutTo('demobank', 'acct_ok_orphan');
    await firstCall(provider(), payout);
    const answer = await payWithKeys(provider(), payout, { key: stepKeyOf(payout.pkid, 'again') });
    expect(await payouts().find(referenceOf(payout), LIMITS)).toEqual(answer);
  });

  test('a second confirm under another key moves nothing more', async () => {
    const payout = payoutTo('demobank', 'acct_ok_confirmed');
    const answer = await pay('demobank', payout);
    const externId = answer.type === 'succeeded' ? answer.externId : null;
    const again = { ...referenceOf(payout), externId, key: stepKeyOf(payout.pkid, 'confirm-again') };
    expect(await payouts().confirm(again, LIMITS)).toEqual(answer);
    expect(rig.timesMoved(payout)).toBe(1);
  });

  test('a confirm of a payment that does not exist is not found', async () => {
    const reference = { ...referenceOf(payoutTo('demobank', 'acct_ok_none')), externId: 'dbp_none' };
    expect(await outcomeOf(payouts().confirm(reference, LIMITS))).toBe('not_found');
  });
});

test('a one-stage provider refuses a confirm as our own mistake', async () => {
  const error = await errorFrom(
    payoutsOf(providerOf('stripe')).confirm(referenceOf(payoutTo('stripe', 'acct_ok_x')), LIMITS),
  );
  expect(error.code).toBe('internal');
});

/** The call that moves the money; on two stages its first call is made beforehand, as the life of a payout does. */
function pay(name: Made, payout: Payout, limits = LIMITS): Promise<Answer> {
  return payWithKeys(providerOf(name), payout, { key: payout.pkid, limits });
}

function find(name: Made, payout: Payout): Promise<Answer> {
  return payoutsOf(providerOf(name)).find(referenceOf(payout), LIMITS);
}

function providerOf(name: Made) {
  return MAKE[name](rig.url);
}
