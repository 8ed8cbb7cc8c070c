// The table of queues. A new kind of job is a row here, a function in its life, and a line in jobs/worker.ts.

interface QueueRow {
  /** What a job of this queue does. */
  readonly purpose: string;
  /** Tries after errors of our own database or queue; a provider's answer always completes the job. */
  readonly attempts: number;
  /** How long a killed worker's job stays untouched; renewed at half-time while the process lives. */
  readonly lockDurationMs: number;
}

/** The shortest lock that survives a long garbage collection or a slow disk. */
const LOCK_MS = 60_000;
/** Claim and settle, each with its retries. */
const DATABASE_TIME_MS = 20_000;

export const QUEUES = {
  payout: {
    purpose: 'Claims one payout, sends it to its provider or asks about it, and settles the verdict.',
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  payin: {
    purpose:
      "Claims one pay-in, has the buyer's money taken at its provider or asks about it, and settles the verdict.",
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  refund: {
    purpose: 'Claims one refund, has its provider pay it back or asks about it, and settles the verdict.',
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  transfer: {
    purpose: 'Moves one transfer between two wallets; many share one commit.',
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  'webhook-in': {
    purpose: 'Applies one stored event of a provider to the operation it speaks of.',
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  'webhook-out': {
    purpose: "Tells one endpoint of the platform's web app one event.",
    attempts: 8,
    lockDurationMs: LOCK_MS,
  },
  maintenance: {
    purpose: 'Runs on a schedule: reconcile what is due, and the audit.',
    attempts: 1,
    lockDurationMs: LOCK_MS,
  },
} as const satisfies Record<string, QueueRow>;

export type QueueName = keyof typeof QUEUES;

export const QUEUE_NAMES: readonly QueueName[] = [
  'payin',
  'payout',
  'refund',
  'transfer',
  'webhook-in',
  'webhook-out',
  'maintenance',
];

/** The lock outlives one call to the provider and the database's work around it. */
export function lockDurationMs(queue: QueueName, options: { readonly providerTimeoutMs: number }): number {
  return Math.max(QUEUES[queue].lockDurationMs, options.providerTimeoutMs + DATABASE_TIME_MS);
}

/** A provider's event ids are its own: whatever is not plain is escaped, so that no id can disturb the queue. */
export function webhookJobId(provider: string, eventId: string): string {
  const safe = eventId
    .replaceAll(/[^A-Za-z0-9._:-]/gu, (character) => `%${character.codePointAt(0)?.toString(16)}`)
    .replaceAll(':', '~');
  return `webhook-${provider}-${safe}`;
}
