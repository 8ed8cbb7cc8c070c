// P1 to P5: each payment against the providers' own book.

import { type BookRow, type Evidence, isFinal, type Operation, type PaymentKind, type Violation } from './evidence.ts';

const DIRECTIONS = { payout: 'out', payin: 'in', refund: 'refund' } as const satisfies Record<PaymentKind, string>;
/** The database and the sandbox read the same clock, one of them in whole milliseconds. */
const CLOCK_MS = 2;

export function judgePayments(evidence: Evidence): Violation[] {
  const { operations, book, firstIntentAt } = evidence;
  const rows = Map.groupBy(book, ({ key }) => key ?? '');
  const known = new Map(operations.map((one) => [one.pkid, one]));
  const unapplied = new Set(evidence.unapplied.map(({ pkid }) => pkid));
  return [
    ...operations.flatMap((one) => (isPayment(one) ? judgePayment(one, rows.get(one.pkid) ?? [], unapplied) : [])),
    ...book.flatMap((row) => judgeRow(row, { owner: known.get(row.key ?? '') ?? null, firstIntentAt })),
  ];
}

type Payment = Operation & { readonly kind: PaymentKind };

function isPayment(operation: Operation): operation is Payment {
  return operation.kind !== 'transfer';
}

function judgePayment(payment: Payment, all: readonly BookRow[], unapplied: ReadonlySet<string>): Violation[] {
  const { semanticKey: key, status, pkid } = payment;
  const rows = all.filter(({ direction }) => direction === DIRECTIONS[payment.kind]);
  const back = sumOf(all.filter(({ direction }) => direction === 'return'));
  if (rows.length > 1) return [{ check: 'doubled', key, detail: `${pkid} was paid ${rows.length} times` }];
  const [row] = rows;
  if (status === 'failed') {
    const isKept = row === undefined || sumOf(rows) === back || unapplied.has(pkid);
    return isKept ? [] : [{ check: 'paid_but_failed', key, detail: `${pkid} failed, and ${row?.amount} moved` }];
  }
  if (!isFinal(payment)) return [];
  const isInside = payment.kind === 'refund' && payment.to === 'wallet';
  if (row === undefined) return isInside ? [] : [{ check: 'lost', key, detail: `${pkid} succeeded without a payment` }];
  const found: Violation[] = [];
  if (row.amount !== payment.amount || row.currency !== payment.currency) {
    const asked = `${payment.amount} ${payment.currency}`;
    found.push({ check: 'amount', key, detail: `${pkid}: ${asked} asked for, ${row.amount} ${row.currency} moved` });
  }
  const { destination } = payment.fields;
  if (payment.kind === 'payout' && row.destination !== destination) {
    found.push({ check: 'amount', key, detail: `${pkid}: meant for ${destination}, paid to ${row.destination}` });
  }
  if (payment.kind === 'payout' && payment.returned !== back) {
    found.push({ check: 'lost', key, detail: `${pkid}: ${back} came back, ${payment.returned} is booked` });
  }
  return found;
}

function judgeRow(
  row: BookRow,
  { owner, firstIntentAt }: { owner: Operation | null; firstIntentAt: Evidence['firstIntentAt'] },
): Violation[] {
  const what = `${row.provider} ${row.direction} ${row.amount} ${row.currency}`;
  if (owner === null) return [{ check: 'orphan', key: row.key ?? '-', detail: `${what} without an operation` }];
  const intentAt = firstIntentAt.get(owner.pkid);
  if (intentAt !== undefined && intentAt <= row.at + CLOCK_MS) return [];
  return [{ check: 'early', key: owner.semanticKey, detail: `${what} before any intent` }];
}

function sumOf(rows: readonly BookRow[]): bigint {
  return rows.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
}
