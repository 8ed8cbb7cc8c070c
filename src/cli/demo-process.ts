// A whole remit for the demo: `remit all` as a child, on a throw-away folder and free ports, with short times. Nothing
// of the caller's environment that could lead it to real money or a real database is passed on.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { environmentValues } from '../runtime/config-variables.ts';

export interface DemoPlace {
  readonly apiUrl: string;
  readonly sandboxUrl: string;
  readonly key: string;
  readonly folder: string;
}

export interface DemoProcess {
  /** Where it is, as soon as it answers. */
  readonly ready: Promise<DemoPlace>;
  /** Ends it, also while it starts, and removes the folder; tells whether nothing is left. */
  stop(): Promise<boolean>;
}

/** Seconds instead of minutes, so that lost answers are cleared up while somebody watches. */
export const DEMO_TIMES = { RECONCILE_MS: '250', LEASE_MS: '3000', PROVIDER_TIMEOUT_MS: '1000' } as const;

/** The first start unpacks and initialises a database. */
const START_TIMEOUT_MS = 90_000;
/** It ends itself within ten seconds. */
const STOP_TIMEOUT_MS = 15_000;
/** Of what it logs, shown when it does not start. */
const LOG_LINES_MAX = 20;

/** `webhookHosts`: where its outgoing webhooks may go, as WEBHOOK_ALLOW_HOSTS says it. */
export function startDemoProcess({ webhookHosts = [] }: { webhookHosts?: readonly string[] } = {}): DemoProcess {
  const folder = mkdtempSync(join(tmpdir(), 'remit-demo-'));
  const key = randomBytes(32).toString('base64url');
  const times = { ...DEMO_TIMES, WEBHOOK_ALLOW_HOSTS: webhookHosts.join(',') };
  const own = { ...times, PORT: '0', REMIT_DATA_DIR: folder, REMIT_BOOTSTRAP_KEY: key, LOG_LEVEL: 'error' };
  const child = spawn(process.execPath, [fileURLToPath(new URL('../main.mjs', import.meta.url)), 'all'], {
    env: { ...environmentWithoutSettings(), ...own },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line) > LOG_LINES_MAX && said.shift());
  let stopping: Promise<boolean> | null = null;

  async function end(): Promise<boolean> {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const timeout = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timeout);
    rmSync(folder, { recursive: true, force: true });
    return child.exitCode === 0 && !existsSync(folder);
  }

  function stop(): Promise<boolean> {
    stopping ??= end();
    return stopping;
  }

  async function place(): Promise<DemoPlace> {
    const apiUrl = await Promise.race([
      addressIn(child.stdout),
      exited.then(() => null),
      new Promise<null>((resolve) => setTimeout(() => resolve(null), START_TIMEOUT_MS).unref()),
    ]);
    if (apiUrl !== null) {
      return { apiUrl, sandboxUrl: readFileSync(join(folder, 'sandbox.address'), 'utf8'), key, folder };
    }
    await stop();
    throw new Error(`remit did not start, or was ended meanwhile. It said:\n${said.join('\n')}`);
  }

  return { ready: place(), stop };
}

/** A DATABASE_URL or a STRIPE_SECRET_KEY of the caller must not reach a demo. */
function environmentWithoutSettings(): NodeJS.ProcessEnv {
  const settings = new Set(Object.keys(environmentValues.shape));
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !settings.has(name) && !name.startsWith('REMIT_')),
  );
}

async function addressIn(output: NodeJS.ReadableStream): Promise<string | null> {
  for await (const line of createInterface({ input: output })) {
    const url = /^API\s+(http:\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  return null;
}
