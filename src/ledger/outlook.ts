// What a commit that is under way will leave, for the one that follows it. With one wallet that everybody wants, each
// commit would wait for the one before to be on the disk before it reads a balance; so it is planned on the balances
// that the one before has written, and locks and compares them when that has ended.

import type { Balance } from '../domain/movements.ts';
import type { Item } from './item.ts';
import type { Foreseen, LockedWallets } from './wallets.ts';

export interface Outlook extends Foreseen {
  /** Resolves when it is committed. Rejects when it is not, or when that is not known. */
  readonly ended: Promise<void>;
}

export const NOTHING_FORESEEN: Foreseen = { balances: new Map(), debts: new Map() };

/** The wallets that these items want of those that the commit before them holds, each with its debt. */
export function foreseenOf(items: readonly Item[], { balances, debts }: Outlook): Foreseen {
  const wanted = { balances: new Map<string, Balance>(), debts: new Map<string, string>() };
  for (const walletId of items.flatMap((item) => item.walletIds)) {
    const debtId = debts.get(walletId);
    for (const id of debtId === undefined ? [walletId] : [walletId, debtId]) {
      const balance = balances.get(id);
      if (balance !== undefined) wanted.balances.set(id, balance);
    }
    if (debtId !== undefined && balances.has(walletId)) wanted.debts.set(walletId, debtId);
  }
  return wanted;
}

export function joined(locked: LockedWallets, foreseen: Foreseen): LockedWallets {
  return {
    ...locked,
    balances: new Map([...foreseen.balances, ...locked.balances]),
    debts: new Map([...foreseen.debts, ...locked.debts]),
  };
}

/** Waits for the commit before. What was sent by then may fail meanwhile, and is told of with all the rest. */
export async function afterwards({ ended }: Outlook, underway: readonly Promise<unknown>[]): Promise<void> {
  for (const one of underway) one.catch(() => undefined);
  await ended;
}

/** How a commit ends, for the one behind it; what is said first counts. */
export function endOfCommit(): { ended: Promise<void>; say: (isCommitted: boolean) => void } {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const ended = promise.then((isCommitted) => {
    if (!isCommitted) throw new Error('The commit before this one has failed.');
  });
  // Mostly nobody is behind it.
  ended.catch(() => undefined);
  return { ended, say: resolve };
}
