// The steps around the money: the buyer who acts, walks away or is declined, the first of two calls that moves nothing,
// and the cancel that takes a payment back before anything moved.

import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Life, readyOperation, startLife } from './contract-life.ts';
import {
  type Asked,
  bookOf,
  LINES,
  type Line,
  namedLines,
  type Operation,
  paymentsOf,
  referenceOf,
} from './contract-lines.ts';
import { outcomeOf } from './outcome.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';

const IMPATIENT_MS = 800;
const GRACE_MS = 500;
const PAYINS = namedLines(LINES.filter(({ kind }) => kind === 'payin'));

/** Has no call that voids what is reserved: it ends by itself, and only our own second step could take the money. */
const VOIDLESS = new Set<string>(['paypal']);

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
  // The first call of each line also loads and compiles; the impatient ones should not pay for it.
  for (const line of LINES) await begin(line, { word: 'ok', label: 'warm' }).then(({ life }) => life.settle());
});

afterAll(() => rig.close());

describe.concurrent.each(PAYINS)('%s', (_name, line) => {
  test('a buyer who has to act pays after having acted', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'action', label: 'acts' });
    expect((await life.claim()).type).toBe('pending');
    expect((await life.claim()).type).toBe('pending');
    expect(rig.moved(operation.pkid)).toEqual([]);
    await approve(life);
    expect(await life.settle()).toBe('succeeded');
    expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('a buyer who never comes back pays nothing', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'abandon', label: 'walks' });
    expect((await life.claim()).type).toBe('pending');
    expect(await life.settle()).toBe('failed:expired');
    expect(rig.moved(operation.pkid)).toEqual([]);
  });

  test('a cancel after the buyer acted ends as the book says', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'action', label: 'late' });
    await life.claim();
    await approve(life);
    life.requestCancel();
    const isPaidByActing = line.stages === 1;
    expect(await life.settle()).toBe(isPaidByActing ? 'succeeded' : 'failed:canceled');
    const found = paymentsOf(rig.make(line.name), operation).find(referenceOf(operation, life.externId()), LIMITS);
    if (!isPaidByActing && !VOIDLESS.has(line.name)) expect(await outcomeOf(found)).toBe('declined:canceled');
    else expect(await outcomeOf(found)).toBe(isPaidByActing ? 'succeeded' : 'pending:awaits_confirm');
    expect(rig.moved(operation.pkid)).toEqual(isPaidByActing ? [bookOf(operation)] : []);
  });

  test.for(['decline', 'pending_then_fail'])(
    'a pay-in that failed by "%s" cannot be paid any more',
    async (word, { expect }) => {
      const { life, operation } = await begin(line, { word, label: 'closed' });
      expect(await life.settle()).toBe('failed:declined');
      await approve(life).catch(() => undefined);
      expect(rig.moved(operation.pkid)).toEqual([]);
    },
  );
});

describe.concurrent.each(PAYINS)('%s', (_name, line) => {
  test('a cancel while the buyer has to act leaves nothing that could be paid', async ({ expect }) => {
    const { life, operation } = await begin(line, { word: 'action', label: 'canceled' });
    await life.claim();
    life.requestCancel();
    expect(await life.settle()).toBe('failed:canceled');
    await approve(life).catch(() => undefined);
    expect(rig.moved(operation.pkid)).toEqual([]);
  });
});

/** What may befall a first step that only reserves; the provider has words of its own for it. */
const RESERVES: Readonly<Record<string, string>> = {
  decline: 'failed:declined',
  error_before: 'succeeded',
  paid_then_500: 'succeeded',
  timeout_before: 'succeeded',
  paid_then_timeout: 'succeeded',
  paid_then_reset: 'succeeded',
  html: 'succeeded',
  rate_limit: 'succeeded',
};

describe.concurrent.each(namedLines(LINES.filter(({ reserves }) => reserves)))(
  'the first step of %s',
  (_name, line) => {
    test.for(Object.entries(RESERVES))(
      'that meets "%s" comes to its documented end',
      async ([word, end], { expect }) => {
        const { life, operation } = await begin(line, { word: `reserve_${word}`, label: 'first' });
        expect(await life.settle()).toBe(end);
        expect(rig.moved(operation.pkid)).toEqual(end === 'succeeded' ? [bookOf(operation)] : []);
      },
    );

    test('that keeps an error under its key moves nothing, and is over when the key is forgotten', async ({
      expect,
    }) => {
      const { life, operation } = await begin(line, { word: 'reserve_error_stored', label: 'first' });
      for (const _claim of [1, 2, 3, 4]) {
        await life.claim();
        life.jump(GRACE_MS);
      }
      life.jumpPastRetention();
      expect(await life.settle()).toBe('failed:expired');
      expect(rig.moved(operation.pkid)).toEqual([]);
    });
  },
);

async function begin(line: Line, asked: Asked): Promise<{ life: Life; operation: Operation }> {
  const operation = await readyOperation(rig, line, asked);
  const timeoutMs = asked.word.includes('timeout') ? IMPATIENT_MS : LIMITS.timeoutMs;
  return { operation, life: startLife(rig.make(line.name), operation, { timeoutMs, graceMs: GRACE_MS }) };
}

/** The buyer's click. */
function approve(life: Life): Promise<void> {
  return rig.control(`/approve/${life.externId()}`);
}
