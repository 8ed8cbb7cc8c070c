// The command line of the bench. What cannot be understood is refused with the way out.

import { parseArgs } from 'node:util';
import { DEFAULT_NAMES, isName, NAMES, type Name, PREFILL_NAMES } from './name.ts';

export type BackendName = 'redis' | 'postgres';

export interface Arguments {
  readonly json: boolean;
  readonly names: readonly Name[];
  /** How long one timed measurement lasts. */
  readonly seconds: number;
  /** Null: Redis where there is one, else PostgreSQL. */
  readonly backends: readonly BackendName[] | null;
  /** How often what is compared is measured in turns; the best of each counts. */
  readonly rounds: number;
  /** Transfers that wait in the queue before a drain. */
  readonly backlog: number;
  /** Entries in the books before anything is measured. */
  readonly prefill: number;
  /** A database that may lose commits is measured too, and said in every row. */
  readonly unsafe: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const SECONDS_DEFAULT = 6;
const SECONDS_MAX = 600;
const ROUNDS_DEFAULT = 3;
const ROUNDS_MAX = 100;
/** What the name `drain_uniform` promises. */
const BACKLOG_DEFAULT = 20_000;
const BACKLOG_MAX = 1_000_000;
const PREFILL_MAX = 100_000_000;

export const USAGE = `Usage: npm run bench -- [options]
  --json             one JSON object a line on stdout, instead of a table
  --only NAME        only these, separated by commas: ${Object.keys(NAMES).join(', ')}
  --seconds S        how long each timed measurement lasts (default ${SECONDS_DEFAULT})
  --rounds R         how often each is measured in turns; the best counts (default ${ROUNDS_DEFAULT})
  --backend B        redis, postgres or both (default: redis where REDIS_URL or a redis-server is, else postgres)
  --backlog N        transfers in the queue before a drain (default ${BACKLOG_DEFAULT})
  --prefill N        entries in the books before anything is measured; also measures ${PREFILL_NAMES.join(', ')}
  --unsafe           measure a database with fsync or synchronous_commit off too
DATABASE_URL and REDIS_URL name servers to measure on; without them throw-away ones are started.`;

export function parseArguments(args: readonly string[]): Arguments | 'help' {
  const values = optionsIn(args);
  if (values.help) return 'help';
  const prefill = wholeNumber('--prefill', values.prefill ?? '0', { min: 0, max: PREFILL_MAX });
  return {
    json: values.json ?? false,
    names: values.only === undefined ? namesByDefault(prefill) : namesIn(values.only),
    seconds: wholeNumber('--seconds', values.seconds ?? String(SECONDS_DEFAULT), { min: 1, max: SECONDS_MAX }),
    rounds: wholeNumber('--rounds', values.rounds ?? String(ROUNDS_DEFAULT), { min: 1, max: ROUNDS_MAX }),
    backends: backendsIn(values.backend),
    backlog: wholeNumber('--backlog', values.backlog ?? String(BACKLOG_DEFAULT), { min: 1, max: BACKLOG_MAX }),
    prefill,
    unsafe: values.unsafe ?? false,
  };
}

function optionsIn(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean' },
        only: { type: 'string' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        backend: { type: 'string' },
        backlog: { type: 'string' },
        prefill: { type: 'string' },
        unsafe: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function namesByDefault(prefill: number): readonly Name[] {
  return prefill > 0 ? [...DEFAULT_NAMES, ...PREFILL_NAMES] : DEFAULT_NAMES;
}

function namesIn(text: string): Name[] {
  return text.split(',').map((word) => {
    const name = word.trim();
    if (isName(name)) return name;
    throw new UsageError(`--only "${name}" is not known. Use one of ${Object.keys(NAMES).join(', ')}.`);
  });
}

function backendsIn(text: string | undefined): readonly BackendName[] | null {
  if (text === undefined) return null;
  if (text === 'both') return ['redis', 'postgres'];
  if (text === 'redis' || text === 'postgres') return [text];
  throw new UsageError(`--backend "${text}" is not known. Use redis, postgres or both.`);
}

function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${option} "${text}" is not usable. Use a whole number from ${min} to ${max}.`);
}
