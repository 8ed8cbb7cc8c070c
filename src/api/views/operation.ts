// What payouts and transfers show alike.

import { z } from '@hono/zod-openapi';
import { FAILURE_CODES, type FailureCode } from '../../domain/state-machine.ts';

export const failureView = z
  .object({ code: z.enum(FAILURE_CODES), detail: z.string() })
  .nullable()
  .openapi({ description: 'Why it failed; null unless it did.' });

export function presentFailure(row: {
  failureCode: FailureCode | null;
  failureDetail: string | null;
}): z.input<typeof failureView> {
  return row.failureCode === null ? null : { code: row.failureCode, detail: row.failureDetail ?? '' };
}

export function isoOrNull(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}
