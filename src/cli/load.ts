// `remit load`: sends operations at a fixed rate to a running remit and measures until each is final. Arrivals do not
// wait for answers, and latency counts from the moment an operation was due, so that waiting is counted.

import { randomBytes } from 'node:crypto';
import { ConfigError, readConfig } from '../runtime/config.ts';
import { bootstrapKeyFile, readBootstrapKey } from './bootstrap-key.ts';
import { createLoadClient, type LoadClient } from './load-client.ts';
import { runOperation } from './load-operation.ts';
import { arrivalOf, arrivalsIn, type LoadPlan, type Mix } from './load-plan.ts';
import { createLoadTally, type LoadReport, type LoadTally, loadSummary } from './load-tally.ts';
import { openLoadWallets } from './load-wallets.ts';
import { whenUnread } from './unread.ts';

export interface LoadOptions {
  readonly rate: number;
  readonly seconds: number;
  readonly mix: Mix;
  readonly url: string;
  readonly key?: string;
  readonly wallets: number;
  readonly provider: string;
  readonly finalWithin: number;
  readonly json?: boolean;
}

const TICK_MS = 1;
const LIVE_MS = 500;
/** Where nobody watches, a line now and then shows that it runs. */
const SPARSE_MS = 5_000;

export async function runLoad(options: LoadOptions): Promise<void> {
  const key = options.key ?? keyOf();
  const plan: LoadPlan = {
    runId: randomBytes(6).toString('hex'),
    perSecond: options.rate,
    seconds: options.seconds,
    mix: options.mix,
    wallets: options.wallets,
    provider: options.provider,
    finalWithinMs: options.finalWithin * 1_000,
  };
  whenUnread(() => process.exit(1));
  const report = await playLoad(plan, { url: options.url, key, screen: process.stderr });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : loadSummary(report));
  if (!report.ok) process.exitCode = 1;
}

export interface LoadScreen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** The whole load; throws with the way out when it cannot begin. */
export async function playLoad(
  plan: LoadPlan,
  { url, key, screen }: { url: string; key: string; screen: LoadScreen },
): Promise<LoadReport> {
  const client = createLoadClient({ url, key });
  try {
    screen.write(`load ${plan.runId}: makes and funds ${plan.wallets} wallets at ${url}\n`);
    await openLoadWallets(client, plan);
    return await drive(client, plan, screen);
  } catch (error) {
    if (!isRefused(error)) throw error;
    throw new Error(`Nothing answers at ${url}. Start remit with "npm start", or give its address with --url.`, {
      cause: error,
    });
  } finally {
    client.close();
  }
}

async function drive(client: LoadClient, plan: LoadPlan, screen: LoadScreen): Promise<LoadReport> {
  const tally = createLoadTally();
  const startedAt = performance.now();
  const progress = showProgress(tally, { startedAt, screen });
  const under: Promise<void>[] = [];
  const total = arrivalsIn(plan);

  async function runOne(number: number): Promise<void> {
    const arrival = arrivalOf(plan, number);
    const dueAt = startedAt + arrival.dueMs;
    tally.sent(arrival.kind);
    const deadline = dueAt + plan.finalWithinMs;
    const outcome = await runOperation(arrival, { client, deadline, onError: tally.error });
    tally.ended(arrival.kind, outcome, performance.now() - dueAt);
  }

  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * plan.perSecond) + 1);
    for (; sent < due; sent += 1) under.push(runOne(sent));
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(under);
  const elapsedMs = performance.now() - startedAt;
  progress.end();
  return tally.report({ ...plan, elapsedMs });
}

function showProgress(
  tally: LoadTally,
  { startedAt, screen }: { startedAt: number; screen: LoadScreen },
): { end(): void } {
  const isLive = screen.isTTY === true;
  const show = () => {
    const line = tally.line(performance.now() - startedAt);
    screen.write(isLive ? `\r\u001b[K${line}` : `${line}\n`);
  };
  const timer = setInterval(show, isLive ? LIVE_MS : SPARSE_MS);
  return {
    end() {
      clearInterval(timer);
      show();
      if (isLive) screen.write('\n');
    },
  };
}

/** The environment's key, or the one that `npm start` keeps in the data folder. */
function keyOf(): string {
  const { bootstrapKey, dataDir } = readConfig();
  if (bootstrapKey !== null) return bootstrapKey;
  const file = bootstrapKeyFile(dataDir);
  const kept = readBootstrapKey(file);
  if (kept !== null) return kept;
  throw new ConfigError([
    `No key: --key and REMIT_BOOTSTRAP_KEY are not given, and there is no ${file}. ` +
      'Give --key, or set REMIT_DATA_DIR to the data folder of the remit that runs.',
  ]);
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
