// A worker process for the tests to kill: it takes one job, says so, and never ends it.

import { openQueues } from '../../src/runtime/queue.ts';
import { silent } from './queue-servers.ts';

const [redisUrl = '', databaseUrl = '', lockDurationMs = '1000'] = process.argv.slice(2);
const queues = await openQueues({ redisUrl: redisUrl || null, databaseUrl, names: ['payout'], log: silent });
await queues.work('payout', {
  concurrency: 1,
  lockDurationMs: Number(lockDurationMs),
  process: async (job) => {
    process.stdout.write(`took ${job.id}\n`);
    await new Promise(() => undefined);
  },
});
