// A payout that needs several attempts: all of them under one key, with one hold, and only the present one settles.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import type { Payout } from '../../src/domain/payout.ts';
import { answerStep } from '../../src/jobs/payment/steps.ts';
import { payoutRules } from '../../src/jobs/payout.ts';
import { declined } from '../domain/evidence.ts';
import { claimPayout, startRemit, type TestRemit } from '../harness/app.ts';

const AMOUNT = 1_000n;
const MINUTE_MS = 60_000;
let remit: TestRemit;
beforeAll(async () => {
  // Long enough that no claim misses its moment to send; the tests make rows due themselves.
  remit = await startRemit({ LEASE_MS: '30000', KEY_RETENTION_MS: String(60 * MINUTE_MS) }, { withWorkers: false });
});
afterAll(() => remit.stop());

test('a payout that met an error keeps its hold, and is sent again under the very same key', async () => {
  const pkid = await payoutTo('met-an-error', 'acct_error_before_1');
  await remit.app.payouts.run(pkid);
  expect(await read(pkid)).toMatchObject({ status: 'in_process', leased: false });
  expect(await heldFor(pkid)).toEqual({ held: String(AMOUNT), hold: 'active' });

  await passGrace(pkid);
  await remit.app.payouts.run(pkid);
  expect(await keysSent(pkid)).toEqual([pkid, pkid]);
  expect(await read(pkid)).toMatchObject({ status: 'succeeded', attempt: 2 });
  expect(await heldFor(pkid)).toEqual({ held: '0', hold: 'captured' });
});

test.each([
  [29, { status: 'succeeded', reviewReason: null }, 2],
  [31, { status: 'in_process', reviewReason: 'key_expired' }, 1],
])(
  'a key that is kept for an hour is sent again for half an hour: %i minutes after the first time',
  async (minutes, end, sends) => {
    const pkid = await payoutTo(`sent-before-${minutes}`, 'acct_error_before_1');
    await remit.app.payouts.run(pkid);
    await passGrace(pkid);
    await sql`UPDATE payout SET first_sent_at = now() - make_interval(mins => ${minutes})
    WHERE pkid = ${pkid}::uuid`.execute(remit.app.db.sql);
    await remit.app.payouts.run(pkid);
    expect(await read(pkid)).toMatchObject(end);
    expect(await keysSent(pkid)).toHaveLength(sends);
  },
);

test('the answer of a worker whose claim has passed to another settles nothing, and frees no hold', async () => {
  const { journal, timing, providers } = remit.app;
  const pkid = await payoutTo('passed-on', 'acct_ok_1');
  const first = await claimPayout(remit.app, await read(pkid));
  await passGrace(pkid);
  const second = await claimPayout(remit.app, await read(pkid));
  const provider = providers.get('stripe');
  if (first.type !== 'call' || provider === undefined) throw new Error('The payout was not claimed.');
  expect(second).toMatchObject({ type: 'call', row: { attempt: 2 } });

  const rules = payoutRules(remit.app);
  const context = { rules, provider, timing, companions: await rules.companionsOf(first.row) };
  await journal.stepPayout(answerStep({ call: first, answer: declined('declined'), latencyMs: 1 }, context));
  expect(await read(pkid)).toMatchObject({ status: 'in_process', attempt: 2, leased: true });
  expect(await heldFor(pkid)).toEqual({ held: String(AMOUNT), hold: 'active' });
});

async function payoutTo(key: string, to: string): Promise<Pkid> {
  await remit.fundedWallet(`w-${key}`, AMOUNT);
  await remit.payout(key, { walletId: `w-${key}`, amountMinor: AMOUNT, to });
  return pkidOf('payout', key);
}

async function read(pkid: Pkid): Promise<Payout> {
  const payout = await remit.app.payouts.find(pkid);
  if (payout === null) throw new Error(`There is no payout ${pkid}.`);
  return payout;
}

/** As if a lease and the grace after the last send had gone by. */
async function passGrace(pkid: Pkid): Promise<void> {
  await sql`UPDATE payout SET due_at = now(), last_sent_at = last_sent_at - interval '1 hour'
    WHERE pkid = ${pkid}::uuid`.execute(remit.app.db.sql);
}

async function heldFor(pkid: Pkid): Promise<unknown> {
  const { rows } = await sql`SELECT wallet.held::text AS held, hold.status AS hold
    FROM hold JOIN wallet USING (wallet_id) WHERE hold_id = ${pkid}::uuid`.execute(remit.app.db.sql);
  return rows[0];
}

const callLog = z.object({
  data: z.array(z.object({ method: z.string(), key: z.string().nullable(), call_key: z.string().nullable() })),
});

/** What the wire carried as the key whenever money was to move. */
async function keysSent(pkid: Pkid): Promise<(string | null)[]> {
  const response = await fetch(`${remit.sandbox.url}/_sandbox/calls?key=${pkid}`);
  const { data } = callLog.parse(await response.json());
  return data.filter(({ method }) => method === 'POST').map(({ call_key: key }) => key);
}
