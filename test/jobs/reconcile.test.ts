// Reconcile: what the queue lost, forgot or never heard of is done all the same, by one owner a row.

import { sql } from 'kysely';
import { afterEach, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { createReconcile } from '../../src/jobs/reconcile.ts';
import { createRunner } from '../../src/jobs/runner.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { openShop } from '../harness/shop.ts';

let remit: TestRemit | null = null;
afterEach(async () => {
  await remit?.stop();
  remit = null;
});

describe('reconcile', () => {
  test('runs rows whose jobs are lost, in full rounds, and each moves money once though two of them look', async () => {
    remit = await startRemit({}, { withWorkers: false });
    const { app, sandbox } = remit;
    await remit.fundedWallet('w', 600n);
    for (let n = 0; n < 600; n += 1) {
      await remit.payout(`lost-${n}`, { walletId: 'w', amountMinor: 1n, to: `acct_ok_${n}` });
    }
    await makeDue();
    const other = secondReconcile();
    await expect
      .poll(
        async () => {
          await Promise.all([app.reconcile.round(), other.round()]);
          return unfinished();
        },
        { timeout: 25_000 },
      )
      .toBe(0);
    await app.runner.idle();
    const keys = sandbox.book().map((row) => row.key);
    expect(keys).toHaveLength(600);
    expect(new Set(keys).size).toBe(600);
  });

  test('expires what nobody confirmed in time', async () => {
    remit = await startRemit({}, { withWorkers: false });
    const { app } = remit;
    await remit.fundedWallet('w', 10n);
    await app.payouts.request({
      semanticKey: 'unconfirmed',
      walletId: 'w',
      amountMinor: 1n,
      currency: parseCurrency('USD'),
      provider: 'stripe',
      payeeId: null,
      destination: 'acct_ok_1',
      expiresAt: new Date(Date.now() - 1),
      metadata: {},
      traceparent: null,
      confirm: false,
    });
    await app.reconcile.round();
    expect(await app.payouts.find(pkidOf('payout', 'unconfirmed'))).toMatchObject({ failureCode: 'expired' });
  });

  test('looks at every kind in each round, however many payouts cannot be run', async () => {
    remit = await startRemit({}, { withWorkers: false });
    const { app } = remit;
    await remit.fundedWallet('w', 1_000n);
    await remit.fundedWallet('v', 1n);
    for (let n = 0; n < 260; n += 1) {
      await remit.payout(`poisoned-${n}`, { walletId: 'w', amountMinor: 1n, to: `acct_ok_${n}` });
    }
    await sql`UPDATE payout SET provider = 'nowhere', due_at = now() - interval '1 hour'`.execute(app.db.sql);
    const currency = parseCurrency('USD');
    const wallets = { fromWallet: 'w', toWallet: 'v' };
    await app.transfers.request({
      semanticKey: 't',
      ...wallets,
      amountMinor: 1n,
      currency,
      metadata: {},
      traceparent: null,
    });
    await sql`UPDATE transfer SET due_at = now()`.execute(app.db.sql);
    await app.reconcile.round();
    await app.runner.idle();
    expect(await app.transfers.find(pkidOf('transfer', 't'))).toMatchObject({ status: 'succeeded' });
  });

  test('puts a row off whose run fails, so that it makes room for younger ones', async () => {
    remit = await startRemit({}, { withWorkers: false });
    const { app } = remit;
    await remit.fundedWallet('w', 1_000n);
    await remit.payout('poisoned', { walletId: 'w', amountMinor: 1n, to: 'acct_ok_1' });
    await sql`UPDATE payout SET provider = 'nowhere', due_at = now() - interval '1 hour'`.execute(app.db.sql);
    await app.reconcile.round();
    const { rows } = await sql`SELECT status FROM payout WHERE due_at > now()`.execute(app.db.sql);
    expect(rows).toEqual([{ status: 'initialized' }]);
  });

  test('begins no checkout anew that is still compensated, and does when it has ended', async () => {
    const shop = await openShop({ RECONCILE_MS: '50' }, { withWorkers: false });
    remit = shop.remit;
    const { app } = remit;
    await shop.oneOrder('canceled');
    await shop.cancel('canceled');
    await sql`UPDATE checkout SET due_at = now()`.execute(app.db.sql);
    const looks: PromiseWithResolvers<void>[] = [];
    const compensate = () => {
      const look = Promise.withResolvers<void>();
      looks.push(look);
      return look.promise;
    };
    const reconcile = createReconcile({
      ...app,
      checkouts: { compensate },
      periodMs: app.config.reconcileMs,
      holder: 'second',
    });
    for (let round = 0; round < 3; round += 1) await reconcile.round();
    expect(looks).toHaveLength(1);
    looks[0]?.resolve();
    await reconcile.round();
    expect(looks).toHaveLength(2);
    looks[1]?.resolve();
  });

  test('leaves a heartbeat that says when it last ran', async () => {
    remit = await startRemit({}, { withWorkers: false });
    expect(await remit.app.reconcileAge()).toBeNull();
    await remit.app.reconcile.round();
    const age = await remit.app.reconcileAge();
    expect(age?.periodMs).toBe(remit.app.config.reconcileMs);
    expect(age?.ageMs).toBeGreaterThanOrEqual(0);
  });
});

function started(): TestRemit {
  if (remit === null) throw new Error('remit was not started.');
  return remit;
}

/** As another worker process would have it: its own runner, the same rows. */
function secondReconcile() {
  const { app } = started();
  const lives = {
    payin: app.payins.run,
    payout: app.payouts.run,
    refund: app.refunds.run,
    transfer: app.transfers.run,
  };
  const runner = createRunner({ lives, concurrency: app.config.concurrency, log: app.log });
  return createReconcile({ ...app, runner, periodMs: app.config.reconcileMs, holder: 'second' });
}

async function makeDue(): Promise<void> {
  await sql`UPDATE payout SET due_at = now()`.execute(started().app.db.sql);
}

async function unfinished(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM payout WHERE final_at IS NULL`.execute(started().app.db.sql);
  return rows[0]?.count ?? -1;
}
