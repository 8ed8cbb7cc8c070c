// `npm run demo`: starts everything on a throw-away folder, plays the whole story over HTTP, compares the books, and
// leaves nothing behind. The exit code is 0 only if every claim held.

import { z } from 'zod';
import { createLogger } from '../runtime/logger.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import type { Stage } from './demo-checks.ts';
import { createClient } from './demo-client.ts';
import { drainFile, fundWallets, postFile, readLines } from './demo-file.ts';
import { compareBook, judgeOutcomes, judgeTold, judgeWallets } from './demo-judge.ts';
import { type Heard, type Listener, startListener } from './demo-listener.ts';
import { DEMO_TIMES, type DemoPlace, startDemoProcess } from './demo-process.ts';
import { compareProviders } from './demo-providers.ts';
import { createScreen, type Screen } from './demo-screen.ts';
import { playShop } from './demo-shop.ts';
import { playStory } from './demo-story.ts';
import { whenUnread } from './unread.ts';

/** For the child, which needs up to ten seconds of its own, when somebody presses Ctrl-C. */
const STOP_GRACE_MS = 20_000;

export async function runDemo({ rows }: { rows: number }): Promise<void> {
  // Until everything has held: a run that is cut short has proven nothing.
  process.exitCode = 1;
  const startedAt = performance.now();
  const screen = createScreen({ out: process.stdout, progress: process.stderr });
  const log = createLogger({ level: 'error', format: 'pretty', destination: process.stderr });
  const shutdown = createShutdown({ log, graceMs: STOP_GRACE_MS });
  const listener = await startListener();
  shutdown.add('listener', () => listener.close());
  const remit = startDemoProcess({ webhookHosts: [listener.host] });
  shutdown.add('demo', async () => void (await remit.stop()));
  shutdown.onSignal();
  whenUnread(() => void shutdown.run('nobody reads').finally(() => process.exit()));
  screen.progress('Starting PostgreSQL, the API, the workers and the sandbox on a throw-away folder ...');
  const place = await remit.ready;
  screen.progressEnds();
  try {
    await play({ screen, place, listener, rows });
  } finally {
    const isGone = await remit.stop();
    await listener.close();
    screen.step('The end');
    screen.claim('everything ended in order: no process and no folder is left', isGone);
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  const broken = screen.broken();
  screen.note(broken.length === 0 ? `All of it held, in ${seconds} s.` : `${broken.length} claims did not hold:`);
  for (const claim of broken) screen.note(`- ${claim}`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

interface Play {
  readonly screen: Screen;
  readonly place: DemoPlace;
  readonly listener: Listener;
  readonly rows: number;
}

async function play({ screen, place, listener, rows }: Play): Promise<void> {
  const client = createClient({ ...place, screen });
  const stage: Stage = { client, screen, listener };
  introduce(screen, place);
  await playShop(stage);
  await playStory(stage);
  await playFile(stage, rows);
  await compareProviders(stage);
  await listEvents(stage);
  await proveBooks(stage);
}

function introduce(screen: Screen, { apiUrl, sandboxUrl, folder }: DemoPlace): void {
  const { LEASE_MS, RECONCILE_MS, PROVIDER_TIMEOUT_MS } = DEMO_TIMES;
  screen.heading('remit, the whole story');
  screen.note(`It runs at ${apiUrl} on ${folder}; the providers are the local sandbox, and no real money moves.`);
  screen.note('Little more than a minute, because waiting times are short:');
  screen.note(`LEASE_MS=${LEASE_MS} RECONCILE_MS=${RECONCILE_MS} PROVIDER_TIMEOUT_MS=${PROVIDER_TIMEOUT_MS}.`);
  screen.note('The same commands work against "npm start". Answers are shortened here:');
  screen.note(`URL=${apiUrl}  AUTH="Authorization: Bearer <key>"  SANDBOX=${sandboxUrl}`);
}

async function playFile(stage: Stage, rows: number): Promise<void> {
  const { client, screen } = stage;
  const lines = readLines(rows);
  screen.step(`A file of ${lines.length} payouts to ${lines.length} destinations (examples/payouts-1000.csv)`);
  screen.progress('Opening and funding the wallets of the file ...');
  const funded = await fundWallets(client, lines);
  const startedAt = performance.now();
  const refusals = await postFile(client, lines);
  const postedMs = performance.now() - startedAt;
  const curl = `curl -H "$AUTH" "$URL/v1/payouts/batch" --json '{"payouts": [{"semantic_key": ...}, ...]}'`;
  screen.exchange(curl, `202 ${lines.length - refusals.size} accepted, ${refusals.size} refused, ${ms(postedMs)}`);
  const outcomes = await drainFile(stage, { lines, refusals });
  screen.note(
    `All final after ${ms(performance.now() - startedAt)}; the slowest were left unanswered by the provider.`,
  );
  judgeOutcomes(stage, outcomes, funded);
  await compareBook(stage, outcomes);
  await judgeWallets(stage, outcomes, funded);
  await judgeTold(stage, outcomes);

  const rowsBefore = (await client.book()).length;
  const again = await postFile(client, lines);
  const later = await drainFile(stage, { lines, refusals: again });
  const isSame = JSON.stringify(later) === JSON.stringify(outcomes) && (await client.book()).length === rowsBefore;
  screen.claim('the same file posted once more changes nothing', isSame);
}

async function listEvents({ screen, listener }: Stage): Promise<void> {
  screen.step('What the web app heard, each message proved by its signature');
  const byType = Map.groupBy(listener.heard(), ({ type }) => type);
  screen.table([
    ['event', 'times'],
    ...[...byType]
      .map(([type, heard]) => [type, String(heard.length)])
      .toSorted(([a = ''], [b = '']) => a.localeCompare(b)),
  ]);
  const { repeated, refused } = listener.counts();
  screen.claim(`${listener.heard().length} events, ${repeated} of them sent again`, refused === 0);
  screen.claim('of each object in the order in which it happened', isInOrder(listener.heard()));
  const forged = await forgedMessage(listener);
  screen.claim('a message that somebody else made up is not believed', forged === 401);
}

/** `sequence` counts what is told of one object; two kinds may have the same names. */
function isInOrder(heard: readonly Heard[]): boolean {
  const byObject = Map.groupBy(heard, ({ type, subject }) => `${type.slice(0, type.indexOf('.'))} ${subject}`);
  return [...byObject.values()].every((events) =>
    events.every(({ sequence }, index) => sequence > (events[index - 1]?.sequence ?? 0)),
  );
}

async function forgedMessage({ url }: Listener): Promise<number> {
  const headers = {
    'webhook-id': 'made-up',
    'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
    'webhook-signature': 'v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  };
  return (await fetch(url, { method: 'POST', headers, body: '{"type":"payout.succeeded"}' })).status;
}

const auditBody = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ id: z.string(), title: z.string(), violations: z.array(z.unknown()) })),
});

async function proveBooks({ client, screen }: Stage): Promise<void> {
  screen.step('The audit');
  const report = auditBody.parse((await client.post('/v1/audit')).body);
  const wrong = report.checks.filter(({ violations }) => violations.length > 0);
  const checks = `${report.checks.length} checks, ${wrong.length} of them with violations`;
  screen.exchange('curl -H "$AUTH" -X POST "$URL/v1/audit"', `200 ${checks}`);
  for (const { id, title, violations } of wrong) screen.note(`${id} ${title}: ${JSON.stringify(violations)}`);
  screen.claim('the books are right', report.ok);
  const { body } = await client.showGet('/v1/trial-balance?currency=USD');
  screen.claim('the whole journal sums to zero', body.total === '0');
}

function ms(duration: number): string {
  return `${(duration / 1_000).toFixed(1)} s`;
}
