// The plan of a run: which fault, when, for how long and on whom. It follows from the seed, the length and the backend
// alone, and holds every kind at least once. No two faults of one plan want the same thing broken at the same time.

import { type Chance, chanceOf } from './chance.ts';

export const WORKERS = ['worker-1', 'worker-2', 'worker-3'] as const;
export const APIS = ['api-1', 'api-2'] as const;
/** The worker whose clock will be wrong. */
export const WRONG_CLOCK_WORKER = 'worker-3';
/**
 * Short enough for a test. LEASE_MS is also the time after which "not found" counts, and a tenth of it is what a busy
 * machine has between a claim and its call; with less, claims follow claims and nothing leaves.
 */
export const TIMES = { LEASE_MS: 7_000, PROVIDER_TIMEOUT_MS: 1_500, RECONCILE_MS: 300 } as const;

export type Backend = 'redis' | 'postgres';

interface Kind {
  readonly name: string;
  /** What is broken by it: one of these, drawn. */
  readonly on: readonly [string, ...string[]];
  readonly lastsMs: readonly [min: number, max: number];
  readonly only?: Backend;
}

/** A paused process must sleep through its lease, and wake up while somebody else has its work. */
const BEYOND_LEASE_MS = [TIMES.LEASE_MS + 500, TIMES.LEASE_MS + 1_500] as const;
const MOMENT_MS = [200, 1_000] as const;
const SOME_MS = [1_000, 2_500] as const;
const WIRED = [...WORKERS, ...APIS] as const;

export const KINDS = [
  { name: 'worker_killed', on: WORKERS, lastsMs: MOMENT_MS },
  { name: 'worker_killed_asking', on: WORKERS, lastsMs: MOMENT_MS },
  { name: 'worker_paused', on: WORKERS, lastsMs: BEYOND_LEASE_MS },
  { name: 'api_killed', on: APIS, lastsMs: MOMENT_MS },
  { name: 'api_paused', on: APIS, lastsMs: BEYOND_LEASE_MS },
  { name: 'client_killed', on: ['client'], lastsMs: MOMENT_MS },
  { name: 'sandbox_killed', on: ['sandbox'], lastsMs: MOMENT_MS },
  { name: 'sandbox_paused', on: ['sandbox'], lastsMs: SOME_MS },
  { name: 'redis_killed', on: ['redis'], lastsMs: SOME_MS, only: 'redis' },
  { name: 'redis_paused', on: ['redis'], lastsMs: SOME_MS, only: 'redis' },
  { name: 'redis_flushed', on: ['redis'], lastsMs: [0, 0], only: 'redis' },
  { name: 'redis_older', on: ['redis'], lastsMs: SOME_MS, only: 'redis' },
  { name: 'queue_emptied', on: ['redis'], lastsMs: [0, 0], only: 'redis' },
  { name: 'queue_emptied', on: ['postgres'], lastsMs: [0, 0], only: 'postgres' },
  { name: 'sessions_ended', on: ['postgres'], lastsMs: [0, 0] },
  { name: 'postgres_killed', on: ['postgres'], lastsMs: MOMENT_MS },
  { name: 'postgres_restarted', on: ['postgres'], lastsMs: [0, 0] },
  { name: 'database_wire_hung', on: WIRED, lastsMs: SOME_MS },
  { name: 'database_wire_reset', on: WIRED, lastsMs: MOMENT_MS },
  { name: 'database_wire_slow', on: WIRED, lastsMs: SOME_MS },
  { name: 'redis_wire_hung', on: WIRED, lastsMs: SOME_MS, only: 'redis' },
  { name: 'redis_wire_reset', on: WIRED, lastsMs: MOMENT_MS, only: 'redis' },
  { name: 'provider_wire_hung', on: WORKERS, lastsMs: SOME_MS },
  { name: 'provider_wire_reset', on: WORKERS, lastsMs: SOME_MS },
  { name: 'provider_wire_slow', on: WORKERS, lastsMs: SOME_MS },
  { name: 'provider_answers', on: ['provider answers'], lastsMs: [8_000, 12_000] },
  { name: 'provider_events', on: ['provider events'], lastsMs: [8_000, 12_000] },
  { name: 'clock_wrong', on: [WRONG_CLOCK_WORKER], lastsMs: [6_000, 8_000] },
] as const satisfies readonly Kind[];

export type FaultName = (typeof KINDS)[number]['name'];

export interface Fault {
  readonly number: number;
  readonly name: FaultName;
  readonly on: string;
  readonly atMs: number;
  readonly lastsMs: number;
}

export interface Plan {
  readonly backend: Backend;
  readonly seed: number;
  readonly seconds: number;
}

/** The client is warm before the first fault, and what the last one breaks is repaired within the time. */
const FIRST_AT_MS = 1_500;
/** Between two beginnings, whatever the length of the run: more would leave no time in which anything works. */
const STEP_MS = 1_800;
/** A process needs about this long to start again on a busy machine. */
const START_MS = 2_500;

export function kindsFor(backend: Backend): readonly (Kind & { readonly name: FaultName })[] {
  return KINDS.filter((kind: Kind) => kind.only === undefined || kind.only === backend);
}

export function planFaults({ backend, seed, seconds }: Plan): Fault[] {
  const chance = chanceOf(seed);
  const kinds = kindsFor(backend);
  const room = seconds * 1_000 - FIRST_AT_MS;
  const count = Math.max(kinds.length, Math.floor(room / STEP_MS));
  // What stays for a long time begins early, or it would not fit; then comes what takes longest to recover from.
  const first = chance.shuffled('first round', kinds).toSorted((a, b) => urgency(b) - urgency(a));
  const later = Array.from({ length: count - kinds.length }, (_, index) => {
    const [kind] = chance.shuffled(`later ${index}`, kinds);
    return kind;
  });
  const free = new Map<string, number>();
  return [...first, ...later]
    .flatMap((kind) => kind ?? [])
    .map((kind, index) => faultAt(kind, { index, startMs: FIRST_AT_MS + (index * room) / (count + 1), chance, free }))
    .filter(({ atMs, lastsMs }, index) => index < kinds.length || atMs + lastsMs <= seconds * 1_000);
}

const EARLY: readonly string[] = ['postgres', 'provider answers', 'provider events', WRONG_CLOCK_WORKER];

function urgency({ on, lastsMs }: Kind): number {
  return (on.length === 1 && EARLY.includes(on[0]) ? 100_000 : 0) + (lastsMs[1] > 5_500 ? lastsMs[1] : 0);
}

function faultAt(
  kind: Kind & { readonly name: FaultName },
  { index, startMs, chance, free }: { index: number; startMs: number; chance: Chance; free: Map<string, number> },
): Fault {
  const lastsMs = chance.whole(`lasts ${index}`, ...kind.lastsMs);
  // The one that is free, else the one that will be first.
  const order = chance.shuffled(`on ${index}`, kind.on);
  const since = (name: string) => free.get(name) ?? 0;
  const on =
    order.find((name) => since(name) <= startMs) ?? order.toSorted((a, b) => since(a) - since(b))[0] ?? kind.on[0];
  const atMs = Math.round(Math.max(startMs, since(on)));
  free.set(on, atMs + lastsMs + START_MS);
  return { number: index + 1, name: kind.name, on, atMs, lastsMs };
}
