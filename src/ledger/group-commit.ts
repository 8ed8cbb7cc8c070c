// Many callers, one commit. Callers that arrive while commits are under way share the next one: no added latency when
// idle. Where all of them want what one commit holds, the next is planned on what that will leave. A batch that the
// database refuses is halved until the guilty item is alone.

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

/** How a commit stands to the others of this process. */
export interface Turn<Item, Outlook> {
  /** Left out before, and so to be waited for. */
  readonly isPatient: (item: Item) => boolean;
  /** What the commit before it will leave, on which it is planned; null: it meets none. */
  readonly behind: Outlook | null;
  /** Tells what it will leave itself, as soon as it has all its locks; null: that is not so any more. */
  foresee(outlook: Outlook | null): void;
}

/**
 * Where another process wants the same wallets, what was foreseen mostly is not what is found, and a whole commit was
 * for nothing: a second without, and twice as long each time, up to half a minute, costs next to nothing.
 */
const FORESEE_PAUSE_MS = 1_000;
const FORESEE_PAUSE_MAX_MS = 30_000;

export function createGroupCommit<Item extends GroupItem, Outlook = never>(options: {
  /**
   * Commits the items in one transaction and answers each caller, or throws and has answered none. What would have had
   * to wait for another process's locks it may leave out and return, unless that is patient.
   */
  commit: (items: readonly Item[], turn: Turn<Item, Outlook>) => Promise<readonly Item[]>;
  onBatch: (batch: { size: number; durationMs: number }) => void;
  log: Logger;
  /** From so many waiting items on, a second commit begins beside the first. */
  secondFrom?: number;
  foreseePauseMs?: number;
}): GroupCommit<Item> {
  const { commit, onBatch, log, secondFrom = WAITING_FOR_SECOND_MIN, foreseePauseMs = FORESEE_PAUSE_MS } = options;
  let waiting: Item[] = [];
  const inFlight = new Set<Commit<Item, Outlook>>();
  const late = new Set<Commit<Item, Outlook>>();
  /** Left out once: the next time it waits, or others would go ahead of it for ever. */
  const patient = new WeakSet<Item>();
  let foreseeAgainAt = 0;
  let pauseMs = foreseePauseMs;
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
    while (waiting.length > 0) {
      const batch = (mayBegin() ? takeBeside() : null) ?? takeBehind();
      if (batch === null) return;
      begin(batch);
    }
  }

  function begin(batch: Commit<Item, Outlook>): void {
    inFlight.add(batch);
    const timer = setTimeout(() => {
      late.add(batch);
      pump();
    }, SECOND_AFTER_MS);
    void run(batch).finally(() => {
      clearTimeout(timer);
      late.delete(batch);
      inFlight.delete(batch);
      pump();
      if (inFlight.size === 0 && waiting.length === 0) for (const listener of idleListeners.splice(0)) listener();
    });
  }

  /** Null: none of those that wait fits beside the others. */
  function takeBeside(): Commit<Item, Outlook> | null {
    const { batch, rest } = takeBatch(waiting.slice(0, LOOKED_AT_MAX), [...inFlight]);
    if (batch.items.length === 0) return null;
    waiting = [...rest, ...waiting.slice(LOOKED_AT_MAX)];
    return { ...batch, behind: null, outlook: null };
  }

  /** Where all want wallets that one commit holds, the next is planned on what that will leave, and ends behind it. */
  function takeBehind(): Commit<Item, Outlook> | null {
    const [ahead] = inFlight;
    if (ahead === undefined || inFlight.size > 1 || ahead.outlook === null) return null;
    if (waiting.length < secondFrom || performance.now() < foreseeAgainAt) return null;
    // What is only inserted wants no wallet.
    const steps = waiting.slice(0, LOOKED_AT_MAX).filter((item) => !item.isIntake);
    const { batch, rest } = takeBatch(steps, [{ pkids: ahead.pkids, walletIds: NO_WALLETS }]);
    if (batch.items.length === 0) return null;
    const others = waiting.filter((item, place) => place >= LOOKED_AT_MAX || item.isIntake);
    waiting = [...rest, ...others];
    return { ...batch, behind: ahead.outlook, outlook: null };
  }

  function mayBegin(): boolean {
    if (inFlight.size === 0) return true;
    return inFlight.size < COMMITS_IN_FLIGHT_MAX && (waiting.length >= secondFrom || late.size === inFlight.size);
  }

  async function run(batch: Run<Item, Outlook>): Promise<void> {
    const { items, behind } = batch;
    const startedAt = performance.now();
    let leftOut: readonly Item[];
    try {
      leftOut = await commit(items, {
        isPatient: (item) => patient.has(item),
        behind,
        foresee(outlook) {
          batch.outlook = outlook;
          if (outlook !== null) pump();
        },
      });
    } catch (error) {
      batch.outlook = null;
      return behind === null || isAway(error) ? divide(items, error) : takeBack(items, error);
    }
    if (behind !== null) pauseMs = foreseePauseMs;
    for (const item of leftOut) patient.add(item);
    waiting = [...leftOut, ...waiting];
    onBatch({ size: items.length - leftOut.length, durationMs: performance.now() - startedAt });
  }

  /** What they were planned on did not come true, or may not have: nothing is known of themselves. */
  function takeBack(items: readonly Item[], error: unknown): void {
    log.debug({ err: error, batch: items.length }, 'a batch did not find what the one before was to leave');
    foreseeAgainAt = performance.now() + pauseMs;
    pauseMs = Math.min(2 * pauseMs, FORESEE_PAUSE_MAX_MS);
    waiting = [...items, ...waiting];
  }

  async function divide(items: readonly Item[], error: unknown): Promise<void> {
    if (isAway(error) || items.length === 1) {
      if (!isAway(error)) log.error({ err: error, pkid: items[0]?.pkid, batch: 1 }, 'the database refused an item');
      for (const item of items) item.reject(error);
      return;
    }
    log.warn({ err: error, batch: items.length }, 'a batch was refused and is halved');
    const middle = Math.ceil(items.length / 2);
    await run({ items: items.slice(0, middle), behind: null, outlook: null });
    await run({ items: items.slice(middle), behind: null, outlook: null });
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

function isAway(error: unknown): boolean {
  return error instanceof PaymentError && error.kind === 'unavailable';
}

interface Locked {
  readonly pkids: ReadonlySet<string>;
  readonly walletIds: ReadonlySet<string>;
}

interface Batch<Item> extends Locked {
  readonly items: readonly Item[];
}

interface Run<Item, Outlook> {
  readonly items: readonly Item[];
  readonly behind: Outlook | null;
  outlook: Outlook | null;
}

type Commit<Item, Outlook> = Batch<Item> & Run<Item, Outlook>;

const NO_WALLETS: ReadonlySet<string> = new Set();

/** The oldest items that fit together, and that do not meet what the other commit has locked. */
function takeBatch<Item extends GroupItem>(
  waiting: readonly Item[],
  commits: readonly Locked[],
): { batch: Batch<Item>; rest: Item[] } {
  const items: Item[] = [];
  const rest: Item[] = [];
  const pkids = new Set<string>();
  const stepped = new Set<string>();
  const walletIds = new Set<string>();
  const batch = { items, pkids, walletIds };
  // Beside a commit that holds their platform wallet nobody fits, and whoever comes has all of them looked at again.
  if (waiting.every((item) => meetsAny(item, commits))) return { batch, rest: [...waiting] };
  // What an older item waits for, younger ones leave alone: an item of two busy wallets would never find both free.
  const reserved = { pkids: new Set<string>(), walletIds: new Set<string>() };
  const others = [...commits, reserved];
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
