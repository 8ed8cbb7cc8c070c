// Our balance at a provider, asked before a payout is sent for the first time: money that is not there yet makes the
// payout wait rather than fail. Asked seldom, because a thousand payouts would ask a thousand times.

import type { Logger } from 'pino';
import type { Currency, Money } from '../domain/money.ts';
import type { Provider } from '../domain/provider.ts';

export interface Funds {
  /** Asks ahead of the claim, so that the answer is there when the payout has to leave. */
  warm(provider: Provider, currency: Currency): Promise<void>;
  /**
   * Whether our balance covers it besides what was let through since we last asked; then it counts as spent. True when
   * the provider does not tell, or gives no answer: nobody is held back by that.
   */
  cover(provider: Provider, money: Money): Promise<boolean>;
}

/**
 * From the answer on: long enough to spare the provider, short enough that arriving money is soon seen. A payout that
 * missed its moment while a slow answer was awaited finds it here when it is run again.
 */
const REMEMBERED_MS = 1_000;
/** It may not eat the time in which the payout itself has to leave. */
const TIMEOUT_MS = 1_500;

interface Remembered {
  /** Null while the answer is awaited, which everybody then does together. */
  answeredAt: number | null;
  readonly balance: Promise<bigint | null>;
  spentMinor: bigint;
}

export function createFunds({ log }: { log: Logger }): Funds {
  const remembered = new Map<string, Remembered>();

  async function ask(provider: Provider, currency: Currency): Promise<bigint | null> {
    try {
      return await provider.balance(currency, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      log.warn({ err: error, provider: provider.name }, 'our balance is not known; payouts are sent without asking');
      return null;
    }
  }

  function askOnce(provider: Provider, currency: Currency): Remembered {
    const name = `${provider.name}:${currency}`;
    const known = remembered.get(name);
    if (known !== undefined && isFresh(known)) return known;
    const asked: Remembered = { answeredAt: null, balance: ask(provider, currency), spentMinor: 0n };
    remembered.set(name, asked);
    void asked.balance.then(() => {
      asked.answeredAt = performance.now();
    });
    return asked;
  }

  return {
    async warm(provider, currency) {
      await askOnce(provider, currency).balance;
    },
    async cover(provider, { amountMinor, currency }) {
      const known = askOnce(provider, currency);
      const balanceMinor = await known.balance;
      if (balanceMinor === null) return true;
      if (balanceMinor - known.spentMinor < amountMinor) return false;
      known.spentMinor += amountMinor;
      return true;
    },
  };
}

function isFresh({ answeredAt }: Remembered): boolean {
  return answeredAt === null || performance.now() - answeredAt < REMEMBERED_MS;
}
