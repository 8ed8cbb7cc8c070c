// After the end: a final status stays what a person made it, and money that contradicts it is shown, never hidden.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { moneyOf, type Payout } from '../../src/domain/payout.ts';
import type { Answer, Provider } from '../../src/domain/provider.ts';
import { answerStep, claimStep } from '../../src/jobs/payout-steps.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';

let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit({}, { withWorkers: false });
});
afterAll(() => remit.stop());

test('a success after a person has failed the payout is a discrepancy, and the hold stays released', async () => {
  const { journal, timing } = remit.app;
  const { pkid, call } = await claimed('late');
  await failByHand(pkid);
  const answered = { call, answer: await pay(pkid), latencyMs: 1 };
  await journal.stepPayout(answerStep(answered, stripe(), timing));
  expect(await reasonsOf('late')).toEqual(['contradicts_final']);
  expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'resolved_by_operator' });
  expect(await heldOf('w-late')).toBe('0');
});

test('a failed payout that the provider shows as paid is one discrepancy, however often one asks', async () => {
  const { pkid } = await claimed('paid');
  await failByHand(pkid);
  await pay(pkid);
  for (let asked = 0; asked < 3; asked += 1) await remit.app.reviews.query('payout', pkid, 'tester');
  expect(await reasonsOf('paid')).toEqual(['paid_but_failed']);
  expect(await read(pkid)).toMatchObject({ status: 'failed' });
});

/** Claimed by a worker that then pauses until its lease is over. */
async function claimed(key: string) {
  const { app } = remit;
  const pkid = pkidOf('payout', key);
  await remit.fundedWallet(`w-${key}`, 1_000n);
  await remit.payout(key, { walletId: `w-${key}`, amountMinor: 1_000n, to: 'acct_ok_1' });
  const call = await app.journal.stepPayout(claimStep(await read(pkid), app.timing));
  if (call.type !== 'call') throw new Error('The payout was not claimed.');
  await sql`UPDATE payout SET due_at = now() - interval '1 second' WHERE pkid = ${pkid}`.execute(app.db.sql);
  return { pkid, call };
}

async function failByHand(pkid: Pkid): Promise<void> {
  const resolution = { verdict: 'failed', reason: 'nothing at the provider', externPaymentId: null } as const;
  await remit.app.reviews.resolvePayout(pkid, { ...resolution, actor: 'tester' });
}

/** What the paused worker does when it wakes, had it no send deadline. */
async function pay(pkid: Pkid): Promise<Answer> {
  const payout = await read(pkid);
  const { semanticKey, beneficiary } = payout;
  const order = { pkid, semanticKey, key: pkid, money: moneyOf(payout), beneficiary };
  const answer = await stripe().payout?.sendPayout(order, { timeoutMs: 5_000 });
  if (answer === undefined) throw new Error('Stripe cannot pay out here.');
  return answer;
}

function stripe(): Provider {
  const provider = remit.app.providers.get('stripe');
  if (provider === undefined) throw new Error('There is no Stripe here.');
  return provider;
}

async function read(pkid: Pkid): Promise<Payout> {
  const payout = await remit.app.payouts.find(pkid);
  if (payout === null) throw new Error('The payout was not made.');
  return payout;
}

async function reasonsOf(key: string): Promise<unknown[]> {
  const { discrepancies } = await remit.app.reviews.attention();
  return discrepancies.filter((row) => row.semantic_key === key).map((row) => row.reason);
}

async function heldOf(walletId: string): Promise<string | undefined> {
  const { rows } = await sql<{ held: string }>`SELECT held FROM wallet WHERE wallet_id = ${walletId}`.execute(
    remit.app.db.sql,
  );
  return rows[0]?.held;
}
