// A whole remit for a test file: its own database and sandbox, workers on the queue the test names, short times.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { type App, openApp } from '../../src/app.ts';
import { sandboxSecrets } from '../../src/cli/sandbox.ts';
import { equityWalletId } from '../../src/domain/chart.ts';
import { fingerprintOf } from '../../src/domain/fingerprint.ts';
import { pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { type Currency, parseCurrency } from '../../src/domain/money.ts';
import type { Payout } from '../../src/domain/payout.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import { isFinal } from '../../src/domain/state-machine.ts';
import { claimStep } from '../../src/jobs/payment/steps.ts';
import { payoutRules } from '../../src/jobs/payout.ts';
import { startWorkers } from '../../src/jobs/worker.ts';
import { readConfig } from '../../src/runtime/config.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { createDatabase, type TestDatabase } from './postgres.ts';
import { openReceiver } from './receiver.ts';

export interface TestRemit {
  readonly app: App;
  readonly sandbox: Sandbox;
  /** A funded seller's wallet. */
  fundedWallet(walletId: string, amountMinor: bigint, currency?: string): Promise<void>;
  payout(
    key: string,
    order: { walletId: string; amountMinor: bigint; provider?: ProviderName; to: string },
  ): Promise<void>;
  /** The payout as soon as `until` holds; by default, when it is final. */
  settled(key: string, until?: (payout: Payout) => boolean): Promise<Payout>;
  /** From now on another sandbox answers at the same address, one that has never heard of us. */
  forgetAtProvider(): Promise<void>;
  stop(): Promise<void>;
}

/** Short enough that a grace period passes in a test, with LEASE_MS at least twice the time-out. */
const TIMES = { RECONCILE_MS: '150', LEASE_MS: '1800', PROVIDER_TIMEOUT_MS: '900' };

export interface RemitOptions {
  /** Without workers nothing runs by itself: the test runs lives by hand. */
  readonly withWorkers?: boolean;
  /** The sandbox's events arrive, as they would at the API. */
  readonly withWebhooks?: boolean;
  /** Where the sandbox listens, for those who must know it before; by default wherever there is room. */
  readonly sandboxPort?: number;
  /** By default nothing is logged. */
  readonly log?: Logger;
  /** Makes the database once the sandbox answers; by default it has the schema and no rows. */
  readonly makeDatabase?: (sandboxUrl: string) => Promise<TestDatabase>;
}

export async function startRemit(
  env: Record<string, string> = {},
  {
    withWorkers = true,
    withWebhooks = false,
    sandboxPort = 0,
    log = silentLogger(),
    makeDatabase = () => createDatabase(),
  }: RemitOptions = {},
): Promise<TestRemit> {
  const folder = mkdtempSync(join(tmpdir(), 'remit-app-'));
  const receiver = withWebhooks ? await openReceiver() : null;
  const read = readConfig({ REMIT_DATA_DIR: folder, REMIT_UNSAFE_DURABILITY: '1', ...TIMES, ...env });
  const config = { ...read, sandboxWebhookUrl: receiver?.url ?? read.sandboxWebhookUrl };
  const openSandbox = (port: number, file: string) =>
    startSandbox({
      port,
      host: '127.0.0.1',
      dataFile: join(folder, file),
      webhookUrl: receiver?.url ?? null,
      webhookSecrets: sandboxSecrets(config),
    });
  const sandbox = await openSandbox(sandboxPort, 'sandbox.jsonl');
  const database = await makeDatabase(sandbox.url);
  let answering = sandbox;
  const app = await openApp({ config, databaseUrl: database.url, sandboxUrl: sandbox.url, log });
  await app.queues.ready();
  receiver?.handTo(app.events.receive);
  const workers = withWorkers ? await startWorkers({ ...app, log, onRun: app.metrics.job }) : null;
  if (withWorkers) app.reconcile.start();
  const find = async (key: string) => app.payouts.find(pkidOf('payout', key));

  return {
    app,
    sandbox,
    async fundedWallet(walletId, amountMinor, code = 'USD') {
      const currency = parseCurrency(code);
      await sql`INSERT INTO wallet (wallet_id, owner_id, kind, currency, created_at)
        VALUES (${walletId}, ${`owner-${walletId}`}, 'seller', ${currency}, now())`.execute(app.db.sql);
      await book(app, { semanticKey: `fund-${walletId}`, walletId, amountMinor, currency });
    },
    async payout(key, { walletId, amountMinor, provider = 'stripe', to }) {
      await app.payouts.request({
        semanticKey: key,
        walletId,
        amountMinor,
        currency: parseCurrency('USD'),
        provider,
        payeeId: null,
        destination: to,
        expiresAt: null,
        metadata: {},
        traceparent: null,
        confirm: true,
      });
    },
    async settled(key, until = (payout) => isFinal(payout.status)) {
      const deadline = performance.now() + SETTLED_WITHIN_MS;
      for (;;) {
        const payout = await find(key);
        if (payout !== null && until(payout)) return payout;
        if (performance.now() > deadline) {
          throw new Error(`${key} is ${payout?.status} after ${SETTLED_WITHIN_MS} ms, attempt ${payout?.attempt}.`);
        }
        await app.waiter.wait({ kind: 'payout', pkid: pkidOf('payout', key) }, POLL_MS);
      }
    },
    async forgetAtProvider() {
      await answering.close();
      answering = await openSandbox(sandbox.port, 'sandbox-without-memory.jsonl');
    },
    async stop() {
      receiver?.close();
      await app.reconcile.stop();
      await workers?.close(2_000);
      await app.deliveries.close(0);
      await app.runner.idle();
      app.waiter.close();
      await app.journal.drained();
      await app.queues.close();
      await app.db.close();
      await answering.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Takes the row as a worker would that dies right after it. */
export async function claimPayout(app: App, seen: Payout) {
  const rules = payoutRules(app);
  const companions = await rules.companionsOf(seen);
  const { timing } = app;
  return app.journal.stepPayout(claimStep(seen, { rules, companions, obstacle: null, timing }));
}

async function book(
  app: App,
  order: { semanticKey: string; walletId: string; amountMinor: bigint; currency: Currency },
): Promise<void> {
  const { semanticKey, walletId, amountMinor, currency } = order;
  const pkid = pkidOf('adjustment', semanticKey);
  const postingId = postingIdOf(pkid, 'settle');
  const equity = equityWalletId(currency);
  await app.journal.bookAdjustment({
    pkid,
    walletIds: [walletId, equity],
    row: (now) => ({
      ...order,
      pkid,
      reason: 'test funds',
      actor: 'test',
      postingId,
      fingerprint: fingerprintOf(order),
      createdAt: now,
    }),
    movement: {
      type: 'post',
      posting: { postingId, event: 'adjustment', kind: 'adjustment', pkid, semanticKey, reverses: null },
      currency,
      lines: [
        { walletId: equity, amountMinor: -amountMinor },
        { walletId, amountMinor },
      ],
    },
  });
}

/** Three grace periods and their look-ups, on a busy machine. */
const SETTLED_WITHIN_MS = 45_000;
const POLL_MS = 200;
