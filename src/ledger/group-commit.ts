// Many callers, one commit. Callers that arrive while commits are under way share the next one: no added latency when
// idle. A batch that the database refuses is halved until the guilty item is alone.

import type { Logger } from 'pino';
import { PaymentError } from '../domain/errors.ts';

export interface GroupItem {
  readonly pkid: string;
  /** Further rows that it locks, such as a refund's order. */
  readonly alsoLocks: readonly string[];
  /** Two items with one pkid are in one commit only when both merely insert it. */
  readonly isIntake: boolean;
  readonly walletIds: readonly string[];
  readonly reject: (error: unknown) => void;
}

export interface GroupCommit<Item> {
  submit(item: Item): void;
  /** Resolves when nothing waits and nothing is under way. */
  drained(): Promise<void>;
}

/** Large enough that a commit's cost is shared, small enough that its locks are short. */
const BATCH_MAX = 512;
/**
 * How many of the oldest are looked at for one commit, above what runs can submit in an ordinary configuration: where
 * thousands wait, as after an outage, looking at all of them each time took most of a core. Whoever stands behind them
 * waits until they have moved on.
 */
const LOOKED_AT_MAX = 4 * BATCH_MAX;
/** While one commit waits for the disk, the next one computes. */
const COMMITS_IN_FLIGHT_MAX = 2;
/** With fewer waiting, a second commit beside the first would cost the processor more than it saves time. */
const WAITING_FOR_SECOND_MIN = 64;
/** But for a commit that takes longer, such as one that waits for another process's locks, nobody waits. */
const SECOND_AFTER_MS = 20;

export function createGroupCommit<Item extends GroupItem>(options: {
  /**
   * Commits the items in one transaction and answers each caller, or throws and has answered none. What would have had
   * to wait for another process's locks it may leave out and return, unless that is patient.
   */
  commit: (items: readonly Item[], isPatient: (item: Item) => boolean) => Promise<readonly Item[]>;
  onBatch: (batch: { size: number; durationMs: number }) => void;
  log: Logger;
  /** From so many waiting items on, a second commit begins beside the first. */
  secondFrom?: number;
}): GroupCommit<Item> {
  const { commit, onBatch, log, secondFrom = WAITING_FOR_SECOND_MIN } = options;
  let waiting: Item[] = [];
  const inFlight = new Set<Batch<Item>>();
  const late = new Set<Batch<Item>>();
  /** Left out once: the next time it waits, or others would go ahead of it for ever. */
  const patient = new WeakSet<Item>();
  let isPumpQueued = false;
  let idleListeners: (() => void)[] = [];

  function submit(item: Item): void {
    waiting.push(item);
    if (isPumpQueued) return;
    // Everything that is submitted in the same turn of the event loop shares a batch.
    isPumpQueued = true;
    queueMicrotask(() => {
      isPumpQueued = false;
      pump();
    });
  }

  function pump(): void {
    while (waiting.length > 0 && mayBegin()) {
      const { batch, rest } = takeBatch(waiting.slice(0, LOOKED_AT_MAX), inFlight);
      if (batch.items.length === 0) return;
      waiting = [...rest, ...waiting.slice(LOOKED_AT_MAX)];
      inFlight.add(batch);
      const timer = setTimeout(() => {
        late.add(batch);
        pump();
      }, SECOND_AFTER_MS);
      void run(batch.items).finally(() => {
        clearTimeout(timer);
        late.delete(batch);
        inFlight.delete(batch);
        pump();
        if (inFlight.size === 0 && waiting.length === 0) for (const listener of idleListeners.splice(0)) listener();
      });
    }
  }

  function mayBegin(): boolean {
    if (inFlight.size === 0) return true;
    return inFlight.size < COMMITS_IN_FLIGHT_MAX && (waiting.length >= secondFrom || late.size === inFlight.size);
  }

  async function run(items: readonly Item[]): Promise<void> {
    const startedAt = performance.now();
    let leftOut: readonly Item[];
    try {
      leftOut = await commit(items, (item) => patient.has(item));
    } catch (error) {
      return divide(items, error);
    }
    for (const item of leftOut) patient.add(item);
    waiting = [...leftOut, ...waiting];
    onBatch({ size: items.length - leftOut.length, durationMs: performance.now() - startedAt });
  }

  async function divide(items: readonly Item[], error: unknown): Promise<void> {
    const isAway = error instanceof PaymentError && error.kind === 'unavailable';
    if (isAway || items.length === 1) {
      if (!isAway) log.error({ err: error, pkid: items[0]?.pkid, batch: 1 }, 'the database refused an item');
      for (const item of items) item.reject(error);
      return;
    }
    log.warn({ err: error, batch: items.length }, 'a batch was refused and is halved');
    const middle = Math.ceil(items.length / 2);
    await run(items.slice(0, middle));
    await run(items.slice(middle));
  }

  return {
    submit,
    async drained() {
      if (inFlight.size === 0 && waiting.length === 0) return;
      await new Promise<void>((resolve) => {
        idleListeners = [...idleListeners, resolve];
      });
    },
  };
}

interface Locked {
  readonly pkids: ReadonlySet<string>;
  readonly walletIds: ReadonlySet<string>;
}

interface Batch<Item> extends Locked {
  readonly items: readonly Item[];
}

/** The oldest items that fit together, and that do not meet what the other commit has locked. */
function takeBatch<Item extends GroupItem>(
  waiting: readonly Item[],
  inFlight: ReadonlySet<Batch<Item>>,
): { batch: Batch<Item>; rest: Item[] } {
  const items: Item[] = [];
  const rest: Item[] = [];
  const pkids = new Set<string>();
  const stepped = new Set<string>();
  const walletIds = new Set<string>();
  const batch = { items, pkids, walletIds };
  const inCommits = [...inFlight];
  // Beside a commit that holds their platform wallet nobody fits, and whoever comes has all of them looked at again.
  if (waiting.every((item) => meetsAny(item, inCommits))) return { batch, rest: [...waiting] };
  // What an older item waits for, younger ones leave alone: an item of two busy wallets would never find both free.
  const reserved = { pkids: new Set<string>(), walletIds: new Set<string>() };
  const others = [...inCommits, reserved];
  for (const item of waiting) {
    if (items.length >= BATCH_MAX) {
      rest.push(item);
      continue;
    }
    const meetsSelf = item.isIntake ? stepped.has(item.pkid) : locksOneOf(item, pkids);
    if (meetsSelf || meetsAny(item, others)) {
      rest.push(item);
      lock(item, reserved);
      continue;
    }
    items.push(item);
    lock(item, batch);
    if (!item.isIntake) stepped.add(item.pkid);
  }
  return { batch, rest };
}

function meetsAny(item: GroupItem, others: readonly Locked[]): boolean {
  for (const other of others) {
    if (locksOneOf(item, other.pkids)) return true;
    for (const walletId of item.walletIds) if (other.walletIds.has(walletId)) return true;
  }
  return false;
}

function locksOneOf({ pkid, alsoLocks }: GroupItem, pkids: ReadonlySet<string>): boolean {
  if (pkids.has(pkid)) return true;
  for (const locked of alsoLocks) if (pkids.has(locked)) return true;
  return false;
}

function lock(item: GroupItem, into: { readonly pkids: Set<string>; readonly walletIds: Set<string> }): void {
  into.pkids.add(item.pkid);
  for (const locked of item.alsoLocks) into.pkids.add(locked);
  for (const walletId of item.walletIds) into.walletIds.add(walletId);
}
