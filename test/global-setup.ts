// Starts what every suite shares, once for the run, and stops it at the end.
import type { TestProject } from 'vitest/node';
import { migrate, openDb } from '../src/runtime/db.ts';
import { silentLogger } from '../src/runtime/logger.ts';
import { startTestPostgres } from './harness/postgres.ts';
import { startRunRedis } from './harness/redis.ts';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const redis = await startRunRedis(process.env);
  const postgres = await startTestPostgres(fillTemplate).catch(async (error: unknown) => {
    await redis?.stop();
    throw error;
  });
  project.provide('postgresUrl', postgres.url);
  project.provide('redisUrl', redis?.url ?? null);
  return async () => {
    await postgres.stop();
    await redis?.stop();
  };
}

/** The template gets the program's own migrations. */
async function fillTemplate(url: string): Promise<void> {
  const db = await openDb(url, { log: silentLogger() });
  try {
    await migrate(db);
  } finally {
    await db.close();
  }
}
