// All that the stores hold, as text, for tests that look for what must not be there.

import { Redis } from 'ioredis';
import { sql } from 'kysely';
import type { Db } from '../../src/runtime/db.ts';

/** Every row of every table of a schema. */
export async function readTables(db: Db, schema: string): Promise<{ table: string; row: string }[]> {
  const { rows: tables } = await sql<{ name: string }>`
    SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = ${schema}`.execute(db.sql);
  if (tables.length === 0) throw new Error(`The schema ${schema} has no tables, so there is nothing to look at.`);
  const found = await Promise.all(
    tables.map(async ({ name }) => {
      const table = sql.raw(`${schema}.${name}`);
      const { rows } = await sql<{ row: string }>`SELECT t::text AS row FROM ${table} t`.execute(db.sql);
      return rows.map(({ row }) => ({ table: name, row }));
    }),
  );
  return found.flat();
}

/** Every key and every value that Redis holds. */
export async function everythingInRedis(url: string): Promise<string[]> {
  const redis = new Redis(url);
  const texts: string[] = [];
  for await (const keys of redis.scanStream()) {
    for (const key of keys) texts.push(`${key} ${JSON.stringify(await readKey(redis, key))}`);
  }
  redis.disconnect();
  return texts;
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return redis.get(key);
  }
}
