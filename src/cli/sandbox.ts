// `remit sandbox`, and the sandbox as a child process of `npm start`. It has a process, a port and a file of its own,
// tells its port in the data folder, and ends with its parent.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Config, readConfig } from '../runtime/config.ts';
import { isReal, REAL_PROVIDERS, realProviders } from '../runtime/config-providers.ts';
import { createLogger, type Logger } from '../runtime/logger.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import { type SandboxOptions, startSandbox } from '../sandbox/server.ts';
import { makeDataFolder } from './data-folder.ts';

export interface SandboxProcess {
  readonly url: string;
  /** Where it sends its events; part of what Square's signature covers. */
  readonly webhookUrl: string;
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
    webhookUrl: webhookUrl ?? config.sandboxWebhookUrl,
    webhookSecrets: sandboxSecrets(config),
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
  const end = () => void shutdown.run('parent ended').finally(() => process.exit());
  process.on('disconnect', end);
  // A parent that gave up meanwhile hears nothing any more.
  process.send({ url: sandbox.url }, (error: Error | null) => {
    if (error !== null) end();
  });
}

/** What the sandbox signs its events with. For a real account it gets nothing: it could forge that one's events. */
export function sandboxSecrets({ stripe, paypal, square, demobank }: Config): SandboxOptions['webhookSecrets'] {
  return {
    ...(isReal(stripe) ? {} : { stripe: stripe.webhookSecrets[0] ?? '' }),
    // PayPal signs with a certificate of its own; the id of our webhook is part of what it signs.
    ...(isReal(paypal) ? {} : { paypal: paypal.webhookId }),
    ...(isReal(square) ? {} : { square: square.signatureKeys[0] ?? '' }),
    // Tipalti signs nothing and is asked instead.
    demobank: demobank.webhookSecrets[0] ?? '',
  };
}

/** Starts the sandbox as a child; null when every provider is real. */
export async function forkSandbox(
  config: Config,
  { apiPort, log }: { apiPort: number; log: Logger },
): Promise<SandboxProcess | null> {
  if (sandboxed(config).length === 0) return null;
  warnOfMixture(config, log);
  const events = new URL(config.sandboxWebhookUrl);
  events.port = String(apiPort);
  const webhookUrl = events.href;
  // Next to a port that the system chose, the system may give the next one away at any moment.
  const port = config.sandboxPort ?? (config.port === 0 ? 0 : await nextFreePort(apiPort + 1));
  const main = new URL('../main.mjs', import.meta.url).pathname;
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
    once(child, 'message', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }).then(
      ([message]) => urlIn(message),
      () => null,
    ),
    exited.then(() => null),
  ]);
  if (url === null) {
    child.kill('SIGKILL');
    throw new Error(
      `The sandbox did not start on port ${port} within ${START_TIMEOUT_MS / 1000} s. Set SANDBOX_PORT to a free ` +
        'port, or try again when the machine is less busy.',
    );
  }
  child.on('exit', (code) => {
    if (child.connected) log.error({ reason: `exit ${code}` }, 'the sandbox ended; restart remit to get it back');
  });
  return {
    url,
    webhookUrl,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      const isGone = await Promise.race([exited.then(() => true), wait(STOP_TIMEOUT_MS).then(() => false)]);
      if (!isGone) child.kill('SIGKILL');
    },
  };
}

/**
 * For processes that start without a sandbox of their own: where the one of this data folder listens. Beside a real
 * account there may be none; the providers without credentials are then left out.
 */
export function findSandbox(config: Config, log: Logger): string | null {
  if (sandboxed(config).length === 0) return null;
  if (config.sandboxPort !== null) {
    warnOfMixture(config, log);
    return `http://127.0.0.1:${config.sandboxPort}`;
  }
  try {
    const url = readFileSync(addressFile(config), 'utf8');
    warnOfMixture(config, log);
    return url;
  } catch {
    if (REAL_PROVIDERS.some((name) => config[name].live)) return null;
    throw new Error(
      'No sandbox runs on this data folder, and no provider credentials are set. Start "npm run remit -- sandbox" ' +
        'first, set SANDBOX_PORT, or set the credentials of a provider, such as STRIPE_SECRET_KEY.',
    );
  }
}

/** Which providers are real, for the lines of a start. Demobank goes without saying: it is never anything else. */
export function providersSaid(
  providers: ReadonlyMap<string, { readonly name: string; readonly live: boolean }>,
): string {
  const named = [...providers.values()].filter(({ name }) => name !== 'demobank');
  const live = named.filter((one) => one.live).map(({ name }) => name);
  const played = named.filter((one) => !one.live).map(({ name }) => name);
  if (live.length === 0) return 'providers: sandbox';
  if (played.length > 0) return `providers: ${live.join(', ')} live; ${played.join(', ')} sandbox`;
  return live.length === REAL_PROVIDERS.length ? 'providers: live' : `providers: ${live.join(', ')} live`;
}

/** The providers that are not reached for real: without credentials, or at an address on this machine. */
function sandboxed(config: Config): string[] {
  return REAL_PROVIDERS.filter((name) => !isReal(config[name]));
}

/** Money that a sandbox makes up and money that is real would meet in the same wallets. */
function warnOfMixture(config: Config, log: Logger): void {
  const played = REAL_PROVIDERS.filter((name) => !config[name].live);
  if (played.length === 0 || realProviders(config).length === 0) return;
  log.warn(
    { provider: played.join(',') },
    'these providers are the sandbox beside real ones, and its money is not real: set their credentials',
  );
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
