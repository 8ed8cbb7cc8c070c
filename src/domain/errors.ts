// The catalogue of errors. A row is one code; its kind decides what HTTP says and what a job does.
// `wayOut` is the advice that every page under /problems/ ends with.

export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'refused'
  | 'rate_limited'
  | 'unavailable'
  | 'uncertain'
  | 'internal';

interface ErrorRow {
  readonly kind: ErrorKind;
  readonly status: number;
  readonly title: string;
  readonly explanation: string;
  readonly wayOut: string;
}

export const ERRORS = {
  unauthorized: {
    kind: 'unauthenticated',
    status: 401,
    title: 'No valid API key',
    explanation: 'The request carries no API key, an unknown one, or a revoked one.',
    wayOut: 'Send "Authorization: Bearer <key>". Make a key with: npm run remit -- keys create --scopes read,write',
  },
  forbidden: {
    kind: 'forbidden',
    status: 403,
    title: 'The key lacks the scope',
    explanation: 'The API key is valid but may not do this.',
    wayOut: 'Use a key that has the scope named in the detail, or ask an operator for one.',
  },
  'not-found': {
    kind: 'not_found',
    status: 404,
    title: 'No such thing',
    explanation:
      'Nothing exists under this address or id, or a wallet, payee or provider named in the body is unknown.',
    wayOut: 'Check the spelling. Ids are case-sensitive; /docs lists every route.',
  },
  'method-not-allowed': {
    kind: 'invalid',
    status: 405,
    title: 'Method not allowed',
    explanation: 'The address exists, but not for this HTTP method.',
    wayOut: 'Use one of the methods named in the Allow header; /docs lists every route.',
  },
  'malformed-json': {
    kind: 'invalid',
    status: 400,
    title: 'The body is not readable JSON',
    explanation: 'The body is not JSON in UTF-8, or is nested deeper than 8 levels.',
    wayOut: 'Send one JSON object in UTF-8, at most 8 levels deep.',
  },
  'unsupported-media-type': {
    kind: 'invalid',
    status: 415,
    title: 'Unsupported media type',
    explanation: 'A body was sent with a content type other than JSON.',
    wayOut: 'Send "Content-Type: application/json".',
  },
  'body-too-large': {
    kind: 'invalid',
    status: 413,
    title: 'The body is too large',
    explanation: 'Bodies are limited to 64 KiB, batch routes to 2 MiB, webhooks to 1 MiB.',
    wayOut: 'Send less metadata, or split the batch.',
  },
  'semantic-key-missing': {
    kind: 'invalid',
    status: 400,
    title: 'The semantic key is missing',
    explanation: 'Every operation is named by a semantic_key, which makes a repeat of the request safe.',
    wayOut: 'Send "semantic_key" in the body, or the Idempotency-Key header. Derive it from your own record.',
  },
  'validation-failed': {
    kind: 'invalid',
    status: 422,
    title: 'The request is not valid',
    explanation: 'One or more fields are missing, unknown, or out of their grammar. "errors" points at each.',
    wayOut: 'Correct the fields named in "errors" and send the request again under the same semantic_key.',
  },
  'key-reused': {
    kind: 'invalid',
    status: 422,
    title: 'The key was used with another body',
    explanation: 'An object with this key exists and was made by a request with different fields. Nothing was changed.',
    wayOut: 'Read the existing object. For something new, choose a new key.',
  },
  'invalid-amount': {
    kind: 'invalid',
    status: 422,
    title: 'The amount is not valid',
    explanation: 'Amounts are decimal strings of minor units: "1500" is 15.00 USD and 1500 JPY.',
    wayOut: 'Send a string of 1 to 18 digits without sign, fraction, exponent or zero in front.',
  },
  'invalid-currency': {
    kind: 'invalid',
    status: 422,
    title: 'The currency is not valid',
    explanation: 'The currency is unknown, or is not that of the wallet.',
    wayOut: 'Send the upper-case ISO 4217 code of the wallet you name.',
  },
  'card-data-not-accepted': {
    kind: 'invalid',
    status: 422,
    title: 'Card data is not accepted',
    explanation: 'A text looks like a card number, or a field is named like a security code. It was not stored.',
    wayOut: "Send the provider's token instead, and keep card data out of remit.",
  },
  'same-wallet': {
    kind: 'invalid',
    status: 422,
    title: 'Source and destination are the same',
    explanation: 'A transfer needs two different wallets.',
    wayOut: 'Name two different wallets.',
  },
  'wallet-not-allowed': {
    kind: 'invalid',
    status: 422,
    title: 'This wallet cannot be used here',
    explanation: "Platform wallets (ids that begin with @) move only by remit's own events and by treasury.",
    wayOut: "Name a seller's or buyer's wallet. For money between provider and bank use POST /v1/treasury.",
  },
  'refund-exceeds-payment': {
    kind: 'invalid',
    status: 422,
    title: 'The refund exceeds what is left of the order',
    explanation: "The order's refunds and disputes together would be more than its amount. Nothing was changed.",
    wayOut: 'Read the order: "amount" less "refunded" and what is disputed can still be refunded. Send at most that.',
  },
  'insufficient-funds': {
    kind: 'refused',
    status: 422,
    title: 'Insufficient funds',
    explanation: 'The booking would take the wallet below zero.',
    wayOut: 'Read the wallet, and book at most what is available.',
  },
  'limit-exceeded': {
    kind: 'refused',
    status: 422,
    title: 'The balance would grow out of bounds',
    explanation: 'A balance is bounded by a signed 64-bit number of minor units.',
    wayOut: 'Use a smaller amount or another wallet.',
  },
  'provider-not-able': {
    kind: 'refused',
    status: 422,
    title: 'The provider cannot do this',
    explanation: 'The provider does not support this currency or amount.',
    wayOut: 'Choose another provider, or change the amount as the detail says.',
  },
  'url-not-allowed': {
    kind: 'invalid',
    status: 422,
    title: 'The URL may not be called',
    explanation:
      'Webhooks go to public hosts by https on port 443 only: no credentials in the URL, no private or local address.',
    wayOut: 'Send an https URL of a public host. For tests, name the host and port in WEBHOOK_ALLOW_HOSTS.',
  },
  'invalid-state': {
    kind: 'conflict',
    status: 409,
    title: 'Not possible in this state',
    explanation: 'The operation is in a state that does not allow this action.',
    wayOut: 'Read the operation; its status and timeline say what happened.',
  },
  'rate-limited': {
    kind: 'rate_limited',
    status: 429,
    title: 'Too many requests',
    explanation: 'The API key sends faster than its limit.',
    wayOut: 'Wait for the seconds given in Retry-After and repeat the request unchanged.',
  },
  'invalid-signature': {
    kind: 'unauthenticated',
    status: 401,
    title: 'The webhook signature is not valid',
    explanation: 'The signature is missing, wrong, or was made for another body.',
    wayOut: "Compare the endpoint's signing secret at the provider with the one configured here.",
  },
  'stale-timestamp': {
    kind: 'unauthenticated',
    status: 401,
    title: 'The webhook timestamp is too far away',
    explanation: 'The signed time is more than 300 seconds in the past or in the future.',
    wayOut: 'Let the provider deliver the event again, and check the clock of this host.',
  },
  unavailable: {
    kind: 'unavailable',
    status: 503,
    title: 'Temporarily unavailable',
    explanation: 'The database did not answer in time. Nothing is known to be accepted.',
    wayOut: 'Repeat the same request with the same semantic_key after Retry-After seconds; it cannot be done twice.',
  },
  uncertain: {
    kind: 'uncertain',
    status: 503,
    title: 'No answer came',
    explanation: 'The other side may have taken the request, but no answer came.',
    wayOut: 'Repeat the same request with the same semantic_key; it cannot be done twice.',
  },
  internal: {
    kind: 'internal',
    status: 500,
    title: 'A defect of remit',
    explanation: 'Something happened that should not. It was logged with the request id.',
    wayOut: 'Repeat the same request with the same semantic_key. If it fails again, report the request_id.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  /** JSON pointer into the body, or "#/path/name", "#/query/name". */
  readonly pointer: string;
  readonly detail: string;
}

/** What a provider call that gave no usable answer leaves behind. */
export interface Surprise {
  /** not_taken: certainly nothing happened. uncertain: it may have. key_conflict: our key with another body. */
  readonly type: 'not_taken' | 'uncertain' | 'key_conflict';
  /** For logs, metrics and the timeline: "timeout", "reset", "http_503". */
  readonly reason: string;
  readonly httpStatus: number | null;
  /**
   * Set when the provider itself answered with an error that it may have stored under our key; the same text again
   * on a resend means that the key replays it. Null for everything that came from the edge or the network.
   */
  readonly storedError: string | null;
}

interface ErrorOptions {
  /** Safe to show to the caller. */
  readonly detail?: string;
  /** Only logged. */
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[];
  /** The address of what exists already and stands in the way. */
  readonly location?: string;
  /** For 429 and 503, and for providers that say when to come back. */
  readonly retryAfterMs?: number;
  /** Set by provider adapters only. */
  readonly surprise?: Surprise;
}

export class PaymentError extends Error {
  override readonly name = 'PaymentError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly status: number;
  readonly detail: string;
  readonly errors: readonly FieldError[] | undefined;
  readonly location: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly surprise: Surprise | undefined;

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    const row: ErrorRow = ERRORS[code];
    super(options.detail ?? row.explanation, { cause: options.cause });
    this.code = code;
    this.kind = row.kind;
    this.status = row.status;
    this.detail = options.detail ?? `${row.explanation} ${row.wayOut}`;
    this.errors = options.errors;
    this.location = options.location;
    this.retryAfterMs = options.retryAfterMs;
    this.surprise = options.surprise;
  }
}
