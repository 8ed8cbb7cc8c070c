// `remit worker`: jobs and reconcile, no HTTP. Any number of them share the work.

import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import { joinDatabase } from './database.ts';
import { addStores, addWorkers, openReadyApp, prepareDatabase } from './process.ts';
import { findSandbox } from './sandbox.ts';

export async function runWorker(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const sandboxUrl = findSandbox(config);
  const database = await joinDatabase(config, log);
  await prepareDatabase(database.url, config, log);
  const app = await openReadyApp({ config, databaseUrl: database.url, sandboxUrl, log });
  const shutdown = createShutdown({ log, graceMs: config.shutdownGraceMs });
  await addWorkers(app, { shutdown });
  addStores(app, { shutdown });
  shutdown.add('postgres', () => database.close());
  shutdown.onSignal();
  process.stdout.write(`Worker   running on ${app.queues.backend}, process ${process.pid}\n`);
}
