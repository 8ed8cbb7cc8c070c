// The lines of the client's own log: what it asked for, each try, what it was answered, and what it was shown.

import { z } from 'zod';

const kind = z.enum(['transfer', 'payout', 'payin', 'refund', 'checkout', 'step']);
export type AskedKind = z.infer<typeof kind>;

const line = z.discriminatedUnion('what', [
  /** On the disk before the first byte leaves. */
  z.object({
    what: z.literal('asked'),
    key: z.string(),
    kind,
    path: z.string(),
    body: z.record(z.string(), z.unknown()),
    at: z.number(),
  }),
  /** One try; a `null` status is no answer in time. */
  z.object({
    what: z.literal('tried'),
    key: z.string(),
    api: z.number(),
    method: z.enum(['GET', 'POST']),
    from: z.number(),
    to: z.number(),
    status: z.number().nullable(),
  }),
  z.object({
    what: z.literal('answered'),
    key: z.string(),
    status: z.number(),
    isReplay: z.boolean(),
    pkid: z.string().nullable(),
    code: z.string().nullable(),
    at: z.number(),
  }),
  /** A status that the API told us of one of our operations. */
  z.object({ what: z.literal('shown'), key: z.string(), status: z.string(), at: z.number() }),
  /** Many copies of one request at once: what each was answered. */
  z.object({
    what: z.literal('copies'),
    key: z.string(),
    /** Not when the client was killed among the copies, and sends them again. */
    isFirst: z.boolean(),
    statuses: z.array(z.number().nullable()),
    pkids: z.array(z.string()),
  }),
  /** Another body under a known key. */
  z.object({ what: z.literal('clash'), key: z.string(), status: z.number(), code: z.string().nullable() }),
  z.object({ what: z.literal('told'), story: z.number(), at: z.number() }),
]);
export type ClientLine = z.infer<typeof line>;
export type LineOf<What extends ClientLine['what']> = Extract<ClientLine, { what: What }>;

export function parseClientLine(json: unknown): ClientLine {
  return line.parse(json);
}

export function linesOf<What extends ClientLine['what']>(lines: readonly ClientLine[], what: What): LineOf<What>[] {
  return lines.filter((one): one is LineOf<What> => one.what === what);
}
