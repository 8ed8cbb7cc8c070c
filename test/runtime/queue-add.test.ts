// Adding jobs: callers share adds, wait for a bounded time, and are told the truth about their own jobs.

import { expect, test } from 'vitest';
import { createAdder } from '../../src/runtime/queue/add.ts';

/** A queue whose answers the test gives, one bulk after the other. */
function heldQueue({ underwayMax = 1 } = {}) {
  const bulks: { jobs: readonly number[]; take: () => void; refuse: () => void }[] = [];
  const failures: unknown[] = [];
  const adder = createAdder<number>({
    addBulk: (jobs) =>
      new Promise<void>((resolve, reject) => {
        bulks.push({ jobs, take: resolve, refuse: () => reject(new Error('refused')) });
      }),
    onFailure: (error) => failures.push(error),
    underwayMax,
  });
  return { adder, bulks, failures };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test('a caller on an idle queue does not wait for others', async () => {
  const { adder, bulks } = heldQueue();
  adder.add([1]);
  await Promise.resolve();
  expect(bulks.map(({ jobs }) => jobs)).toEqual([[1]]);
});

test('callers that come while an add is under way share the next one', async () => {
  const { adder, bulks } = heldQueue();
  const first = adder.add([0]);
  await expect.poll(() => bulks.length).toBe(1);
  const answers = [first, ...numbers(299).map((job) => adder.add([job]))];
  bulks[0]?.take();
  await expect.poll(() => bulks.map(({ jobs }) => jobs.length)).toEqual([1, 299]);
  bulks[1]?.take();
  expect((await Promise.all(answers)).every(Boolean)).toBe(true);
});

test('callers of one moment share an add, and those of the next need not wait for its answer', async () => {
  const { adder, bulks } = heldQueue({ underwayMax: 2 });
  const moments = [[1, 2], [3], [4, 5]];
  const answers: Promise<boolean>[] = [];
  for (const moment of moments) {
    answers.push(...moment.map((job) => adder.add([job])));
    await new Promise((resolve) => setImmediate(resolve));
  }
  // The third waits, because only two may be on their way.
  expect(bulks.map(({ jobs }) => jobs)).toEqual([[1, 2], [3]]);
  bulks[1]?.take();
  await expect.poll(() => bulks.length).toBe(3);
  for (const { take } of bulks) take();
  expect(await Promise.all(answers)).toEqual(Array.from(answers, () => true));
  expect(bulks.map(({ jobs }) => jobs)).toEqual(moments);
});

test('a bulk holds at most 500, and a caller is answered when all of its jobs are taken', async () => {
  const { adder, bulks } = heldQueue();
  const answer = adder.add(numbers(1200));
  for (const index of [0, 1, 2]) {
    await expect.poll(() => bulks.length).toBe(index + 1);
    bulks[index]?.take();
  }
  expect(await answer).toBe(true);
  expect(bulks.map(({ jobs }) => jobs.length)).toEqual([500, 500, 200]);
});

test('a bulk that is refused fails its own callers only', async () => {
  const { adder, bulks, failures } = heldQueue();
  const first = adder.add([1]);
  await expect.poll(() => bulks.length).toBe(1);
  const answers = [first, adder.add([2])];
  bulks[0]?.refuse();
  await expect.poll(() => bulks.length).toBe(2);
  bulks[1]?.take();
  expect(await Promise.all(answers)).toEqual([false, true]);
  expect(failures).toEqual([new Error('refused')]);
});

test('no answer fails everyone who waits, then adding pauses and asks the queue nothing, then goes on', async () => {
  const { adder, bulks } = heldQueue();
  expect(await Promise.all([adder.add([1]), adder.add([2])])).toEqual([false, false]);
  expect(await adder.add([3])).toBe(false);
  expect(bulks).toHaveLength(1);
  await expect
    .poll(
      async () => {
        const answer = adder.add([4]);
        await Promise.resolve();
        for (const bulk of bulks.slice(1)) bulk.take();
        return answer;
      },
      { timeout: 5000 },
    )
    .toBe(true);
});

test('what was not added in time, or not at all, is added when the queue answers again', async () => {
  const { adder, bulks } = heldQueue();
  expect(await Promise.all([adder.add([1]), adder.add([2, 3])])).toEqual([false, false]);
  expect(await adder.add([4])).toBe(false);
  await expect
    .poll(() => bulks.map(({ jobs }) => jobs), { timeout: 5000 })
    .toEqual([
      [1, 2, 3],
      [1, 2, 3, 4],
    ]);
  bulks[1]?.refuse();
  await expect.poll(() => bulks.length, { timeout: 5000 }).toBe(3);
  expect(bulks[2]?.jobs).toEqual([1, 2, 3, 4]);
  bulks[2]?.take();
  const answer = adder.add([5]);
  await expect.poll(() => bulks.length).toBe(4);
  bulks[3]?.take();
  expect(await answer).toBe(true);
});

test('more than memory should hold is refused at once', async () => {
  const { adder, bulks } = heldQueue();
  expect(await adder.add(numbers(20_001))).toBe(false);
  expect(bulks).toEqual([]);
  // What it will be owed is bounded too.
  for (const index of numbers(40)) {
    await expect.poll(() => bulks.length, { timeout: 5000 }).toBe(index + 1);
    bulks[index]?.take();
  }
  expect(await adder.close()).toBeUndefined();
  expect(bulks.flatMap(({ jobs }) => jobs)).toEqual(numbers(20_001).slice(1));
});

test('closing lets what is under way end and refuses what comes later', async () => {
  const { adder, bulks } = heldQueue();
  const answer = adder.add([1]);
  const closed = adder.close();
  expect(await adder.add([2])).toBe(false);
  bulks[0]?.take();
  await closed;
  expect(await answer).toBe(true);
});

test('nothing to add is taken', async () => {
  expect(await heldQueue().adder.add([])).toBe(true);
});
