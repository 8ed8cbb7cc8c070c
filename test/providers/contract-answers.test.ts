// What the adapters of payouts say in so many words at the first call, at a repeat with the same key and at a look-up,
// and what every two-stage adapter owes for the step that moves nothing.

import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { stepKeyOf } from '../../src/domain/id.ts';
import type { Answer, CallLimits } from '../../src/domain/provider.ts';
import { LINES, type Operation, operationOf, paymentsOf, referenceOf } from './contract-lines.ts';
import { errorFrom, outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';

/** For the calls that the sandbox leaves without an answer. */
const IMPATIENT = { timeoutMs: 800 };
/** How long the sandbox lets pending and hidden payments be so. */
const LATER_MS = 2000;
const LOOK_MS = 50;

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
const BY_LINE: Readonly<Record<string, Readonly<Record<string, Said>>>> = {
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

const PAYOUTS = LINES.filter(({ name, kind }) => kind === 'payout' && BY_LINE[name] !== undefined);
let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
  // The first call of each provider also loads and compiles; the impatient ones below should not pay for it.
  for (const line of PAYOUTS) await pay(operationOf(line, { word: 'ok', label: 'warm' }));
});

afterAll(() => rig.close());

describe.concurrent.each(PAYOUTS.map((line) => [line.name, line] as const))('%s', (name, line) => {
  test.for(Object.entries(BY_LINE[name] ?? {}))(
    'a payout that meets "%s" says what is known',
    async ([word, said], { expect }) => {
      const payout = operationOf(line, { word, label: 'said' });
      const startedAt = performance.now();
      const first = await outcomeOf(pay(payout, { limits: SILENT.has(word) ? IMPATIENT : LIMITS }));
      const repeat = await repeated(payout, said);
      const found = await outcomeOf(find(payout));
      const changes = said.finally !== undefined || said.finallyRepeat !== undefined;
      // On a machine too busy to look in time only the end can be judged.
      if (!changes || performance.now() - startedAt < LATER_MS) {
        expect({ first, repeat, found }).toEqual({ first: said.first, repeat: said.repeat, found: said.find });
      }
      const last = said.finally ?? said.find;
      await expect.poll(() => outcomeOf(find(payout)), { timeout: 15_000 }).toBe(last);
      if (said.finallyRepeat !== undefined) {
        await expect.poll(() => outcomeOf(pay(payout)), { timeout: 15_000 }).toBe(said.finallyRepeat);
      }
      expect(rig.moved(payout.pkid)).toHaveLength(said.moved);
    },
  );

  test('an error that is replayed has the same signature each time', async ({ expect }) => {
    const payout = operationOf(line, { word: 'error_stored', label: 'signature' });
    const first = await errorFrom(pay(payout));
    const second = await errorFrom(pay(payout));
    expect(first.surprise?.storedError).toMatch(/^500:/);
    expect(second.surprise?.storedError).toBe(first.surprise?.storedError);
  });

  test('two payments under one reference are both told', async ({ expect }) => {
    const payout = operationOf(line, { word: 'ok', label: 'twice' });
    const first = await pay(payout);
    const second = await pay(payout, { key: stepKeyOf(payout.pkid, 'again') });
    const found = await find(payout);
    if (first.type !== 'succeeded' || second.type !== 'succeeded' || found.type !== 'succeeded') {
      throw new Error('All three should have succeeded.');
    }
    expect([found.externId, ...found.otherExternIds].toSorted()).toEqual([first.externId, second.externId].toSorted());
  });

  test('a cancel by our key alone tells what was paid, and nothing where nothing was', async ({ expect }) => {
    const payout = operationOf(line, { word: 'ok', label: 'paid' });
    const first = await pay(payout);
    expect(await cancel(payout)).toEqual(first);
    expect(await outcomeOf(cancel(operationOf(line, { word: 'ok', label: 'unpaid' })))).toBe('not_found');
  });
});

describe.each(PAYOUTS.filter(({ stages }) => stages === 2).map((line) => [line.name, line] as const))(
  'the two stages of %s',
  (_name, line) => {
    test('the first call moves nothing and is found as waiting', async ({ expect }) => {
      const payout = operationOf(line, { word: 'ok', label: 'created' });
      expect(await outcomeOf(create(payout))).toBe('pending:awaits_confirm');
      expect(await outcomeOf(find(payout))).toBe('pending:awaits_confirm');
      expect(rig.moved(payout.pkid)).toEqual([]);
    });

    test('a cancelled first call can no longer be confirmed, and a second cancel says the same', async ({ expect }) => {
      const payout = operationOf(line, { word: 'ok', label: 'canceled' });
      const externId = idOf(await create(payout));
      // By our own reference alone, as for an orphan whose id was lost.
      expect(await outcomeOf(cancel(payout))).toBe('declined:canceled');
      expect(await outcomeOf(cancel(payout, externId))).toBe('declined:canceled');
      expect(await outcomeOf(confirm(payout, { externId, step: 'confirm' }))).toBe('declined:canceled');
      expect(await outcomeOf(find(payout))).toBe('declined:canceled');
      expect(rig.moved(payout.pkid)).toEqual([]);
    });

    test('a payment that moved money is found before an orphan of the same reference', async ({ expect }) => {
      const payout = operationOf(line, { word: 'ok', label: 'orphan' });
      await create(payout);
      const answer = await pay(payout, { key: stepKeyOf(payout.pkid, 'again') });
      expect(await find(payout)).toEqual(answer);
    });

    test('a second confirm under another key moves nothing more', async ({ expect }) => {
      const payout = operationOf(line, { word: 'ok', label: 'confirmed' });
      const answer = await pay(payout);
      expect(await confirm(payout, { externId: idOf(answer), step: 'confirm-again' })).toEqual(answer);
      expect(rig.moved(payout.pkid)).toHaveLength(1);
    });

    test('a confirm of a payment that does not exist is not found', async ({ expect }) => {
      const payout = operationOf(line, { word: 'ok', label: 'none' });
      expect(await outcomeOf(confirm(payout, { externId: 'dbp_none', step: 'confirm' }))).toBe('not_found');
    });
  },
);

/** A call that was given up here before a busy sandbox was done with it still holds its key. */
async function repeated(payout: Operation, said: Said): Promise<string> {
  const giveUpAt = performance.now() + LATER_MS;
  for (;;) {
    const repeat = await outcomeOf(pay(payout));
    if (repeat !== busy || said.repeat === busy || performance.now() > giveUpAt) return repeat;
    await setTimeout(LOOK_MS);
  }
}

interface Call {
  readonly key?: string;
  readonly limits?: CallLimits;
}

/** The call that moves the money; on two stages its first call is made beforehand, as the life of a payout does. */
async function pay(payout: Operation, { key = payout.pkid, limits = LIMITS }: Call = {}): Promise<Answer> {
  const { facts, confirm: confirmPayout } = portOf(payout);
  if (facts.stages === 1) return create(payout, { key, limits });
  const externId = idOf(await create(payout, { key }));
  const reference = { ...referenceOf(payout, externId), key: stepKeyOf(payout.pkid, `confirm:${key}`) };
  return confirmPayout(reference, limits);
}

function create(payout: Operation, { key = payout.pkid, limits = LIMITS }: Call = {}): Promise<Answer> {
  return portOf(payout).send({ key, money: payout.money }, limits);
}

function confirm(payout: Operation, { externId, step }: { externId: string; step: string }): Promise<Answer> {
  const key = stepKeyOf(payout.pkid, step);
  return portOf(payout).confirm({ ...referenceOf(payout, externId), key }, LIMITS);
}

function cancel(payout: Operation, externId: string | null = null): Promise<Answer> {
  return portOf(payout).cancel(referenceOf(payout, externId), LIMITS);
}

function find(payout: Operation): Promise<Answer> {
  return portOf(payout).find(referenceOf(payout), LIMITS);
}

function portOf(payout: Operation) {
  return paymentsOf(rig.make(payout.name), payout);
}

function idOf(answer: Answer): string {
  const externId = 'externId' in answer ? answer.externId : null;
  if (externId === null) throw new Error(`The answer (${answer.type}) should have told an id.`);
  return externId;
}
