// Ids. A pkid is derived from the kind and the caller's semantic key, so the primary key is the idempotency gate
// and the provider's idempotency key at once, and never differs between attempts.

import { hash } from 'node:crypto';

export const OPERATION_KINDS = ['payin', 'payout', 'refund', 'transfer'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];
/** Everything that postings speak of: operations, bookings by hand, orders by their id, disputes. */
export type Kind = OperationKind | 'adjustment' | 'treasury' | 'order' | 'dispute' | 'payee';

export type Pkid = string & { readonly __brand: 'Pkid' };
export type PostingId = string & { readonly __brand: 'PostingId' };

/** The grammar of semantic keys and of every id that callers choose. */
export const KEY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** 48 bits. */
const TIME_DIGITS = 12;
const NAMESPACE_BYTES = 16;
/** The ninth byte of a UUID begins with the bits 10: its first digit, by the two bits that follow. */
const VARIANTS = '89ab';
// Fixed for ever: another value would give every known semantic key a new pkid, and a second payment.
const REMIT_NAMESPACE = 'e6a3e113-8e26-4da2-91fa-b1d7f2c61031';
const NAMESPACES = {
  payin: uuidV5(REMIT_NAMESPACE, 'remit:payin'),
  payout: uuidV5(REMIT_NAMESPACE, 'remit:payout'),
  refund: uuidV5(REMIT_NAMESPACE, 'remit:refund'),
  transfer: uuidV5(REMIT_NAMESPACE, 'remit:transfer'),
  adjustment: uuidV5(REMIT_NAMESPACE, 'remit:adjustment'),
  treasury: uuidV5(REMIT_NAMESPACE, 'remit:treasury'),
  order: uuidV5(REMIT_NAMESPACE, 'remit:order'),
  dispute: uuidV5(REMIT_NAMESPACE, 'remit:dispute'),
  payee: uuidV5(REMIT_NAMESPACE, 'remit:payee'),
} satisfies Record<Kind, string>;

export function pkidOf(kind: Kind, semanticKey: string): Pkid {
  return uuidV5(NAMESPACES[kind], semanticKey) as Pkid;
}

export function isPkid(text: string): text is Pkid {
  return UUID.test(text);
}

/** The id of the posting that a step of an operation writes: a second one meets the primary key. */
export function postingIdOf(pkid: Pkid, step: string): PostingId {
  return uuidV5(pkid, `posting:${step}`) as PostingId;
}

/**
 * The same for what there is most of, and writes one posting. It begins with the time at which the operation was taken
 * in, so that ids of one time lie side by side in an index: one drawn from all of them would change another page of a
 * large index each time. The rest is that of the pkid, which is drawn from all ids already.
 */
export function timedPostingIdOf(pkid: Pkid | PostingId, takenInAt: Date): PostingId {
  return uuidV8(takenInAt, pkid) as PostingId;
}

/** The id of something that came of an operation, and which only its own name tells from others of its kind. */
export function derivedPkid(pkid: Pkid, name: string): Pkid {
  return uuidV5(pkid, name) as Pkid;
}

/** The provider key of a later step of the same operation (a confirm after a create). */
export function stepKeyOf(pkid: Pkid, step: string): string {
  return uuidV5(pkid, step);
}

/**
 * The queue's id of a job: never an integer and never one of the queue's own names, because of the prefix;
 * ":" is the queue's separator and is written "~", which keys cannot hold.
 */
export function jobIdOf(kind: string, semanticKey: string): string {
  return `${kind}-${semanticKey.replaceAll(':', '~')}`;
}

/** RFC 9562, version 8, whose bits are the maker's: milliseconds as in version 7, and the rest of another UUID. */
function uuidV8(at: Date, uuid: string): string {
  const milliseconds = at.getTime().toString(16).padStart(TIME_DIGITS, '0');
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-8${uuid.slice(15)}`;
}

/** RFC 9562, version 5: SHA-1 over namespace and name. */
export function uuidV5(namespace: string, name: string): string {
  // One call: an object for each hash costs half as much again, and is garbage.
  const bytes = Buffer.allocUnsafe(NAMESPACE_BYTES + Buffer.byteLength(name));
  bytes.write(namespace.replaceAll('-', ''), 'hex');
  bytes.write(name, NAMESPACE_BYTES);
  const hex = hash('sha1', bytes, 'hex');
  const variant = `${VARIANTS[Number.parseInt(hex.slice(16, 17), 16) & 0x3]}${hex.slice(17, 20)}`;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}-${hex.slice(20, 32)}`;
}
