// Talks to the embedded server as its superuser: to find out whether it is ours, and to give the program its database.
import { realpathSync } from 'node:fs';
import pg from 'pg';
import { adminRole, type ClusterPaths, databaseName, ownerPassword, ownerRole } from './cluster.ts';

const connectTimeoutMs = 5_000;

/** `not_yet` covers a server that starts, stops, replays its log or does not listen so far. */
export async function knock(options: {
  port: number;
  password: string;
  paths: ClusterPaths;
}): Promise<'welcome' | 'not_yet' | 'refused'> {
  const client = adminClient(options);
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    // A copied data folder has the same password, and its files still name the server of the original.
    return isSameFolder(rows[0]?.data_directory, options.paths.cluster) ? 'welcome' : 'refused';
  } catch (error) {
    return isRefusal(error) ? 'refused' : 'not_yet';
  } finally {
    await client.end().catch(() => {});
  }
}

/** Idempotent, and safe when two processes do it at once. */
export async function ensureDatabase({ port, password }: { port: number; password: string }): Promise<void> {
  const client = adminClient({ port, password });
  await client.connect();
  try {
    const secret = client.escapeLiteral(ownerPassword(password));
    const role = `${ownerRole} LOGIN CREATEDB PASSWORD ${secret}`;
    if (!(await exists(client, { catalogue: 'pg_roles', column: 'rolname', name: ownerRole }))) {
      await client.query(`CREATE ROLE ${role}`).catch(ignoreDuplicate);
    }
    if (!(await exists(client, { catalogue: 'pg_database', column: 'datname', name: databaseName }))) {
      await client.query(`CREATE DATABASE ${databaseName} OWNER ${ownerRole}`).catch(ignoreDuplicate);
    }
  } finally {
    await client.end();
  }
}

function adminClient({ port, password }: { port: number; password: string }): pg.Client {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: adminRole,
    password,
    database: 'postgres',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs * 4,
  });
  // A server that stops while we are connected says so on its own; the query in hand carries the same news.
  client.on('error', () => {});
  return client;
}

async function exists(client: pg.Client, where: { catalogue: string; column: string; name: string }): Promise<boolean> {
  const { catalogue, column, name } = where;
  const found = await client.query(`SELECT 1 FROM ${catalogue} WHERE ${column} = $1`, [name]);
  return found.rowCount === 1;
}

// 42710 duplicate_object, 42P04 duplicate_database, 23505 unique_violation.
const raceCodes: ReadonlySet<string> = new Set(['42710', '42P04', '23505']);
// 28P01 invalid_password, 28000 invalid_authorization_specification (no such role, or no rule for us).
const refusalCodes: ReadonlySet<string> = new Set(['28P01', '28000']);

function ignoreDuplicate(error: unknown): void {
  if (!raceCodes.has(codeOf(error))) throw error;
}

function isRefusal(error: unknown): boolean {
  return refusalCodes.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function isSameFolder(one: string | undefined, other: string): boolean {
  if (one === undefined) return false;
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    // The folder was renamed under the running server, which still tells the old name.
    return true;
  }
}
