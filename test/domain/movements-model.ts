// A model of the ledger that knows only totals, for the tests that compare it with the real one.

import type { Pkid } from '../../src/domain/id.ts';
import type { Book, Hold, Line, Movement } from '../../src/domain/movements.ts';

const BALANCE_MAX = 2n ** 63n - 1n;

/** The rules once more, as plainly as possible: whether a movement is taken, and the totals it leaves. */
export function createModel(book: Book): (movement: Movement) => boolean {
  const posted = new Map([...book.wallets].map(([id, wallet]) => [id, wallet.postedMinor]));
  const holds = new Map<Pkid, Hold>();
  const heldOf = (id: string) =>
    [...holds.values()]
      .filter((hold) => hold.walletId === id && hold.status === 'active')
      .reduce((sum, hold) => sum + hold.amountMinor, 0n);
  const isIn = (id: string, code: string) => book.wallets.get(id)?.currency === code;
  const mayOwe = (id: string) => book.wallets.get(id)?.allowNegative === true;

  function tryPost(code: string, changes: readonly (readonly [string, bigint])[]): boolean {
    if (changes.length < 2 || changes.reduce((sum, [, change]) => sum + change, 0n) !== 0n) return false;
    const next = new Map(posted);
    for (const [id, change] of changes) {
      if (!isIn(id, code)) return false;
      const value = (next.get(id) ?? 0n) + change;
      if (value > BALANCE_MAX || value < -BALANCE_MAX) return false;
      next.set(id, value);
    }
    for (const [id, value] of next) {
      if (value < (posted.get(id) ?? 0n) && !mayOwe(id) && value < heldOf(id)) return false;
    }
    for (const [id, value] of next) posted.set(id, value);
    return true;
  }

  const freeOf = (id: string, from = posted) => max(0n, (from.get(id) ?? 0n) - heldOf(id));

  function net(id: string): void {
    const debt = book.debts.get(id);
    if (debt === undefined) return;
    const minor = min(freeOf(id), -(posted.get(debt) ?? 0n));
    posted.set(id, (posted.get(id) ?? 0n) - minor);
    posted.set(debt, (posted.get(debt) ?? 0n) + minor);
  }

  /** What a wallet cannot give comes from elsewhere, line by line. */
  function covered(some: readonly Line[]): [string, bigint][] {
    const left = new Map(posted);
    return some.flatMap(({ walletId: id, amountMinor, orFrom }): [string, bigint][] => {
      const ownMinor = orFrom === undefined ? amountMinor : max(amountMinor, -freeOf(id, left));
      left.set(id, (left.get(id) ?? 0n) + ownMinor);
      return orFrom === undefined || ownMinor === amountMinor
        ? [[id, amountMinor]]
        : [
            [id, ownMinor],
            [orFrom, amountMinor - ownMinor],
          ];
    });
  }

  return (movement) => {
    switch (movement.type) {
      case 'transfer': {
        const { from, to, money } = movement;
        if (from === to || money.amountMinor <= 0n) return false;
        net(from);
        return tryPost(money.currency, [
          [from, -money.amountMinor],
          [to, money.amountMinor],
        ]);
      }
      case 'post':
        if (movement.lines.length < 2 || !tryPost(movement.currency, covered(movement.lines))) return false;
        if (movement.repays !== undefined) net(movement.repays);
        return true;
      case 'hold': {
        const { holdId: id, walletId: wallet, money } = movement;
        net(wallet);
        if (!isIn(wallet, money.currency) || money.amountMinor <= 0n || holds.has(id)) return false;
        const held = heldOf(wallet) + money.amountMinor;
        if (held > BALANCE_MAX || (!mayOwe(wallet) && (posted.get(wallet) ?? 0n) < held)) return false;
        holds.set(id, { holdId: id, walletId: wallet, amountMinor: money.amountMinor, status: 'active' });
        return true;
      }
      default: {
        const hold = holds.get(movement.holdId);
        if (hold?.status !== 'active') return false;
        if (movement.type === 'release') {
          holds.set(hold.holdId, { ...hold, status: 'released' });
          return true;
        }
        holds.set(hold.holdId, { ...hold, status: 'captured' });
        const code = book.wallets.get(hold.walletId)?.currency ?? '';
        const isPosted =
          hold.walletId !== movement.to &&
          tryPost(code, [
            [hold.walletId, -hold.amountMinor],
            [movement.to, hold.amountMinor],
          ]);
        if (!isPosted) holds.set(hold.holdId, hold);
        return isPosted;
      }
    }
  };
}

function min(left: bigint, right: bigint): bigint {
  return left < right ? left : right;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
