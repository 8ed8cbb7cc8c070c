// `remit worker`: jobs and reconcile, no HTTP. Any number of them share the work.

import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { joinDatabase } from './database.ts';
import { addStores, addWorkers, lay, openReadyApp, prepareDatabase, runUntilTold } from './process.ts';
import { findSandbox, providersSaid } from './sandbox.ts';

export async function runWorker(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const sandboxUrl = findSandbox(config, log);
  await runUntilTold({ config, log }, async (shutdown) => {
    const database = await lay(joinDatabase(config, log), { name: 'postgres', shutdown });
    await prepareDatabase(database.url, config, log);
    const app = await openReadyApp({ config, databaseUrl: database.url, sandboxUrl, log });
    await addWorkers(app, { shutdown });
    addStores(app, { shutdown });
    process.stdout.write(
      `Worker   running on ${app.queues.backend}, process ${process.pid}  (${providersSaid(app.providers)})\n`,
    );
  });
}
