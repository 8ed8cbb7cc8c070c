// What an operator can do to the queue in a board: pause it, throw away what waits, let it run again. Of what was
// accepted meanwhile nothing is left but its row.

import { setTimeout as wait } from 'node:timers/promises';
import { openQueues, type Queues } from '../src/runtime/queue.ts';
import type { Stage } from './stage.ts';

const OPERATION_QUEUES = ['transfer', 'payout', 'payin', 'refund'] as const;
/** The client asks for something several times a second. */
const FILLS_WITHIN_MS = 8_000;
const LOOK_EVERY_MS = 10;
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Returns how many jobs it has thrown away. */
export async function emptyQueue({ postgres, redis }: Pick<Stage, 'postgres' | 'redis'>): Promise<number> {
  const redisUrl = redis === null ? null : `redis://127.0.0.1:${redis.port}`;
  const databaseUrl = postgres.urlAt(postgres.port());
  const queues = await openQueues({ redisUrl, databaseUrl, names: OPERATION_QUEUES, log: SILENT });
  const each = queues.board();
  try {
    await Promise.all(each.map((queue) => queue.pause()));
    const giveUpAt = Date.now() + FILLS_WITHIN_MS;
    while ((await waitingIn(queues)) === 0 && Date.now() < giveUpAt) await wait(LOOK_EVERY_MS);
    const count = await waitingIn(queues);
    await Promise.all(each.map((queue) => queue.drain()));
    return count;
  } finally {
    await Promise.all(each.map((queue) => queue.resume()));
    await queues.close();
  }
}

/** Looked at one by one: what waits in a paused queue is counted as something else on PostgreSQL. */
async function waitingIn(queues: Queues): Promise<number> {
  return (await Promise.all(queues.board().map((queue) => queue.getWaiting()))).flat().length;
}
