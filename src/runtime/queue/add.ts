// Adding jobs, best effort: callers of one moment share an add, and those for whom none is free the next. It never
// throws and never makes a caller wait longer than its bound. What was not added in time is owed to the queue and added
// when it answers again; what even that loses is found by its row's due_at.

export interface Adder<Job> {
  /** True when the queue has taken all of them in time. */
  add(jobs: readonly Job[]): Promise<boolean>;
  close(): Promise<void>;
}

/** A caller has committed its row and its client waits for the answer. */
const ADD_BOUND_MS = 500;
/** After a time-out every caller would pay the bound for nothing. */
const PAUSE_MS = 1000;
/** Nobody waits for what is owed. */
const OWED_BOUND_MS = 5000;
/** Large enough that the round trip does not matter, small enough to keep Redis answering others. */
const BULK_MAX = 500;
/** What would need longer than the bound even on a fast queue is not worth keeping in memory. */
const PENDING_MAX = 20_000;
/** Likewise of what is owed. */
const OWED_MAX = 20_000;

interface Caller {
  left: number;
  readonly deadline: number;
  readonly answer: (added: boolean) => void;
}

interface Entry<Job> {
  readonly job: Job;
  readonly caller: Caller;
}

export function createAdder<Job>(options: {
  readonly addBulk: (jobs: readonly Job[]) => Promise<unknown>;
  readonly onFailure: (error: unknown) => void;
  /** Bulks on their way at once: who comes later need not wait for the answers of those before. */
  readonly underwayMax: number;
}): Adder<Job> {
  let pending: Entry<Job>[] = [];
  let underway = 0;
  let isGathering = false;
  let last: Promise<unknown> = Promise.resolve();
  let pausedUntil = 0;
  let owed: Job[] = [];
  let paying: NodeJS.Timeout | null = null;
  let closed = false;

  /** What is added in the same moment, by all whose commit has just ended, goes together. */
  function gather(): void {
    if (isGathering || underway >= options.underwayMax) return;
    isGathering = true;
    last = Promise.all([last, Promise.resolve().then(drain)]);
  }

  async function drain(): Promise<void> {
    isGathering = false;
    underway += 1;
    while (pending.length > 0) {
      const bulk = pending.slice(0, BULK_MAX);
      pending = pending.slice(BULK_MAX);
      const outcome = await settleBy(oldestDeadline(bulk), () => options.addBulk(bulk.map((entry) => entry.job)));
      if (outcome === 'added') {
        for (const { caller } of bulk) {
          caller.left -= 1;
          if (caller.left === 0) caller.answer(true);
        }
        continue;
      }
      const lost = outcome === 'late' ? [...bulk, ...pending] : bulk;
      if (outcome === 'late') {
        pausedUntil = performance.now() + PAUSE_MS;
        pending = [];
      }
      for (const { caller } of lost) caller.answer(false);
      owe(lost.map(({ job }) => job));
      options.onFailure(outcome === 'late' ? 'no answer in time' : outcome.error);
    }
    underway -= 1;
  }

  function owe(jobs: readonly Job[]): void {
    if (closed) return;
    owed.push(...jobs);
    if (owed.length > OWED_MAX) owed.splice(0, owed.length - OWED_MAX);
    if (owed.length > 0) paying ??= setTimeout(() => void pay(), PAUSE_MS).unref();
  }

  /** One that the queue took after all is added twice, which its id makes once. */
  async function pay(): Promise<void> {
    while (owed.length > 0 && !closed) {
      const bulk = owed.slice(0, BULK_MAX);
      owed = owed.slice(BULK_MAX);
      const outcome = await settleBy(performance.now() + OWED_BOUND_MS, () => options.addBulk(bulk));
      if (outcome === 'added') continue;
      // Behind the others: should one of it be refused for ever, the bulks behind it are added all the same.
      owed.push(...bulk);
      if (outcome !== 'late') options.onFailure(outcome.error);
      break;
    }
    paying = null;
    owe([]);
  }

  return {
    add(jobs) {
      const now = performance.now();
      if (closed) return Promise.resolve(false);
      if (now < pausedUntil || pending.length + jobs.length > PENDING_MAX) {
        owe(jobs);
        return Promise.resolve(false);
      }
      if (jobs.length === 0) return Promise.resolve(true);
      return new Promise((answer) => {
        const caller = { left: jobs.length, deadline: now + ADD_BOUND_MS, answer };
        for (const job of jobs) pending.push({ job, caller });
        gather();
      });
    },
    async close() {
      closed = true;
      if (paying !== null) clearTimeout(paying);
      await last;
    },
  };
}

/** The first caller of a bulk has waited longest, perhaps behind an earlier bulk. */
function oldestDeadline<Job>(bulk: readonly Entry<Job>[]): number {
  return bulk.reduce((oldest, { caller }) => Math.min(oldest, caller.deadline), Number.POSITIVE_INFINITY);
}

function settleBy(deadline: number, act: () => Promise<unknown>): Promise<'added' | 'late' | { error: unknown }> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('late'), Math.max(0, deadline - performance.now()));
    act()
      .then(
        () => resolve('added'),
        (error: unknown) => resolve({ error }),
      )
      .finally(() => clearTimeout(timer));
  });
}
