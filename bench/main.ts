// `npm run bench`: measures remit beside the plainest transfer that is as durable. Rows go to stdout, everything else
// to stderr. Exit code 1 when a run lost something, 2 for a wrong command line.

import { parseArguments, USAGE, UsageError } from './arguments.ts';
import { runBench } from './bench.ts';

const USAGE_EXIT = 2;

// Until everything has held: a run that is cut short has proven nothing.
process.exitCode = 1;
try {
  const options = parseArguments(process.argv.slice(2));
  if (options === 'help') process.stdout.write(`${USAGE}\n`);
  else {
    const { DATABASE_URL, REDIS_URL } = process.env;
    await runBench({
      ...options,
      databaseUrl: DATABASE_URL || null,
      redisUrl: REDIS_URL || null,
      out: process.stdout,
      progress: process.stderr,
    });
  }
  process.exitCode = 0;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof UsageError) process.stderr.write(`${USAGE}\n`);
  process.exitCode = error instanceof UsageError ? USAGE_EXIT : 1;
}
