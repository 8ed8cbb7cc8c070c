// Under overload many payouts at once may miss the moment until which they may be sent. They are due at once, and the
// places of the runner, not a pause, are what keeps them from coming back as a crowd.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { createPayoutLife } from '../../src/jobs/payout.ts';
import { createReconcile } from '../../src/jobs/reconcile.ts';
import { createRunner } from '../../src/jobs/runner.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { until } from '../harness/until.ts';

const CROWD = 150;
const PLACES = 8;
let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit({ LEASE_MS: '30000' }, { withWorkers: false });
  await remit.fundedWallet('w', BigInt(CROWD));
});
afterAll(() => remit.stop());

test('a crowd that missed its send deadline is due at once, runs by its places, and each is sent once', async () => {
  const { app, sandbox } = remit;
  const pkids = Array.from({ length: CROWD }, (_, index) => pkidOf('payout', `late-${index}`));
  for (const [index] of pkids.entries()) {
    await remit.payout(`late-${index}`, { walletId: 'w', amountMinor: 1n, to: `acct_ok_${index}` });
  }
  // A deadline that is over before it begins stands for a process that is too busy to send in time.
  const overloaded = createPayoutLife({ ...app, timing: { ...app.timing, sendDeadlineMs: -1 } });
  await Promise.all(pkids.map((pkid) => overloaded.run(pkid)));
  expect(await standing()).toEqual({ due: CROWD, counted: 0 });
  expect(sandbox.book()).toEqual([]);

  const seen = { now: 0, most: 0 };
  const runner = createRunner({
    lives: { payin: app.payins.run, refund: app.refunds.run, transfer: app.transfers.run, payout: counted },
    concurrency: { ...app.config.concurrency, payout: PLACES },
    log: app.log,
  });
  await createReconcile({ ...app, runner, periodMs: app.config.reconcileMs, holder: 'test' }).round();
  await runner.idle();
  // A round is not full, so the rest is looked at by the next one.
  await until(
    async () => {
      await app.reconcile.round();
      await app.runner.idle();
      return sandbox.book().length;
    },
    (paid) => paid >= CROWD,
  );
  expect(seen.most).toBe(PLACES);
  expect(
    sandbox
      .book()
      .map(({ key }) => key)
      .toSorted(),
  ).toEqual(pkids.toSorted());

  async function counted(pkid: Pkid) {
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    return app.payouts.run(pkid).finally(() => {
      seen.now -= 1;
    });
  }
});

/** How many may be claimed now, and how many count anything against themselves. */
async function standing(): Promise<unknown> {
  const { rows } = await sql`
    SELECT count(*) FILTER (WHERE due_at <= now() AND NOT leased)::int AS due,
           count(*) FILTER (WHERE unknowns + pendings + crashes > 0 OR first_sent_at IS NOT NULL)::int AS counted
    FROM payout WHERE status = 'in_process'`.execute(remit.app.db.sql);
  return rows[0];
}
