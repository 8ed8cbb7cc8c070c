// How the end of an intake is answered, the same for everything that is named by a key: new, a replay, or a reuse.

import { PaymentError } from '../domain/errors.ts';
import type { Intake } from '../ledger/step.ts';
import type { Reply } from './endpoint.ts';

/** `addressOf` is where the row is read: whoever uses its key for something else is told. */
export function taken<Row>(intake: Intake<Row>, addressOf: (row: Row) => string): { row: Row; isReplayed: boolean } {
  if (intake.type === 'key_reused') {
    const detail =
      'The key was used with other fields before, and nothing was changed. ' +
      `GET ${addressOf(intake.row)} shows what it made. For something new, choose a new key.`;
    throw new PaymentError('key-reused', { detail });
  }
  if (intake.type === 'taken') throw new PaymentError('invalid-state');
  return { row: intake.row, isReplayed: intake.type === 'replayed' };
}

/** `created` is the status of something new; a replay is always 200. */
export function intakeReply<Body>(answer: {
  isReplayed: boolean;
  created: 201 | 202;
  location: string;
  body: Body;
}): Reply<Body> {
  const { isReplayed, created, location, body } = answer;
  return { status: isReplayed ? 200 : created, location, isReplayed, body };
}
