// A job that the queue will not let go of, as one of a worker that died: no other job can be added under its id.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';

let remit: TestRemit;
beforeAll(async () => {
  // Long enough that no claim misses its moment to send; the test makes the row due itself.
  remit = await startRemit({ LEASE_MS: '30000' }, { withWorkers: false });
});
afterAll(() => remit.stop());

test('a row whose job hangs in a worker for ever is run by reconcile once it is due', async () => {
  const { app } = remit;
  const taken = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const worker = await app.queues.work('payout', {
    concurrency: 1,
    lockDurationMs: 60_000,
    process: () => {
      taken.resolve();
      return end.promise;
    },
  });
  await remit.fundedWallet('w', 1n);
  await remit.payout('stuck', { walletId: 'w', amountMinor: 1n, to: 'acct_ok_1' });
  await taken.promise;

  await sql`UPDATE payout SET due_at = now()`.execute(app.db.sql);
  await app.reconcile.round();
  await app.runner.idle();
  expect(await app.payouts.find(pkidOf('payout', 'stuck'))).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect((await app.queues.counts()).payout).toMatchObject({ active: 1, waiting: 0 });

  end.resolve();
  await worker.close(0);
});
