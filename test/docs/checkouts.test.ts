// The page about checkouts says what the program does: its worked example to the cent, and every kind of posting.

import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CHECKOUT_STATUSES } from '../../src/domain/checkout.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { ORDER_STATUSES } from '../../src/domain/order.ts';
import { openTill, type Till } from '../domain/till.ts';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/checkouts.md', root), 'utf8');
/** The columns of the worked example, as the till names its wallets. */
const COLUMNS = ['pending:ann', 'ann', 'fees', 'debt:ann', 'provider'] as const;

test('the worked example is what the ledger books, step by step', () => {
  const till = openTill({
    currency: parseCurrency('USD'),
    orders: [
      { seller: 'ann', amountMinor: 10_000n, feeMinor: 2_000n },
      { seller: 'ann', amountMinor: 4_000n, feeMinor: 0n },
    ],
  });
  const steps: readonly (() => unknown)[] = [
    () => till.pay(),
    () => till.settleRefund(till.openRefund(0, 3_000n)),
    () => till.deliver(0),
    () => expect(till.payOut('ann', 4_600n)).toBe(true),
    () => till.settleRefund(till.openRefund(0, 5_000n)),
    () => till.deliver(1),
  ];
  const booked = steps.map((step) => changeBy(till, step));
  expect(exampleIn(page)).toEqual(booked);
});

test('every kind of posting has its line, and every state its name', () => {
  const paths = globSync('src/{domain,jobs}/**/*.ts', { cwd: fileURLToPath(root) });
  const files = paths.map((path) => readFileSync(new URL(path, root), 'utf8'));
  const written = files.flatMap((text) => [...text.matchAll(/\bevent: '([a-z_.]+)'/g)].map(([, event = '']) => event));
  expect(written).toContain('order.delivered');
  expect([...new Set(written)].filter((event) => !page.includes(`\`${event}\``))).toEqual([]);
  const states = [...CHECKOUT_STATUSES, ...ORDER_STATUSES];
  expect(states.filter((state) => !page.includes(`\`${state}\``))).toEqual([]);
});

function exampleIn(text: string): string[][] {
  const [, table = ''] = /\| what happens \|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)*)/.exec(text) ?? [];
  return table
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .split('|')
        .slice(2, -1)
        .map((cell) => cell.trim()),
    );
}

function changeBy(till: Till, step: () => unknown): string[] {
  const before = till.balances();
  step();
  const after = till.balances();
  return COLUMNS.map((name) => shown((after[name] ?? 0n) - (before[name] ?? 0n)));
}

function shown(cents: bigint): string {
  if (cents === 0n) return '';
  const text = String(cents < 0n ? -cents : cents).padStart(3, '0');
  return `${cents < 0n ? '-' : '+'}${text.slice(0, -2)}.${text.slice(-2)}`;
}
