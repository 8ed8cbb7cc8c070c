// A commit that is planned on what the one before will leave: when it begins, and what happens when that fails.

import { describe, expect, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import { createGroupCommit } from '../../src/ledger/group-commit.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { type Item, itemOf, turn } from './group-items.ts';

describe('where all want the same wallet', () => {
  /** What each commit was planned on, and how it is told to others and ended. */
  function openChain() {
    const commits: {
      pkids: string[];
      behind: string | null;
      foresee: (outlook: string | null) => void;
      finish: (error?: Error) => Promise<void>;
    }[] = [];
    const group = createGroupCommit<Item, string>({
      log: silentLogger(),
      onBatch: () => undefined,
      secondFrom: 2,
      foreseePauseMs: 60_000,
      commit(items, { behind, foresee }) {
        const { promise, resolve, reject } = Promise.withResolvers<readonly Item[]>();
        const finish = async (error?: Error) => {
          if (error === undefined) for (const item of items) item.resolve();
          if (error === undefined) resolve([]);
          else reject(error);
          await turn();
        };
        commits.push({ pkids: items.map((item) => item.pkid), behind, foresee, finish });
        return promise;
      },
    });
    const submit = async (...pkids: string[]) => submitItems(...pkids.map((pkid) => itemOf(pkid, ['hot', pkid])));
    const submitItems = async (...items: Item[]) => {
      for (const item of items) group.submit(item);
      await turn();
      return items;
    };
    return { submit, submitItems, commits, begun: () => commits.map(({ pkids, behind }) => [pkids.join(), behind]) };
  }

  test('the next commit is planned on what the one before is to leave, once that is known', async () => {
    const chain = openChain();
    await chain.submit('a');
    await chain.submit('b', 'c');
    expect(chain.begun()).toEqual([['a', null]]);
    chain.commits[0]?.foresee('after a');
    expect(chain.begun()).toEqual([
      ['a', null],
      ['b,c', 'after a'],
    ]);
    // One behind the other: a third waits for the first.
    chain.commits[1]?.foresee('after b and c');
    await chain.submit('d', 'e');
    expect(chain.begun()).toHaveLength(2);
    await chain.commits[0]?.finish();
    expect(chain.begun()[2]).toEqual(['d,e', 'after b and c']);
  });

  test('few wait for the one before', async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    await chain.submit('b');
    await chain.commits[0]?.finish();
    expect(chain.begun()).toEqual([
      ['a', null],
      ['b', null],
    ]);
  });

  test("what did not come true is nobody's fault: all go again, and for a while one after the other", async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    const items = await chain.submit('b', 'c');
    await chain.commits[1]?.finish(new Error('another one had it'));
    await chain.commits[0]?.finish();
    expect(chain.begun()[2]).toEqual(['b,c', null]);
    chain.commits[2]?.foresee('after b and c');
    await chain.submit('d', 'e');
    expect(chain.begun()).toHaveLength(3);
    await chain.commits[2]?.finish();
    await Promise.all(items.map((item) => item.done));
    expect(chain.begun()[3]).toEqual(['d,e', null]);
  });

  test('what is only inserted never ends behind another', async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    await chain.submitItems(itemOf('b', ['hot']), itemOf('c', ['hot']));
    await chain.submitItems(itemOf('new', [], { isIntake: true }), itemOf('d', ['hot']));
    await chain.commits[0]?.finish();
    expect(chain.begun()).toEqual([
      ['a', null],
      ['b,c', 'after a'],
      ['new', null],
    ]);
  });

  test('where the database is away, all are told so at once', async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    const items = await chain.submit('b', 'c');
    const away = new PaymentError('unavailable');
    await chain.commits[1]?.finish(away);
    const ends = await Promise.allSettled(items.map((item) => item.done));
    expect(ends).toEqual([away, away].map((reason) => ({ status: 'rejected', reason })));
  });

  test('what the commit before holds by its own rows waits for it', async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    await chain.submitItems(itemOf('b', ['hot']), itemOf('c', ['hot']), itemOf('a', ['hot']));
    expect(chain.begun()[1]).toEqual(['b,c', 'after a']);
    await chain.commits[0]?.finish();
    await chain.commits[1]?.finish();
    expect(chain.begun()[2]).toEqual(['a', null]);
  });

  test('nothing is planned on a commit that begins again', async () => {
    const chain = openChain();
    await chain.submit('a');
    chain.commits[0]?.foresee('after a');
    chain.commits[0]?.foresee(null);
    await chain.submit('b', 'c');
    expect(chain.begun()).toHaveLength(1);
  });
});
