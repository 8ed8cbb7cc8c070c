// What the bench can measure. Each name's sentence is printed beside its figure and written in docs/performance.md.

export const NAMES = {
  baseline_hot: {
    unit: 'transfers/s',
    meaning: 'one transfer per transaction by a SQL function, 16 plain connections, one wallet on every debit side',
  },
  drain_uniform: {
    unit: 'transfers/s',
    meaning: 'a backlog in the queue until all are final, any wallet to any wallet; one process is API and worker',
  },
  drain_hot: {
    unit: 'transfers/s',
    meaning: 'the same with one wallet on every debit side; against baseline_hot',
  },
  http_single: {
    unit: 'transfers/s',
    meaning: 'POST /v1/transfers, from the first request until the last is final; one process is API and worker',
  },
  http_batch: {
    unit: 'transfers/s',
    meaning: 'POST /v1/transfers/batch, from the first request until the last is final; one process is API and worker',
  },
  payout_http: {
    unit: 'payouts/s',
    meaning: 'POST /v1/payouts at stripe until final; one process is API and worker, the sandbox answers after 50 ms',
  },
  latency_half_load: {
    unit: 'ms',
    meaning: 'p99 from a scheduled POST to final, at half of http_single; one process is API and worker',
  },
  memory_mb: {
    unit: 'MB',
    meaning: 'the largest resident set of a worker while it drains 100,000 (five backlogs); against the same idle',
  },
  bystanders: {
    unit: 'ms',
    meaning: 'p99 to final of transfers between other wallets while one takes 80 %; against the same rate without',
  },
  two_workers: {
    unit: 'transfers/s',
    meaning: 'a backlog drained by two processes that only work; against one such process',
  },
  list_ms: {
    unit: 'ms',
    meaning: 'the slowest p99 of GET /v1/transfers, /v1/orders?status=paid and /v1/checkouts?status=open, limit 50',
  },
  statement_ms: {
    unit: 'ms',
    meaning: 'p99 of GET /v1/wallets/{hot}/entries?limit=50',
  },
} as const satisfies Record<string, { unit: string; meaning: string }>;

export type Name = keyof typeof NAMES;

export const DEFAULT_NAMES = [
  'baseline_hot',
  'drain_uniform',
  'drain_hot',
  'http_single',
  'http_batch',
  'payout_http',
  'latency_half_load',
  'memory_mb',
] as const satisfies readonly Name[];

/** Worth measuring only on books of some size. */
export const PREFILL_NAMES = ['list_ms', 'statement_ms'] as const satisfies readonly Name[];

export function isName(text: string): text is Name {
  return Object.hasOwn(NAMES, text);
}
