// Waiting until every case has come to its end, and shortening the pauses for which nobody here would wait.

import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import type { App } from '../../src/app.ts';
import { askAgain, type Named } from './client.ts';
import { endAs, type Flow } from './flows.ts';
import type { Ground } from './ground.ts';
import type { Mortal } from './mortal.ts';
import { type Open, readOpen, readStandings, type Standing } from './standing.ts';

const LOOK_AGAIN_MS = 200;
/** For an event that follows what has just ended, or the death that it is to bring. */
const QUIET_MS = 500;
const DEATH_WITHIN_MS = 3_000;
/** How many are hinted in a look: where all wait for a provider that seems away, more would take all of the machine. */
const HINTS_MAX = 20;
/** As many looks at what never ends as pass its gaps. */
const HINTS_OF_ENDLESS = 3;
/**
 * Far more than a quiet machine needs for all of them: five minutes, but counted in looks, because a machine that
 * stands still does no work either.
 */
const LOOKS_MAX = 1_500;
/** A minute: the longest pause that nobody ends. */
const LAST_LOOKS_MAX = 300;
/** A delivery is leased for half a minute; its receiver here answers at once, so nobody waits for that. */
const DELIVERY_LEASE_MS = 2_000;
/** Longer than a lease: what is under way is left alone. */
const EVENT_PAUSE_MS = 2_000;

/** Until every case is calm and has died as often as it should, or has had its time to. */
export async function rest(
  { clerk, sandbox }: Ground,
  cases: readonly Named[],
  mortals: readonly Mortal[],
): Promise<void> {
  const approved = new Set<string>();
  let left = cases.map((one) => ({ one, calmSince: Number.POSITIVE_INFINITY }));
  for (let look = 0; left.length > 0 && look < LOOKS_MAX; look += 1) {
    await wait(LOOK_AGAIN_MS);
    await endPauses(clerk.app);
    const standings = await readStandings(
      clerk.app,
      left.map(({ one }) => one.pkid),
    );
    const open = await readOpen(clerk.app);
    const now = performance.now();
    for (const { one } of left) {
      askAgain(one, mortals);
      if (one.flow.isApproved === true) await approve(sandbox.url, standings.get(one.pkid) ?? null, approved);
    }
    const putOff = left.flatMap(({ one }) => {
      const standing = standings.get(one.pkid) ?? null;
      const isLeft = endsInProcess(one.flow) && one.client.hints >= HINTS_OF_ENDLESS && isCalm(one, standing, open);
      return standing?.isPutOff === true && !isLeft ? [one] : [];
    });
    for (const one of putOff.toSorted(byLastHint).slice(0, HINTS_MAX)) {
      one.client.lastHint = look;
      one.client.hints += 1;
      await hint(clerk.app, one);
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
export async function lastLook(clerk: App, cases: readonly Named[]) {
  const pkids = cases.map(({ pkid }) => pkid);
  for (let look = 0; ; look += 1) {
    const standings = await readStandings(clerk, pkids);
    const open = await readOpen(clerk);
    const isQuiet = cases.every((one) => isCalm(one, standings.get(one.pkid) ?? null, open));
    if (isQuiet || look >= LAST_LOOKS_MAX) return { standings, open };
    await wait(LOOK_AGAIN_MS);
    await endPauses(clerk);
  }
}

/** Of deliveries the leases of who died, and of events the pause that they took with their payment, which has ended. */
async function endPauses({ db }: App): Promise<void> {
  await sql`UPDATE delivery SET due_at = clock_timestamp()
    WHERE leased AND last_attempt_at < clock_timestamp() - make_interval(secs => ${DELIVERY_LEASE_MS / 1000})
      AND due_at > clock_timestamp()`.execute(db.sql);
  await sql`UPDATE provider_event e SET due_at = clock_timestamp()
    WHERE e.due_at > clock_timestamp() + make_interval(secs => ${EVENT_PAUSE_MS / 1000})
      AND EXISTS (SELECT FROM (SELECT pkid, final_at FROM refund UNION ALL SELECT pkid, final_at FROM payout
                               UNION ALL SELECT pkid, final_at FROM payin) o
                  WHERE o.pkid = e.pkid AND o.final_at IS NOT NULL)`.execute(db.sql);
}

/** It has come to rest as it may end, and what the provider does afterwards has been done and heard of. */
export function isCalm({ flow, pkid, client }: Named, standing: Standing | null, open: Open): boolean {
  const isAnswered = client.answered === flow.requests.length && client.askingAt === null;
  if (!isAnswered || standing === null || open.pkids.has(pkid)) return false;
  const end = endAs(flow, standing.status);
  if (end?.status === 'in_process' && end.review !== undefined) return standing.reviewReason === end.review;
  if (!standing.isResting) return false;
  if (standing.status === 'in_process') return end !== undefined || standing.reviewReason !== null;
  if (end?.status !== 'succeeded' || end.after === undefined) return true;
  return standing.isReturned || standing.refunds.length > 0 || open.decided.has(pkid);
}

function byLastHint(one: Named, other: Named): number {
  return one.client.lastHint - other.client.lastHint;
}

/** Of what never ends, each further look would only disturb its calm. */
function endsInProcess({ ends }: Flow): boolean {
  return ends.every(({ status }) => status === 'in_process');
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
