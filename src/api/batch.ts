// Batch routes: each item is taken on its own and answered in its place. They run at once, so they share commits.

import { z } from '@hono/zod-openapi';
import { ERRORS, PaymentError } from '../domain/errors.ts';
import type { Status } from '../domain/state-machine.ts';
import { status } from './fields.ts';
import type { ApiOptions } from './options.ts';
import { asPaymentError, problemOf } from './problems.ts';
import { isObject } from './validation.ts';

const BATCH_ITEMS_MAX = 1000;

export const problemView = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS)),
    request_id: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('Problem');

/** What the items are is written in the document only: here they are parsed one by one. */
export function batchItems(schemaName: string) {
  const items = { $ref: `#/components/schemas/${schemaName}` };
  return z.array(z.unknown()).min(1).max(BATCH_ITEMS_MAX).openapi({ items });
}

const batchResult = z.union([
  z.object({ semantic_key: z.string(), status }),
  z.object({ semantic_key: z.string().nullable(), problem: problemView }),
]);

export const batchView = z.object({ results: z.array(batchResult) }).openapi('BatchResults');

export async function takeBatch(
  items: readonly unknown[],
  options: {
    requestId: string;
    log: ApiOptions['log'];
    take: (item: unknown) => Promise<{ semanticKey: string; status: Status }>;
  },
): Promise<z.input<typeof batchView>> {
  const { requestId, log, take } = options;
  const results = await Promise.all(
    items.map(async (item) => {
      try {
        const taken = await take(item);
        return { semantic_key: taken.semanticKey, status: taken.status };
      } catch (thrown) {
        const error = asPaymentError(thrown);
        if (error.kind === 'internal') log.error({ err: error, request_id: requestId }, 'an item of a batch failed');
        return { semantic_key: keyOf(item), problem: plainProblem(error, requestId) };
      }
    }),
  );
  // Nothing is known to be taken: the whole request may as well be sent again.
  const isAway = results.every((result) => 'problem' in result && result.problem?.code === 'unavailable');
  if (isAway) throw new PaymentError('unavailable');
  return { results };
}

function plainProblem(error: PaymentError, requestId: string): z.input<typeof problemView> {
  const { errors, ...problem } = problemOf(error, requestId);
  return errors === undefined ? problem : { ...problem, errors: [...errors] };
}

function keyOf(item: unknown): string | null {
  return isObject(item) && typeof item.semantic_key === 'string' ? item.semantic_key : null;
}
