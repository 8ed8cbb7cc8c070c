// A time that is asked about is over: what is not written yet cannot be told.

import { PaymentError } from '../domain/errors.ts';
import { readClock } from '../ledger/reads.ts';
import { statementsOf } from '../runtime/statements.ts';
import type { Api } from './context.ts';

/** The time that was asked for, else now. Throws validation-failed for one in the future. */
export async function pastTime(asked: Date | undefined, { db }: Pick<Api, 'db'>): Promise<Date> {
  const now = await readClock(statementsOf(db.sql));
  if (asked === undefined || asked <= now) return asked ?? now;
  const detail = 'at is in the future. Send a time that is over, or leave it out for now.';
  throw new PaymentError('validation-failed', { detail, errors: [{ pointer: '#/query/at', detail }] });
}
