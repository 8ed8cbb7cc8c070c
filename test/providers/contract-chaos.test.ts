// Random faults, drawn anew at each call, with two workers on one payment: whatever they are told, and in whatever
// order, no money moves twice, and what counts as succeeded or failed agrees with the provider's book.

import { afterAll, beforeAll, describe, test } from 'vitest';
import { readyOperation, startLife } from './contract-life.ts';
import { bookOf, LINES, type Line, namedLines, type Operation } from './contract-lines.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';

/** Enough that each word is drawn in most runs of a line; a run takes about as long as one payment. */
const PAYMENTS_A_LINE = 12;
/** Fixed, so that a failure can be repeated. */
const SEED = 20_261_122;
const RATES = {
  decline: 0.04,
  error_before: 0.1,
  error_stored: 0.04,
  paid_then_500: 0.1,
  timeout_before: 0.04,
  paid_then_timeout: 0.04,
  paid_then_reset: 0.12,
  hidden: 0.04,
  html: 0.08,
  rate_limit: 0.06,
  pending: 0.08,
  pending_then_fail: 0.06,
};
/** For the calls that get no answer, and until what a provider repeats for ever is put past its retention. */
const IMPATIENT_MS = 1_500;
const PATIENCE_MS = 10_000;
/** For the test as a whole, on a machine that has much else to do. */
const PATIENT_TEST_MS = 60_000;

const GRACE_MS = 400;

let rig: Rig;

/** Made before the faults begin, because a refund needs a pay-in that succeeded. */
const operations = new Map<Line, Operation[]>();

beforeAll(async () => {
  rig = await openRig();
  for (const line of LINES) {
    const labels = Array.from({ length: PAYMENTS_A_LINE }, (_, index) => `chaos-${index}`);
    const ready = labels.map((label) => readyOperation(rig, line, { word: 'ok', label }));
    operations.set(line, await Promise.all(ready));
    // The first call also loads and compiles; the impatient ones should not pay for it.
    await startLife(rig.make(line.name), await readyOperation(rig, line, { word: 'ok', label: 'warm' }), {
      ...LIMITS,
      graceMs: GRACE_MS,
    }).settle();
  }
  await rig.control('/faults', { seed: SEED, rates: RATES });
});

afterAll(() => rig.close());

describe.concurrent.each(namedLines(LINES))('%s', (_name, line) => {
  test('under random faults and with two workers, the ends agree with the book', { timeout: PATIENT_TEST_MS }, async ({
    expect,
  }) => {
    const ended = (operations.get(line) ?? []).map(async (operation) => {
      const ends = await Promise.all([endOf(operation), endOf(operation)]);
      return { ends, moved: rig.moved(operation.pkid), booked: bookOf(operation) };
    });
    let paid = 0;
    for (const { ends, moved, booked } of await Promise.all(ended)) {
      const isPaid = ends.includes('succeeded');
      paid += isPaid ? 1 : 0;
      // One that gave up before it knew the payment says nothing of what the other has done.
      const isUnpaid = ends.every((end) => end.startsWith('failed'));
      expect(ends.join()).not.toContain('waits');
      if (isPaid || isUnpaid) expect({ ends, moved }).toEqual({ ends, moved: isPaid ? [booked] : [] });
      else expect(moved.length, ends.join()).toBeLessThanOrEqual(1);
    }
    // The rest is declined, or for a person to look at.
    expect(paid).toBeGreaterThan(0);
  });
});

async function endOf(operation: Operation): Promise<string> {
  const terms = { timeoutMs: IMPATIENT_MS, graceMs: GRACE_MS };
  const life = startLife(rig.make(operation.name), operation, terms);
  const end = await life.settle(PATIENCE_MS);
  if (!end.startsWith('waits')) return end;
  life.jumpPastRetention();
  return life.settle();
}
