// Our balance at a provider, asked before a payout is sent for the first time: money that is not there yet makes the
// payout wait rather than fail. Asked seldom, because a thousand payouts would ask a thousand times.

import type { Logger } from 'pino';
import type { Currency } from '../domain/money.ts';
import type { Provider } from '../domain/provider.ts';

export interface Funds {
  /** In minor units; null when the provider does not tell, or gives no answer. */
  balanceOf(provider: Provider, currency: Currency): Promise<bigint | null>;
}

/** Long enough to spare the provider, short enough that arriving money is soon seen. */
const REMEMBERED_MS = 1_000;
/** It may not eat the time in which the payout itself has to leave. */
const TIMEOUT_MS = 1_500;

export function createFunds({ log }: { log: Logger }): Funds {
  const remembered = new Map<string, { readonly askedAt: number; readonly balance: Promise<bigint | null> }>();

  async function ask(provider: Provider, currency: Currency): Promise<bigint | null> {
    try {
      return await provider.balance(currency, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      log.warn({ err: error, provider: provider.name }, 'our balance is not known; payouts are sent without asking');
      return null;
    }
  }

  return {
    balanceOf(provider, currency) {
      const name = `${provider.name}:${currency}`;
      const known = remembered.get(name);
      if (known !== undefined && performance.now() - known.askedAt < REMEMBERED_MS) return known.balance;
      const balance = ask(provider, currency);
      remembered.set(name, { askedAt: performance.now(), balance });
      return balance;
    },
  };
}
