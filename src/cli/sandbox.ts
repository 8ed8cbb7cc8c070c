// `remit sandbox`, and the sandbox as a child process of `npm start`. It has a process, a port and a file of its own,
// tells its port in the data folder, and ends with its parent.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Config, readConfig } from '../runtime/config.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import { startSandbox } from '../sandbox/server.ts';
import { makeDataFolder } from './data-folder.ts';

export interface SandboxProcess {
  readonly url: string;
  close(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 3_000;
const PORTS_TRIED_MAX = 50;

/** The command: runs until it is told to stop, or until the process that forked it is gone. */
export async function runSandbox({ port, webhookUrl }: { port?: number; webhookUrl?: string }): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  makeDataFolder(config.dataDir);
  const sandbox = await startSandbox({
    port: port ?? config.sandboxPort ?? 0,
    host: '127.0.0.1',
    dataFile: join(config.dataDir, 'sandbox.jsonl'),
    webhookUrl: webhookUrl ?? `http://${config.host}:${config.port}/webhooks`,
    webhookSecrets: {
      stripe: config.stripe.webhookSecrets[0] ?? '',
      demobank: config.demobank.webhookSecrets[0] ?? '',
    },
    log: (line) => log.warn({ reason: line }, 'sandbox'),
  });
  writeFileSync(addressFile(config), sandbox.url);
  const shutdown = createShutdown({ log, graceMs: config.shutdownGraceMs });
  shutdown.add('sandbox', async () => {
    await sandbox.close();
    rmSync(addressFile(config), { force: true });
  });
  shutdown.onSignal();
  if (process.send === undefined) {
    process.stdout.write(`Sandbox  ${sandbox.url}\n`);
    return;
  }
  process.send({ url: sandbox.url });
  process.on('disconnect', () => void shutdown.run('parent ended').finally(() => process.exit()));
}

/** Starts the sandbox as a child; null when every provider is real. */
export async function forkSandbox(
  config: Config,
  { apiPort, log }: { apiPort: number; log: Logger },
): Promise<SandboxProcess | null> {
  if (config.stripe.live && config.stripe.baseUrl === null) return null;
  const webhookUrl = `http://127.0.0.1:${apiPort}/webhooks`;
  // Next to a port that the system chose, the system may give the next one away at any moment.
  const port = config.sandboxPort ?? (config.port === 0 ? 0 : await nextFreePort(apiPort + 1));
  const main = new URL('../main.ts', import.meta.url).pathname;
  // Its own comings and goings are the parent's to tell.
  const logLevel = config.logLevel === 'info' ? 'warn' : config.logLevel;
  const child = fork(main, ['sandbox', '--port', String(port), '--webhook-url', webhookUrl], {
    env: { ...process.env, REMIT_DATA_DIR: config.dataDir, LOG_LEVEL: logLevel },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Ctrl-C reaches the whole group; the sandbox must answer until the workers have ended.
    detached: true,
  });
  const exited = once(child, 'exit');
  const url = await Promise.race([
    once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).then(([message]) => urlIn(message)),
    exited.then(() => null),
  ]);
  if (url === null) throw new Error(`The sandbox did not start on port ${port}. Set SANDBOX_PORT to a free port.`);
  child.on('exit', (code) => {
    if (child.connected) log.error({ reason: `exit ${code}` }, 'the sandbox ended; restart remit to get it back');
  });
  return {
    url,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      const isGone = await Promise.race([exited.then(() => true), wait(STOP_TIMEOUT_MS).then(() => false)]);
      if (!isGone) child.kill('SIGKILL');
    },
  };
}

/** For processes that start without a sandbox of their own: where the one of this data folder listens. */
export function findSandbox(config: Config): string | null {
  if (config.stripe.live && config.stripe.baseUrl === null) return null;
  if (config.sandboxPort !== null) return `http://127.0.0.1:${config.sandboxPort}`;
  try {
    return readFileSync(addressFile(config), 'utf8');
  } catch {
    throw new Error(
      'No sandbox runs on this data folder, and no provider credentials are set. ' +
        'Start "npm run remit -- sandbox" first, set SANDBOX_PORT, or set STRIPE_SECRET_KEY.',
    );
  }
}

async function nextFreePort(first: number): Promise<number> {
  for (let port = first; port < first + PORTS_TRIED_MAX; port += 1) {
    const probe = createServer();
    probe.listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) await new Promise((resolve) => probe.close(resolve));
    if (isFree) return port;
  }
  throw new Error(`No free port for the sandbox from ${first} on. Set SANDBOX_PORT to one that is free.`);
}

function addressFile(config: Config): string {
  return join(config.dataDir, 'sandbox.address');
}

function urlIn(message: unknown): string | null {
  const isNamed = typeof message === 'object' && message !== null && 'url' in message;
  return isNamed && typeof message.url === 'string' ? message.url : null;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
