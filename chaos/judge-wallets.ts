// Every wallet to the minor unit, from a model that knows nothing of postings: what was put in, what each final
// operation moved, and for orders the fee formula of the design. B1: provider wallets against the providers' book.

import type { BookRow, Evidence, Operation, Order, Violation } from './evidence.ts';
import { CURRENCY, POOR, POOR_TRANSFERS, WALLETS } from './market.ts';

const SIGNS = { in: 1n, out: -1n, refund: -1n, return: 1n, dispute: -1n, dispute_won: 1n, fee: -1n } as const;

export function judgeWallets(evidence: Evidence): Violation[] {
  const { wallets, operations } = evidence;
  const expected = expectedWallets(evidence);
  // What a seller lacks stands in their debt wallet; the two together are what they have.
  const actual = new Map<string, bigint>();
  for (const [wallet, posted] of wallets) {
    const debtor = /^@debt:(.+):[A-Z]{3}$/.exec(wallet)?.[1];
    add(actual, debtor ?? wallet, posted);
  }
  const names = new Set([...expected.keys(), ...actual.keys()]);
  const differing = [...names].filter((name) => (expected.get(name) ?? 0n) !== (actual.get(name) ?? 0n));
  const found = differing.map((key): Violation => {
    return { check: 'balance', key, detail: `is ${actual.get(key) ?? 0n}, and should be ${expected.get(key) ?? 0n}` };
  });
  return [...found, ...judgePoor(operations)];
}

/** Whoever came first was served, and exactly as many as there was money for. */
function judgePoor(operations: readonly Operation[]): Violation[] {
  const asked = operations.filter(({ fields }) => fields.from_wallet === POOR);
  const served = asked.filter(({ status }) => status === 'succeeded').length;
  const affordable = Math.min(asked.length, Number(POOR_TRANSFERS));
  if (served === affordable) return [];
  return [{ check: 'balance', key: POOR, detail: `${served} transfers were served, ${affordable} affordable` }];
}

function expectedWallets({ operations, orders, book, unapplied }: Evidence): Map<string, bigint> {
  const expected = new Map<string, bigint>();
  for (const { walletId, fundsMinor } of WALLETS) {
    add(expected, walletId, fundsMinor);
    add(expected, `@equity:${CURRENCY}`, -fundsMinor);
  }
  for (const one of operations) if (one.status === 'succeeded') move(expected, one);
  const refunds = operations.filter(({ kind, status }) => kind === 'refund' && status === 'succeeded');
  const byOrder = Map.groupBy(refunds, ({ orderId }) => orderId);
  for (const order of orders) if (order.isPaid) settle(expected, order, byOrder.get(order.orderId) ?? []);
  for (const row of book) add(expected, `@provider:${row.provider}:${row.currency}`, -signed(row));
  for (const { amountMinor } of unapplied) add(expected, `@unapplied:${CURRENCY}`, amountMinor);
  return expected;
}

function move(expected: Map<string, bigint>, { kind, amount, fields, returned, to }: Operation): void {
  const amountMinor = BigInt(amount);
  if (kind === 'transfer') {
    add(expected, String(fields.from_wallet), -amountMinor);
    add(expected, String(fields.to_wallet), amountMinor);
  }
  if (kind === 'payout') add(expected, String(fields.wallet_id), returned - amountMinor);
  if (kind === 'refund' && to === 'wallet') add(expected, String(fields.wallet_id), amountMinor);
}

/** With nothing open any more it does not matter when each refund came, only how much of it there was. */
function settle(expected: Map<string, bigint>, order: Order, refunds: readonly Operation[]): void {
  const { sellerId, amountMinor, feeMinor, isDelivered } = order;
  const backMinor = refunds.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  if (!isDelivered) {
    add(expected, `@pending:${sellerId}:${CURRENCY}`, amountMinor - backMinor);
    return;
  }
  const keptFeeMinor = feeMinor - (feeMinor * backMinor) / amountMinor;
  add(expected, sellerId, amountMinor - backMinor - keptFeeMinor);
  add(expected, `@fees:${CURRENCY}`, keptFeeMinor);
}

function signed({ direction, amount }: BookRow): bigint {
  return SIGNS[direction] * BigInt(amount);
}

function add(sums: Map<string, bigint>, name: string, amountMinor: bigint): void {
  sums.set(name, (sums.get(name) ?? 0n) + amountMinor);
}
