// The database's clock without asking it: never ahead, never from this machine's own clock, never from an old answer.

import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { createDatabaseClock } from '../../src/ledger/database-clock.ts';
import { readClock } from '../../src/ledger/reads.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { openLedger } from '../harness/ledger.ts';

afterEach(() => vi.useRealTimers());

test('a clock that was never told, or more than a second ago, says nothing', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const clock = createDatabaseClock();
  expect(clock.estimate()).toBeNull();
  clock.observe(new Date(5_000));
  vi.advanceTimersByTime(900);
  expect(clock.estimate()).toEqual(new Date(5_900));
  vi.advanceTimersByTime(200);
  expect(clock.estimate()).toBeNull();
});

test('the time of this machine has no part in it, whatever it is set to', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
  const clock = createDatabaseClock();
  clock.observe(new Date(5_000));
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(clock.estimate()?.getTime()).toBeLessThan(6_000);
});

test('it is never ahead of the database, and hardly behind', async () => {
  const ledger = await openLedger();
  const statements = statementsOf(ledger.db.sql);
  const clock = createDatabaseClock();
  clock.observe(await readClock(statements));
  for (let n = 0; n < 20; n += 1) {
    await wait(5);
    const estimated = clock.estimate()?.getTime() ?? Number.NaN;
    const real = (await readClock(statements)).getTime();
    expect(estimated).toBeLessThanOrEqual(real);
    expect(real - estimated).toBeLessThan(500);
  }
  await ledger.close();
});
