// Rules for every value in a body, whatever its schema: depth, names that poison objects, texts that no database or
// encoder can carry, and card data.

import { type ErrorCode, type FieldError, PaymentError } from '../domain/errors.ts';
import { hasCardNumber, isSecurityCodeName } from './card-data.ts';

/** The depth of a body: an object of plain members has depth 1. */
const DEPTH_MAX = 8;
const FORBIDDEN_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** Free text. Ids and keys are left out: a number from a clock may look like a card's. */
const CARD_SEARCHED: ReadonlySet<string> = new Set([
  'reason',
  'reference',
  'metadata',
  'destination',
  'account',
  'token',
  'statement_descriptor',
  'email',
]);

interface Finding extends FieldError {
  readonly code: ErrorCode;
}

export function refuseDepth(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth >= DEPTH_MAX) {
    throw new PaymentError('malformed-json', {
      detail: `The body is nested deeper than ${DEPTH_MAX} levels. Send it flatter.`,
    });
  }
  for (const member of Object.values(value)) refuseDepth(member, depth + 1);
}

/** Throws on the first finding; `skip` names a member whose items are inspected one by one. */
export function refuseUnsafe(value: unknown, { skip }: { skip: string | null } = { skip: null }): void {
  const finding = inspect(value, { pointer: '', isSearched: false, skip });
  if (finding === null) return;
  const { code, pointer, detail } = finding;
  throw new PaymentError(code, { detail, errors: [{ pointer, detail }] });
}

interface Place {
  readonly pointer: string;
  /** Whether card numbers are looked for here. */
  readonly isSearched: boolean;
  readonly skip: string | null;
}

function inspect(value: unknown, place: Place): Finding | null {
  if (typeof value === 'string') return inspectText(value, place);
  if (typeof value === 'number') return inspectNumber(value, place);
  if (typeof value !== 'object' || value === null) return null;
  const isList = Array.isArray(value);
  for (const [name, member] of Object.entries(value)) {
    const pointer = `${place.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1').toWellFormed()}`;
    const inside = { pointer, isSearched: place.isSearched || CARD_SEARCHED.has(name), skip: null };
    if (!isList && hasCardNumber(name)) return cardNumber({ ...place, pointer: `${place.pointer}/…` });
    const finding =
      (isList ? null : inspectName(name, inside)) ?? (name === place.skip ? null : inspect(member, inside));
    if (finding !== null) return finding;
  }
  return null;
}

function inspectName(name: string, place: Place): Finding | null {
  if (FORBIDDEN_NAMES.has(name)) {
    return { ...invalid(place), detail: `A field may not be named "${name}". Rename it.` };
  }
  if (isSecurityCodeName(name)) {
    const detail = "A card's security code is not accepted. Leave the field out and send the provider's token.";
    return { code: 'card-data-not-accepted', pointer: place.pointer, detail };
  }
  return inspectText(name, place);
}

function inspectText(text: string, place: Place): Finding | null {
  if (text.includes('\0')) return { ...invalid(place), detail: 'The text holds a NUL character. Remove it.' };
  if (!text.isWellFormed()) {
    return { ...invalid(place), detail: 'The text holds half of a surrogate pair. Send valid Unicode.' };
  }
  return place.isSearched && hasCardNumber(text) ? cardNumber(place) : null;
}

function inspectNumber(value: number, place: Place): Finding | null {
  // What we keep must come back as it came, and a larger whole number has lost its last digits in parsing.
  if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
    return { ...invalid(place), detail: 'The number is too large to be kept exactly. Send it as a string.' };
  }
  return place.isSearched && hasCardNumber(String(value)) ? cardNumber(place) : null;
}

function invalid({ pointer }: Place): { code: ErrorCode; pointer: string } {
  return { code: 'validation-failed', pointer };
}

function cardNumber({ pointer }: Place): Finding {
  const detail = "The text looks like a card number and was not stored. Send the provider's token instead.";
  return { code: 'card-data-not-accepted', pointer, detail };
}
