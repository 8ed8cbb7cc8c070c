// Carries out one fault of the plan: waits a moment until what it hits has something in flight, breaks it, holds it
// broken for its time, repairs it, and says what was in flight.

import { setTimeout as wait } from 'node:timers/promises';
import { emptyQueue } from './emptied-queue.ts';
import { type Gap, type Gaps, inFlight, sumOf } from './in-flight.ts';
import type { Fault, FaultName } from './schedule.ts';
import type { Member, Stage } from './stage.ts';
import type { Trouble, Wire } from './wire.ts';

export interface Strike {
  readonly fault: Fault;
  readonly from: number;
  /** When everything answered again. */
  readonly to: number;
  /** What was in flight when it struck, by the kind of gap. */
  readonly gaps: Gaps;
}

/** The moment may slide by this much to find something in flight; the order of the plan stays. */
const LURK_MS = 8_000;
const UP_WITHIN_MS = 20_000;
const LOOK_EVERY_MS = 10;
/** Each of these may meet a call that moves money; together a quarter of the calls do. */
const ANSWER_RATES = {
  error_before: 0.05,
  paid_then_500: 0.05,
  timeout_before: 0.03,
  paid_then_timeout: 0.03,
  paid_then_reset: 0.05,
  html: 0.02,
  rate_limit: 0.01,
  slow: 0.01,
};
const EVENT_RATES = { duplicate: 0.4, drop: 0.1, shuffle: true };
const HOUR_MS = 3_600_000;

export async function strike(fault: Fault, stage: Stage): Promise<Strike> {
  // One that still starts has nothing in flight. Should it not get up, that is no reason to spare it.
  await Promise.race([stage.members.get(fault.on)?.child.start(), wait(UP_WITHIN_MS, undefined, { ref: false })]);
  let gaps = await inFlight(fault, stage);
  const giveUpAt = Date.now() + LURK_MS;
  while (sumOf(gaps) === 0 && Date.now() < giveUpAt) {
    await wait(LOOK_EVERY_MS);
    gaps = await inFlight(fault, stage);
  }
  const from = Date.now();
  const met = await BREAK[fault.name](fault, stage);
  return { fault, from, to: Date.now(), gaps: met ?? gaps };
}

/** What it met while it lasted, where more is known than what was in flight at its beginning. */
type Break = (fault: Fault, stage: Stage) => Promise<Gaps | undefined> | Promise<void>;

const BREAK: Readonly<Record<FaultName, Break>> = {
  worker_killed: killMember,
  worker_killed_asking: killAsking,
  worker_paused: pauseMember,
  api_killed: killAnswering,
  api_paused: pauseMember,
  client_killed: ({ lastsMs }, { client }) => downFor(client, lastsMs),
  sandbox_killed: ({ lastsMs }, { sandbox }) => downFor(sandbox, lastsMs),
  sandbox_paused: ({ lastsMs }, { sandbox }) => pausedFor(sandbox, lastsMs),
  redis_killed: async ({ lastsMs }, { redis }) => {
    if (redis !== null) await downFor(redis.child, lastsMs);
  },
  redis_paused: async ({ lastsMs }, { redis }) => {
    if (redis !== null) await pausedFor(redis.child, lastsMs);
  },
  redis_flushed: async (_, { redis }) => redis?.flush(),
  redis_older: async ({ lastsMs }, { redis }) => {
    await redis?.keepDump();
    await wait(lastsMs);
    await redis?.restoreDump();
  },
  queue_emptied: async (_, stage) => ({ job: await emptyQueue(stage) }),
  sessions_ended: async (_, { postgres }) => void (await postgres.endSessions()),
  postgres_killed: async ({ lastsMs }, { postgres }) => {
    await postgres.kill();
    await wait(lastsMs);
    await postgres.start();
  },
  postgres_restarted: async (_, { postgres }) => {
    await postgres.stop();
    await postgres.start();
  },
  database_wire_hung: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).database, { trouble: 'hung', gap: 'statement' }),
  database_wire_reset: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).database, { trouble: 'reset', gap: 'statement' }),
  database_wire_slow: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).database, { trouble: 'slow', gap: 'statement' }),
  redis_wire_hung: (fault, stage) => troubled(fault, memberOf(fault, stage).redis, { trouble: 'hung', gap: 'command' }),
  redis_wire_reset: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).redis, { trouble: 'reset', gap: 'command' }),
  provider_wire_hung: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).provider, { trouble: 'hung', gap: 'call' }),
  provider_wire_reset: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).provider, { trouble: 'reset', gap: 'call' }),
  provider_wire_slow: (fault, stage) =>
    troubled(fault, memberOf(fault, stage).provider, { trouble: 'slow', gap: 'call' }),
  provider_answers: async ({ lastsMs, number }, stage) => {
    await stage.setSandbox({ faults: { seed: number, rates: ANSWER_RATES } });
    await wait(lastsMs);
    await stage.setSandbox({ faults: { rates: {} } });
  },
  provider_events: async ({ lastsMs }, stage) => {
    await stage.setSandbox({ webhooks: EVENT_RATES });
    await wait(lastsMs);
    await stage.setSandbox({ webhooks: {} });
  },
  clock_wrong: async (fault, stage) => {
    const { child } = memberOf(fault, stage);
    stage.setClockShift(fault.number % 2 === 0 ? HOUR_MS : -HOUR_MS);
    await child.kill();
    await child.start();
    await wait(fault.lastsMs);
    stage.setClockShift(0);
    await child.kill();
    await child.start();
  },
};

async function killMember(fault: Fault, stage: Stage): Promise<void> {
  await downFor(memberOf(fault, stage).child, fault.lastsMs);
}

/** What it was asked is done, and whoever asked never hears of it. */
async function killAnswering(fault: Fault, stage: Stage): Promise<Gaps> {
  const { child, front } = memberOf(fault, stage);
  // Some are refusals, of which nothing is lost.
  return { request: await killBehind(front, { child, lastsMs: fault.lastsMs, withheldMin: 3 }) };
}

/** The provider has answered, and nobody will ever write it down. */
async function killAsking(fault: Fault, stage: Stage): Promise<Gaps> {
  const { child, provider } = memberOf(fault, stage);
  return { call: await killBehind(provider, { child, lastsMs: fault.lastsMs, withheldMin: 1 }) };
}

/** Returns how many answers were on the wire for ever. */
async function killBehind(
  wire: Wire | null,
  { child, lastsMs, withheldMin }: { child: Member['child']; lastsMs: number; withheldMin: number },
): Promise<number> {
  wire?.trouble('unanswered');
  const giveUpAt = Date.now() + LURK_MS;
  while ((wire?.withheld() ?? withheldMin) < withheldMin && Date.now() < giveUpAt) await wait(LOOK_EVERY_MS);
  const lost = wire?.withheld() ?? 0;
  await child.kill();
  wire?.heal();
  await wait(lastsMs);
  await child.start();
  return lost;
}

async function pauseMember(fault: Fault, stage: Stage): Promise<void> {
  await pausedFor(memberOf(fault, stage).child, fault.lastsMs);
}

async function downFor(child: { kill(): Promise<void>; start(): Promise<void> }, lastsMs: number): Promise<void> {
  await child.kill();
  await wait(lastsMs);
  await child.start();
}

async function pausedFor(child: Member['child'], lastsMs: number): Promise<void> {
  child.signal('SIGSTOP');
  await wait(lastsMs);
  child.signal('SIGCONT');
}

async function troubled(
  { lastsMs }: Fault,
  wire: Wire | null,
  { trouble, gap }: { trouble: Trouble; gap: Gap },
): Promise<Gaps | undefined> {
  if (wire === null) return undefined;
  wire.trouble(trouble);
  await wait(lastsMs);
  const met = wire.met();
  wire.heal();
  return { [gap]: met };
}

export function memberOf({ on }: Pick<Fault, 'on'>, { members }: Pick<Stage, 'members'>): Member {
  const member = members.get(on);
  if (member === undefined) throw new Error(`There is no ${on} on the stage.`);
  return member;
}
