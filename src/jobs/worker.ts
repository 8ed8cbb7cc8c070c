// The workers: which function runs a queue's jobs, and how an error becomes a retry or a dead job. Every job only
// says "look at this row"; what to do is in the row.

import type { Logger } from 'pino';
import { PaymentError } from '../domain/errors.ts';
import { isPkid, type Pkid } from '../domain/id.ts';
import { PROVIDERS } from '../domain/provider.ts';
import type { Audit } from '../ledger/audit.ts';
import type { Config } from '../runtime/config.ts';
import type { AtCrashPoint } from '../runtime/crash-point.ts';
import type { Queues, RunningJob, WorkerHandle, WorkOptions } from '../runtime/queue.ts';
import { lockDurationMs, QUEUE_NAMES, type QueueName } from './queues.ts';
import type { Reconcile } from './reconcile.ts';
import type { RunCause } from './run-log.ts';
import type { Runner } from './runner.ts';
import type { StoredEvent, WebhookInLife } from './webhook-in.ts';

import type { WebhookOut } from './webhook-out.ts';

export interface Workers {
  close(graceMs: number): Promise<void>;
}

export const RECONCILE_JOB = 'maintenance-reconcile';
export const AUDIT_JOB = 'maintenance-audit';

export async function startWorkers(options: {
  queues: Queues<QueueName>;
  runner: Runner;
  events: Pick<WebhookInLife, 'apply'>;
  deliveries: Pick<WebhookOut, 'deliver'>;
  reconcile: Pick<Reconcile, 'round'>;
  audit: (lanes: 1) => Promise<Audit>;
  config: Pick<Config, 'concurrency' | 'providerTimeoutMs'>;
  log: Logger;
  onRun: (run: { queue: QueueName; outcome: 'done' | 'error'; durationMs: number; queuedMs: number }) => void;
  /** Only the crash bench hands it in. */
  at?: AtCrashPoint | undefined;
}): Promise<Workers> {
  const { queues, runner, events, deliveries, reconcile, audit, config, log, onRun, at } = options;
  /**
   * In one lane, because it runs beside the hour's work. Books that are wrong are an alarm; what is wrong is told by
   * whoever runs the audit then.
   */
  async function runAudit(): Promise<void> {
    const { checks } = await audit(1);
    const broken = checks.filter((check) => check.violations.length > 0);
    for (const { id, violations } of broken)
      log.error({ code: id, count: violations.length }, 'the audit found something');
  }

  const processors: Record<QueueName, (job: RunningJob) => Promise<void>> = {
    payin: (job) => runner.run('payin', pkidIn(job), causeOf(job)),
    payout: (job) => runner.run('payout', pkidIn(job), causeOf(job)),
    refund: (job) => runner.run('refund', pkidIn(job), causeOf(job)),
    transfer: (job) => runner.run('transfer', pkidIn(job), causeOf(job), job.data),
    'webhook-in': (job) => events.apply(eventIn(job)),
    'webhook-out': (job) => deliveries.deliver(deliveryIn(job)),
    maintenance: (job) => (job.name === AUDIT_JOB ? runAudit() : reconcile.round()),
  };
  const concurrency: Record<QueueName, number> = {
    payin: config.concurrency.payin,
    payout: config.concurrency.payout,
    refund: config.concurrency.refund,
    transfer: config.concurrency.transfer,
    'webhook-in': config.concurrency.webhookIn,
    'webhook-out': config.concurrency.webhookOut,
    maintenance: config.concurrency.maintenance,
  };

  async function process(queue: QueueName, job: RunningJob): Promise<void> {
    const startedAt = performance.now();
    try {
      await processors[queue](job);
      if (at && queue !== 'maintenance') await at(`${queue}: before job ack`, subjectOf(job));
      const durationMs = Math.round(performance.now() - startedAt);
      onRun({ queue, outcome: 'done', durationMs, queuedMs: job.queuedMs });
    } catch (error) {
      const durationMs = Math.round(performance.now() - startedAt);
      onRun({ queue, outcome: 'error', durationMs, queuedMs: job.queuedMs });
      const isOurs = error instanceof PaymentError && error.kind !== 'unavailable';
      log[isOurs ? 'error' : 'warn'](
        { queue, ...causeOf(job), durationMs, err: error },
        'job failed, it is tried again',
      );
      throw error;
    }
  }

  const handles: WorkerHandle[] = [];
  for (const queue of QUEUE_NAMES) {
    const work: WorkOptions = {
      lockDurationMs: lockDurationMs(queue, config),
      concurrency: concurrency[queue],
      // A defect does not heal by trying again; only what may pass is tried again. Reconcile runs the row anyhow.
      canRetry: (error) => !(error instanceof PaymentError) || error.kind === 'unavailable',
      onDead: (job) => log.error({ queue, job_id: job.id, reason: job.reason }, 'job is dead; reconcile goes on'),
      process: (job) => process(queue, job),
    };
    // Its jobs are few, and come from schedules.
    const isScheduled = queue === 'maintenance';
    handles.push(await (isScheduled ? queues.work(queue, work) : queues.workInBatches(queue, work)));
  }
  return {
    async close(graceMs) {
      await Promise.all(handles.map((handle) => handle.close(graceMs)));
    },
  };
}

function causeOf(job: RunningJob): RunCause {
  return { job_id: job.id, queuedMs: Math.round(job.queuedMs) };
}

/** What the job is about, by the id that names it in its data. */
function subjectOf({ data }: RunningJob): string {
  return data.pkid ?? data.event_id ?? data.delivery_id ?? '';
}

function pkidIn(job: RunningJob): Pkid {
  const { pkid = '' } = job.data;
  if (!isPkid(pkid)) throw new PaymentError('internal', { detail: `The job ${job.id} names no operation.` });
  return pkid;
}

function deliveryIn(job: RunningJob): string {
  const { delivery_id: deliveryId = '' } = job.data;
  if (!isPkid(deliveryId)) throw new PaymentError('internal', { detail: `The job ${job.id} names no delivery.` });
  return deliveryId;
}

function eventIn(job: RunningJob): StoredEvent {
  const provider = PROVIDERS.find((name) => name === job.data.provider);
  const eventId = job.data.event_id;
  if (provider === undefined || eventId === undefined) {
    throw new PaymentError('internal', { detail: `The job ${job.id} names no event.` });
  }
  return { provider, eventId };
}
