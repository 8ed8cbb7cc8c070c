// Every way to end the program ends all of it: exit code 0, no process left behind, and the next start has everything.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENDS_WITHIN_MS, type Home, openHome, type Running, until } from '../harness/process.ts';
import { isRunning, pidsBelow, readProcesses } from '../harness/process-table.ts';
import { allFinal, expectBooksAgree, type Story, tell } from './story.ts';

const FINAL_WITHIN_MS = 60_000;

let home: Home;
let story: Story;
let sent = 0;
beforeAll(() => {
  home = openHome();
  story = tell(home);
});
afterAll(() => home.close());

const WAYS: readonly { name: string; start(): Promise<Running>; end(running: Running): void; tellsExit: boolean }[] = [
  { name: 'Ctrl-C', start: () => home.start('all'), end: (one) => one.signal('SIGINT'), tellsExit: true },
  { name: 'SIGTERM', start: () => home.start('all'), end: (one) => one.signal('SIGTERM'), tellsExit: true },
  {
    name: 'the death of the shell that started it',
    start: () => home.launch('sh', ['-c', `'${process.execPath}' src/main.mjs all & wait`]),
    end: (one) => one.signal('SIGKILL'),
    tellsExit: false,
  },
  {
    name: 'SIGTERM to npm',
    start: () => home.launch('npm', ['start']),
    end: (one) => one.signal('SIGTERM'),
    tellsExit: false,
  },
  {
    name: 'the death of npm',
    start: () => home.launch('npm', ['start']),
    end: (one) => one.signal('SIGKILL'),
    tellsExit: false,
  },
];

test.each(WAYS)(
  '$name ends all of it, and the next start has everything',
  async ({ start, end, tellsExit }) => {
    const running = await start();
    await expectEverything();
    await addMore();
    const tree = pidsBelow(running.pid, readProcesses()).filter(({ command }) =>
      /main\.mjs|bin\/postgres /.test(command),
    );
    const pids = [running.pid, ...tree.map(({ pid }) => pid)];
    expect(tree.filter(({ command }) => /main\.mjs sandbox/.test(command))).toHaveLength(1);
    const postgres = home.postgresPid();
    expect(pids).toContain(postgres);

    end(running);
    await until('all of it has ended', () => pids.every((pid) => !isRunning(pid)), ENDS_WITHIN_MS);
    expect(home.postgresPid()).toBeNull();
    if (tellsExit) expect(await running.exited).toEqual({ code: 0, signal: null });
    expect(running.stderr()).not.toMatch(/"level":"error"/);
  },
  120_000,
);

test('after all these endings every payment is there once', async () => {
  await home.start('all');
  await expectEverything();
  await allFinal(story, { count: sent, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  await expectBooksAgree(story);
}, 120_000);

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s in the middle of a start leaves nothing running',
  async (signal) => {
    const other = openHome();
    try {
      const starting = other.begin('all');
      // The latest moment that can be told apart from outside: the database server is there, the rest is not.
      const { sandbox, postgres } = await until(
        'the children have started',
        () => {
          const children = starting.children();
          return children.sandbox !== null && children.postgres !== null ? children : null;
        },
        FINAL_WITHIN_MS,
      );
      expect(starting.stdout()).toBe('');
      starting.signal(signal);
      const pids = [starting.pid, sandbox ?? 0, postgres ?? 0];
      await until('all of it has ended', () => pids.every((pid) => !isRunning(pid)), ENDS_WITHIN_MS);
      expect(other.postgresPid()).toBeNull();
    } finally {
      await other.close();
    }
  },
  60_000,
);

test('a client that waits for an answer gets one at the end, and holds up nothing', async () => {
  const other = openHome();
  try {
    const running = await other.start('all');
    const told = tell(other);
    await told.wallet('from', '1000');
    const payout = { semantic_key: 'waits', wallet_id: 'from', amount: '100', currency: 'USD', provider: 'demobank' };
    const waiting = told.post('/v1/payouts?wait=30', { ...payout, destination: 'acct_never_1', confirm: true });
    await until(
      'the payout is on its way',
      async () => (await told.operations('payouts')).length === 1,
      FINAL_WITHIN_MS,
    );
    const ended = running.end('SIGTERM');
    expect(await waiting).toMatchObject({ status: 202, json: { semantic_key: 'waits' } });
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(running.stderr()).not.toContain('did not close in time');
  } finally {
    await other.close();
  }
}, 60_000);

/** What was accepted before the last end. */
async function expectEverything(): Promise<void> {
  expect(await story.operations('payouts')).toHaveLength(sent);
  expect(await story.operations('transfers')).toHaveLength(sent);
}

/** Some of it is still on its way when the end comes. */
async function addMore(): Promise<void> {
  await story.wallet('from', '1000000');
  await story.wallet('to');
  const currency = 'USD';
  for (const word of ['ok', 'slow', 'pending', 'timeout_before']) {
    const semantic_key = `end-${sent++}`;
    const money = { semantic_key, amount: '100', currency };
    const payout = { ...money, wallet_id: 'from', provider: 'stripe', destination: `acct_${word}_1`, confirm: true };
    expect((await story.post('/v1/payouts', payout)).status).toBe(202);
    expect((await story.post('/v1/transfers', { ...money, from_wallet: 'from', to_wallet: 'to' })).status).toBe(202);
  }
}
