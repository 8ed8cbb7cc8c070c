// BullMQ on Redis: one connection for adding that fails fast, one for all workers that waits and reconnects for ever.

import { createRedisBackend } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { type Backend, errorListener, type QueueLog, within } from './backend.ts';
import { reasonOf } from './error.ts';
import { addJobs, exchangeJobs } from './redis-jobs.ts';

const CONNECT_TIMEOUT_MS = 5000;
const PING_TIMEOUT_MS = 2000;
const RECONNECT_STEP_MS = 200;
const RECONNECT_MAX_MS = 2000;
/** A socket that is silent this long while a command waits is dead. Above the 10 s that a worker's wait may block. */
const SOCKET_TIMEOUT_MS = 20_000;
const CONNECTION = {
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SOCKET_TIMEOUT_MS,
  keepAlive: 10_000,
  retryStrategy: (attempt: number) => Math.min(RECONNECT_STEP_MS * attempt, RECONNECT_MAX_MS),
} as const satisfies RedisOptions;

/** The braces keep all keys in one slot of a cluster. */
const PREFIX_DEFAULT = '{remit}';

export async function connectRedis(options: { url: string; log: QueueLog; prefix?: string }): Promise<Backend> {
  const { url, log } = options;
  const place = placeOf(url);
  const producer = new Redis(url, { ...CONNECTION, enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  // Every Queue and Worker on a shared connection listens to it.
  producer.setMaxListeners(0);
  let consumer: Redis | null = null;
  // A refused connection is told by event only; connect() says no more than "closed".
  let refusal: Error | undefined;
  const remember = (error: Error) => {
    refusal = error;
  };
  producer.on('error', remember);
  try {
    await within(CONNECT_TIMEOUT_MS, producer.connect(), 'no answer in time');
    assertKeepsJobs(await within(PING_TIMEOUT_MS, producer.info('memory'), 'no answer in time'));
    // Trouble before this is told by the error below, once.
    producer.on('error', errorListener(log, `redis ${place}`));
    producer.off('error', remember);
  } catch (error) {
    producer.disconnect();
    if (error instanceof EvictionError) throw error;
    const reason = reasonOf(refusal ?? error);
    const text =
      `Cannot use Redis at ${place}: ${reason}. ` +
      'Start it, correct REDIS_URL, or unset REDIS_URL to keep the queue in PostgreSQL.';
    throw new (MAY_COME_UP.test(reason) ? RedisAwayError : Error)(text, { cause: error });
  }

  const prefix = options.prefix ?? PREFIX_DEFAULT;
  function connectConsumer(): Redis {
    if (consumer !== null) return consumer;
    // null: a worker's commands wait for Redis to come back instead of failing its jobs.
    consumer = new Redis(url, { ...CONNECTION, maxRetriesPerRequest: null });
    consumer.on('error', errorListener(log, `redis ${place} (workers)`));
    consumer.setMaxListeners(0);
    return consumer;
  }

  return {
    kind: 'redis',
    factory: createRedisBackend,
    prefix,
    trimAlone: null,
    // One connection takes them in turn: what waits is the answer, not Redis.
    addsUnderwayMax: 4,
    producerConnection: producer,
    add: (queue, jobs) => addJobs(producer, { prefix, queue: queue.name, options: queue.defaultJobOptions, jobs }),
    exchange: (queue, exchange) => exchangeJobs(connectConsumer(), { prefix, queue, ...exchange }),
    connectWorker: connectConsumer,
    async ping() {
      await within(PING_TIMEOUT_MS, producer.ping(), `Redis at ${place} does not answer. Check that it runs.`);
    },
    async close() {
      // disconnect, not quit: quit waits for a server that may be hanging.
      producer.disconnect();
      consumer?.disconnect();
    },
  };
}

class EvictionError extends Error {
  override readonly name = 'EvictionError';
}

/** It is not up, or not reached yet; a refused password or a wrong name is not cured by time. */
export class RedisAwayError extends Error {
  override readonly name = 'RedisAwayError';
}

const MAY_COME_UP =
  /ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|LOADING|no answer in time|closed/;

/** A Redis that evicts keys drops jobs and parts of jobs silently, so that queues stand still without any error. */
function assertKeepsJobs(info: string): void {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
  if (policy === 'noeviction') return;
  throw new EvictionError(
    `Redis may evict jobs: its maxmemory-policy is "${policy}". Fix it now with ` +
      '"redis-cli CONFIG SET maxmemory-policy noeviction", and for good with the line ' +
      '"maxmemory-policy noeviction" in redis.conf (managed Redis: its parameter settings).',
  );
}

/** Host and port only: the URL may hold a password. */
function placeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the address in REDIS_URL';
}
