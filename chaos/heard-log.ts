// The lines of the receiver's log: each message that it took, and each that it did not believe.

import { z } from 'zod';

const message = z.object({
  type: z.string(),
  sequence: z.number(),
  data: z.object({ semantic_key: z.string().optional(), order_id: z.string().nullish(), status: z.string().nullish() }),
});

const line = z.discriminatedUnion('what', [
  z.object({
    what: z.literal('heard'),
    eventId: z.string(),
    type: z.string(),
    sequence: z.number(),
    /** The key, or the order, that it speaks of. */
    subject: z.string(),
    at: z.number(),
  }),
  z.object({ what: z.literal('refused'), reason: z.string(), at: z.number() }),
]);
export type HeardLine = z.infer<typeof line>;
export type Heard = Extract<HeardLine, { what: 'heard' }>;

export function parseHeardLine(json: unknown): HeardLine {
  return line.parse(json);
}

export function messageOf(json: unknown): Pick<Heard, 'type' | 'sequence' | 'subject'> {
  const { type, sequence, data } = message.parse(json);
  return { type, sequence, subject: data.semantic_key ?? data.order_id ?? '' };
}
