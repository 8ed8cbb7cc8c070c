// `npm run mutants`: the test of the tests. Progress goes to stderr, what came of it to stdout.

import { fileURLToPath } from 'node:url';
import { type Arguments, parseArguments, USAGE, UsageError } from './arguments.ts';
import { openCopy } from './copy.ts';
import { MUTANTS } from './list.ts';
import { exitCodeOf, lineOf, listJson, listText, reportJson, tallyOf } from './report.ts';
import { refuseUnfit, tryMutants } from './run.ts';
import { openSuite } from './suite.ts';

const FAILED = 1;
const USAGE_EXIT = 2;
const INTERRUPTED = 130;
const source = fileURLToPath(new URL('../', import.meta.url));

async function main(): Promise<number> {
  const asked = parseArguments(process.argv.slice(2), MUTANTS);
  if (asked === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  refuseUnfit(asked.mutants, source);
  if (!asked.list) return tryAll(asked);
  process.stdout.write(asked.json ? listJson(asked.mutants) : listText(asked.mutants));
  return 0;
}

async function tryAll({ mutants, json }: Arguments): Promise<number> {
  const copy = openCopy(source);
  const suite = openSuite(copy);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void suite.stop().finally(() => process.exit(INTERRUPTED)));
  }
  // Whichever way this process ends of its own will, its copy goes with it.
  process.once('exit', () => copy.remove());
  const all = await tryMutants(mutants, {
    copy,
    suite,
    say: (line) => process.stderr.write(`mutants: ${line}\n`),
    onTried: (tried) => json || process.stdout.write(lineOf(tried)),
  });
  process.stdout.write(json ? reportJson(all) : tallyOf(all));
  return exitCodeOf(all);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`mutants: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof UsageError ? USAGE_EXIT : FAILED);
  },
);
