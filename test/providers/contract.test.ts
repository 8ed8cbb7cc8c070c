// One contract for every provider and every kind of payment it has: whatever happens to a payment on its way, the
// processor comes to the documented end, and the provider's book shows that money moved at most once.

import { afterAll, beforeAll, describe, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Life, readyOperation, startLife } from './contract-life.ts';
import {
  type Asked,
  bookOf,
  LINES,
  type Line,
  namedLines,
  nameOf,
  type Operation,
  paymentsOf,
  referenceOf,
} from './contract-lines.ts';
import { closedUrl } from './local-server.ts';
import { outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';

/** The words of these calls keep their answer back. */
const SILENT = new Set(['timeout_before', 'paid_then_timeout', 'hidden', 'slow']);
const IMPATIENT_MS = 800;
/** Short, so that what has to wait it out is soon through. */
const GRACE_MS = 500;

interface End {
  readonly end: string;
  readonly moved: 0 | 1;
}

const paid: End = { end: 'succeeded', moved: 1 };
const failed = (code: string): End => ({ end: `failed:${code}`, moved: 0 });

const WORDS: Readonly<Record<string, End>> = {
  ok: paid,
  decline: failed('declined'),
  insufficient: failed('provider_insufficient_funds'),
  error_before: paid,
  error_stored: failed('provider_error'),
  paid_then_500: paid,
  timeout_before: paid,
  paid_then_timeout: paid,
  paid_then_reset: paid,
  hidden: paid,
  html: paid,
  rate_limit: paid,
  slow: paid,
  pending: paid,
  pending_then_fail: failed('declined'),
};

/** Where a kind or a line ends otherwise, and why; null is told by a test of its own. */
const OTHERWISE: Readonly<Record<string, Readonly<Record<string, End | null>>>> = {
  // The buyer's card is what has too little. Disputes and what a bank takes back come after the success.
  payin: { insufficient: failed('declined'), bounce: paid, dispute_won: paid, dispute_lost: paid },
  // A transfer has no pending status; one that is refused late is a stored lack of funds.
  'stripe payout': { pending_then_fail: failed('provider_insufficient_funds') },
  'square payin': { error_stored: null },
  'square refund': { error_stored: null },
};

/** Above what a provider takes at least, and without the decimals that some do not take. */
const AMOUNTS: readonly (readonly [string, bigint])[] = [
  ['USD', 1500n],
  ['JPY', 1500n],
  ['KWD', 1500n],
  ['HUF', 150_000n],
];

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
  // The first call of each line also loads and compiles; the impatient ones should not pay for it.
  for (const line of LINES) await begin(line, { word: 'ok', label: 'warm' }).then(({ life }) => life.settle());
});

afterAll(() => rig.close());

describe.concurrent.each(namedLines(LINES))('%s', (_name, line) => {
  test.for(endsOf(line).flatMap(([word, end]) => (end === null ? [] : [[word, end] as const])))(
    'a payment that meets "%s" comes to its documented end',
    async ([word, { end, moved }], { expect }) => {
      const { life, operation } = await begin(line, { word, label: 'end' });
      expect(await life.settle()).toBe(end);
      expect(rig.moved(operation.pkid)).toEqual(moved === 1 ? [bookOf(operation)] : []);
    },
  );

  test('a payment that stays pending is neither failed nor sent again', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'never', label: 'end' });
    const verdicts = [await life.claim(), await life.claim(), await life.claim()];
    expect(verdicts.map(({ type }) => type)).not.toContain('failed');
    expect(rig.moved(operation.pkid)).toEqual([]);
  });

  test('a payment started again by a worker that knows nothing of it moves money once', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'ok', label: 'replay' });
    const again = lifeOf(operation, 'ok');
    expect([await life.settle(), await again.settle()]).toEqual(['succeeded', 'succeeded']);
    expect(again.success()?.externId).toBe(life.success()?.externId);
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('two workers at once move money once', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'ok', label: 'race' });
    const other = lifeOf(operation, 'ok');
    expect(await Promise.all([life.settle(), other.settle()])).toEqual(['succeeded', 'succeeded']);
    expect(other.success()?.externId).toBe(life.success()?.externId);
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('another body under the same key goes to review, and moves nothing more', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'ok', label: 'other-body' });
    await life.settle();
    const other = lifeOf({ ...operation, money: { ...operation.money, amountMinor: 1400n } }, 'ok');
    expect(await other.settle()).toMatch(/^review:(key_conflict|success_differs)$/);
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test.for(AMOUNTS)('an amount in %s arrives exactly, or is refused', async ([code, amountMinor], { expect }) => {
    const money = { amountMinor, currency: parseCurrency(code) };
    const { life, operation } = await begin(line, { word: 'ok', label: code, money });
    const payments = paymentsOf(rig.make(line.name), operation);
    if (line.currencies.includes(code)) {
      expect(payments.facts.refusalOf(money)).toBeNull();
      expect(await life.settle()).toBe('succeeded');
      expect(life.success()?.money).toEqual(money);
      expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
      return;
    }
    expect(payments.facts.refusalOf(money)).toMatch(/\.$/);
    const refused = payments.send({ key: operation.pkid, money }, LIMITS);
    await expect(refused).rejects.toBeInstanceOf(PaymentError);
    await expect(refused).rejects.toMatchObject({ code: 'provider-not-able' });
    expect(rig.moved(operation.pkid)).toEqual([]);
  });

  test('what was never sent is not found', async ({ expect }) => {
    const { operation } = await begin(line, { word: 'ok', label: 'absent' });
    const found = paymentsOf(rig.make(line.name), operation).find(referenceOf(operation), LIMITS);
    expect(await outcomeOf(found)).toBe('not_found');
  });

  test('the id of another payment is not taken for ours', async ({ expect }) => {
    const { life } = await begin(line, { word: 'ok', label: 'theirs' });
    await life.settle();
    const { operation } = await begin(line, { word: 'ok', label: 'ours' });
    const found = paymentsOf(rig.make(line.name), operation).find(referenceOf(operation, life.externId()), LIMITS);
    expect(await outcomeOf(found)).toBe('uncertain:another_payment');
  });

  test('a cancel after the money moved answers that it moved', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'ok', label: 'late-cancel' });
    await life.settle();
    const late = paymentsOf(rig.make(line.name), operation).cancel(referenceOf(operation, life.externId()), LIMITS);
    expect(await outcomeOf(late)).toBe('succeeded');
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('wrong credentials and a closed door take nothing', async ({ expect }) => {
    const { operation } = await begin(line, { word: 'ok', label: 'nowhere' });
    const { money, pkid: key } = operation;
    const stranger = paymentsOf(rig.makeStranger(line.name), operation);
    expect(await outcomeOf(stranger.send({ key, money }, LIMITS))).toMatch(/^not_taken:/);
    const closed = paymentsOf(rig.make(line.name, { via: await closedUrl() }), operation);
    expect(await outcomeOf(closed.send({ key, money }, LIMITS))).toBe('not_taken:refused');
    expect(rig.moved(operation.pkid)).toEqual([]);
  });

  test('a rate limit says when to come back, and is no attempt', async ({ expect }) => {
    const { life } = await begin(line, { word: 'rate_limit', label: 'limit' });
    expect(await life.claim()).toMatchObject({ type: 'not_taken', retryAfterMs: 1000 });
  });
});

const KEEPING = LINES.filter((line) => endsOf(line).some(([word, end]) => word === 'error_stored' && end === null));

describe.concurrent.each(namedLines(KEEPING))('%s', (_name, line) => {
  test('an error kept under the key goes to review where nothing can be looked up by it', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'error_stored', label: 'end' });
    for (const _claim of [1, 2, 3, 4]) {
      await life.claim();
      life.jump(GRACE_MS);
    }
    life.jumpPastRetention();
    expect(await life.settle()).toBe('review:key_expired');
    expect(rig.moved(operation.pkid)).toEqual([]);
  });
});

describe.concurrent.each(namedLines(LINES.filter(({ kind }) => kind === 'payin')))('%s', (_name, line) => {
  test('a buyer who has to act pays after having acted', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'action', label: 'end' });
    expect((await life.claim()).type).toBe('pending');
    expect((await life.claim()).type).toBe('pending');
    expect(rig.moved(operation.pkid)).toEqual([]);
    await rig.control(`/approve/${life.externId()}`);
    expect(await life.settle()).toBe('succeeded');
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('a buyer who never comes back pays nothing', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'abandon', label: 'end' });
    expect((await life.claim()).type).toBe('pending');
    expect(await life.settle()).toBe('failed:expired');
    expect(rig.moved(operation.pkid)).toEqual([]);
  });
});

function endsOf(line: Line): [string, End | null][] {
  return Object.entries({ ...WORDS, ...OTHERWISE[line.kind], ...OTHERWISE[nameOf(line)] });
}

/** An operation with its first worker; a refund's pay-in is made beforehand. */
async function begin(line: Line, asked: Asked): Promise<{ life: Life; operation: Operation }> {
  const operation = await readyOperation(rig, line, asked);
  return { operation, life: lifeOf(operation, asked.word) };
}

function lifeOf(operation: Operation, word: string): Life {
  const timeoutMs = SILENT.has(word) ? IMPATIENT_MS : LIMITS.timeoutMs;
  return startLife(rig.make(operation.name), operation, { timeoutMs, graceMs: GRACE_MS });
}
