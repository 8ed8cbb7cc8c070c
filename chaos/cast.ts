// How each process of the run is started: its command, its settings, and how it says that it is ready.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Child, childOf, type Recipe } from './child.ts';
import type { Guard } from './guard.ts';
import type { Options } from './options.ts';
import { TIMES, WRONG_CLOCK_WORKER } from './schedule.ts';

export interface CastOptions {
  readonly options: Options;
  readonly folder: string;
  readonly logs: string;
  readonly guard: Guard;
  readonly key: string;
  readonly ports: { readonly sandbox: number; readonly receiver: number; readonly webhooks: number };
  readonly files: { readonly clientLog: string; readonly heardLog: string };
}

export interface Paths {
  readonly databaseUrl: string;
  readonly redisPort: number | null;
  readonly sandboxPort: number;
  /** Null for a worker. */
  readonly apiPort: number | null;
}

export type Cast = ReturnType<typeof castOf>;

/** From one beginning of a story to the next. */
const STORY_MS = 200;
const MIGRATE_MS = 60_000;

export function castOf({ options, folder, logs, guard, key, ports, files }: CastOptions) {
  const made: Child[] = [];
  let clockShiftMs = 0;
  const webhookUrl = `http://127.0.0.1:${ports.webhooks}/webhooks`;

  const times = Object.fromEntries(Object.entries(TIMES).map(([name, ms]) => [name, String(ms)]));
  const settings = {
    PATH: process.env.PATH ?? '',
    REMIT_DATA_DIR: folder,
    REMIT_BOOTSTRAP_KEY: key,
    LOG_FORMAT: 'json',
    WEBHOOK_ALLOW_HOSTS: `127.0.0.1:${ports.receiver}`,
    SQUARE_NOTIFICATION_URL: `${webhookUrl}/square`,
    ...times,
  };

  function child(recipe: Pick<Recipe, 'name' | 'args' | 'env' | 'ready'> & Partial<Recipe>): Child {
    const one = childOf({ command: process.execPath, logs, guard, ...recipe });
    made.push(one);
    return one;
  }

  const clockArgs = (name: string) =>
    name === WRONG_CLOCK_WORKER && clockShiftMs !== 0 ? ['--import', pathOf('./wrong-clock.ts')] : [];

  return {
    all: (): readonly Child[] => made,
    setClockShift(ms: number) {
      clockShiftMs = ms;
    },

    sandbox: (onReady: () => Promise<void>) =>
      child({
        name: 'sandbox',
        args: () => [MAIN, 'sandbox', '--port', String(ports.sandbox), '--webhook-url', webhookUrl],
        env: () => settings,
        ready: /^Sandbox /m,
        onReady,
      }),

    async migrate(databaseUrl: string): Promise<void> {
      const env = { ...settings, DATABASE_URL: databaseUrl };
      const migrating = spawn(process.execPath, [MAIN, 'migrate'], { env, stdio: 'ignore', timeout: MIGRATE_MS });
      const [code] = await once(migrating, 'exit');
      if (code !== 0) throw new Error(`remit migrate ended with ${code}.`);
    },

    member: (name: string, { databaseUrl, redisPort, sandboxPort, apiPort }: Paths) =>
      child({
        name,
        args: () => [...clockArgs(name), MAIN, apiPort === null ? 'worker' : 'api'],
        env: () => ({
          ...settings,
          DATABASE_URL: databaseUrl,
          ...(redisPort !== null && { REDIS_URL: `redis://127.0.0.1:${redisPort}` }),
          SANDBOX_PORT: String(sandboxPort),
          ...(apiPort !== null && { PORT: String(apiPort) }),
          CLOCK_SHIFT_MS: String(clockShiftMs),
        }),
        ready: apiPort === null ? /^Worker /m : /^API /m,
      }),

    receiver: (secret: string) =>
      child({
        name: 'receiver',
        args: () => [pathOf('./receiver.ts')],
        env: () => ({
          PORT: String(ports.receiver),
          CHAOS_SECRET: secret,
          CHAOS_SEED: String(options.seed),
          CHAOS_HEARD_LOG: files.heardLog,
        }),
        ready: /^Receiver /m,
      }),

    client: ({ urls, beganAt }: { urls: readonly string[]; beganAt: () => number }) =>
      child({
        name: 'client',
        args: () => [pathOf('./client.ts')],
        env: () => ({
          CHAOS_SEED: String(options.seed),
          CHAOS_SECONDS: String(options.seconds),
          CHAOS_STORY_MS: String(STORY_MS),
          CHAOS_BEGAN_AT: String(beganAt()),
          CHAOS_URLS: urls.join(','),
          CHAOS_KEY: key,
          CHAOS_CLIENT_LOG: files.clientLog,
        }),
        ready: /^Client /m,
        mayEnd: true,
      }),
  };
}

const MAIN = pathOf('../src/main.mjs');

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
