// One line for each run, as long as people could read them: above that, runs that went well are counted, and their
// number is told once a second. What failed, waits or needs a person always has its own line; the rows know it all.

import type { Logger } from 'pino';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Status } from '../domain/state-machine.ts';

/** What one run of a life did to its row; null when there was nothing to do. */
export interface RunReport {
  readonly semanticKey: string;
  readonly attempt: number;
  readonly from: Status;
  readonly to: Status;
  /** The failure, the review reason, or what is waited for. */
  readonly reason: string | null;
  /** info: moved. warn: it is tried again. error: a person must look. */
  readonly level: 'info' | 'warn' | 'error';
}

/** What started a run, for its log line. */
export type RunCause = Readonly<{ reason: 'reconcile' | 'webhook' } | { job_id: string; queuedMs: number }>;

/** Lines of runs that went well, in one second. */
const LINES_PER_SECOND_MAX = 100;
const WINDOW_MS = 1_000;

interface Run {
  readonly kind: OperationKind;
  readonly pkid: Pkid;
  readonly cause: RunCause;
  readonly durationMs: number;
}

export function createRunLog(log: Logger): (report: RunReport, run: Run) => void {
  let lines = 0;
  let untold = 0;
  let isCounting = false;

  function endWindow(): void {
    isCounting = false;
    if (untold > 0) log.info({ count: untold }, 'runs that succeeded, without a line of their own');
    lines = 0;
    untold = 0;
  }

  return ({ semanticKey, attempt, from, to, reason, level }, { kind, pkid, cause, durationMs }) => {
    if (to === 'succeeded' && reason === null && level === 'info') {
      if (!isCounting) setTimeout(endWindow, WINDOW_MS).unref();
      isCounting = true;
      lines += 1;
      if (lines > LINES_PER_SECOND_MAX) {
        untold += 1;
        return;
      }
    }
    const moved = { kind, pkid, semantic_key: semanticKey, attempt, from, to };
    log[level]({ ...cause, ...moved, ...(reason === null ? {} : { code: reason }), durationMs }, 'run');
  };
}
