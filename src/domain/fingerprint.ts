// The fingerprint of a request: equal for equal fields in any order, so that a replay can be told from a reuse.

import { hash } from 'node:crypto';

/** SHA-256 over the fields with their defaults filled in; the caller leaves out semantic_key and confirm. */
export function fingerprintOf(fields: Readonly<Record<string, unknown>>): Buffer {
  return hash('sha256', canonical(fields), 'buffer');
}

/** JSON with sorted member names and without undefined members. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'bigint') return `"${value}"`;
  if (value instanceof Date) return JSON.stringify(value.toISOString());
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
