// Parsing outside data with a schema. A field may name the error code that its violation deserves; everything else
// is validation-failed. All violations are reported at once, each with a pointer.

import type { z } from '@hono/zod-openapi';
import { ERRORS, type ErrorCode, type FieldError, PaymentError } from '../domain/errors.ts';
import { KEY_PATTERN } from '../domain/id.ts';
import { hasCardNumber } from './card-data.ts';
import { refuseUnsafe } from './untrusted.ts';

/** More would only repeat the same mistake. */
const ERRORS_MAX = 50;

/** `root` is where pointers start: "" for a body, "#/query" or "#/path" for the address. */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown, root: string): z.output<Schema> {
  const parsed = schema.safeParse(value, { error: sentenceOf });
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.flatMap((issue) => findingsOf(issue, root)).slice(0, ERRORS_MAX);
  const codes = new Set(found.map((finding) => finding.code));
  const [only = 'validation-failed'] = codes.size === 1 ? codes : [];
  const [first] = found;
  const errors = found.map(({ pointer, detail }) => ({ pointer, detail }));
  const where = first === undefined ? '' : `${first.pointer === '' ? 'The body' : first.pointer}: ${first.detail}`;
  throw new PaymentError(only, { detail: where, errors });
}

/** A body that names an operation: its semantic key may come as a header instead. */
export function withKey(body: unknown, header: string | undefined): unknown {
  if (!isObject(body)) return body;
  const { semantic_key: given } = body;
  const isGiven = given !== undefined && given !== null;
  if (!isGiven && header === undefined) throw new PaymentError('semantic-key-missing');
  if (isGiven && header !== undefined && given !== header) {
    const detail = 'semantic_key differs from the Idempotency-Key header. Send only one of the two.';
    throw new PaymentError('validation-failed', { detail, errors: [{ pointer: '/semantic_key', detail }] });
  }
  if (isGiven || header === undefined) return body;
  if (!KEY_PATTERN.test(header)) throw badHeader();
  return { ...body, semantic_key: header };
}

function badHeader(): PaymentError {
  const detail = `Idempotency-Key: ${KEY_HINT} It stands there as it is, without quotes around it.`;
  return new PaymentError('validation-failed', { detail, errors: [{ pointer: '#/header/Idempotency-Key', detail }] });
}

/** One item of a batch, by the rules of a body of its own. */
export function parseItem<Schema extends z.ZodType>(schema: Schema, item: unknown): z.output<Schema> {
  refuseUnsafe(item);
  return parse(schema, withKey(item, undefined), '');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Finding extends FieldError {
  readonly code: ErrorCode;
}

function findingsOf(issue: z.core.$ZodIssue, root: string): Finding[] {
  const pointer = root + issue.path.map((part) => `/${pointerPart(String(part))}`).join('');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const detail = 'Unknown field. Leave it out, or check its spelling.';
      return { code: 'validation-failed', pointer: `${pointer}/${pointerPart(name)}`, detail };
    });
  }
  return [{ code: codeOf(issue), pointer, detail: issue.message }];
}

/** What a field should have been, where its schema has no words of its own for it. */
const SHAPES: Readonly<Record<string, string>> = {
  string: 'Send one string.',
  number: 'Send a number.',
  boolean: 'Send true or false.',
  array: 'Send a list.',
  object: 'Send one JSON object.',
  record: 'Send one JSON object.',
};
export const KEY_HINT = 'Send 1 to 128 characters of A-Z a-z 0-9 . _ : - that begin with a letter or digit.';
export const MISSING = 'The field is missing. Send it.';
const OTHERWISE = 'This is not what belongs here. Compare it with the example in /docs.';

/** Only asked where a schema says nothing itself, so no words of the library are ever shown. */
function sentenceOf(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return MISSING;
  switch (issue.code) {
    case 'invalid_type':
      return SHAPES[issue.expected] ?? OTHERWISE;
    case 'invalid_value':
      return `Send one of: ${issue.values.map((value) => JSON.stringify(value)).join(', ')}.`;
    case 'too_small':
      return `Send at least ${counted(issue.minimum, issue.origin)}.`;
    case 'too_big':
      return `Send at most ${counted(issue.maximum, issue.origin)}.`;
    default:
      return OTHERWISE;
  }
}

const COUNTED: Readonly<Record<string, string>> = { string: 'character', array: 'item' };

function counted(count: number | bigint, origin: string): string {
  const noun = COUNTED[origin];
  if (noun === undefined) return String(count);
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function codeOf(issue: z.core.$ZodIssue): ErrorCode {
  const code: unknown = issue.code === 'custom' ? issue.params?.code : undefined;
  return typeof code === 'string' && isErrorCode(code) ? code : 'validation-failed';
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** A card number is not echoed, not even as a name. */
function pointerPart(name: string): string {
  return hasCardNumber(name) ? '…' : name.replaceAll('~', '~0').replaceAll('/', '~1');
}
