// Judges the file of the demo: what each line ended as, against what was asked, and our payouts against the provider's
// own book, row by row. The book is written by the sandbox, which shares no code with the processor.

import { formatMajor, parseCurrency } from '../domain/money.ts';
import { type Word, wordOf } from '../sandbox/behaviour.ts';
import { type Stage, until } from './demo-checks.ts';
import type { BookRow } from './demo-client.ts';
import { type Outcome, type Payout, readOperations, SHORT_WALLET } from './demo-file.ts';

/** Words that end a payout without money; all others end as paid. */
const FAILURES: Partial<Record<Word, string>> = {
  decline: 'failed, declined',
  pending_then_fail: 'failed, declined',
  insufficient: 'failed, provider_insufficient_funds',
  error_stored: 'failed, provider_error',
};
/** What a table or a claim names of many. */
const NAMED_MAX = 5;

export function judgeOutcomes({ screen }: Stage, outcomes: readonly Outcome[], funded: ReadonlyMap<string, bigint>) {
  const byEnd = Map.groupBy(outcomes, endOf);
  screen.table([
    ['ended as', 'lines', 'what the providers did with them'],
    ...[...byEnd].toSorted(([, a], [, b]) => b.length - a.length).map(([end, own]) => rowOfEnd(end, own)),
    ['together', String(outcomes.length), ''],
  ]);
  const [short, rest] = [true, false].map((isShort) =>
    outcomes.filter(({ line }) => (line.wallet_id === SHORT_WALLET) === isShort),
  );
  const odd = rest?.filter((outcome) => endOf(outcome) !== expectedEnd(outcome)) ?? [];
  screen.claim(`every line ended as its destination says${named(odd)}`, odd.length === 0);
  const paid = short?.filter((outcome) => endOf(outcome) === 'succeeded').length ?? 0;
  const affordable = (funded.get(SHORT_WALLET) ?? 0n) / BigInt(short?.[0]?.line.amount ?? '1');
  screen.claim(
    `${SHORT_WALLET} had money for ${affordable} of its ${short?.length} lines, and ${paid} were paid`,
    BigInt(paid) === affordable,
  );
}

export async function compareBook(stage: Stage, outcomes: readonly Outcome[]): Promise<void> {
  const { client, screen } = stage;
  const book = await client.book();
  const kinds = ['payouts', 'payins', 'refunds'] as const;
  const ours = (await Promise.all(kinds.map((kind) => readOperations(client, kind)))).flatMap((all) => [
    ...all.values(),
  ]);
  const rowsByKey = Map.groupBy(book, ({ key }) => key ?? '');
  const payouts = outcomes.flatMap(({ payout }) => payout ?? []);
  const paidTwice = payouts.filter((payout) => outRows(payout, rowsByKey).length > 1);
  const wrong = payouts.filter((payout) => !agrees(payout, outRows(payout, rowsByKey)));
  const known = new Set(ours.filter(({ status }) => status === 'succeeded').map(({ pkid }) => pkid));
  const strange = book.filter(({ key }) => key === null || !known.has(key));

  screen.table([
    ['currency', 'lines', 'asked for', 'paid, by us', 'paid, by the book', 'came back', 'difference'],
    ...[...Map.groupBy(outcomes, ({ line }) => line.currency)]
      .toSorted(([, a], [, b]) => b.length - a.length)
      .map(([currency, own]) => rowOfCurrency(currency, own, rowsByKey)),
  ]);
  const sums = [...Map.groupBy(outcomes, ({ line }) => line.currency).values()];
  screen.claim(
    'by currency, both books agree',
    sums.every((own) => differenceOf(own, rowsByKey) === 0n),
  );
  screen.claim(
    `line by line: one row for each succeeded payout, none for any other, amounts equal${named(wrong)}`,
    wrong.length === 0,
  );
  screen.claim('nothing was paid twice', paidTwice.length === 0);
  screen.claim('no provider moved anything that we do not know', strange.length === 0);
}

export async function judgeWallets(
  { client, screen }: Stage,
  outcomes: readonly Outcome[],
  funded: Map<string, bigint>,
) {
  const wrong: string[] = [];
  for (const [wallet, opening] of funded) {
    const own = outcomes.flatMap(({ line, payout }) => (line.wallet_id === wallet && payout !== null ? payout : []));
    const left = own.reduce((sum, payout) => sum - paidBy(payout) + returnedTo(payout), opening);
    const { body } = await client.get(`/v1/wallets/${wallet}`);
    if (body.posted !== String(left) || body.held !== '0') wrong.push(wallet);
  }
  screen.claim(`the balances of all ${funded.size} wallets are what is left, and nothing is held`, wrong.length === 0);
}

/** Every end of a payout was told to the web app, once, and nothing else of it. */
export async function judgeTold({ screen, listener }: Stage, outcomes: readonly Outcome[]): Promise<void> {
  const expected = outcomes.flatMap(({ payout }) => (payout === null ? [] : eventsOf(payout)));
  const toldOf = () => listener.heard().map(({ type, subject }) => `${type} ${subject}`);
  const isMissing = (told: ReadonlySet<string>) => expected.filter((name) => !told.has(name));
  await until(() => isMissing(new Set(toldOf())).length === 0).catch(() => undefined);
  const missing = isMissing(new Set(toldOf()));
  screen.claim(
    `the web app was told of all ${expected.length} ends${missing.length === 0 ? '' : `; not ${missing[0]}`}`,
    missing.length === 0,
  );
  screen.claim('of each once', new Set(toldOf()).size === listener.heard().length);
}

function eventsOf({ semantic_key, status, reversals }: Payout): string[] {
  return [`payout.${status} ${semantic_key}`, ...reversals.map(() => `payout.returned ${semantic_key}`)];
}

function rowOfEnd(end: string, own: readonly Outcome[]): [string, string, string] {
  const words = Map.groupBy(own, ({ line }) => wordOf(line.destination));
  const text = [...words]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([word, lines]) => `${word} ${lines.length}`)
    .join(', ');
  return [end, String(own.length), text];
}

function rowOfCurrency(currency: string, own: readonly Outcome[], rows: ReadonlyMap<string, BookRow[]>): string[] {
  const shown = (amountMinor: bigint) => formatMajor({ amountMinor, currency: parseCurrency(currency) });
  const payouts = own.flatMap(({ payout }) => payout ?? []);
  return [
    currency,
    String(own.length),
    shown(own.reduce((sum, { line }) => sum + BigInt(line.amount), 0n)),
    shown(payouts.reduce((sum, payout) => sum + paidBy(payout), 0n)),
    shown(payouts.reduce((sum, payout) => sum + bookSum(payout, rows, 'out'), 0n)),
    shown(payouts.reduce((sum, payout) => sum + bookSum(payout, rows, 'return'), 0n)),
    shown(differenceOf(own, rows)),
  ];
}

/** Of what left and of what came back, the two books together; zero when they agree. */
function differenceOf(own: readonly Outcome[], rows: ReadonlyMap<string, BookRow[]>): bigint {
  return own
    .flatMap(({ payout }) => payout ?? [])
    .reduce((sum, payout) => {
      const theirs = bookSum(payout, rows, 'out') - bookSum(payout, rows, 'return');
      return sum + paidBy(payout) - returnedTo(payout) - theirs;
    }, 0n);
}

function agrees(payout: Payout, rows: readonly BookRow[]): boolean {
  if (payout.status !== 'succeeded') return rows.length === 0;
  const [row] = rows;
  return rows.length === 1 && row?.amount === payout.amount && row.currency === payout.currency;
}

function outRows({ pkid }: Payout, rows: ReadonlyMap<string, BookRow[]>): BookRow[] {
  return rows.get(pkid)?.filter(({ direction }) => direction === 'out') ?? [];
}

function bookSum({ pkid }: Payout, rows: ReadonlyMap<string, BookRow[]>, wanted: string): bigint {
  const own = rows.get(pkid)?.filter(({ direction }) => direction === wanted) ?? [];
  return own.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
}

function paidBy({ status, amount }: Payout): bigint {
  return status === 'succeeded' ? BigInt(amount) : 0n;
}

function returnedTo({ reversals }: Payout): bigint {
  return reversals.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
}

function endOf({ refusal, payout }: Outcome): string {
  if (payout === null) return `refused, ${refusal}`;
  if (payout.failure !== null) return `failed, ${payout.failure.code}`;
  return payout.status === 'succeeded' && payout.reversals.length > 0 ? 'succeeded, came back' : payout.status;
}

function expectedEnd({ line }: Outcome): string {
  // Stripe pays dinars in steps of ten fils; the file has a few lines that ask for less.
  if (line.provider === 'stripe' && line.currency === 'KWD' && !line.amount.endsWith('0')) {
    return 'refused, provider-not-able';
  }
  const word = wordOf(line.destination);
  return FAILURES[word] ?? (word === 'bounce' ? 'succeeded, came back' : 'succeeded');
}

function named(items: readonly ({ semantic_key: string } | Outcome)[]): string {
  if (items.length === 0) return '';
  const keys = items.map((item) => ('line' in item ? `${item.line.semantic_key} ${endOf(item)}` : item.semantic_key));
  return `; but not ${keys.slice(0, NAMED_MAX).join(', ')}${keys.length > NAMED_MAX ? ' ...' : ''}`;
}
