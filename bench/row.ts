// A row of the bench: a figure beside what it is compared with. JSON and the table for people show the same rows.

import type { BackendName } from './arguments.ts';
import { NAMES, type Name } from './name.ts';

export interface Row {
  readonly name: Name;
  readonly unit: string;
  readonly value: number;
  readonly baseline: number | null;
  /** value / baseline: above one is more of what the unit counts. */
  readonly ratio: number | null;
  readonly p50_ms?: number;
  readonly p99_ms?: number;
  readonly backend: BackendName;
  readonly cores: number;
  /** Only where the database may lose commits. */
  readonly unsafe?: true;
  readonly note: string;
}

export interface Figure {
  readonly name: Name;
  readonly value: number;
  readonly baseline: number | null;
  readonly p50Ms?: number | null;
  readonly p99Ms?: number | null;
  /** What was seen besides; the name's meaning is said anyhow. */
  readonly note?: string;
}

export interface Place {
  readonly backend: BackendName;
  readonly cores: number;
  readonly isUnsafe: boolean;
}

export function rowOf(figure: Figure, { backend, cores, isUnsafe }: Place): Row {
  const { name, value, baseline, p50Ms, p99Ms, note } = figure;
  const { unit, meaning } = NAMES[name];
  return {
    name,
    unit,
    value: shortened(value),
    baseline: baseline === null ? null : shortened(baseline),
    ratio: baseline === null || baseline === 0 ? null : Math.round((value / baseline) * 100) / 100,
    ...(p50Ms === undefined || p50Ms === null ? {} : { p50_ms: shortened(p50Ms) }),
    ...(p99Ms === undefined || p99Ms === null ? {} : { p99_ms: shortened(p99Ms) }),
    backend,
    cores,
    ...(isUnsafe ? { unsafe: true } : {}),
    note: note === undefined ? meaning : `${meaning}; ${note}`,
  };
}

/** Short repeats on a shared machine: what others took away in one is not taken in all. */
export function best(values: readonly number[]): number {
  return Math.max(...values);
}

export function tableLine(row: Row): string {
  const { name, unit, value, baseline, ratio, p50_ms, p99_ms, backend, cores, unsafe, note } = row;
  const numbers = [value, baseline, ratio, p50_ms, p99_ms].map((number) => (number ?? '-').toString());
  return lineOf([name, unit, ...numbers, backend, String(cores), unsafe ? `UNSAFE ${note}` : note]);
}

const WIDTHS = [18, 12, 9, 9, 7, 8, 8, 9, 6, 0] as const;
/** The name, the unit and the words; the rest are numbers, which stand at the right. */
const WORDS = new Set([0, 1, 7, 9]);

function lineOf(cells: readonly string[]): string {
  return cells
    .map((cell, at) => (WORDS.has(at) ? cell.padEnd(WIDTHS[at] ?? 0) : cell.padStart(WIDTHS[at] ?? 0)))
    .join('  ')
    .trimEnd();
}

export const TABLE_HEAD = lineOf([
  'name',
  'unit',
  'value',
  'baseline',
  'ratio',
  'p50 ms',
  'p99 ms',
  'queue',
  'cores',
  'note',
]);

/** Three significant digits at least, and no more behind the point than anybody reads. */
function shortened(value: number): number {
  if (value >= 100) return Math.round(value);
  return Math.round(value * 100) / 100;
}
