// The last comparison of the demo: what each provider owes us by our ledger, and by its own book, currency by currency.

import { z } from 'zod';
import { formatMajor, parseCurrency } from '../domain/money.ts';
import type { Stage } from './demo-checks.ts';
import type { BookRow } from './demo-client.ts';

/** What a row of the book does to the balance that a provider keeps for us. */
const SIGNS = { in: 1n, out: -1n, refund: -1n, return: 1n, dispute: -1n, dispute_won: 1n, fee: -1n } as const;
/** More than all providers and currencies together. */
const WALLETS_MAX = 500;

const walletsBody = z.object({ data: z.array(z.object({ wallet_id: z.string(), posted: z.string() })) });

export async function compareProviders({ client, screen }: Stage): Promise<void> {
  screen.step('Each provider, by our ledger and by its own book');
  const { body } = await client.get(`/v1/wallets?kind=provider&limit=${WALLETS_MAX}`);
  // Our wallet is negative by what the provider owes us.
  const ours = new Map(walletsBody.parse(body).data.map(({ wallet_id, posted }) => [wallet_id, -BigInt(posted)]));
  const book = Map.groupBy(await client.book(), ({ provider, currency }) => `@provider:${provider}:${currency}`);
  const names = [...new Set([...ours.keys(), ...book.keys()])].toSorted();
  screen.exchange('curl -H "$AUTH" "$URL/v1/wallets?kind=provider"', `200, and the sandbox's book beside it:`);
  screen.table([
    ['wallet', 'came in', 'refunded', 'paid out', 'came back', 'disputed', 'won', 'charged', 'the book', 'our ledger'],
    ...names.map((name) => rowOf(name, { rows: book.get(name) ?? [], oursMinor: ours.get(name) ?? 0n })),
  ]);
  const differing = names.filter((name) => balanceOf(book.get(name) ?? []) !== (ours.get(name) ?? 0n));
  const exceptions = differing.length === 0 ? '' : `; but not ${differing.join(', ')}`;
  screen.claim(`the ${names.length} balances agree to the smallest unit${exceptions}`, differing.length === 0);
}

function rowOf(name: string, { rows, oursMinor }: { rows: readonly BookRow[]; oursMinor: bigint }): string[] {
  const currency = parseCurrency(name.slice(name.lastIndexOf(':') + 1));
  const shown = (amountMinor: bigint) => formatMajor({ amountMinor, currency });
  const sumOf = (direction: keyof typeof SIGNS) =>
    rows.filter((row) => row.direction === direction).reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  const columns = ['in', 'refund', 'out', 'return', 'dispute', 'dispute_won', 'fee'] as const;
  return [name, ...columns.map((direction) => shown(sumOf(direction))), shown(balanceOf(rows)), shown(oursMinor)];
}

function balanceOf(rows: readonly BookRow[]): bigint {
  return rows.reduce((sum, { direction, amount }) => sum + SIGNS[direction] * BigInt(amount), 0n);
}
