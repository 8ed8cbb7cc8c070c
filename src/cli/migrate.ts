// `remit migrate`: brings the database up to date and ends.

import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { joinDatabase } from './database.ts';
import { prepareDatabase } from './process.ts';

export async function runMigrate(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const database = await joinDatabase(config, log);
  try {
    const applied = await prepareDatabase(database.url, config, log);
    const what = applied.length === 0 ? 'nothing to do' : applied.join(', ');
    process.stdout.write(`Migrations: ${what}\n`);
  } finally {
    await database.close();
  }
}
