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
  operationOf,
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
  // PayPal keeps no error under a key, and carries a repeat out.
  'paypal payin': { error_stored: paid },
  'paypal refund': { error_stored: paid },
  'paypal payout': { error_stored: paid },
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

  test.for(AMOUNTS.filter(([code]) => line.currencies.includes(code)))(
    'an amount in %s arrives exactly',
    async ([code, amountMinor], { expect }) => {
      const money = { amountMinor, currency: parseCurrency(code) };
      const { life, operation } = await begin(line, { word: 'ok', label: code, money });
      expect(paymentsOf(rig.make(line.name), operation).facts.refusalOf(money)).toBeNull();
      expect(await life.settle()).toBe('succeeded');
      expect(life.success()).toMatchObject({ money, reversedMinor: 0n, otherExternIds: [] });
      expect(life.success()?.beneficiary).toBe(line.kind === 'payout' ? operation.target : null);
      expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
    },
  );

  test.for(AMOUNTS.filter(([code]) => !line.currencies.includes(code)))(
    'an amount in %s is refused with advice, and not sent',
    async ([code, amountMinor], { expect }) => {
      const money = { amountMinor, currency: parseCurrency(code) };
      const { operation } = await begin(line, { word: 'ok', label: code });
      const payments = paymentsOf(rig.make(line.name), operation);
      expect(payments.facts.refusalOf(money)).toMatch(/\.$/);
      const refused = payments.send({ key: operation.pkid, money }, LIMITS);
      await expect(refused).rejects.toBeInstanceOf(PaymentError);
      await expect(refused).rejects.toMatchObject({ code: 'provider-not-able' });
      expect(rig.moved(operation.pkid)).toEqual([]);
    },
  );

  test('what was never sent is not found', async ({ expect }) => {
    const { operation } = await begin(line, { word: 'ok', label: 'absent' });
    const found = paymentsOf(rig.make(line.name), operation).find(referenceOf(operation), LIMITS);
    expect(await outcomeOf(found)).toBe('not_found');
  });

  test('the id of another payment is not taken for ours', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'ok', label: 'theirs' });
    await life.settle();
    // A refund of the same pay-in, too.
    const { payinExternId } = operation;
    const ours = { ...operationOf(line, { word: 'ok', label: 'ours' }), payinExternId };
    const found = paymentsOf(rig.make(line.name), ours).find(referenceOf(ours, life.externId()), LIMITS);
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
    expect(await outcomeOf(closed.send({ key, money }, LIMITS))).toMatch(/^not_taken:(sign_in_)?refused$/);
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

/** Where the provider tells no balance at all. */
const UNTOLD = new Set(['square']);

describe.each([...new Set(LINES.map(({ name }) => name))])('our balance at %s', (name) => {
  const currency = parseCurrency('EUR');

  test('is told in our minor units, and follows the money', async ({ expect }) => {
    const line = LINES.find((one) => one.name === name && one.kind !== 'refund');
    if (line === undefined || UNTOLD.has(name))
      return expect(await rig.make(name).balance(currency, LIMITS)).toBeNull();
    const before = await rig.make(name).balance(currency, LIMITS);
    const { life, operation } = await begin(line, {
      word: 'ok',
      label: 'balance',
      money: { amountMinor: 700n, currency },
    });
    expect(await life.settle()).toBe('succeeded');
    const after = await rig.make(name).balance(currency, LIMITS);
    expect((after ?? 0n) - (before ?? 0n)).toBe(operation.kind === 'payin' ? 700n : -700n);
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
