// `remit load`: sends operations at a fixed rate to a running remit and measures until each is final. Arrivals do not
// wait for answers, and latency counts from the moment an operation was due, so that waiting is counted.

import { randomBytes } from 'node:crypto';
import { equityWalletId } from '../domain/chart.ts';
import { formatMoney, parseCurrency } from '../domain/money.ts';
import { ConfigError, readConfig } from '../runtime/config.ts';
import { bootstrapKeyFile, readBootstrapKey } from './bootstrap-key.ts';
import { createLoadClient, type LoadClient } from './load-client.ts';
import { runOperation } from './load-operation.ts';
import { arrivalOf, arrivalsIn, fundsOf, LOAD_CURRENCY, type LoadPlan, type Mix, walletIn } from './load-plan.ts';
import { createLoadTally, type LoadReport, type LoadTally, loadSummary } from './load-tally.ts';
import { accountsText, type LoadTarget, lookAtTarget, refuseTarget } from './load-target.ts';
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
  readonly yes?: boolean;
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
  const { url, yes: isLiveMeant = false } = options;
  const report = await playLoad(plan, { url, key, screen: process.stderr, isLiveMeant });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : loadSummary(report));
  if (!report.ok) process.exitCode = 1;
}

export interface LoadScreen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** The whole load; throws with the way out, and before anything is made, when it cannot or should not begin. */
export async function playLoad(
  plan: LoadPlan,
  { url, key, screen, isLiveMeant = false }: { url: string; key: string; screen: LoadScreen; isLiveMeant?: boolean },
): Promise<LoadReport> {
  const client = createLoadClient({ url, key });
  try {
    const target = await lookAtTarget(client, url);
    refuseTarget(target, { plan, url, isLiveMeant });
    screen.write(announcement(plan, { url, target }));
    await openLoadWallets(client, plan);
    return await drive(client, plan, screen);
  } finally {
    client.close();
  }
}

function announcement(plan: LoadPlan, { url, target }: { url: string; target: LoadTarget }): string {
  const { runId, wallets, seconds, provider, mix } = plan;
  const currency = parseCurrency(LOAD_CURRENCY);
  const funds = formatMoney({ amountMinor: BigInt(fundsOf(plan)), currency });
  const source = equityWalletId(currency);
  const paidBy = mix.payouts > 0 ? `, payouts through ${provider}` : '';
  return [
    `load ${runId} at ${url}, which ${accountsText(target)}:`,
    `- makes ${wallets} wallets, ${walletIn(plan, 0)} and so on, and funds each with ${funds} from ${source}`,
    `- sends ${arrivalsIn(plan)} operations in ${seconds} s${paidBy}; all of it stays in the books there`,
    '',
  ].join('\n');
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
