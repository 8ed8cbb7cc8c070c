// After a payout is final: what the provider says later never changes the status, and is never lost.

import { describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { startRemit } from '../harness/app.ts';

const AMOUNT = 1_000n;

describe('a succeeded payout', () => {
  test('that the provider no longer knows stays succeeded, and is reported once', async () => {
    const other = await startRemit({}, { withWorkers: false });
    try {
      const { app, sandbox } = other;
      await other.fundedWallet('w-denied', AMOUNT);
      await other.payout('denied', { walletId: 'w-denied', amountMinor: AMOUNT, to: 'acct_ok_1' });
      const pkid = pkidOf('payout', 'denied');
      await app.payouts.run(pkid);
      await other.forgetAtProvider();
      for (let asked = 0; asked < 3; asked += 1) await app.reviews.query('payout', pkid, 'tester');
      expect(await app.payouts.find(pkid)).toMatchObject({ status: 'succeeded', returnedMinor: 0n });
      expect(sandbox.book()).toHaveLength(1);
      const { discrepancies } = await app.reviews.attention();
      expect(discrepancies).toEqual([
        expect.objectContaining({ reason: 'contradicts_final', semantic_key: 'denied', amount: '1000' }),
      ]);
    } finally {
      await other.stop();
    }
  });
});
