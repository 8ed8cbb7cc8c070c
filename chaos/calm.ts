// After the faults: everything is repaired, and nothing that was begun may stay unfinished for longer than the bound.

import { setTimeout as wait } from 'node:timers/promises';
import { PAYMENT_KINDS } from './evidence.ts';
import { askApi, readBook } from './gathering.ts';
import type { Stage } from './stage.ts';

/**
 * The slowest honest way out: a delivery whose worker died keeps its lease of 30 s, fails once more and waits 30 s; a
 * payment asked about five times in vain is asked again a minute after the last time.
 */
const CALM_WITHIN_MS = 110_000;
const LOOK_EVERY_MS = 500;
/** The sandbox sends money back two seconds after it was paid. */
const BOUNCES_WITHIN_MS = 3_000;

/** Returns what is unfinished when the bound is over; nothing, as a rule. */
export async function calmDown(stage: Stage, say: (line: string) => void): Promise<string[]> {
  await repair(stage);
  const giveUpAt = Date.now() + CALM_WITHIN_MS;
  let isClientDone = false;
  void stage.client.done.then(() => {
    isClientDone = true;
  });
  let said = '';
  let quietSince: number | null = null;
  for (;;) {
    const left = await unfinished(stage);
    if (!isClientDone) left.unshift('client has stories to tell');
    if (left.length === 0) {
      quietSince ??= Date.now();
      if (Date.now() - quietSince > BOUNCES_WITHIN_MS && (await askAboutReturns(stage))) return [];
    } else quietSince = null;
    if (Date.now() > giveUpAt) return left;
    const news = left.length === 0 ? 'quiet' : `${left.length} unfinished, such as: ${left.at(-1)}`;
    if (news !== said) say(news);
    said = news;
    await wait(LOOK_EVERY_MS);
  }
}

async function repair(stage: Stage): Promise<void> {
  const { members, redis, sandbox, client, postgres } = stage;
  const children = [...members.values()].map(({ child }) => child);
  for (const { database, redis: queue, provider, front } of members.values()) {
    for (const wire of [database, queue, provider, front]) wire?.heal();
  }
  await stage.setSandbox({ faults: { rates: {} }, webhooks: {} });
  const paused = [...children, sandbox, client, ...(redis === null ? [] : [redis.child])];
  for (const child of paused) child.signal('SIGCONT');
  await postgres.query('SELECT 1');
  await redis?.child.start();
  await sandbox.start();
  await Promise.all(children.map((child) => child.start()));
}

const UNFINISHED = `
  ${PAYMENT_KINDS.map(
    (table) => `SELECT semantic_key || ' is ' || status AS what FROM ${table}
      WHERE confirmed_at IS NOT NULL AND final_at IS NULL AND review_reason IS NULL UNION ALL `,
  ).join('')}
  SELECT semantic_key || ' is ' || status FROM transfer WHERE final_at IS NULL
  UNION ALL SELECT checkout_id || ' is not compensated' FROM checkout WHERE due_at IS NOT NULL
  UNION ALL SELECT event_id || ' of ' || provider || ' is not worked off' FROM provider_event
    WHERE due_at IS NOT NULL
  UNION ALL SELECT e.type || ' of ' || e.semantic_key || ' is not delivered: ' || coalesce(d.outcome, 'not tried')
    FROM delivery d JOIN outgoing_event e USING (event_id) WHERE d.status <> 'delivered'`;

async function unfinished({ postgres }: Stage): Promise<string[]> {
  return (await postgres.query<{ what: string }>(UNFINISHED)).map(({ what }) => what);
}

/** An event that was dropped tells nothing, so a person who has the provider's statement asks. True: all is booked. */
async function askAboutReturns(stage: Stage): Promise<boolean> {
  const back = (await readBook(stage)).flatMap(({ direction, key }) => (direction === 'return' ? (key ?? []) : []));
  const missing = await stage.postgres.query<{ semantic_key: string }>(
    'SELECT semantic_key FROM payout WHERE returned = 0 AND pkid = ANY($1::uuid[])',
    [back],
  );
  for (const { semantic_key } of missing) await askApi(stage, `/v1/payouts/${semantic_key}/query`, 'POST');
  return missing.length === 0;
}
