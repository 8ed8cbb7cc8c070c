// A column of a batch as one parameter: PostgreSQL's text form of an array, written by type. Values of most types need
// no quotes; the client library's own way looks at each character of each value.

/** The element type an array of such a column travels as: JSON as text, because an array of JSON is ambiguous. */
export function elementTypeOf(type: string): string {
  return type === 'jsonb' ? 'text' : type;
}

export function arrayLiteral(type: string, values: readonly unknown[]): string {
  let literal = '';
  for (const value of values) {
    const element = value === null || value === undefined ? 'NULL' : elementOf(type, value);
    literal = literal === '' ? element : `${literal},${element}`;
  }
  return `{${literal}}`;
}

/** A single value of such a column as a parameter. */
export function scalarOf(type: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb') return JSON.stringify(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'bigint' ? value.toString() : value;
}

function elementOf(type: string, value: unknown): string {
  switch (type) {
    case 'uuid':
    case 'bigint':
    case 'integer':
    case 'int':
    case 'smallint':
    case 'boolean':
      return String(value);
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

function quoted(text: string): string {
  return SPECIAL.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${text}"`;
}
