// A column of a batch as one parameter: PostgreSQL's text form of an array, written by type. Values of most types need
// no quotes; the client library's own way looks at each character of each value.

/** The element type an array of such a column travels as: JSON as text, because an array of JSON is ambiguous. */
export function elementTypeOf(type: string): string {
  return type === 'jsonb' ? 'text' : type;
}

export function arrayLiteral(type: string, values: readonly unknown[]): string {
  const isPlain = PLAIN.has(type);
  if ((isPlain || type === 'text') && !values.includes(null) && !values.includes(undefined)) {
    const joined = values.join(isPlain ? ',' : '","');
    if (isPlain) return `{${joined}}`;
    if (values.length > 0 && !values.some(isSpecial)) return `{"${joined}"}`;
  }
  return `{${values.map((value) => elementOf(type, value)).join(',')}}`;
}

/** A single value of such a column as a parameter. */
export function scalarOf(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb') return JSON.stringify(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Whose values need no quotes, because none of their texts could be taken for anything else. */
const PLAIN = new Set(['uuid', 'bigint', 'integer', 'int', 'smallint', 'boolean']);

function elementOf(type: string, value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (PLAIN.has(type)) return String(value);
  switch (type) {
    case 'bytea':
      return `"\\\\x${bytesOf(value).toString('hex')}"`;
    case 'timestamptz':
      return value instanceof Date ? `"${value.toISOString()}"` : quoted(String(value));
    case 'jsonb':
      return quoted(JSON.stringify(value));
    default:
      return quoted(String(value));
  }
}

function bytesOf(value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError('A column of bytes was given something else.');
}

const SPECIAL = /["\\]/;

function isSpecial(value: unknown): boolean {
  return SPECIAL.test(String(value));
}

function quoted(text: string): string {
  return SPECIAL.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${text}"`;
}
