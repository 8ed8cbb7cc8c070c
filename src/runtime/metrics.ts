// Prometheus metrics. Counters and histograms are fed as things happen; gauges of the database and the queue are
// asked when somebody scrapes.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from a group commit to a slow provider. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** Seconds from "it shall be done" to final; a bank may take days. */
const FINAL_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 3600, 86_400];
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const operations = new Counter({
    name: 'remit_operations_total',
    help: 'Operations by kind and the status they reached.',
    labelNames: ['kind', 'status'],
    registers,
  });
  const finalSeconds = new Histogram({
    name: 'remit_confirm_to_final_seconds',
    help: 'From the confirmation of an operation until it was final.',
    labelNames: ['kind'],
    buckets: FINAL_SECONDS,
    registers,
  });
  const providerSeconds = new Histogram({
    name: 'remit_provider_call_seconds',
    help: 'Calls to providers by step and what came back.',
    labelNames: ['provider', 'step', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const batchSize = new Histogram({
    name: 'remit_group_commit_size',
    help: 'Operations that shared one commit.',
    buckets: BATCH_SIZES,
    registers,
  });
  const batchSeconds = new Histogram({
    name: 'remit_group_commit_seconds',
    help: 'How long a shared commit took.',
    buckets: SECONDS,
    registers,
  });
  const jobSeconds = new Histogram({
    name: 'remit_job_seconds',
    help: 'Job runs by queue and outcome.',
    labelNames: ['queue', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const queuedSeconds = new Histogram({
    name: 'remit_job_queued_seconds',
    help: 'How long jobs were due before they ran.',
    labelNames: ['queue'],
    buckets: SECONDS,
    registers,
  });
  const deliverySeconds = new Histogram({
    name: 'remit_webhook_delivery_seconds',
    help: 'Attempts to deliver outgoing webhooks, by result.',
    labelNames: ['result'],
    buckets: SECONDS,
    registers,
  });
  const requestSeconds = new Histogram({
    name: 'remit_http_request_seconds',
    help: 'HTTP requests by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    buckets: SECONDS,
    registers,
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    accepted: (kind: string) => operations.inc({ kind, status: 'initialized' }),
    final(final: { kind: string; status: string; seconds: number }) {
      operations.inc({ kind: final.kind, status: final.status });
      finalSeconds.observe({ kind: final.kind }, final.seconds);
    },
    providerCall(call: { provider: string; step: string; outcome: string; durationMs: number }) {
      const { provider, step, outcome, durationMs } = call;
      providerSeconds.observe({ provider, step, outcome }, durationMs / 1000);
    },
    batch({ size, durationMs }: { size: number; durationMs: number }) {
      batchSize.observe(size);
      batchSeconds.observe(durationMs / 1000);
    },
    job(run: { queue: string; outcome: string; durationMs: number; queuedMs: number }) {
      jobSeconds.observe({ queue: run.queue, outcome: run.outcome }, run.durationMs / 1000);
      queuedSeconds.observe({ queue: run.queue }, run.queuedMs / 1000);
    },
    delivery({ result, durationMs }: { result: string; durationMs: number }) {
      deliverySeconds.observe({ result }, durationMs / 1000);
    },
    request(request: { route: string; method: string; status: number; durationMs: number }) {
      const { route, method, status, durationMs } = request;
      requestSeconds.observe({ route, method, status: String(status) }, durationMs / 1000);
    },
    /** A gauge whose values are asked for at each scrape; one that cannot be had now is left out of the answer. */
    gauge(name: string, help: string, labelNames: readonly string[], read: GaugeReader) {
      new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers,
        async collect() {
          this.reset();
          for (const { labels, value } of await read().catch(() => [])) this.set(labels, value);
        },
      });
    },
  };
}

type GaugeReader = () => Promise<readonly { labels: Record<string, string>; value: number }[]>;
