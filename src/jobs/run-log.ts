// One line for each run. Of runs that went well there may be too many to read, and then most are only counted; what
// failed, waits or needs a person always has its own line. The rows know it all.

import type { Logger } from 'pino';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Status } from '../domain/state-machine.ts';
import { createSparing } from '../runtime/sparing.ts';

/** What one run of a life did to its row; null when there was nothing to do. */
export interface RunReport {
  readonly semanticKey: string;
  readonly attempt: number;
  readonly from: Status;
  readonly to: Status;
  /** The failure, the review reason, or what is waited for. */
  readonly reason: string | null;
  /** info: moved, or waits for its buyer. warn: it is tried again. error: a person must look. */
  readonly level: 'info' | 'warn' | 'error';
}

/** What started a run, for its log line. */
export type RunCause = Readonly<{ reason: 'reconcile' | 'webhook' } | { job_id: string; queuedMs: number }>;

interface Run {
  readonly kind: OperationKind;
  readonly pkid: Pkid;
  readonly cause: RunCause;
  readonly durationMs: number;
}

export function createRunLog(log: Logger): (report: RunReport, run: Run) => void {
  const lines = createSparing((count) => log.info({ count }, 'runs that succeeded without a line of their own'));
  return ({ semanticKey, attempt, from, to, reason, level }, { kind, pkid, cause, durationMs }) => {
    const isPlain = to === 'succeeded' && reason === null && level === 'info';
    if (isPlain && !lines.isDue()) return;
    const moved = { kind, pkid, semantic_key: semanticKey, attempt, from, to };
    log[level]({ ...cause, ...moved, ...(reason === null ? {} : { code: reason }), durationMs }, 'run');
  };
}
