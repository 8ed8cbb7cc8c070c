// One way to break each thing that row, posting and status changes of a transfer say together. Most transfers have no
// status change, some those that an earlier release wrote.

import type { Plant } from './planted-violations.ts';

/** Has succeeded. */
const MOVED = `(SELECT pkid FROM transfer WHERE semantic_key = 'transfer:0')`;
/** Has failed. */
const REFUSED = `(SELECT pkid FROM transfer WHERE semantic_key = 'transfer:9')`;

const putBack = (pkid: string, status: string) => `UPDATE transfer
  SET status = '${status}', failure_code = NULL, final_at = NULL, due_at = now() WHERE pkid = ${pkid};`;

/** As earlier releases wrote them. */
export const change = (pkid: string, number: 1 | 2 | 3, move: readonly [from: string | null, to: string]) => `
  INSERT INTO status_change (pkid, number, operation_kind, from_status, to_status, attempt, created_at)
  VALUES (${pkid}, ${number}, 'transfer', ${move[0] === null ? 'NULL' : `'${move[0]}'`}, '${move[1]}', 0, now());`;

export const TRANSFER_VIOLATIONS: readonly Plant[] = [
  {
    violation: 'a transfer has failed and nothing tells when',
    statements: `DELETE FROM status_change WHERE pkid = ${REFUSED}`,
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'a transfer that was done is waiting again',
    statements: putBack(MOVED, 'initialized'),
    check: 'A7',
    alsoNoticedBy: ['L2'],
  },
  {
    violation: 'a transfer that was done is in process again',
    statements: putBack(MOVED, 'in_process'),
    check: 'A7',
    alsoNoticedBy: ['A12', 'L2'],
  },
  {
    violation: 'a transfer that was done says that it failed',
    statements: `UPDATE transfer SET status = 'failed', failure_code = 'expired' WHERE pkid = ${MOVED}`,
    check: 'A7',
    alsoNoticedBy: ['A12', 'L2', 'W1', 'W2'],
  },
  {
    violation: 'a transfer that was refused is waiting again',
    statements: putBack(REFUSED, 'initialized'),
    check: 'A12',
    alsoNoticedBy: ['L2'],
  },
  {
    violation: 'a transfer that was taken in is in process',
    statements: `${putBack(REFUSED, 'in_process')} DELETE FROM status_change WHERE pkid = ${REFUSED};
      ${change(REFUSED, 1, [null, 'initialized'])}`,
    check: 'A12',
    alsoNoticedBy: ['L2'],
  },
  {
    violation: 'a transfer that was done has a status change that says it failed',
    statements: change(MOVED, 3, ['in_process', 'failed']),
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'of a transfer of an earlier release the end is missing',
    statements: `${change(MOVED, 1, [null, 'initialized'])} ${change(MOVED, 2, ['initialized', 'in_process'])}`,
    check: 'A12',
    alsoNoticedBy: [],
  },
  {
    violation: 'of a transfer of an earlier release the beginning is missing',
    statements: `${change(MOVED, 2, ['initialized', 'in_process'])} ${change(MOVED, 3, ['in_process', 'succeeded'])}`,
    check: 'A11',
    alsoNoticedBy: [],
  },
  {
    violation: 'a status change belongs to no transfer',
    statements: change(`'ffffffff-0000-4000-8000-000000000002'`, 1, [null, 'initialized']),
    check: 'A12',
    alsoNoticedBy: [],
  },
];
