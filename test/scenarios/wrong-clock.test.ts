// Beside a process whose clock is right, two workers whose clocks are an hour wrong, one each way. Who owns a row, and
// until when, is decided by the clock of the database, so none takes anything from the others.

import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, type Running, root } from '../harness/process.ts';
import { allFinal, expectBooksAgree, FINAL, type Story, tell } from './story.ts';

/** Done at once, found by a look-up when its lease is over, and waiting for ever. */
const WORDS = ['ok', 'ok', 'paid_then_reset', 'never'];
/** As many payouts at a time, again until each of the workers has had some; far fewer waves are needed. */
const WAVE = 40;
const WAVES_MAX = 20;
const FINAL_WITHIN_MS = 90_000;
const HOUR_MS = 3_600_000;

let home: Home;
let story: Story;
let workers: Running[];
beforeAll(async () => {
  home = openHome();
  await home.start('all');
  story = tell(home);
  const worker = ['--import', join(root, 'chaos/wrong-clock.ts'), join(root, 'src/main.mjs'), 'worker'];
  const shifts = [HOUR_MS, -HOUR_MS].map((shiftMs) => ({ CLOCK_SHIFT_MS: String(shiftMs) }));
  workers = await Promise.all(shifts.map((env) => home.launch(process.execPath, worker, env)));
  await story.wallet('w', '1000000');
});
afterAll(() => home.close());

test('workers whose clocks are an hour wrong finish everything, and money moves once', async () => {
  const hasWorked = ({ stderr }: Running) => stderr().includes('"semantic_key":"clock-');
  const mayWait = ({ destination = '' }: { destination?: string }) => destination.includes('never');
  let count = 0;
  for (let wave = 0; wave < WAVES_MAX && !(count > 0 && workers.every(hasWorked)); wave += 1) {
    await Promise.all(Array.from({ length: WAVE }, (_, index) => pay(count + index)));
    count += WAVE;
    await allFinal(story, { count, kind: 'payouts', limitMs: FINAL_WITHIN_MS, mayWait });
  }
  expect(workers.map(hasWorked)).toEqual([true, true]);
  await expectBooksAgree(story);

  const client = new pg.Client({ connectionString: await home.databaseUrl() });
  await client.connect();
  const { rows } = await client.query(`
    SELECT semantic_key, status, abs(extract(epoch FROM coalesce(final_at, due_at) - now())) < 900 AS is_by_database
    FROM payout`);
  await client.end();
  // Within minutes, where a worker's own clock is an hour away.
  expect(rows.filter((row) => row.is_by_database !== true)).toEqual([]);
  expect(rows.filter((row) => !FINAL.includes(row.status))).toHaveLength(count / WORDS.length);
}, 150_000);

async function pay(number: number): Promise<void> {
  const money = { wallet_id: 'w', amount: '10', currency: 'USD', provider: 'demobank' };
  const destination = `acct_${WORDS[number % WORDS.length]}_${number}`;
  const answer = await story.insist('/v1/payouts', {
    ...money,
    semantic_key: `clock-${number}`,
    destination,
    confirm: true,
  });
  expect(answer.status).toBe(202);
}
