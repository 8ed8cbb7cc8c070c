// How items share commits: who may be together, who waits for whom, and what happens to the one that is refused.

import { describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { createGroupCommit } from '../../src/ledger/group-commit.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Item, itemOf, turn } from './group-items.ts';

/** A group whose commits end only when the test says so, and whose second does not wait for many. */
function openGroup({ secondFrom = 1 } = {}) {
  const commits: {
    pkids: string[];
    items: readonly Item[];
    patient: readonly Item[];
    finish: (error?: Error, leftOut?: readonly Item[]) => Promise<void>;
  }[] = [];
  const sizes: number[] = [];
  const group = createGroupCommit<Item>({
    log: silentLogger(),
    onBatch: ({ size }) => sizes.push(size),
    secondFrom,
    commit(items, { isPatient }) {
      const { promise, resolve, reject } = Promise.withResolvers<readonly Item[]>();
      const finish = async (error?: Error, leftOut: readonly Item[] = []) => {
        if (error === undefined) for (const item of items) if (!leftOut.includes(item)) item.resolve();
        if (error === undefined) resolve(leftOut);
        else reject(error);
        await turn();
      };
      commits.push({ pkids: items.map((item) => item.pkid), items, patient: items.filter(isPatient), finish });
      return promise;
    },
  });
  return {
    commits,
    sizes,
    drained: group.drained,
    async submit(...items: Item[]) {
      for (const item of items) group.submit(item);
      await turn();
    },
    begun: () => commits.map((commit) => commit.pkids),
  };
}

describe('who shares a commit', () => {
  test('items of one turn share it, and later ones do not wait while a second commit is free', async () => {
    const group = openGroup();
    await group.submit(itemOf('a', ['x']), itemOf('b', ['x']));
    await group.submit(itemOf('c', ['y']));
    expect(group.begun()).toEqual([['a', 'b'], ['c']]);
  });

  test('a second commit begins when enough wait for it', async () => {
    const group = openGroup({ secondFrom: 3 });
    await group.submit(itemOf('a', ['x']));
    await group.submit(itemOf('b', ['y']));
    await group.submit(itemOf('c', ['y']));
    expect(group.begun()).toEqual([['a']]);
    await group.submit(itemOf('d', ['z']));
    expect(group.begun()).toEqual([['a'], ['b', 'c', 'd']]);
  });

  test('nor does one item wait for a commit that takes long, such as one that waits for locks', async () => {
    const group = openGroup({ secondFrom: 3 });
    await group.submit(itemOf('a', ['x']));
    await group.submit(itemOf('b', ['y']));
    expect(group.begun()).toEqual([['a']]);
    await expect.poll(group.begun).toEqual([['a'], ['b']]);
  });

  test('a third commit waits, and then takes all that has come meanwhile', async () => {
    const group = openGroup();
    await group.submit(itemOf('a', ['x']));
    await group.submit(itemOf('b', ['y']));
    await group.submit(itemOf('c', ['z']));
    await group.submit(itemOf('d', ['z']));
    expect(group.begun()).toEqual([['a'], ['b']]);
    await group.commits[0]?.finish();
    expect(group.begun()).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  test('at most 512 items are in one commit', async () => {
    const group = openGroup();
    await group.submit(...Array.from({ length: 1100 }, (_, index) => itemOf(`i${index}`)));
    expect(group.commits.map((commit) => commit.pkids.length)).toEqual([512, 512]);
    await group.commits[1]?.finish();
    expect(group.commits.map((commit) => commit.pkids.length)).toEqual([512, 512, 76]);
  });

  test('of thousands that wait the oldest are looked at, and all have their turn', async () => {
    const group = openGroup();
    const crowd = Array.from({ length: 4_000 }, (_, index) => itemOf(`i${index}`, ['x']));
    await group.submit(...crowd, itemOf('elsewhere', ['y']));
    for (let number = 0; number < 8; number += 1) await group.commits[number]?.finish();
    expect(group.begun().flat()).toHaveLength(4_001);
    expect(group.begun()[4]).toEqual(['elsewhere']);
  });

  test('two commits under way never share an ordinary wallet', async () => {
    const group = openGroup();
    await group.submit(itemOf('a', ['x', 'y']));
    await group.submit(itemOf('b', ['y', 'z']), itemOf('c', ['w']));
    expect(group.begun()).toEqual([['a'], ['c']]);
    await group.commits[0]?.finish();
    expect(group.begun()).toEqual([['a'], ['c'], ['b']]);
  });

  test('nor a platform wallet: the second would hold all its other locks while the database lets it wait', async () => {
    const group = openGroup();
    await group.submit(itemOf('a', ['x', '@equity:USD']));
    await group.submit(itemOf('b', ['y', '@equity:USD']), itemOf('c', ['z']));
    expect(group.begun()).toEqual([['a'], ['c']]);
    await group.commits[0]?.finish();
    expect(group.begun()).toEqual([['a'], ['c'], ['b']]);
  });

  test('two steps of one operation are never in one commit, nor in two at once', async () => {
    const group = openGroup();
    await group.submit(itemOf('a'), itemOf('a'), itemOf('b'));
    expect(group.begun()).toEqual([['a', 'b']]);
    await group.commits[0]?.finish();
    expect(group.begun()).toEqual([['a', 'b'], ['a']]);
  });

  test('equal insertions share a commit, but not with a step of the same operation', async () => {
    const group = openGroup();
    const insert = () => itemOf('a', [], { isIntake: true });
    await group.submit(insert(), insert(), itemOf('a'), itemOf('b'));
    expect(group.begun()).toEqual([['a', 'a', 'b']]);
    await group.commits[0]?.finish();
    expect(group.begun()).toEqual([['a', 'a', 'b'], ['a']]);
  });

  test('an item that waits for two busy wallets gets its turn, however many come after it', async () => {
    const group = openGroup();
    await group.submit(itemOf('x0', ['x']));
    await group.submit(itemOf('y0', ['y']));
    await group.submit(itemOf('both', ['x', 'y']));
    for (let round = 1; round <= 3; round += 1) {
      await group.submit(itemOf(`x${round}`, ['x']), itemOf(`y${round}`, ['y']));
      await group.commits.at(-2)?.finish();
      await group.commits.at(-1)?.finish();
    }
    expect(group.begun().slice(0, 3)).toEqual([['x0'], ['y0'], ['both', 'x1', 'y1']]);
  });
});

test('what a commit leaves out is first in the next one, and patient then', async () => {
  const group = openGroup();
  const [a, b, c] = [itemOf('a', ['x']), itemOf('b', ['y']), itemOf('c', ['z'])];
  await group.submit(a, b);
  await group.commits[0]?.finish(undefined, [b]);
  expect(group.begun()).toEqual([['a', 'b'], ['b']]);
  await group.submit(c);
  expect(group.begun()).toEqual([['a', 'b'], ['b'], ['c']]);
  expect(group.commits.map(({ patient }) => patient)).toEqual([[], [b], []]);
  await group.commits[1]?.finish();
  await group.commits[2]?.finish();
  await group.drained();
  expect(group.sizes).toEqual([1, 1, 1]);
  await b.done;
});

test('two steps that lock one further row are never in one commit, nor in two at once', async () => {
  const { submit, begun, commits, drained } = openGroup();
  await submit(itemOf('r1', [], { alsoLocks: ['order'] }), itemOf('r2', [], { alsoLocks: ['order'] }));
  expect(begun()).toEqual([['r1']]);
  await commits[0]?.finish();
  expect(begun()).toEqual([['r1'], ['r2']]);
  await commits[1]?.finish();
  await drained();
});

describe('an item that is refused', () => {
  const broken = new Error('a check of the table says no');

  /** Commits at once, and refuses every batch that holds a poisoned item. */
  function refusing(poisoned: readonly string[], error: Error = broken) {
    const tried: number[] = [];
    const group = createGroupCommit<Item>({
      log: silentLogger(),
      onBatch: () => undefined,
      async commit(items) {
        tried.push(items.length);
        if (items.some((item) => poisoned.includes(item.pkid))) throw error;
        for (const item of items) item.resolve();
        return [];
      },
    });
    const submit = async (count: number) => {
      const items = Array.from({ length: count }, (_, index) => itemOf(`i${index}`));
      for (const item of items) group.submit(item);
      const ends = await Promise.allSettled(items.map((item) => item.done));
      return ends.flatMap((end, index) =>
        end.status === 'rejected' ? [{ pkid: `i${index}`, reason: end.reason }] : [],
      );
    };
    return { submit, tried };
  }

  test('is found by halving, gets the error alone, and the others commit', async () => {
    const { submit, tried } = refusing(['i77']);
    expect(await submit(256)).toEqual([{ pkid: 'i77', reason: broken }]);
    // One path down to the guilty one, and its neighbours on the way.
    expect(tried.length).toBe(1 + 2 * Math.log2(256));
  });

  test('does not hide another one', async () => {
    const refused = await refusing(['i0', 'i1', 'i99']).submit(100);
    expect(refused.map((one) => one.pkid)).toEqual(['i0', 'i1', 'i99']);
  });

  test('costs no halving when the database is away: everybody is told at once', async () => {
    const away = new PaymentError('unavailable');
    const { submit, tried } = refusing(['i3'], away);
    expect((await submit(8)).map((one) => one.reason)).toEqual(Array.from({ length: 8 }, () => away));
    expect(tried).toEqual([8]);
  });
});

test('drained waits for what runs and for what waits, and answers at once when nothing does', async () => {
  const group = openGroup();
  await group.drained();
  let isDrained = false;
  await group.submit(itemOf('a', ['x']));
  await group.submit(itemOf('b', ['x']));
  const drained = group.drained().then(() => {
    isDrained = true;
  });
  await group.commits[0]?.finish();
  expect(group.begun()).toEqual([['a'], ['b']]);
  expect(isDrained).toBe(false);
  await group.commits[1]?.finish();
  await drained;
  expect(isDrained).toBe(true);
  expect(group.sizes).toEqual([1, 1]);
});
