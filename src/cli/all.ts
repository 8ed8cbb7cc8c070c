// `npm start`: everything in one process tree, and at most six lines that say where it is.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listen } from '../api/listen.ts';
import { ensureBootstrapKey } from '../jobs/api-key.ts';
import { type Config, readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { makeDataFolder } from './data-folder.ts';
import { ownDatabase } from './database.ts';
import { addApi, addStores, addWorkers, lay, openReadyApp, prepareDatabase, runUntilTold } from './process.ts';
import { forkSandbox, providersSaid } from './sandbox.ts';

export async function runAll(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  makeDataFolder(config.dataDir);
  await runUntilTold({ config, log }, async (shutdown) => {
    const listener = await listen(config);
    // The folder must be ours before anything else of it is touched.
    const database = await lay(ownDatabase(config, log), { name: 'postgres', shutdown });
    const [sandbox] = await Promise.all([
      lay(forkSandbox(config, { apiPort: listener.port, log }), { name: 'sandbox', shutdown }),
      prepareDatabase(database.url, config, log),
    ]);
    const app = await openReadyApp({
      // The port may have moved, and Square's signature covers the address.
      config: { ...config, sandboxWebhookUrl: sandbox?.webhookUrl ?? config.sandboxWebhookUrl },
      databaseUrl: database.url,
      sandboxUrl: sandbox?.url ?? null,
      log,
    });
    const key = bootstrapKey(config);
    const keyId = await ensureBootstrapKey(app.db, key.text);
    addApi(app, { listener, shutdown });
    await addWorkers(app, { shutdown });
    addStores(app, { shutdown });
    printAddresses({ config, port: listener.port, key, keyId, providers: providersSaid(app.providers) });
  });
}

/** As long as the keys that the API makes. */
const KEY_BYTES = 32;

interface BootstrapKey {
  readonly text: string;
  /** What the start says about it: the key itself only when it was just made. */
  readonly shown: string;
}

function bootstrapKey(config: Config): BootstrapKey {
  if (config.bootstrapKey !== null) return { text: config.bootstrapKey, shown: 'as given in REMIT_BOOTSTRAP_KEY' };
  const file = join(config.dataDir, 'bootstrap-key');
  if (existsSync(file)) return { text: readFileSync(file, 'utf8').trim(), shown: `kept in ${file}` };
  const text = randomBytes(KEY_BYTES).toString('base64url');
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return { text, shown: `${text}  (kept in ${file})` };
}

function printAddresses(facts: {
  config: Config;
  port: number;
  key: BootstrapKey;
  keyId: string;
  providers: string;
}): void {
  const { config, port, key, keyId, providers } = facts;
  const host = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host;
  const url = `http://${host}:${port}`;
  const moved = port === config.port || config.port === 0 ? '' : `, because port ${config.port} is taken`;
  process.stdout.write(
    [
      `API      ${url}  (${providers}${moved})`,
      `Console  ${url}/`,
      `Queues   ${url}/admin/queues  (any user name, the key as password)`,
      `Docs     ${url}/docs`,
      `Key      ${key.shown}  (its id: ${keyId})`,
      `Data     ${config.dataDir}`,
      '',
    ].join('\n'),
  );
}
