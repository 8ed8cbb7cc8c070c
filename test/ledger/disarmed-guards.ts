// One way to disarm each kind of guard, for the check that watches them.

import type { Plant } from './planted-violations.ts';

export const DISARMED: readonly Plant[] = [
  {
    violation: 'a trigger is switched off',
    statements: 'ALTER TABLE entry DISABLE TRIGGER entry_zero_sum',
    check: 'A13',
    alsoNoticedBy: [],
  },
  {
    violation: 'a trigger is gone',
    statements: 'DROP TRIGGER payout_moves ON payout',
    check: 'A13',
    alsoNoticedBy: [],
  },
  {
    violation: "a trigger's function does nothing any more",
    statements: `CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql
      AS 'BEGIN RETURN NULL; END'`,
    check: 'A13',
    alsoNoticedBy: [],
  },
  {
    violation: 'a constraint stands but was never checked',
    statements: `ALTER TABLE payout DROP CONSTRAINT payout_amount_positive;
      ALTER TABLE payout ADD CONSTRAINT payout_amount_positive CHECK (amount > 0) NOT VALID`,
    check: 'A13',
    alsoNoticedBy: [],
  },
  {
    violation: 'a unique index is gone',
    statements: 'DROP INDEX hold_operation',
    check: 'A13',
    alsoNoticedBy: [],
  },
];
