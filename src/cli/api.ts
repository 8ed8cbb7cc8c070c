// `remit api`: the API, the board and the pages, without workers.

import { listen } from '../api/listen.ts';
import { ensureBootstrapKey } from '../jobs/api-key.ts';
import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { makeDataFolder } from './data-folder.ts';
import { joinDatabase } from './database.ts';
import { addApi, addStores, lay, openReadyApp, prepareDatabase, runUntilTold } from './process.ts';
import { findSandbox, providersSaid } from './sandbox.ts';

export async function runApi(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  makeDataFolder(config.dataDir);
  const sandboxUrl = findSandbox(config, log);
  await runUntilTold({ config, log }, async (shutdown) => {
    const listener = await listen(config);
    const database = await lay(joinDatabase(config, log), { name: 'postgres', shutdown });
    await prepareDatabase(database.url, config, log);
    const app = await openReadyApp({ config, databaseUrl: database.url, sandboxUrl, log });
    if (config.bootstrapKey !== null) await ensureBootstrapKey(app.db, config.bootstrapKey);
    addApi(app, { listener, shutdown });
    addStores(app, { shutdown });
    process.stdout.write(`API      http://${config.host}:${listener.port}  (${providersSaid(app.providers)})\n`);
  });
}
