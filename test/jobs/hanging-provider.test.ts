// A provider that takes calls and never answers, with more payouts on their way to it than may run at once.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { until } from '../harness/until.ts';

let remit: TestRemit;
let places: number;
let crowd: number;
beforeAll(async () => {
  // Long enough for what must not wait for it.
  remit = await startRemit({ LEASE_MS: '5000', PROVIDER_TIMEOUT_MS: '2500' });
  places = remit.app.config.concurrency.payout;
  crowd = places + 20;
  await remit.fundedWallet('w', BigInt(crowd + 10));
  await remit.fundedWallet('v', 1n);
});
afterAll(() => remit.stop());

test('a provider that hangs stops nobody else: its calls end at their time-out, and nothing is paid twice or failed', async () => {
  const { app, sandbox } = remit;
  await faultsAtProviders({ seed: 3, rates: { paid_then_timeout: 1 } });
  for (let number = 0; number < crowd; number += 1) {
    await remit.payout(`hangs-${number}`, { walletId: 'w', amountMinor: 1n, to: `acct_ok_${number}` });
  }
  await until(
    async () => sandbox.book().length,
    (hanging) => hanging >= places,
  );
  // What hangs already goes on hanging; what is asked from now on is answered.
  await faultsAtProviders({ rates: {} });
  const order = { fromWallet: 'w', toWallet: 'v', amountMinor: 1n, currency: parseCurrency('USD') };
  await app.transfers.request({ semanticKey: 'beside', ...order, metadata: {}, traceparent: null });
  await remit.payout('elsewhere', { walletId: 'w', amountMinor: 1n, provider: 'demobank', to: 'acct_ok_1' });

  expect(await remit.settled('elsewhere')).toMatchObject({ status: 'succeeded', unknowns: 0 });
  for (let number = 0; number < crowd; number += 1) {
    expect(await remit.settled(`hangs-${number}`)).toMatchObject({ status: 'succeeded', crashes: 0 });
  }
  const transfer = await app.transfers.find(pkidOf('transfer', 'beside'));
  expect(transfer?.finalAt?.getTime()).toBeLessThan(await firstEndOfHanging());
  expect(sandbox.book().filter(({ provider }) => provider === 'stripe')).toHaveLength(crowd);
  expect((await app.audit()).ok).toBe(true);
}, 90_000);

async function firstEndOfHanging(): Promise<number> {
  const { rows } = await sql<{ first: Date }>`SELECT min(final_at) AS first FROM payout WHERE unknowns > 0`.execute(
    remit.app.db.sql,
  );
  return new Date(rows[0]?.first ?? 0).getTime();
}

async function faultsAtProviders(faults: object): Promise<void> {
  const told = await fetch(`${remit.sandbox.url}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(faults) });
  expect(told.status).toBe(200);
}
