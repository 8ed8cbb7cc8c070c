// What all processes of the crash bench share, and what outlives them: a database, the sandbox with its book, the
// platform that listens, and a clerk, a process that does only what it is told.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sandboxSecrets } from '../../src/cli/sandbox.ts';
import { type Config, readConfig } from '../../src/runtime/config.ts';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { createDatabase } from '../harness/postgres.ts';
import { openReceiver } from '../harness/receiver.ts';
import { redisUrl, startRedis } from '../harness/redis.ts';
import { type Birth, type Mortal, openMortal } from './mortal.ts';

export interface Ground {
  readonly config: Config;
  readonly sandbox: Sandbox;
  readonly clerk: Mortal;
  /** The ids of the messages that the platform has heard. */
  readonly heard: ReadonlySet<string>;
  /** What is done before the cases begin: neither the platform hears of it nor, from its provider, a process. */
  unheard<Done>(act: () => Promise<Done>): Promise<Done>;
  /** Processes side by side; an event of a provider goes to one of them that lives. */
  born(births: readonly Pick<Birth, 'roster' | 'end' | 'role'>[]): Promise<Mortal[]>;
  close(): Promise<void>;
}

/** The send deadline and the time-out lie inside the lease, which is what a crash costs. */
const TIMES = { RECONCILE_MS: '200', LEASE_MS: '1600', PROVIDER_TIMEOUT_MS: '500' };
/** A tenth of such a lease is less than a busy machine needs for the gap between a claim and its call. */
const SEND_DEADLINE_MS = 900;
/** What has died keeps its place. */
const PLACES = 5_000;

export async function openGround(): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'remit-crash-'));
  const database = await createDatabase();
  const events = await openReceiver();
  const platform = await openReceiver();
  // Where there is one, because its jobs cost a third; where they live changes nothing of what dies when.
  const redis = redisUrl() === null ? null : await startRedis();
  const read = readConfig({
    REMIT_DATA_DIR: folder,
    REMIT_UNSAFE_DURABILITY: '1',
    WEBHOOK_ALLOW_HOSTS: new URL(platform.url).host,
    ...(redis !== null && { REDIS_URL: redis.url }),
    ...TIMES,
  });
  const places = Object.fromEntries(Object.keys(read.concurrency).map((name) => [name, PLACES]));
  const concurrency = { ...read.concurrency, ...places };
  const config = { ...read, sandboxWebhookUrl: events.url, sendDeadlineMs: SEND_DEADLINE_MS, concurrency };
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    dataFile: join(folder, 'sandbox.jsonl'),
    webhookUrl: events.url,
    webhookSecrets: sandboxSecrets(config),
  });
  const heard = new Set<string>();
  platform.handTo(async ({ headers }) => void heard.add(headers['webhook-id'] ?? ''));
  const birthplace = { config, databaseUrl: database.url, sandboxUrl: sandbox.url };
  const clerk = await openMortal({ ...birthplace, number: -1, roster: null, role: 'told' });
  const { webhookEndpoints } = clerk.app;
  const { endpoint } = await webhookEndpoints.create({ url: platform.url, events: ['*'] });

  return {
    config,
    sandbox,
    clerk,
    heard,
    async unheard(act) {
      // A crowd of events about what is final already would take the machine from the cases that come.
      events.handTo(async () => undefined);
      await webhookEndpoints.disable(endpoint.endpointId);
      const done = await act();
      await webhookEndpoints.enable(endpoint.endpointId);
      return done;
    },
    async born(births) {
      const mortals = await Promise.all(births.map((birth, number) => openMortal({ ...birthplace, ...birth, number })));
      let turn = 0;
      events.handTo(async (delivery) => {
        turn += 1;
        for (const mortal of [...mortals.slice(turn % mortals.length), ...mortals.slice(0, turn % mortals.length)]) {
          if (await mortal.receive(delivery)) return;
        }
        // The sandbox sends it again.
        throw new Error('Nobody is there to take it.');
      });
      return mortals;
    },
    async close() {
      events.close();
      platform.close();
      await clerk.kill();
      await sandbox.close();
      await redis?.stop();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
