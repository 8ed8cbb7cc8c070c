// The queue's own statement that ends a job may fail after the job's work is committed: the job runs again, and its
// money must not.

import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome } from '../harness/process.ts';
import { expectBooksAgree, type Story, tell } from './story.ts';

const REFUSED = 20;

let home: Home;
let story: Story;
let database: pg.Client;
beforeAll(async () => {
  home = openHome();
  await home.start('all');
  story = tell(home);
  database = new pg.Client({ connectionString: await home.databaseUrl() });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await home.close();
});

test('a transfer whose job could not be ended for a deadlock runs again and moves nothing twice', async () => {
  // A sequence counts on although what it counted for is rolled back.
  await database.query(`
    CREATE SEQUENCE refusal;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('public.refusal') <= ${REFUSED} THEN RAISE 'planted' USING ERRCODE = '40P01'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON bullmq.job FOR EACH ROW
      WHEN (NEW.queue = 'transfer' AND NEW.state = 'completed') EXECUTE FUNCTION refuse();`);
  await story.wallet('giver', '100000');
  await story.wallet('taker');
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      story.post('/v1/transfers?wait=30', {
        semantic_key: `refused-${index}`,
        from_wallet: 'giver',
        to_wallet: 'taker',
        amount: '100',
        currency: 'USD',
      }),
    ),
  );
  expect(answers.filter(({ json }) => String(json.status) !== 'succeeded')).toEqual([]);
  await expect.poll(jobsDone, { timeout: 30_000, interval: 100 }).toBe(50);
  const { rows } = await database.query<{ again: number }>(
    `SELECT count(*)::int AS again FROM bullmq.job WHERE queue = 'transfer' AND attempts_started > 1`,
  );
  expect(rows[0]?.again).toBeGreaterThan(0);
  expect(await story.available('giver')).toBe('95000');
  expect(await story.available('taker')).toBe('5000');
  await expectBooksAgree(story);
});

async function jobsDone(): Promise<number> {
  const { rows } = await database.query<{ done: number }>(
    `SELECT count(*)::int AS done FROM bullmq.job WHERE queue = 'transfer' AND state = 'completed'`,
  );
  return rows[0]?.done ?? 0;
}
