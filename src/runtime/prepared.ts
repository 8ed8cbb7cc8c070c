// Statements that run again and again get a name, so that a session parses each of them once. How often they are
// planned is a setting of the session (db.ts).

import type { Pool } from 'pg';

/** The ledger has some dozens; texts that differ from call to call, such as lists with filters, must not pile up. */
const NAMES_MAX = 400;
/** Of a table that a newer process has altered, a plan for all its columns would be refused for as long as we live. */
const ALL_COLUMNS = /(?<!count\()\*/;

const names = new Map<string, string>();

export function prepareStatements(pool: Pool): void {
  pool.on('connect', (client) => {
    const { query } = client;
    Object.defineProperty(client, 'query', {
      value(...args: unknown[]) {
        const [text, values, ...rest] = args;
        const name = typeof text === 'string' && isBound(values) ? nameOf(text) : null;
        return Reflect.apply(query, client, name === null ? args : [{ name, text, values }, ...rest]);
      },
    });
  });
}

/** What has no parameters is mostly said once, or is no statement that can be prepared. */
function isBound(values: unknown): boolean {
  return Array.isArray(values) && values.length > 0;
}

export function nameOf(text: string): string | null {
  const known = names.get(text);
  if (known !== undefined) return known;
  if (names.size >= NAMES_MAX || ALL_COLUMNS.test(text)) return null;
  const name = `remit_${names.size + 1}`;
  names.set(text, name);
  return name;
}
