// `npm run chaos`: the fault test of docs/reliability.md. Progress goes to stderr, the report to stdout.

import { inspect } from 'node:util';
import { HELP, type Options, readOptions, UsageError } from './options.ts';
import { exitCodeOf, reportJson, reportText } from './report.ts';
import { runChaos } from './run.ts';
import type { Stage } from './stage.ts';

const USAGE = 2;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = optionsOrNull();
  if (options === null) return USAGE;
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  let stage: Stage | null = null;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void (stage?.stop({ keep: false }) ?? Promise.resolve()).finally(interrupted));
  }
  const outcome = await runChaos(options, {
    say: (line) => process.stderr.write(`chaos: ${line}\n`),
    onStage: (opened) => {
      stage = opened;
    },
  });
  process.stdout.write(options.json ? reportJson(outcome) : reportText(outcome));
  return exitCodeOf(outcome);
}

function optionsOrNull(): Options | 'help' | null {
  try {
    return readOptions(process.argv.slice(2)) ?? 'help';
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nnpm run chaos -- --help says more.\n`);
    return null;
  }
}

/** What is still starting is ended by the guard once this process is gone. */
function interrupted(): void {
  process.exit(INTERRUPTED);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`chaos: ${inspect(error)}\n`);
    process.exit(1);
  },
);
