// The ledger's rules against a small model, over random sequences of movements on a few wallets.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pkidOf, postingIdOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { type Applied, apply, type Balance, type Book, type Movement } from '../../src/domain/movements.ts';
import { createModel } from './movements-model.ts';

const USD = parseCurrency('USD');
const JPY = parseCurrency('JPY');
const BALANCE_MAX = 2n ** 63n - 1n;
/** For each of the promises below. */
const RUNS = 1_000;

const WALLETS = [
  { walletId: 'ann', currency: USD, allowNegative: false },
  { walletId: 'bob', currency: USD, allowNegative: false },
  { walletId: 'yen', currency: JPY, allowNegative: false },
  { walletId: '@provider:stripe:USD', currency: USD, allowNegative: true },
  { walletId: '@equity:USD', currency: USD, allowNegative: true },
  { walletId: '@equity:JPY', currency: JPY, allowNegative: true },
];
/** What Ann owes; only netting, and what she cannot give, moves it. */
const DEBT = { walletId: '@debt:ann:USD', currency: USD, allowNegative: true };
const walletId = fc.constantFrom(...WALLETS.map((wallet) => wallet.walletId), 'nobody');
const currency = fc.constantFrom(USD, USD, USD, JPY);
const holdId = fc.integer({ min: 0, max: 4 }).map((number) => pkidOf('payout', `hold-${number}`));
const amount = fc.oneof(
  { weight: 20, arbitrary: fc.bigInt({ min: 1n, max: 120n }) },
  { weight: 1, arbitrary: fc.constantFrom(0n, -5n, BALANCE_MAX, BALANCE_MAX / 2n) },
);

type Draft = Movement extends infer Each ? (Each extends Movement ? Omit<Each, 'posting' | 'subject'> : never) : never;

const drafts: fc.Arbitrary<Draft[]> = fc.array(
  fc.oneof(
    fc.record({
      type: fc.constant('transfer' as const),
      from: walletId,
      to: walletId,
      money: fc.record({ amountMinor: amount, currency }),
    }),
    fc.record({
      type: fc.constant('hold' as const),
      holdId,
      walletId,
      money: fc.record({ amountMinor: amount, currency }),
    }),
    fc.record({ type: fc.constant('capture' as const), holdId, to: walletId }),
    fc.record({ type: fc.constant('release' as const), holdId }),
    fc.record({ type: fc.constant('post' as const), currency, lines: lines() }),
    fc.record({ type: fc.constant('post' as const), currency, lines: lines(), repays: fc.constantFrom('ann', 'bob') }),
  ),
  { maxLength: 40 },
);

/** Mostly balanced: the last line takes what the others leave. */
function lines() {
  const line = fc.record({ walletId, amountMinor: fc.bigInt({ min: -100n, max: 100n }) });
  return fc
    .tuple(fc.array(line, { maxLength: 3 }), walletId, fc.integer({ min: 0, max: 9 }))
    .map(([some, last, die]) => {
      const rest = -some.reduce((sum, { amountMinor }) => sum + amountMinor, 0n);
      const all = [...some, { walletId: last, amountMinor: die === 0 ? rest + 1n : rest }];
      return all.map((each) => (each.walletId === 'ann' && die < 5 ? { ...each, orFrom: DEBT.walletId } : each));
    });
}

function movementsOf(some: readonly Draft[]): Movement[] {
  return some.map((draft, number) => {
    const semanticKey = `movement-${number}`;
    const subject = { kind: 'transfer', pkid: pkidOf('transfer', semanticKey), semanticKey } as const;
    if (draft.type === 'hold') return { ...draft, subject };
    if (draft.type === 'release') return draft;
    const postingId = postingIdOf(subject.pkid, 'settle');
    return { ...draft, posting: { ...subject, postingId, event: 'test', reverses: null } };
  });
}

const FUNDS: Readonly<Record<string, bigint>> = { ann: 500n, bob: 100n, yen: 50n, [DEBT.walletId]: -70n };

function bookOf(funds = FUNDS): Book {
  const balances = [...WALLETS, DEBT].map((wallet): [string, Balance] => [
    wallet.walletId,
    { ...wallet, postedMinor: funds[wallet.walletId] ?? 0n, heldMinor: 0n, seq: 7n },
  ]);
  return { wallets: new Map(balances), holds: new Map(), debts: new Map([['ann', DEBT.walletId]]) };
}

function total(book: Pick<Book, 'wallets'>, of: string): bigint {
  return [...book.wallets.values()]
    .filter((wallet) => wallet.currency === of)
    .reduce((sum, wallet) => sum + wallet.postedMinor, 0n);
}

function checkRandom(promise: (before: Book, movements: Movement[], applied: Applied) => void): void {
  fc.assert(
    fc.property(drafts, (some) => {
      const before = bookOf();
      const movements = movementsOf(some);
      promise(before, movements, apply(before, movements));
    }),
    { numRuns: RUNS },
  );
}

test('no sequence of movements makes or loses money in any currency', () => {
  checkRandom((before, _, after) => {
    for (const each of [USD, JPY]) expect(total(after, each)).toBe(total(before, each));
  });
});

test('every posting is balanced, and a balance is what its entries add up to, counted without gaps', () => {
  checkRandom((before, _, { wallets, entries, postings }) => {
    const sums = new Map<string, bigint>();
    for (const entry of entries) sums.set(entry.postingId, (sums.get(entry.postingId) ?? 0n) + entry.amountMinor);
    expect([...sums.keys()]).toEqual(postings.map((posting) => posting.postingId));
    expect([...sums.values()].every((sum) => sum === 0n)).toBe(true);
    for (const [id, wallet] of wallets) {
      let { postedMinor, seq } = before.wallets.get(id) ?? wallet;
      for (const entry of entries.filter((each) => each.walletId === id)) {
        postedMinor += entry.amountMinor;
        seq += 1n;
        expect(entry).toMatchObject({ balanceAfterMinor: postedMinor, seq, currency: wallet.currency });
      }
      expect({ postedMinor: wallet.postedMinor, seq: wallet.seq }).toEqual({ postedMinor, seq });
    }
  });
});

test('what is held back is the sum of the active holds, and available is never negative where it may not be', () => {
  checkRandom((_, __, { wallets, holds }) => {
    for (const [id, wallet] of wallets) {
      const active = [...holds.values()].filter((hold) => hold.walletId === id && hold.status === 'active');
      expect(wallet.heldMinor).toBe(active.reduce((sum, hold) => sum + hold.amountMinor, 0n));
      if (!wallet.allowNegative) expect(wallet.postedMinor >= wallet.heldMinor).toBe(true);
    }
  });
});

test('a batch gives what its movements give one at a time', () => {
  checkRandom((before, movements, whole) => {
    let book = before;
    const pieces: Applied[] = [];
    for (const movement of movements) {
      const piece = apply(book, [movement]);
      pieces.push(piece);
      book = { ...piece, debts: before.debts };
    }
    expect({ wallets: whole.wallets, holds: whole.holds }).toEqual({ wallets: book.wallets, holds: book.holds });
    expect(whole.entries).toEqual(pieces.flatMap((piece) => piece.entries));
    expect(whole.postings).toEqual(pieces.flatMap((piece) => piece.postings));
    expect(whole.results).toEqual(pieces.flatMap((piece) => piece.results));
  });
});

test('a refused movement changes nothing but a debt, and the book it was given is never touched', () => {
  checkRandom((before, movements) => {
    const untouched = structuredClone(before);
    let book: Book = before;
    for (const movement of movements) {
      const next = apply(book, [movement]);
      if (next.results[0]?.type === 'refused') {
        const same = (some: Pick<Book, 'wallets'>) => [...some.wallets].filter(([id]) => !isOfDebt(id));
        expect([same(next), next.holds]).toEqual([same(book), book.holds]);
        expect(next.entries.filter((entry) => !isOfDebt(entry.walletId))).toEqual([]);
        expect(next.postings.filter(({ event }) => event !== 'debt.netted')).toEqual([]);
      }
      book = { ...next, debts: before.debts };
    }
    expect(before).toEqual(untouched);
  });
});

const isOfDebt = (id: string) => id === 'ann' || id === DEBT.walletId;

test('nobody owes less than nothing, and nothing is held for one who still owes', () => {
  checkRandom((before, movements) => {
    let book: Book = before;
    for (const movement of movements) {
      const next = apply(book, [movement]);
      const debtMinor = next.wallets.get(DEBT.walletId)?.postedMinor ?? 0n;
      expect(debtMinor <= 0n).toBe(true);
      const isAnns = movement.type === 'hold' && movement.walletId === 'ann';
      if (isAnns && next.results[0]?.type === 'done') expect(debtMinor).toBe(0n);
      book = { ...next, debts: before.debts };
    }
  });
});

test('a model that knows only totals agrees with every answer', () => {
  checkRandom((before, movements, { results }) => {
    const model = createModel(before);
    expect(results.map((result) => result.type === 'done')).toEqual(movements.map((movement) => model(movement)));
  });
});

test.each([
  ['a transfer of more than is available', { ann: 9n }, 10n, 'insufficient_funds'],
  ['a receiver whose balance would not fit the column', { ann: 10n, bob: BALANCE_MAX - 9n }, 10n, 'limit_exceeded'],
] as const)('%s is refused as %s', (_, funds, amountMinor, code) => {
  const [movement] = movementsOf([{ type: 'transfer', from: 'ann', to: 'bob', money: { amountMinor, currency: USD } }]);
  expect(apply(bookOf(funds), movement ? [movement] : []).results).toEqual([{ type: 'refused', code }]);
});

test('the last unit that fits is taken', () => {
  const [movement] = movementsOf([
    { type: 'transfer', from: 'ann', to: 'bob', money: { amountMinor: 9n, currency: USD } },
  ]);
  const applied = apply(bookOf({ ann: 9n, bob: BALANCE_MAX - 9n }), movement ? [movement] : []);
  expect(applied.results).toEqual([{ type: 'done' }]);
  expect(applied.wallets.get('bob')?.postedMinor).toBe(BALANCE_MAX);
});
