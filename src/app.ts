// The one object that everything is built into. Each process opens it once; what it then serves (API, workers) is
// the command's choice.

import type { Logger } from 'pino';
import { jobIdOf } from './domain/id.ts';
import type { Provider, ProviderName } from './domain/provider.ts';
import type { LifeOptions } from './jobs/life.ts';
import { createPayoutLife } from './jobs/payout.ts';
import { QUEUE_NAMES, QUEUES, type QueueName } from './jobs/queues.ts';
import { createReconcile, reconcileAge } from './jobs/reconcile.ts';
import { createReviews } from './jobs/review.ts';
import { createRunner } from './jobs/runner.ts';
import { createTransferLife } from './jobs/transfer.ts';
import { createWaiter } from './jobs/waiter.ts';
import { createWebhookIn } from './jobs/webhook-in.ts';
import { audit } from './ledger/audit.ts';
import { createJournal } from './ledger/journal.ts';
import { createWalletDirectory } from './ledger/wallet-directory.ts';
import { tablesOf } from './ledger/writes.ts';
import { createDemobank } from './providers/demobank.ts';
import { createStripe } from './providers/stripe.ts';
import type { Config } from './runtime/config.ts';
import { openDb } from './runtime/db.ts';
import { createMetrics } from './runtime/metrics.ts';
import { createPace } from './runtime/pace.ts';
import { openQueues, type Queues } from './runtime/queue.ts';

export type App = Awaited<ReturnType<typeof openApp>>;

export async function openApp(options: {
  config: Config;
  databaseUrl: string;
  /** Where the sandbox listens; null when every provider is real. */
  sandboxUrl: string | null;
  log: Logger;
}) {
  const { config, databaseUrl, sandboxUrl, log } = options;
  const db = await openDb(databaseUrl, { log });
  const metrics = createMetrics();
  const journal = createJournal({ db, log, onBatch: metrics.batch });
  const queues = await openQueues({
    redisUrl: config.redisUrl,
    databaseUrl,
    names: QUEUE_NAMES,
    attempts: attemptsByQueue(),
    log,
  });
  const life: LifeOptions = {
    db,
    tables: tablesOf(db),
    journal,
    wallets: createWalletDirectory(db),
    providers: openProviders({ config, sandboxUrl, log }),
    paces: new Map([['stripe', createPace(config.stripe.rps ?? (config.stripe.live ? STRIPE_RPS : null))]]),
    timing: config,
    log,
    onProviderCall: metrics.providerCall,
    onAccepted: metrics.accepted,
    enqueue: async ({ kind, pkid, semanticKey }) => {
      await queues.add(kind, [{ id: jobIdOf(kind, semanticKey), data: { pkid } }]);
    },
  };
  const payouts = createPayoutLife(life);
  const transfers = createTransferLife(life);
  const runner = createRunner({
    lives: { payout: payouts.run, transfer: transfers.run },
    concurrency: config.concurrency,
    log,
  });
  const events = createWebhookIn({
    ...life,
    payouts,
    runner,
    enqueueEvent: async ({ id, provider, eventId }) => {
      await queues.add('webhook-in', [{ id, data: { provider, event_id: eventId } }]);
    },
  });
  const holder = `${process.pid}`;
  const reconcile = createReconcile({ db, runner, events, periodMs: config.reconcileMs, holder, log });
  journal.onFinal(({ kind, status, acceptedAt, finalAt }) =>
    metrics.final({ kind, status, seconds: (finalAt.getTime() - acceptedAt.getTime()) / 1000 }),
  );
  return {
    ...life,
    config,
    queues,
    metrics,
    payouts,
    transfers,
    events,
    runner,
    reconcile,
    waiter: createWaiter({ db, journal }),
    reviews: createReviews({ ...life, payouts }),
    audit: () => audit(db),
    reconcileAge: () => reconcileAge(db),
  };
}

/** Stripe's documented limit of one endpoint; unlimited against the sandbox. */
const STRIPE_RPS = 25;

function attemptsByQueue(): Record<QueueName, number> {
  return {
    payout: QUEUES.payout.attempts,
    transfer: QUEUES.transfer.attempts,
    'webhook-in': QUEUES['webhook-in'].attempts,
    maintenance: QUEUES.maintenance.attempts,
  };
}

/** Real where there are credentials, the sandbox otherwise. Demobank exists in the sandbox only. */
function openProviders(options: {
  config: Config;
  sandboxUrl: string | null;
  log: Logger;
}): ReadonlyMap<ProviderName, Provider> {
  const { config, sandboxUrl, log } = options;
  const { secretKey, webhookSecrets, live } = config.stripe;
  const retention = config.keyRetentionMs === null ? {} : { keyRetentionMs: config.keyRetentionMs };
  const sandboxed = (path: string) => (sandboxUrl === null ? null : `${sandboxUrl}/${path}`);
  const baseUrl = config.stripe.baseUrl ?? (live ? null : sandboxed('stripe'));
  const providers = new Map<ProviderName, Provider>();
  providers.set('stripe', createStripe({ secretKey, webhookSecrets, live, baseUrl, log, ...retention }));
  const demobankUrl = sandboxed('demobank');
  if (demobankUrl !== null) {
    providers.set('demobank', createDemobank({ ...config.demobank, baseUrl: demobankUrl, log, ...retention }));
  }
  return providers;
}

/** Gauges of what the database and the queue hold right now. */
export function registerGauges({ db, metrics, queues, reconcileAge: readAge, reviews }: GaugeSources): void {
  metrics.gauge('remit_queue_depth', 'Jobs by queue and state.', ['queue', 'state'], async () =>
    Object.entries(await queues.counts()).flatMap(([queue, { waiting, active, delayed, failed }]) =>
      Object.entries({ waiting, active, delayed, failed }).map(([state, value]) => ({
        labels: { queue, state },
        value,
      })),
    ),
  );
  metrics.gauge('remit_queue_oldest_waiting_seconds', 'Age of the oldest waiting job.', ['queue'], async () =>
    Object.entries(await queues.counts()).map(([queue, { oldestWaitingMs }]) => ({
      labels: { queue },
      value: oldestWaitingMs / 1000,
    })),
  );
  metrics.gauge('remit_unfinished_oldest_seconds', 'Age of the oldest unfinished operation.', ['kind'], async () =>
    (await reviews.attention()).oldest_unfinished.map(({ kind, age_seconds }) => ({
      labels: { kind },
      value: age_seconds,
    })),
  );
  metrics.gauge('remit_unfinished', 'Operations that are not final.', ['kind'], async () =>
    (await reviews.attention()).oldest_unfinished.map(({ kind, count }) => ({ labels: { kind }, value: count })),
  );
  metrics.gauge('remit_attention', 'What needs a person.', ['reason'], async () => {
    const { review, discrepancies, unapplied, stale } = await reviews.attention();
    return Object.entries({ review, discrepancies, unapplied, stale }).map(([reason, rows]) => ({
      labels: { reason },
      value: rows.length,
    }));
  });
  metrics.gauge('remit_reconcile_age_seconds', 'Since any process last reconciled.', [], async () => {
    const age = await readAge();
    return age === null ? [] : [{ labels: {}, value: age.ageMs / 1000 }];
  });
  metrics.gauge('remit_database_up', '1 when the database answers.', [], async () => {
    const isUp = await db.orm.isConnected().catch(() => false);
    return [{ labels: {}, value: isUp ? 1 : 0 }];
  });
}

type GaugeSources = Pick<App, 'db' | 'metrics' | 'reconcileAge' | 'reviews'> & { queues: Queues<QueueName> };
