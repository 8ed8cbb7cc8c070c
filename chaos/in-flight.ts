// What is in flight at the moment a fault strikes, by the gap it would be lost in. Wires know which questions are out:
// those of one process, when one process is hit. What waits without a question on a wire is counted by the database.

import { PAYMENT_KINDS } from './evidence.ts';
import type { Fault } from './schedule.ts';
import type { Member, Stage } from './stage.ts';

/**
 * request: a client's request is at an API and not answered. statement: a statement of a claim, a settlement or an
 * intake is at the database. call: a provider was asked and has not answered. command: something is on its way to the
 * queue. job: an operation is accepted and not claimed. claimed: it is claimed and not settled. event: a provider's
 * event is stored and not worked off, or one of ours not delivered.
 */
export type Gap = 'request' | 'statement' | 'call' | 'command' | 'job' | 'claimed' | 'event';
export type Gaps = Readonly<Partial<Record<Gap, number>>>;

export function sumOf(gaps: Gaps): number {
  return Object.values(gaps).reduce((sum, count) => sum + count, 0);
}

export async function inFlight({ name, on }: Pick<Fault, 'name' | 'on'>, stage: Stage): Promise<Gaps> {
  const all = [...stage.members.values()];
  const own = stage.members.get(on);
  if ((name.startsWith('provider_wire') || name === 'worker_killed_asking') && own !== undefined) return callsOf([own]);
  if (name.startsWith('database_wire') && own !== undefined) return statementsOf([own]);
  if (name.startsWith('redis_wire') && own !== undefined) return commandsOf([own]);
  if (name.startsWith('redis') || name === 'queue_emptied') return pick(await waitingRows(stage), ['job', 'event']);
  if (name === 'provider_answers' || name.startsWith('sandbox')) return callsOf(all);
  if (name === 'provider_events') return pick(await waitingRows(stage), ['claimed', 'event']);
  if (name === 'client_killed') return requestsOf(all);
  if (name.startsWith('api') && own !== undefined) return requestsOf([own]);
  if (own !== undefined) return { ...statementsOf([own]), ...callsOf([own]) };
  return { ...statementsOf(all), ...requestsOf(all) };
}

function requestsOf(members: readonly Member[]): Gaps {
  return { request: members.reduce((sum, { front }) => sum + (front?.waiting() ?? 0), 0) };
}

function statementsOf(members: readonly Member[]): Gaps {
  return { statement: members.reduce((sum, { database }) => sum + database.waiting(), 0) };
}

function callsOf(members: readonly Member[]): Gaps {
  return { call: members.reduce((sum, { provider }) => sum + (provider?.waiting() ?? 0), 0) };
}

function commandsOf(members: readonly Member[]): Gaps {
  return { command: members.reduce((sum, { redis }) => sum + (redis?.waiting() ?? 0), 0) };
}

function pick(gaps: Gaps, names: readonly Gap[]): Gaps {
  return Object.fromEntries(names.map((name) => [name, gaps[name] ?? 0]));
}

/** A database that is away just now hides them; then none are counted. */
async function waitingRows({ postgres }: Stage): Promise<Gaps> {
  const rows = await postgres.query<{ gap: Gap; count: number }>(WAITING_ROWS).catch(() => []);
  return Object.fromEntries(rows.map(({ gap, count }) => [gap, count]));
}

const WAITING_ROWS = `
  SELECT gap, count(*)::int AS count FROM (
    ${PAYMENT_KINDS.map(
      (table) => `SELECT CASE WHEN leased THEN 'claimed' ELSE 'job' END AS gap FROM ${table}
        WHERE due_at IS NOT NULL AND confirmed_at IS NOT NULL UNION ALL `,
    ).join('')}
    SELECT 'job' FROM transfer WHERE due_at IS NOT NULL
    UNION ALL SELECT 'event' FROM delivery WHERE due_at IS NOT NULL
    UNION ALL SELECT 'event' FROM provider_event WHERE due_at IS NOT NULL) rows
  GROUP BY gap`;
