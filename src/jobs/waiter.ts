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
  /** Resolves when nothing of a cancelled checkout is left to give back, or the time is up. Never rejects. */
  waitForCheckout(checkoutId: string, timeoutMs: number): Promise<void>;
  close(): void;
}

/** A person does not notice it, and one query a tick costs the database next to nothing. */
const POLL_MS = 25;

export function createWaiter(options: { db: Db; journal: Pick<Journal, 'onFinal'> }): Waiter {
  const { db, journal } = options;
  /** By pkid, or by what nameOf makes of a checkout's id. */
  const waited = new Map<string, Set<() => void>>();
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;

  journal.onFinal(({ pkid }) => wake(pkid));

  function wake(name: string): void {
    for (const resume of waited.get(name) ?? []) resume();
  }

  function waitFor(name: string, timeoutMs: number): Promise<void> {
    if (isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const resume = () => {
        clearTimeout(timeout);
        const others = waited.get(name);
        others?.delete(resume);
        if (others?.size === 0) waited.delete(name);
        resolve();
      };
      const timeout = setTimeout(resume, timeoutMs);
      waited.set(name, (waited.get(name) ?? new Set()).add(resume));
      schedule();
    });
  }

  function poll(): void {
    timer = null;
    if (waited.size === 0 || isClosed) return;
    isAsking = true;
    void endedAmong([...waited.keys()])
      .then((names) => names.forEach(wake))
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

  async function endedAmong(names: readonly string[]): Promise<string[]> {
    const keys = names.filter((name) => !isCheckout(name));
    const checkouts = names.filter(isCheckout);
    const { rows } = await sql<{ name: string }>`
      SELECT pkid::text AS name FROM payin
      WHERE pkid = ANY(${keys}::uuid[]) AND (final_at IS NOT NULL OR next_action IS NOT NULL)
      UNION ALL SELECT pkid::text FROM payout WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL
      UNION ALL SELECT pkid::text FROM refund WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL
      UNION ALL SELECT pkid::text FROM transfer WHERE pkid = ANY(${keys}::uuid[]) AND final_at IS NOT NULL
      UNION ALL SELECT ${CHECKOUT} || checkout_id FROM checkout
      WHERE checkout_id = ANY(${checkouts.map(idOf)}::text[]) AND canceled_at IS NOT NULL AND due_at IS NULL
      `.execute(db.sql);
    return rows.map((row) => row.name);
  }

  return {
    wait: ({ pkid }, timeoutMs) => waitFor(pkid, timeoutMs),
    waitForCheckout: (checkoutId, timeoutMs) => waitFor(nameOf(checkoutId), timeoutMs),
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const name of [...waited.keys()]) wake(name);
    },
  };
}

/** No pkid begins so. */
const CHECKOUT = 'checkout:';

function nameOf(checkoutId: string): string {
  return CHECKOUT + checkoutId;
}

function isCheckout(name: string): boolean {
  return name.startsWith(CHECKOUT);
}

function idOf(name: string): string {
  return name.slice(CHECKOUT.length);
}
