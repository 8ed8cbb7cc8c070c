// Runs many cases of the crash bench side by side, in as many processes as the most mortal of them has lives.

import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import type { App } from '../../src/app.ts';
import { PaymentError } from '../../src/domain/errors.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { isRetryable } from '../../src/runtime/db.ts';
import { createFate, type Doom, type Fate, type Place } from './fates.ts';
import { endAs, type Flow } from './flows.ts';
import type { Ground } from './ground.ts';
import type { Mortal } from './mortal.ts';
import { createRoster } from './roster.ts';
import { type Open, readOpen, readStandings, type Standing } from './standing.ts';

export interface Case {
  readonly flow: Flow;
  /** One after the other; behind them it lives. */
  readonly dooms: readonly Doom[];
}

export interface Outcome extends Case {
  readonly key: string;
  readonly pkid: Pkid;
  /** What it passed up to each death, and behind the last. */
  readonly lives: Fate['lives'];
  /** Null: it never came into being. */
  readonly standing: Standing | null;
  readonly isCalm: boolean;
}

/** More than the gaps of one flow. */
const STRIDE = 31;
/** How many clients ask at once; each waits a little for the death of what it asked for, so that no crowd arises. */
const LANES = 10;
const LANE_WAITS_MS = 400;
const PROBE_MS = 10;
/** A tenth of a lease, after which a person would look at a payment that five claims in a row had lost. */
const LATE_MS_MAX = 160;
/** Fewer than a process has connections. */
const PREPARED_AT_ONCE = 8;
const LOOK_AGAIN_MS = 200;
/** For an event that follows what has just ended, or the death that it is to bring. */
const QUIET_MS = 500;
const DEATH_WITHIN_MS = 3_000;
/**
 * Far more than a quiet machine needs for all of them: five minutes, but counted in looks, because a machine that
 * stands still does no work either.
 */
const LOOKS_MAX = 1_500;
/** A minute: the longest pause that nobody ends. */
const LAST_LOOKS_MAX = 300;
/** A delivery is leased for half a minute; its receiver here answers at once, so nobody waits for that. */
const DELIVERY_LEASE_MS = 2_000;

/** `ends` are gaps of processes that die as a whole, beside one that lives. */
export async function runCases(
  ground: Ground,
  cases: readonly Case[],
  { ends = [] }: { ends?: readonly Doom[] } = {},
): Promise<Outcome[]> {
  const { app: clerk } = ground.clerk;
  const named = mixed(cases).map((one) => nameCase(one));
  await inLanes(named, PREPARED_AT_ONCE, ({ flow, key }) => flow.prepare(clerk, key));
  const names = named.flatMap(({ flow, key, pkid, fate }) =>
    [pkid, ...(flow.aliases?.(key) ?? [])].map((name) => [name, fate] as const),
  );
  const roster = createRoster(new Map(names), clerk.db);
  const deaths = Math.max(0, ...cases.map(({ dooms }) => dooms.length));
  // Where whole processes die in reconcile, no job may do its work before it.
  const role = ends.length > 0 ? 'reconciles' : 'works';
  const living = Array.from({ length: deaths + 1 }, () => ({ roster, role }) as const);
  const mortals = await ground.born([...ends.map((end) => ({ roster, end, role }) as const), ...living]);
  await inLanes(named, LANES, (one) => ask(one, mortals, ground.sandbox.url));
  // Where whole processes are to die, each takes its share, as it would from the queue.
  for (const one of ends.length > 0 ? named : []) void takeShare(one, mortals);
  await rest(ground, named, mortals);
  const { standings, open } = await lastLook(clerk, named);
  const spared = ends.filter((_end, number) => mortals[number]?.isGone() !== true);
  if (spared.length > 0) throw new Error(`No process died at: ${JSON.stringify(spared)}. Let it do more.`);
  await Promise.all(mortals.map((mortal) => mortal.kill()));
  return named.map((one) => {
    const { flow, dooms, key, pkid, fate } = one;
    const standing = standings.get(pkid) ?? null;
    return { flow, dooms, key, pkid, lives: fate.lives, standing, isCalm: isCalm(one, standing, open) };
  });
}

/** Far from its like: where all calls fail for a while, a process stops sending, and what has died never probes. */
function mixed(cases: readonly Case[]): Case[] {
  return Array.from({ length: STRIDE }, (_, first) => cases.filter((_one, index) => index % STRIDE === first)).flat();
}

interface Named extends Case {
  readonly number: number;
  readonly key: string;
  readonly pkid: Pkid;
  readonly fate: Fate;
  readonly client: {
    /** How many of the flow's requests were answered. */
    answered: number;
    /** The process that it has asked for the other thing, until that answers. */
    askingAt: number | null;
  };
}

let casesMade = 0;

function nameCase({ flow, dooms }: Case): Named {
  casesMade += 1;
  const key = `case-${casesMade}`;
  const pkid = pkidOf(flow.kind, key);
  const client: Named['client'] = { answered: 0, askingAt: null };
  const { meanwhile = null } = flow;
  const act = (at: Place) => askMeanwhile({ flow, key, client }, at);
  const fate = createFate({ dooms, meanwhile: meanwhile === null ? null : { point: meanwhile.point, act } });
  return { flow, dooms, number: casesMade, key, pkid, fate, client };
}

async function askMeanwhile({ flow, key, client }: Pick<Named, 'flow' | 'key' | 'client'>, at: Place): Promise<void> {
  client.askingAt = at.number;
  await flow.meanwhile?.act(at.app, key).catch(refusedByState);
  client.askingAt = null;
}

/** A client repeats what was not answered, to the next process. */
async function ask(
  { flow, key, fate, client, number }: Named,
  mortals: readonly Mortal[],
  sandboxUrl: string,
): Promise<void> {
  const turn = number % mortals.length;
  for (const mortal of [...mortals.slice(turn), ...mortals.slice(0, turn)]) {
    const died = mortal.deathFor(fate).then(() => false);
    let isAlive = true;
    while (isAlive && client.answered < flow.requests.length) {
      const answer = flow.requests[client.answered]?.(mortal.app, key, sandboxUrl).then(() => true, isToRepeat);
      const isAnswered = await Promise.race([answer, died]);
      if (isAnswered === true) client.answered += 1;
      isAlive = isAnswered !== false;
    }
  }
  await Promise.race([fate.died, wait(LANE_WAITS_MS)]);
  while ((await lateness()) > LATE_MS_MAX);
}

/** How far this process is behind: more work than it keeps up with would let leases run out that nobody lost. */
async function lateness(): Promise<number> {
  const start = performance.now();
  await wait(PROBE_MS);
  return performance.now() - start - PROBE_MS;
}

function askAgain(one: Named, mortals: readonly Mortal[]): void {
  const { askingAt } = one.client;
  const next = mortals.find((mortal) => !mortal.isGone() && !one.fate.isDeadIn(mortal.number));
  if (askingAt !== null && one.fate.isDeadIn(askingAt) && next !== undefined) void askMeanwhile(one, next);
}

async function takeShare({ flow, pkid, number }: Named, mortals: readonly Mortal[]): Promise<void> {
  const mortal = mortals[number % mortals.length];
  // What fails here is due again, and another takes it.
  await mortal?.app.runner.run(flow.kind, pkid, { reason: 'reconcile' }).catch(() => undefined);
}

/** A server that is busy says so, and the client asks it again. */
function isToRepeat(error: unknown): null {
  if (isRetryable(error) || (error instanceof PaymentError && error.kind === 'unavailable')) return null;
  throw error;
}

/** What is final already is not cancelled, and the client hears so. */
function refusedByState(error: unknown): void {
  if (!(error instanceof PaymentError) || error.code !== 'invalid-state') throw error;
}

/** Until every case is calm and has died as often as it should, or has had its time to. */
async function rest({ clerk, sandbox }: Ground, cases: readonly Named[], mortals: readonly Mortal[]): Promise<void> {
  const approved = new Set<string>();
  let left = cases.map((one) => ({ one, calmSince: Number.POSITIVE_INFINITY }));
  for (let look = 0; left.length > 0 && look < LOOKS_MAX; look += 1) {
    await wait(LOOK_AGAIN_MS);
    await endDeliveryLeases(clerk.app);
    const standings = await readStandings(
      clerk.app,
      left.map(({ one }) => one.pkid),
    );
    const open = await readOpen(clerk.app);
    const now = performance.now();
    for (const { one } of left) {
      askAgain(one, mortals);
      if (standings.get(one.pkid)?.isPutOff === true) await hint(clerk.app, one);
      if (one.flow.isApproved === true) await approve(sandbox.url, standings.get(one.pkid) ?? null, approved);
    }
    left = left.flatMap(({ one, calmSince }) => {
      const since = isCalm(one, standings.get(one.pkid) ?? null, open)
        ? Math.min(calmSince, now)
        : Number.POSITIVE_INFINITY;
      const isSpared = one.fate.lives.length <= one.dooms.length;
      return now - since > (isSpared ? DEATH_WITHIN_MS : QUIET_MS) ? [] : [{ one, calmSince: since }];
    });
  }
}

/** What an event tells late makes a case that has been calm busy once more: until all are calm at one moment. */
async function lastLook(clerk: App, cases: readonly Named[]) {
  const pkids = cases.map(({ pkid }) => pkid);
  for (let look = 0; ; look += 1) {
    const standings = await readStandings(clerk, pkids);
    const open = await readOpen(clerk);
    const isQuiet = cases.every((one) => isCalm(one, standings.get(one.pkid) ?? null, open));
    if (isQuiet || look >= LAST_LOOKS_MAX) return { standings, open };
    await wait(LOOK_AGAIN_MS);
    await endDeliveryLeases(clerk);
  }
}

async function endDeliveryLeases({ db }: App): Promise<void> {
  await sql`UPDATE delivery SET due_at = clock_timestamp()
    WHERE leased AND last_attempt_at < clock_timestamp() - make_interval(secs => ${DELIVERY_LEASE_MS / 1000})
      AND due_at > clock_timestamp()`.execute(db.sql);
}

/** It has come to rest as it may end, and what the provider does afterwards has been done and heard of. */
function isCalm({ flow, pkid, client }: Named, standing: Standing | null, open: Open): boolean {
  const isAnswered = client.answered === flow.requests.length && client.askingAt === null;
  if (!isAnswered || standing === null || open.pkids.has(pkid)) return false;
  const end = endAs(flow, standing.status);
  if (end?.status === 'in_process' && end.review !== undefined) return standing.reviewReason === end.review;
  if (!standing.isResting) return false;
  if (standing.status === 'in_process') return end !== undefined || standing.reviewReason !== null;
  if (end?.status !== 'succeeded' || end.after === undefined) return true;
  return standing.isReturned || standing.refunds.length > 0 || open.decided.has(pkid);
}

/** The pauses between looks grow to a minute; a person who asks ends one, and so does a provider's event. */
async function hint({ payins, payouts, refunds }: App, { flow, pkid }: Named): Promise<void> {
  if (flow.kind === 'payin') await payins.hint(pkid);
  if (flow.kind === 'payout') await payouts.hint(pkid);
  if (flow.kind === 'refund') await refunds.hint(pkid);
}

/** The buyer's click. */
async function approve(sandboxUrl: string, standing: Standing | null, approved: Set<string>): Promise<void> {
  const externId = standing?.externId ?? null;
  if (externId === null || standing?.status !== 'in_process' || approved.has(externId)) return;
  // No answer on a busy machine: the buyer clicks once more.
  const response = await fetch(`${sandboxUrl}/_sandbox/approve/${externId}`, { method: 'POST' }).catch(() => null);
  if (response?.ok) approved.add(externId);
}

async function inLanes<One>(all: readonly One[], lanes: number, act: (one: One) => Promise<void>): Promise<void> {
  const left = all.values();
  const lane = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
