// The one object that everything is built into. Each process opens it once; what it then serves (API, workers) is
// the command's choice.

import type { Logger } from 'pino';
import { renderSubject } from './api/views/subject.ts';
import { jobIdOf } from './domain/id.ts';
import { createCheckoutLife } from './jobs/checkout.ts';
import { createDisputeLife } from './jobs/dispute.ts';
import { createExternals } from './jobs/external.ts';
import { createFunds } from './jobs/funds.ts';
import type { LifeOptions } from './jobs/life.ts';
import { createOrderLife } from './jobs/order.ts';
import { createPayeeLife } from './jobs/payee.ts';
import { createPayinLife } from './jobs/payin.ts';
import { createPayoutLife } from './jobs/payout.ts';
import { QUEUE_NAMES, QUEUES, type QueueName } from './jobs/queues.ts';
import { createReconcile, reconcileAge } from './jobs/reconcile.ts';
import { createRefundLife } from './jobs/refund.ts';
import { createReviews } from './jobs/review.ts';
import { createRunner } from './jobs/runner.ts';
import { createTransferLife } from './jobs/transfer.ts';
import { createUnappliedLife } from './jobs/unapplied.ts';
import { createWaiter } from './jobs/waiter.ts';
import { createWebhookEndpoints, deliveryJobId } from './jobs/webhook-endpoint.ts';
import { createWebhookIn } from './jobs/webhook-in.ts';
import { createWebhookOut } from './jobs/webhook-out.ts';
import { AUDIT_CHECKS, audit } from './ledger/audit.ts';
import { createJournal } from './ledger/journal.ts';
import { createWalletDirectory } from './ledger/wallet-directory.ts';
import { tablesOf } from './ledger/writes.ts';
import { openProviders } from './providers/open.ts';
import { createBreaker } from './runtime/breaker.ts';
import type { Config } from './runtime/config.ts';
import { REAL_PROVIDERS, realProviders } from './runtime/config-providers.ts';
import type { AtCrashPoint } from './runtime/crash-point.ts';
import { openDb } from './runtime/db.ts';
import { createMetrics } from './runtime/metrics.ts';
import { createPace } from './runtime/pace.ts';
import { openQueues, type Queues } from './runtime/queue.ts';

export type App = Awaited<ReturnType<typeof openApp>>;

interface AppOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  /** Where the sandbox listens; null when every provider is real. */
  readonly sandboxUrl: string | null;
  readonly log: Logger;
  /** How long a queue that is not up yet is waited for; not at all by default. */
  readonly queueWaitMs?: number;
  /** Only the crash bench hands it in. */
  readonly at?: AtCrashPoint;
}

export async function openApp(options: AppOptions) {
  const { config, databaseUrl, log, queueWaitMs = 0, at } = options;
  if (config.isRestored) log.warn('AFTER_RESTORE=1: each payment is looked for at its provider before it is sent');
  const db = await openDb(databaseUrl, { log });
  const metrics = createMetrics();
  const journal = createJournal({ db, log, onBatch: metrics.batch });
  const queues = await openQueues({
    redisUrl: config.redisUrl,
    databaseUrl,
    names: QUEUE_NAMES,
    attempts: attemptsByQueue(),
    waitMs: queueWaitMs,
    log,
  });
  const life: LifeOptions = {
    db,
    tables: tablesOf(db),
    journal,
    wallets: createWalletDirectory(db),
    timing: config,
    isRestored: config.isRestored,
    log,
    at,
    funds: createFunds({ log }),
    ...openAccounts(options),
    onProviderCall: metrics.providerCall,
    onAccepted: metrics.accepted,
    enqueue: async ({ kind, pkid, semanticKey, told }) => {
      await queues.add(kind, [{ id: jobIdOf(kind, semanticKey), data: { pkid, ...told } }]);
      if (at) await at(`${kind}: after enqueue`, pkid);
    },
  };
  const enqueueDeliveries = async (deliveries: readonly { deliveryId: string; attempt: number }[]) => {
    const jobs = deliveries.map((one) => ({ id: deliveryJobId(one), data: { delivery_id: one.deliveryId } }));
    if (at) await at('webhook-out: before enqueue', deliveries[0]?.deliveryId ?? '');
    await queues.add('webhook-out', jobs);
    if (at) await at('webhook-out: after enqueue', deliveries[0]?.deliveryId ?? '');
  };
  const onDeliveries = (deliveryIds: readonly string[]) => {
    void enqueueDeliveries(deliveryIds.map((deliveryId) => ({ deliveryId, attempt: 0 })));
  };
  journal.onDeliveries(onDeliveries);
  journal.onFinal(({ kind, status, acceptedAt, finalAt }) =>
    metrics.final({ kind, status, seconds: (finalAt.getTime() - acceptedAt.getTime()) / 1000 }),
  );
  const lives = openLives(life, onDeliveries);
  const { payins, payouts, refunds, transfers, checkouts } = lives;
  const runner = createRunner({
    lives: { payin: payins.run, payout: payouts.run, refund: refunds.run, transfer: transfers.run },
    concurrency: config.concurrency,
    log,
  });
  const byKind = { payin: payins, payout: payouts, refund: refunds };
  const events = createWebhookIn({
    ...life,
    ...lives,
    lives: byKind,
    runner,
    enqueueEvent: async ({ id, provider, eventId }) => {
      await queues.add('webhook-in', [{ id, data: { provider, event_id: eventId } }]);
    },
  });
  const allowHosts = config.webhookAllowHosts;
  const deliveries = createWebhookOut({
    db,
    log,
    render: renderSubject({ ...life, ...lives }),
    allowHosts,
    onAttempt: metrics.delivery,
    at,
  });
  const holder = `${process.pid}`;
  const periodMs = config.reconcileMs;
  return {
    ...life,
    ...lives,
    config,
    queues,
    metrics,
    events,
    deliveries,
    onDeliveries,
    webhookEndpoints: createWebhookEndpoints({ db, allowHosts, enqueue: enqueueDeliveries }),
    runner,
    reconcile: createReconcile({ db, runner, events, checkouts, deliveries, periodMs, holder, log, at }),
    waiter: createWaiter({ db, journal }),
    reviews: createReviews(life, byKind),
    audit: (lanes: 1 | 2 = 2) => audit(db, AUDIT_CHECKS, lanes),
    reconcileAge: () => reconcileAge(db),
  };
}

/** The provider accounts with what spares them: each one's rate, and a breaker. */
function openAccounts({ config, sandboxUrl, log }: AppOptions) {
  const providers = openProviders({ config, sandboxUrl, isBesideReal: realProviders(config).length > 0, log });
  const breakers = new Map(
    [...providers.keys()].map((provider) => {
      const onChange = (state: string) =>
        log.warn({ provider, status: state }, 'the circuit breaker of a provider changed');
      return [provider, createBreaker({ halfOpenAfterMs: config.reconcileMs, onChange })];
    }),
  );
  return { providers, breakers, paces: new Map(REAL_PROVIDERS.map((name) => [name, createPace(config[name].rps)])) };
}

/** Every kind of thing with a life, in the order in which they need each other. */
function openLives(life: LifeOptions, onDeliveries: (deliveryIds: readonly string[]) => void) {
  const payins = createPayinLife(life);
  const refunds = createRefundLife(life);
  const unapplied = createUnappliedLife(life);
  const externals = createExternals(life, { payin: payins, refund: refunds, unapplied });
  return {
    payins,
    refunds,
    payouts: createPayoutLife(life),
    transfers: createTransferLife(life),
    orders: createOrderLife(life),
    checkouts: createCheckoutLife({ ...life, payins, refunds }),
    disputes: createDisputeLife(life, { payins, externals }),
    unapplied,
    payees: createPayeeLife({ ...life, onDeliveries }),
    externals,
  };
}

function attemptsByQueue(): Record<QueueName, number> {
  return {
    payin: QUEUES.payin.attempts,
    payout: QUEUES.payout.attempts,
    refund: QUEUES.refund.attempts,
    transfer: QUEUES.transfer.attempts,
    'webhook-in': QUEUES['webhook-in'].attempts,
    'webhook-out': QUEUES['webhook-out'].attempts,
    maintenance: QUEUES.maintenance.attempts,
  };
}

/** Gauges of what the database and the queue hold right now, and of where money is real. */
export function registerGauges({ db, metrics, queues, providers, reconcileAge: readAge, reviews }: GaugeSources): void {
  metrics.gauge(
    'remit_provider_live',
    '1 where a provider moves real money, 0 at the sandbox.',
    ['provider'],
    async () => [...providers.values()].map(({ name, live }) => ({ labels: { provider: name }, value: live ? 1 : 0 })),
  );
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
    const { oldest_unfinished: _, ...lists } = await reviews.attention();
    return Object.entries(lists).map(([reason, rows]) => ({
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

type GaugeSources = Pick<App, 'db' | 'metrics' | 'providers' | 'reconcileAge' | 'reviews'> & {
  queues: Queues<QueueName>;
};
