// A person's verdict on a pay-in that was paid twice: no part of the money is booked twice, and none is lost.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pkid } from '../../src/domain/id.ts';
import { createPayinLife } from '../../src/jobs/payin.ts';
import { audit } from '../../src/ledger/audit.ts';
import { type Ledger, openLedger, openWallets } from '../harness/ledger.ts';
import { type Market, openMarket, PROVIDER } from '../ledger/market.ts';
import { MAKE, openRig, type Rig } from '../providers/rig.ts';

let rig: Rig;
let ledger: Ledger;
let market: Market;
beforeAll(async () => {
  rig = await openRig();
  ledger = await openLedger();
  await openWallets(ledger, ['ann']);
  market = openMarket({ ...ledger.life, providers: new Map([[PROVIDER, MAKE.stripe(rig.url)] as const]) });
});
afterAll(async () => {
  const { checks } = await audit(ledger.db);
  await ledger.close();
  await rig.close();
  expect(checks.filter(({ violations }) => violations.length > 0)).toEqual([]);
});

/** Nobody listens there. */
const AWAY = 'http://127.0.0.1:9';

async function openDiscrepancies(pkid: Pkid): Promise<string[]> {
  const { rows } = await sql<{ reason: string }>`
    SELECT reason FROM discrepancy WHERE pkid = ${pkid}::uuid AND closed_at IS NULL`.execute(ledger.db.sql);
  return rows.map(({ reason }) => reason);
}

async function keptMinor(pkid: Pkid): Promise<string[]> {
  const { rows } = await sql<{ amount: string }>`
    SELECT amount::text FROM unapplied WHERE pkid = ${pkid}::uuid ORDER BY opened_at`.execute(ledger.db.sql);
  return rows.map(({ amount }) => amount);
}

async function payAgain(pkid: Pkid): Promise<string> {
  const fields = { amount: '5000', currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
  const response = await fetch(`${rig.url}/stripe/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_dashboard', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...fields, transfer_group: pkid, 'metadata[pkid]': pkid }),
  });
  expect(response.status).toBe(200);
  const { id }: { id: string } = JSON.parse(await response.text());
  return id;
}

test('a verdict whose look at the provider is lost stays a discrepancy, and its repeat keeps the money', async () => {
  await market.checkout('twice', 'tok_paid_then_reset', [{ seller: 'ann', amountMinor: 5_000n, feeMinor: 0n }]);
  const pkid = await market.pay('twice');
  await payAgain(pkid);
  await market.payins.hint(pkid);
  await market.payins.run(pkid);
  expect(await market.payins.find(pkid)).toMatchObject({ reviewReason: 'second_reference', status: 'in_process' });

  const verdict = { verdict: 'failed', reason: 'neither is wanted', externPaymentId: null, actor: 'ann' } as const;
  const cutOff = createPayinLife({ ...ledger.life, providers: new Map([[PROVIDER, MAKE.stripe(AWAY)] as const]) });
  await expect(cutOff.resolve(pkid, verdict)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await market.payins.find(pkid)).toMatchObject({ status: 'failed' });
  expect(await openDiscrepancies(pkid)).toEqual(['second_reference']);

  await market.payins.resolve(pkid, verdict);
  expect(await keptMinor(pkid)).toContain('5000');
  expect(await openDiscrepancies(pkid)).toEqual(['paid_but_failed']);
});

test('money that is kept as unapplied is not booked a second time by a verdict that names it', async () => {
  await market.checkout('kept', 'tok_action', [{ seller: 'ann', amountMinor: 5_000n, feeMinor: 0n }]);
  const pkid = await market.pay('kept');
  const second = await payAgain(pkid);
  const open = await market.payins.find(pkid);
  if (open === null) throw new Error('There is no pay-in.');
  await market.payins.lookBeside(open, second);
  expect(await keptMinor(pkid)).toEqual(['5000']);
  const verdict = { verdict: 'succeeded', reason: 'the shop shows it as paid', actor: 'ann' } as const;
  await expect(market.payins.resolve(pkid, { ...verdict, externPaymentId: second })).rejects.toMatchObject({
    code: 'invalid-state',
  });
  expect(await market.payins.find(pkid)).toMatchObject({ status: 'in_process' });
});
