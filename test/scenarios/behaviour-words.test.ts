// Every way a provider can behave, on both providers, from request to final state: the money moves as often as the
// provider's book says, and only what waits for ever still holds funds.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRemit, type TestRemit } from '../harness/app.ts';

interface Ending {
  status: 'succeeded' | 'failed' | 'in_process';
  failure?: string;
  /** Rows of the provider's book. */
  out: number;
  returned?: number;
}

const ENDINGS: Record<string, Ending> = {
  ok: { status: 'succeeded', out: 1 },
  decline: { status: 'failed', failure: 'declined', out: 0 },
  insufficient: { status: 'failed', failure: 'provider_insufficient_funds', out: 0 },
  error_before: { status: 'succeeded', out: 1 },
  error_stored: { status: 'failed', failure: 'provider_error', out: 0 },
  paid_then_500: { status: 'succeeded', out: 1 },
  timeout_before: { status: 'succeeded', out: 1 },
  paid_then_timeout: { status: 'succeeded', out: 1 },
  paid_then_reset: { status: 'succeeded', out: 1 },
  hidden: { status: 'succeeded', out: 1 },
  html: { status: 'succeeded', out: 1 },
  rate_limit: { status: 'succeeded', out: 1 },
  slow: { status: 'succeeded', out: 1 },
  pending: { status: 'succeeded', out: 1 },
  pending_then_fail: { status: 'failed', failure: 'declined', out: 0 },
  never: { status: 'in_process', out: 0 },
  bounce: { status: 'succeeded', out: 1 },
};
const AMOUNT = 1000n;

let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit();
});
afterAll(() => remit.stop());

describe.each(['stripe', 'demobank'] as const)('%s', (provider) => {
  test.concurrent.each(Object.entries(ENDINGS))(
    '"%s" ends as promised and moves money as often as it says',
    async (word, ending) => {
      const key = `${provider}-${word}`;
      const walletId = `w-${key}`;
      await remit.fundedWallet(walletId, AMOUNT);
      await remit.payout(key, { walletId, amountMinor: AMOUNT, provider, to: `acct_${word}_1` });
      const isLasting = ending.status === 'in_process';
      const payout = await remit.settled(key, isLasting ? (seen) => seen.attempt >= 2 : undefined);
      expect(payout.status).toBe(ending.status);
      // A Stripe transfer that is refused late was refused for want of our own funds there.
      const failure =
        provider === 'stripe' && word === 'pending_then_fail' ? 'provider_insufficient_funds' : ending.failure;
      expect(payout.failureCode).toBe(failure ?? null);
      const rows = remit.sandbox.book().filter((row) => row.key === payout.pkid && row.direction === 'out');
      expect(rows).toHaveLength(ending.out);
      const wallet = await walletOf(walletId);
      const paid = ending.status === 'succeeded' ? AMOUNT : 0n;
      expect(wallet).toMatchObject({ posted: String(AMOUNT - paid), held: isLasting ? String(AMOUNT) : '0' });
    },
    60_000,
  );
});

async function walletOf(walletId: string): Promise<unknown> {
  const [row] = await remit.app.db
    .em()
    .execute('SELECT posted::text, held::text FROM wallet WHERE wallet_id = ?', [walletId]);
  return row;
}
