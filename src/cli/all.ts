// `npm start`: everything in one process tree, and at most six lines that say where it is.

import { listen } from '../api/listen.ts';
import { ensureBootstrapKey } from '../jobs/api-key.ts';
import { type Config, readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { keySaid, takeBootstrapKey } from './bootstrap-key.ts';
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
    const key = takeBootstrapKey(config);
    const known = await ensureBootstrapKey(app.db, key.text);
    addApi(app, { listener, shutdown });
    await addWorkers(app, { shutdown });
    addStores(app, { shutdown });
    printAddresses({ config, port: listener.port, key: keySaid(key, known), providers: providersSaid(app.providers) });
  });
}

function printAddresses(facts: { config: Config; port: number; key: string; providers: string }): void {
  const { config, port, key, providers } = facts;
  const host = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host;
  const url = `http://${host}:${port}`;
  const moved = port === config.port || config.port === 0 ? '' : `, because port ${config.port} is taken`;
  process.stdout.write(
    [
      `API      ${url}  (${providers}${moved})`,
      `Console  ${url}/  (any user name, the key as password)`,
      `Queues   ${url}/admin/queues  (the same)`,
      `Docs     ${url}/docs`,
      `Key      ${key}`,
      `Data     ${config.dataDir}`,
      '',
    ].join('\n'),
  );
}
