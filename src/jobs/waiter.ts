// `?wait=`: a signal inside the process, and one poller for what other processes finish. While anyone waits, it asks
// for all waited operations in one query.

import { sql } from 'kysely';
import type { OperationKind, Pkid } from '../domain/id.ts';
import type { Journal } from '../ledger/journal.ts';
import type { FinalOperation } from '../ledger/plan.ts';
import type { Db } from '../runtime/db.ts';

export interface Waiter {
  /**
   * Resolves when the operation is final, or a pay-in's buyer has to act, or the time is up, whichever comes first.
   * Never rejects. Null: read the row, which this process has not ended.
   */
  wait(operation: { kind: OperationKind; pkid: Pkid }, timeoutMs: number): Promise<FinalOperation | null>;
  /** Resolves when nothing of a cancelled checkout is left to give back, or the time is up. Never rejects. */
  waitForCheckout(checkoutId: string, timeoutMs: number): Promise<void>;
  close(): void;
}

/** While other processes finish what is waited for here: a person does not notice it. */
const POLL_MS = 25;
/** While nobody else does: the answers come from this process, and to ask for hundreds costs the database something. */
const SELDOM_POLL_MS = 100;
const OTHERS_SHARE = 0.25;

type Resume = (final: FinalOperation | null) => void;

export function createWaiter(options: { db: Db; journal: Pick<Journal, 'onFinal'> }): Waiter {
  const { db, journal } = options;
  /** By pkid, or by what nameOf makes of a checkout's id. */
  const waited = new Map<string, Set<Resume>>();
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let pollMs = POLL_MS;
  /** Of what was waited for, since the last poll. */
  let endedHere = 0;
  let isClosed = false;

  journal.onFinal((final) => {
    if (waited.has(final.pkid)) endedHere += 1;
    wake(final.pkid, final);
  });

  function wake(name: string, final: FinalOperation | null): void {
    for (const resume of waited.get(name) ?? []) resume(final);
  }

  function waitFor(name: string, timeoutMs: number): Promise<FinalOperation | null> {
    if (isClosed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const resume: Resume = (final) => {
        clearTimeout(timeout);
        const others = waited.get(name);
        others?.delete(resume);
        if (others?.size === 0) waited.delete(name);
        resolve(final);
      };
      const timeout = setTimeout(resume, timeoutMs, null);
      waited.set(name, (waited.get(name) ?? new Set<Resume>()).add(resume));
      schedule();
    });
  }

  function poll(): void {
    timer = null;
    if (waited.size === 0 || isClosed) return;
    isAsking = true;
    void endedAmong([...waited.keys()])
      .then((names) => {
        // Those that are still waited for were ended by others, or in this very moment.
        const others = names.filter((name) => waited.has(name));
        const ended = endedHere + others.length;
        if (ended > 0) pollMs = others.length > ended * OTHERS_SHARE ? POLL_MS : SELDOM_POLL_MS;
        endedHere = 0;
        for (const name of others) wake(name, null);
      })
      // The callers' own time-outs end the wait; a database that is away is not their error.
      .catch(() => {})
      .finally(() => {
        isAsking = false;
        schedule();
      });
  }

  /** One question at a time: a slow database must not be asked once more by each newcomer. */
  function schedule(): void {
    if (timer === null && !isAsking && waited.size > 0 && !isClosed) timer = setTimeout(poll, pollMs);
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
    waitForCheckout: async (checkoutId, timeoutMs) => void (await waitFor(nameOf(checkoutId), timeoutMs)),
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const name of [...waited.keys()]) wake(name, null);
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
