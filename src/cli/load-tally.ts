// What a load has seen so far, and how it is told: one line while it runs, a table and JSON at its end.

import { createLatency, type Latency } from './load-latency.ts';
import type { Outcome } from './load-operation.ts';
import { LOAD_KINDS, type LoadKind } from './load-plan.ts';

export interface KindReport {
  readonly sent: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly refused: number;
  readonly late: number;
  readonly lost: number;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
  readonly p99_ms: number | null;
  readonly max_ms: number | null;
}

export interface LoadReport {
  readonly ok: boolean;
  readonly run: string;
  readonly rate: number;
  readonly seconds: number;
  /** From the first arrival until the last end, and the ends a second in it. */
  readonly elapsed_seconds: number;
  readonly finals_per_second: number;
  /** Whether the last ended about when the sending did; if not, what came in waited. */
  readonly rate_reached: boolean;
  readonly kinds: Partial<Record<LoadKind, KindReport>>;
  /** How often each was seen, of what was tried again and of what it ended with. */
  readonly errors: Readonly<Record<string, number>>;
}

/** An operation may take this long without anybody having waited, and a tenth of the run more. */
const TAIL_SECONDS = 1;
const TAIL_SHARE = 0.1;

type Counts = Record<Outcome['type'] | 'sent', number> & { readonly latency: Latency };

export interface LoadTally {
  sent(kind: LoadKind): void;
  ended(kind: LoadKind, outcome: Outcome, latencyMs: number): void;
  error(code: string): void;
  line(elapsedMs: number): string;
  report(run: { runId: string; perSecond: number; seconds: number; elapsedMs: number }): LoadReport;
}

export function createLoadTally(): LoadTally {
  const byKind: Record<LoadKind, Counts> = { transfers: newCounts(), payouts: newCounts() };
  const errors = new Map<string, number>();
  const note = (code: string) => errors.set(code, (errors.get(code) ?? 0) + 1);
  const sum = (name: Exclude<keyof Counts, 'latency'>) =>
    LOAD_KINDS.reduce((total, kind) => total + byKind[kind][name], 0);
  const unwanted = () => sum('failed') + sum('refused') + sum('late') + sum('lost');

  return {
    sent(kind) {
      byKind[kind].sent += 1;
    },
    ended(kind, outcome, latencyMs) {
      byKind[kind][outcome.type] += 1;
      if ('code' in outcome) note(`${outcome.type}: ${outcome.code}`);
      if (outcome.type === 'succeeded') byKind[kind].latency.record(latencyMs);
    },
    error: note,
    line(elapsedMs) {
      const open = sum('sent') - sum('succeeded') - unwanted();
      const p99 = LOAD_KINDS.filter((kind) => byKind[kind].sent > 0).map(
        (kind) => `${kind} p99 ${byKind[kind].latency.quantile(0.99) ?? '-'} ms`,
      );
      const seconds = (elapsedMs / 1_000).toFixed(0);
      const counts = [`${sum('sent')} sent`, `${sum('succeeded')} final`, `${open} open`, `${unwanted()} not well`];
      return [`${seconds} s`, ...counts, ...p99].join('  ');
    },
    report({ runId, perSecond, seconds, elapsedMs }) {
      const present = LOAD_KINDS.filter((kind) => byKind[kind].sent > 0);
      return {
        ok: unwanted() === 0 && sum('succeeded') === sum('sent'),
        run: runId,
        rate: perSecond,
        seconds,
        elapsed_seconds: Math.round(elapsedMs) / 1_000,
        finals_per_second: Math.round((sum('succeeded') + sum('failed')) / (elapsedMs / 1_000)),
        rate_reached: elapsedMs <= (seconds * (1 + TAIL_SHARE) + TAIL_SECONDS) * 1_000,
        kinds: Object.fromEntries(present.map((kind) => [kind, kindReport(byKind[kind])])),
        errors: Object.fromEntries([...errors].toSorted(([, one], [, other]) => other - one)),
      };
    },
  };
}

export function loadSummary(report: LoadReport): string {
  const { kinds, errors, run, rate, elapsed_seconds: elapsed, finals_per_second: finals } = report;
  const head = ['kind', 'sent', 'succeeded', 'failed', 'refused', 'late', 'lost', 'p50', 'p95', 'p99', 'max ms'];
  const rows = Object.entries(kinds).map(([kind, one]) => [
    kind,
    ...[one.sent, one.succeeded, one.failed, one.refused, one.late, one.lost].map(String),
    ...[one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms].map((ms) => (ms === null ? '-' : ms.toFixed(1))),
  ]);
  const said = Object.entries(errors).map(([code, count]) => `  ${count} x ${code}`);
  return [
    `Load ${run}: ${rate}/s asked for, ${finals}/s reached in ${elapsed.toFixed(1)} s. Latency is from due to final.`,
    ...[head, ...rows].map((cells) =>
      cells.map((cell, at) => (at === 0 ? cell.padEnd(10) : cell.padStart(10))).join(''),
    ),
    ...(said.length === 0 ? ['No errors.'] : ['Errors:', ...said]),
    report.ok ? 'Everything that was sent succeeded.' : 'Not everything succeeded.',
    ...(report.rate_reached ? [] : [lateText(report)]),
    '',
  ].join('\n');
}

function lateText({ rate, seconds, elapsed_seconds: elapsed, finals_per_second: finals }: LoadReport): string {
  return (
    `The rate was NOT reached: ${finals}/s instead of ${rate}/s. The last operation was final ` +
    `${(elapsed - seconds).toFixed(1)} s after the sending had ended. Ask for less with --rate, or start more workers.`
  );
}

function newCounts(): Counts {
  return { sent: 0, succeeded: 0, failed: 0, refused: 0, late: 0, lost: 0, latency: createLatency() };
}

function kindReport({ latency, ...counts }: Counts): KindReport {
  return {
    ...counts,
    p50_ms: latency.quantile(0.5),
    p95_ms: latency.quantile(0.95),
    p99_ms: latency.quantile(0.99),
    max_ms: latency.max(),
  };
}
