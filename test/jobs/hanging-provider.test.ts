// A provider that takes calls and never answers, with many payouts on their way to it.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { until } from '../harness/until.ts';

const CROWD = 60;
let remit: TestRemit;
beforeAll(async () => {
  // So long that no call ends by itself here.
  remit = await startRemit({ LEASE_MS: '600000', PROVIDER_TIMEOUT_MS: '300000' });
  await remit.fundedWallet('w', BigInt(CROWD + 2));
  await remit.fundedWallet('v', 1n);
});
afterAll(() => remit.stop());

test('a provider that hangs leaves the other places to everybody else, and what hangs stays held', async () => {
  const { app, sandbox } = remit;
  await faultsAtProviders({ seed: 3, rates: { paid_then_timeout: 1 } });
  for (let number = 0; number < CROWD; number += 1) {
    await remit.payout(`hangs-${number}`, { walletId: 'w', amountMinor: 1n, to: `acct_ok_${number}` });
  }
  await until(
    async () => sandbox.book().length,
    (hanging) => hanging === CROWD,
  );
  // What hangs already goes on hanging; what is asked from now on is answered.
  await faultsAtProviders({ rates: {} });
  const order = { fromWallet: 'w', toWallet: 'v', amountMinor: 1n, currency: parseCurrency('USD') };
  await app.transfers.request({ semanticKey: 'beside', ...order, metadata: {}, traceparent: null });
  await remit.payout('elsewhere', { walletId: 'w', amountMinor: 1n, provider: 'demobank', to: 'acct_ok_1' });
  expect(await remit.settled('elsewhere')).toMatchObject({ status: 'succeeded', unknowns: 0 });
  await until(
    () => app.transfers.find(pkidOf('transfer', 'beside')),
    (transfer) => transfer?.status === 'succeeded',
  );
  expect(await hanging()).toEqual({ in_process: CROWD, unknown: 0, held: CROWD });

  await remit.forgetAtProvider();
  await app.runner.idle();
  expect(await hanging()).toEqual({ in_process: CROWD, unknown: CROWD, held: CROWD });
  expect((await app.audit()).ok).toBe(true);
});

/** Of the payouts to it: how many wait, how many of them for an answer that never came, and what is held for them. */
async function hanging(): Promise<unknown> {
  const { rows } = await sql`
    SELECT count(*) FILTER (WHERE payout.status = 'in_process')::int AS in_process,
           count(*) FILTER (WHERE unknowns > 0)::int AS unknown,
           sum(hold.amount) FILTER (WHERE hold.status = 'active')::int AS held
    FROM payout JOIN hold ON hold_id = pkid WHERE provider = 'stripe'`.execute(remit.app.db.sql);
  return rows[0];
}

async function faultsAtProviders(faults: object): Promise<void> {
  const told = await fetch(`${remit.sandbox.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(faults) });
  expect(told.status).toBe(200);
}
