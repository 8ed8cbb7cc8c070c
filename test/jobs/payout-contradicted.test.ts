// A provider that contradicts us or itself about money that goes out: the hold stays, a person is told, nothing is sent
// again, and a status that was final stays what it was.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { Payout } from '../../src/domain/payout.ts';
import type { Answer } from '../../src/domain/provider.ts';
import { answerStep } from '../../src/jobs/payment/steps.ts';
import { payoutRules } from '../../src/jobs/payout.ts';
import { declined } from '../domain/evidence.ts';
import { claimPayout, startRemit, type TestRemit } from '../harness/app.ts';

const AMOUNT = 1_000n;
const USD = parseCurrency('USD');
let remit: TestRemit;
beforeAll(async () => {
  // Long enough that no claim misses its moment to send; the tests make rows due themselves.
  remit = await startRemit({ LEASE_MS: '30000' }, { withWorkers: false });
});
afterAll(() => remit.stop());

describe('a payout that its provider made otherwise than approved', () => {
  test.each([
    ['in another amount', { amountMinor: AMOUNT - 1n }],
    ['to another account', { beneficiary: 'acct_ok_other' }],
  ])('%s keeps its hold, waits for a person, and is not sent again', async (what, other) => {
    const pkid = await payoutTo(what.replaceAll(' ', '-'));
    // Claimed by a worker that died; meanwhile somebody has paid under the same key.
    await claimPayout(remit.app, await read(pkid));
    await payAtProvider(pkid, other);
    await runAgain(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'in_process', reviewReason: 'success_differs' });
    expect(await heldFor(pkid)).toEqual({ held: String(AMOUNT), hold: 'active' });
    await runAgain(pkid);
    expect(bookRows(pkid)).toHaveLength(1);
    expect(await told(pkid)).toEqual(['success_differs']);
  });
});

describe('a payout that its provider declines to one worker and reports as paid to another', () => {
  test.each([
    ['first declined', declined('declined'), successOf('tr_paid')],
    ['first paid', successOf('tr_paid'), declined('declined')],
  ])('(%s) ends as neither, keeps its hold and waits for a person', async (what, late, present) => {
    const pkid = await payoutTo(what.replaceAll(' ', '-'));
    const paused = await claim(pkid);
    await makeDue(pkid);
    const second = await claim(pkid);
    await answer(paused, late);
    await answer(second, present);
    expect(await read(pkid)).toMatchObject({ status: 'in_process', reviewReason: 'success_and_decline' });
    expect(await heldFor(pkid)).toEqual({ held: String(AMOUNT), hold: 'active' });
    expect(await told(pkid)).toEqual(['success_and_decline']);
  });
});

test('a succeeded payout stays so when a worker without its lease hears "declined", and a person is told', async () => {
  const pkid = await payoutTo('declined-late');
  const paused = await claim(pkid);
  await runAgain(pkid);
  expect(await read(pkid)).toMatchObject({ status: 'succeeded' });
  await answer(paused, declined('declined'));
  expect(await read(pkid)).toMatchObject({ status: 'succeeded', returnedMinor: 0n });
  expect(await heldFor(pkid)).toEqual({ held: '0', hold: 'captured' });
  expect(await told(pkid)).toEqual(['contradicts_final']);
});

test('a failed payout stays so when a worker without its lease hears "paid", and a person is told', async () => {
  const pkid = await payoutTo('paid-late');
  const paused = await claim(pkid);
  await makeDue(pkid);
  await answer(await claim(pkid), declined('declined'));
  expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'declined' });
  await answer(paused, successOf('tr_late'));
  expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'declined' });
  expect(await heldFor(pkid)).toEqual({ held: '0', hold: 'released' });
  expect(await told(pkid)).toEqual(['contradicts_final']);
});

test('the audit finds nothing wrong after all of this', async () => {
  const { checks } = await remit.app.audit();
  expect(checks.filter(({ violations }) => violations.length > 0)).toEqual([]);
});

async function payoutTo(key: string): Promise<Pkid> {
  await remit.fundedWallet(`w-${key}`, AMOUNT);
  await remit.payout(key, { walletId: `w-${key}`, amountMinor: AMOUNT, to: 'acct_ok_1' });
  return pkidOf('payout', key);
}

async function read(pkid: Pkid): Promise<Payout> {
  const payout = await remit.app.payouts.find(pkid);
  if (payout === null) throw new Error(`There is no payout ${pkid}.`);
  return payout;
}

async function claim(pkid: Pkid) {
  const claimed = await claimPayout(remit.app, await read(pkid));
  if (claimed.type !== 'call') throw new Error('The payout was not claimed.');
  return claimed;
}

async function answer(call: Awaited<ReturnType<typeof claim>>, said: Answer): Promise<void> {
  const { journal, timing, providers } = remit.app;
  const provider = providers.get('stripe');
  if (provider === undefined) throw new Error('There is no Stripe.');
  const rules = payoutRules(remit.app);
  const companions = await rules.companionsOf(call.row);
  await journal.stepPayout(answerStep({ call, answer: said, latencyMs: 1 }, { rules, provider, timing, companions }));
}

function successOf(externId: string): Answer {
  return {
    type: 'succeeded',
    externId,
    money: { amountMinor: AMOUNT, currency: USD },
    beneficiary: 'acct_ok_1',
    reversedMinor: 0n,
    arrival: null,
    fee: null,
    otherExternIds: [],
  };
}

/** As another program would that has our key. */
async function payAtProvider(
  pkid: Pkid,
  { amountMinor = AMOUNT, beneficiary = 'acct_ok_1' }: { amountMinor?: bigint; beneficiary?: string },
): Promise<void> {
  const order = { pkid, semanticKey: 'other', key: pkid, money: { amountMinor, currency: USD }, beneficiary };
  const sent = await remit.app.providers.get('stripe')?.payout?.send(order, { timeoutMs: 5_000 });
  expect(sent?.type).toBe('succeeded');
}

async function makeDue(pkid: Pkid): Promise<void> {
  await sql`UPDATE payout SET due_at = now() WHERE pkid = ${pkid}::uuid`.execute(remit.app.db.sql);
}

async function runAgain(pkid: Pkid): Promise<void> {
  // As if the lease and the grace after the last send had gone by.
  await sql`UPDATE payout SET due_at = now(), last_sent_at = last_sent_at - interval '1 hour'
    WHERE pkid = ${pkid}::uuid`.execute(remit.app.db.sql);
  await remit.app.payouts.run(pkid);
}

async function heldFor(pkid: Pkid): Promise<unknown> {
  const { rows } = await sql`SELECT wallet.held::text AS held, hold.status AS hold
    FROM hold JOIN wallet USING (wallet_id) WHERE hold_id = ${pkid}::uuid`.execute(remit.app.db.sql);
  return rows[0];
}

/** What a person is told of it. */
async function told(pkid: Pkid): Promise<string[]> {
  const { rows } = await sql<{ reason: string }>`
    SELECT reason FROM discrepancy WHERE pkid = ${pkid}::uuid AND closed_at IS NULL`.execute(remit.app.db.sql);
  return rows.map(({ reason }) => reason);
}

function bookRows(pkid: Pkid) {
  return remit.sandbox.book().filter(({ key }) => key === pkid);
}
