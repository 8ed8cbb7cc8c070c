// The report for people: what was done, what was broken, what it hit, and what did not hold.

import { CHECKS, type Check, type Violation } from './evidence.ts';
import type { Figures } from './figures.ts';
import type { Options } from './options.ts';

export interface Outcome {
  readonly options: Options;
  readonly figures: Figures;
  readonly violations: readonly Violation[];
  /** Where the logs are, when something did not hold. */
  readonly folder: string | null;
}

/** The counts that everything is about, also when they are zero. */
const HEADLINES: readonly Check[] = ['lost', 'doubled', 'paid_but_failed', 'orphan'];
const NAMED_MAX = 20;

export function isPassed({ figures, violations }: Pick<Outcome, 'figures' | 'violations'>): boolean {
  return violations.length === 0 && figures.missed.length === 0;
}

/** A run that met nothing at some fault has disproved nothing, and proved nothing: it is to be run again. */
const VOID_EXIT = 3;

export function exitCodeOf({ figures, violations }: Pick<Outcome, 'figures' | 'violations'>): number {
  if (violations.length > 0) return 1;
  return figures.missed.length > 0 ? VOID_EXIT : 0;
}

export function reportJson(outcome: Outcome): string {
  const { options, figures, violations, folder } = outcome;
  const headlines = Object.fromEntries(HEADLINES.map((check) => [check, countOf(violations, check)]));
  const { seed, seconds, backend } = options;
  const asked = { seed, seconds, backend };
  return `${JSON.stringify({ ok: isPassed(outcome), ...asked, ...headlines, ...figures, violations, folder })}\n`;
}

export function reportText(outcome: Outcome): string {
  const { options, figures, violations, folder } = outcome;
  const { met, next_settled_ms: next, struck_final_ms: struck, availability } = figures;
  const lines = [
    `chaos: seed ${options.seed}, ${options.seconds} s of faults, queue on ${options.backend}`,
    '',
    `operations  ${figures.offered} offered, ${figures.accepted} accepted, ${figures.refused} refused at the door; ` +
      `${figures.succeeded} succeeded, ${figures.failed} failed, ${figures.in_review} in review`,
    `books       ${figures.payments_in_the_books} movements at the providers`,
    '',
    'fault                  times  in flight when it struck',
    ...Object.entries(figures.faults).map(([name, { times, hit }]) => {
      const hits = Object.entries(hit).map(
        ([gap, count]) => `${count} ${gap}${count === 1 || gap === 'claimed' ? '' : 's'}`,
      );
      return `${name.padEnd(22)} ${String(times).padStart(5)}  ${hits.join(', ') || 'NOTHING'}`;
    }),
    '',
    'gaps that operations really fell into, by their traces:',
    `  ${met.answer_lost} committed, and the answer lost; ${met.job_lost} accepted, and the job lost`,
    `  ${met.call_unanswered} provider calls never answered to us, ${met.paid_unanswered} of them had moved money`,
    `  ${met.event_repeated} events told again`,
    '',
    `recovery    from a fault's end to the next settled operation: p50 ${next.p50} ms, p99 ${next.p99} ms`,
    `            to the end of an operation that was open when it struck: p50 ${struck.p50} ms, p99 ${struck.p99} ms`,
    `available   ${percent(availability.tries)} of tries answered in time, ${percent(availability.with_retries)} of ` +
      'requests within 15 s of retries',
    ...figures.ended_by_themselves.map((end) => `note        ${end}; it was started again`),
    '',
    ...HEADLINES.map((check) => `${check.padEnd(16)} ${countOf(violations, check)}`),
    '',
    ...verdictLines({ figures, violations, folder }),
  ];
  return `${lines.join('\n')}\n`;
}

function verdictLines({ figures, violations, folder }: Omit<Outcome, 'options'>): string[] {
  if (isPassed({ figures, violations })) return ['Everything held.'];
  const byCheck = Map.groupBy(violations, ({ check }) => check);
  const found = [...byCheck].flatMap(([check, own]) => [
    `VIOLATED ${check} (${own.length}): ${CHECKS[check]}`,
    ...own.slice(0, NAMED_MAX).map(({ key, detail }) => `  ${key}: ${detail}`),
    ...(own.length > NAMED_MAX ? [`  ... and ${own.length - NAMED_MAX} more`] : []),
  ]);
  const missed = figures.missed.map((name) => `VOID: ${name} met nothing, so this run proves nothing about it`);
  return [...found, ...missed, `Data and logs: ${folder}`];
}

function countOf(violations: readonly Violation[], check: Check): number {
  return violations.filter((one) => one.check === check).length;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
