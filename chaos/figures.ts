// The figures of a run, from what was written down: how much was offered and done, how often each fault struck what was
// in flight, which gaps were really met, how long recovery took, and what a client noticed of it.

import { type ClientLine, linesOf } from './client-log.ts';
import { type Evidence, isFinal, PAYMENT_KINDS } from './evidence.ts';
import type { Gap } from './in-flight.ts';
import { type Backend, kindsFor, TIMES } from './schedule.ts';
import type { Stage } from './stage.ts';
import type { Strike } from './strike.ts';

export interface Figures {
  readonly offered: number;
  readonly accepted: number;
  readonly refused: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly in_review: number;
  readonly payments_in_the_books: number;
  /** By kind: how often it happened, and how much was in flight then, by the kind of gap. */
  readonly faults: Readonly<
    Record<string, { readonly times: number; readonly hit: Readonly<Partial<Record<Gap, number>>> }>
  >;
  /** Kinds that never hit anything, and gaps that nothing fell into: then the run proves nothing. */
  readonly missed: readonly string[];
  readonly met: Met;
  /** From the end of a fault until the next operation was settled. */
  readonly next_settled_ms: Spread;
  /** For each operation that was open when a fault struck: from the fault's end until it was final; 0 if before. */
  readonly struck_final_ms: Spread;
  /** Shares of tries and of requests that were answered below 500 in time. */
  readonly availability: { readonly tries: number; readonly with_retries: number };
  readonly ended_by_themselves: readonly string[];
}

/** Gaps that operations really fell into, as their traces show. */
export interface Met {
  /** Committed, but the answer never reached the client, who heard of it by asking again. */
  readonly answer_lost: number;
  /** Accepted, and claimed only when its time had passed: the queue had lost its job. */
  readonly job_lost: number;
  /** A provider was asked, and whoever asked never wrote an answer down. */
  readonly call_unanswered: number;
  /** Of these, money had moved. */
  readonly paid_unanswered: number;
  /** The merchant heard an event again, because the word that it was delivered was lost. */
  readonly event_repeated: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
}

/** What a person would wait for. */
const WITH_RETRIES_MS = 15_000;

export async function figuresOf(
  stage: Stage,
  at: { evidence: Evidence; strikes: readonly Strike[]; backend: Backend },
): Promise<Figures> {
  const { evidence, strikes, backend } = at;
  const { client, operations, book } = evidence;
  const asked = linesOf(client, 'asked').filter(({ kind }) => kind !== 'step' && kind !== 'checkout');
  const operationKeys = new Set(asked.map(({ key }) => key));
  const answers = linesOf(client, 'answered').filter(({ key }) => operationKeys.has(key));
  const faults = faultsByKind(strikes, backend);
  const met = await metGaps(stage, evidence);
  return {
    offered: operationKeys.size,
    accepted: answers.filter(({ status }) => status < 300).length,
    refused: answers.filter(({ status }) => status >= 300).length,
    succeeded: operations.filter(({ status }) => status === 'succeeded').length,
    failed: operations.filter(({ status }) => status === 'failed').length,
    in_review: operations.filter((one) => !isFinal(one) && one.reviewReason !== null).length,
    payments_in_the_books: book.length,
    faults,
    missed: missedOf(faults, met),
    met,
    ...(await recovery(stage, strikes)),
    availability: availabilityOf(client),
    ended_by_themselves: stage.ends(),
  };
}

function faultsByKind(strikes: readonly Strike[], backend: Backend): Figures['faults'] {
  return Object.fromEntries(
    kindsFor(backend).map(({ name }) => {
      const own = strikes.filter(({ fault }) => fault.name === name);
      const hit: Partial<Record<Gap, number>> = {};
      for (const [gap, count] of own.flatMap(({ gaps }) => entriesOf(gaps))) hit[gap] = (hit[gap] ?? 0) + count;
      return [name, { times: own.length, hit }];
    }),
  );
}

/** Gaps that every run is long enough to meet; whether money had moved in one of them is a matter of milliseconds. */
const SURELY_MET = ['answer_lost', 'job_lost', 'call_unanswered'] as const;

export function missedOf(faults: Figures['faults'], met: Met): string[] {
  return [
    ...Object.entries(faults).flatMap(([name, { hit }]) => (Object.keys(hit).length === 0 ? name : [])),
    ...SURELY_MET.filter((name) => met[name] === 0),
  ];
}

function entriesOf(gaps: Strike['gaps']): (readonly [Gap, number])[] {
  const names: Gap[] = ['request', 'statement', 'call', 'command', 'job', 'claimed', 'event'];
  return names.flatMap((name) => ((gaps[name] ?? 0) > 0 ? [[name, gaps[name] ?? 0] as const] : []));
}

/** A transfer is claimed by the commit that ends it. */
const JOBS_LOST = `
  SELECT count(*)::int AS count FROM (
    SELECT o.since, (SELECT min(created_at) FROM status_change WHERE pkid = o.pkid AND number > 1) AS claimed_at
    FROM (SELECT pkid, confirmed_at AS since FROM payout UNION ALL SELECT pkid, confirmed_at FROM payin
          UNION ALL SELECT pkid, confirmed_at FROM refund) o
    UNION ALL SELECT created_at, final_at FROM transfer) claim
  WHERE claimed_at - since >= make_interval(secs => $1)`;
const UNANSWERED = 'SELECT pkid, intent_at AS at FROM provider_call WHERE answered_at IS NULL AND step <> $1';

async function metGaps({ postgres }: Stage, { client, heard, book }: Evidence): Promise<Met> {
  const lost = new Set(
    linesOf(client, 'tried').flatMap(({ key, method, status }) =>
      method === 'POST' && (status === null || status >= 500) ? key : [],
    ),
  );
  const replayed = linesOf(client, 'answered').filter(({ key, isReplay }) => isReplay && lost.has(key));
  const [jobs] = await postgres.query<{ count: number }>(JOBS_LOST, [TIMES.LEASE_MS / 1_000]);
  const calls = await postgres.query<{ pkid: string; at: Date }>(UNANSWERED, ['find']);
  const paidAt = Map.groupBy(book, ({ key }) => key ?? '');
  const paid = calls.filter(({ pkid, at }) =>
    paidAt.get(pkid)?.some((row) => row.at >= at.getTime() && row.at < at.getTime() + TIMES.LEASE_MS),
  );
  const events = heard.flatMap((line) => (line.what === 'heard' ? line.eventId : []));
  return {
    answer_lost: replayed.length,
    job_lost: jobs?.count ?? 0,
    call_unanswered: calls.length,
    paid_unanswered: paid.length,
    event_repeated: events.length - new Set(events).size,
  };
}

const ENDED = `
  SELECT created_at, final_at FROM transfer WHERE final_at IS NOT NULL
  ${PAYMENT_KINDS.map((table) => `UNION ALL SELECT created_at, final_at FROM ${table} WHERE final_at IS NOT NULL`).join(
    ' ',
  )}`;

async function recovery(
  { postgres }: Stage,
  strikes: readonly Strike[],
): Promise<Pick<Figures, 'next_settled_ms' | 'struck_final_ms'>> {
  const rows = await postgres.query<{ created_at: Date; final_at: Date }>(ENDED);
  const ended = rows.map((row) => ({ from: row.created_at.getTime(), to: row.final_at.getTime() }));
  const next = strikes.flatMap(({ to }) => {
    const after = ended.map((one) => one.to).filter((ms) => ms >= to);
    return after.length === 0 ? [] : Math.min(...after) - to;
  });
  const struck = strikes.flatMap(({ from, to }) =>
    ended.filter((one) => one.from <= from && one.to > from).map((one) => Math.max(0, one.to - to)),
  );
  return { next_settled_ms: spreadOf(next), struck_final_ms: spreadOf(struck) };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function availabilityOf(client: readonly ClientLine[]): Figures['availability'] {
  const tries = linesOf(client, 'tried');
  const isAnswered = ({ status }: { status: number | null }) => status !== null && status < 500;
  const askedAt = new Map(linesOf(client, 'asked').map(({ key, at }) => [key, at]));
  const answered = linesOf(client, 'answered').filter(({ key, at }) => at - (askedAt.get(key) ?? 0) < WITH_RETRIES_MS);
  return {
    tries: tries.filter(isAnswered).length / Math.max(1, tries.length),
    with_retries: answered.length / Math.max(1, askedAt.size),
  };
}
