// What may be asked of a run, and what is said about it.

import { parseArgs } from 'node:util';

export interface Options {
  readonly seed: number;
  /** How long faults happen; starting before, and calm and judgement after it, come on top. */
  readonly seconds: number;
  readonly backend: 'redis' | 'postgres';
  readonly json: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const HELP = `npm run chaos -- [options]

Runs remit as separate processes under a careful client, breaks everything that can break, then compares the client's
log, the ledger and the providers' own book. Needs redis-server on PATH for --backend redis. Loopback only.

  --seed N           which operations and which faults, when and on whom   (default: drawn, and printed)
  --seconds S        how long faults happen, 20 to 3600                    (default 150)
  --backend B        redis or postgres: where the queue lives              (default redis)
  --json             one JSON object on stdout instead of the report
  --help             this text

Exit code 0: everything held, nothing is left behind. 1: a violation. 3: no violation, but a fault that hit nothing, so
that the run proves nothing: run it again, with another seed. The folder with all logs is then kept and named. 2: wrong
usage.
`;

const SECONDS_MIN = 20;
const SECONDS_MAX = 3_600;

/** Null: only the help is wanted. */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parsed(args);
  if (values.help === true) return null;
  const { backend = 'redis' } = values;
  if (backend !== 'redis' && backend !== 'postgres') throw new UsageError('--backend is redis or postgres.');
  return {
    seed: wholeOf('--seed', values.seed ?? String(Date.now() % 1_000_000), { min: 0, max: Number.MAX_SAFE_INTEGER }),
    seconds: wholeOf('--seconds', values.seconds ?? '150', { min: SECONDS_MIN, max: SECONDS_MAX }),
    backend,
    json: values.json === true,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { seed: text, seconds: text, backend: text, json: flag, help: flag } as const;
  try {
    return parseArgs({ args: [...args], options, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeOf(name: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${name} is a whole number from ${min} to ${max}.`);
}
