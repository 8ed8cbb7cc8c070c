// `?wait=`: a signal inside the process, and one poller for what other processes finish. While anyone waits, it asks
// for all waited operations in one query.

import { sql } from 'kysely';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Journal } from '../ledger/journal.ts';
import type { Db } from '../runtime/db.ts';

export interface Waiter {
  /**
   * Resolves when the operation is final, or a pay-in's buyer has to act, or the time is up, whichever comes first.
   * Never rejects.
   */
  wait(operation: { kind: OperationKind; pkid: Pkid }, timeoutMs: number): Promise<void>;
  close(): void;
}

/** A person does not notice it, and one query a tick costs the database next to nothing. */
const POLL_MS = 25;

export function createWaiter(options: { db: Db; journal: Pick<Journal, 'onFinal'> }): Waiter {
  const { db, journal } = options;
  const waited = new Map<Pkid, Set<() => void>>();
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;

  journal.onFinal(({ pkid }) => wake(pkid));

  function wake(pkid: Pkid): void {
    for (const resume of waited.get(pkid) ?? []) resume();
  }

  function poll(): void {
    timer = null;
    if (waited.size === 0 || isClosed) return;
    isAsking = true;
    void endedAmong([...waited.keys()])
      .then((pkids) => pkids.forEach(wake))
      // The callers' own time-outs end the wait; a database that is away is not their error.
      .catch(() => {})
      .finally(() => {
        isAsking = false;
        schedule();
      });
  }

  /** One question at a time: a slow database must not be asked once more by each newcomer. */
  function schedule(): void {
    if (timer === null && !isAsking && waited.size > 0 && !isClosed) timer = setTimeout(poll, POLL_MS);
  }

  async function endedAmong(pkids: readonly Pkid[]): Promise<Pkid[]> {
    const keys = [...pkids];
    const { rows } = await sql<{ pkid: Pkid }>`
      SELECT pkid FROM payin
      WHERE pkid = ANY(${keys}::uuid[]) AND (final_at IS NOT NULL OR next_action IS NOT NULL)
      UNION ALL SELECT pkid FROM payout WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL
      UNION ALL SELECT pkid FROM refund WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL
      UNION ALL SELECT pkid FROM transfer WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL`.execute(db.sql);
    return rows.map((row) => row.pkid);
  }

  return {
    wait({ pkid }, timeoutMs) {
      if (isClosed) return Promise.resolve();
      return new Promise((resolve) => {
        const resume = () => {
          clearTimeout(timeout);
          const others = waited.get(pkid);
          others?.delete(resume);
          if (others?.size === 0) waited.delete(pkid);
          resolve();
        };
        const timeout = setTimeout(resume, timeoutMs);
        waited.set(pkid, (waited.get(pkid) ?? new Set()).add(resume));
        schedule();
      });
    },
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const pkid of [...waited.keys()]) wake(pkid);
    },
  };
}
