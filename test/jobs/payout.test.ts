// The life of a payout under crashes, races and people: whatever is started twice or dies half-way, the provider
// pays once and the wallet is charged once.

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Pkid, pkidOf, stepKeyOf } from '../../src/domain/id.ts';
import type { Payout } from '../../src/domain/payout.ts';
import { answerStep } from '../../src/jobs/payment/steps.ts';
import { createPayoutLife, payoutRules } from '../../src/jobs/payout.ts';
import { claimPayout, startRemit, type TestRemit } from '../harness/app.ts';

const AMOUNT = 1_000n;
let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit({ LEASE_MS: '600', PROVIDER_TIMEOUT_MS: '300' }, { withWorkers: false });
});
afterAll(() => remit.stop());

describe('a payout', () => {
  test('run a hundred times at once moves money once', async () => {
    const pkid = await payoutTo('race', 'acct_ok_1');
    await Promise.all(Array.from({ length: 100 }, () => remit.app.payouts.run(pkid)));
    await runUntilFinal(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'succeeded' });
    expect(bookRows(pkid)).toHaveLength(1);
  });

  test('that is claimed by a worker that dies is looked up first, then sent once', async () => {
    const pkid = await payoutTo('crash-before-send', 'acct_ok_1');
    await claimAndDie(pkid);
    await runUntilFinal(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'succeeded', crashes: 0 });
    expect(bookRows(pkid)).toHaveLength(1);
    expect(await stepsOf(pkid)).toEqual(expect.arrayContaining(['send', 'find']));
  });

  test.each(['stripe', 'demobank'] as const)(
    'whose worker dies after %s has paid is found, not paid again',
    async (provider) => {
      const key = `crash-after-pay-${provider}`;
      const pkid = await payoutTo(key, 'acct_ok_1', provider);
      const { providers } = remit.app;
      const adapter = providers.get(provider);
      await claimAndDie(pkid);
      const order = {
        pkid,
        semanticKey: key,
        key: pkid,
        money: { amountMinor: AMOUNT, currency: (await read(pkid)).currency },
        beneficiary: 'acct_ok_1',
      };
      const sent = await adapter?.payout?.send(order, { timeoutMs: 1_000 });
      if (sent?.type === 'pending')
        await adapter?.payout?.confirm(
          { pkid, externId: sent.externId, key: stepKeyOf(pkid, 'confirm'), payinExternId: null },
          { timeoutMs: 1_000 },
        );
      expect(bookRows(pkid)).toHaveLength(1);
      await runUntilFinal(pkid);
      expect(await read(pkid)).toMatchObject({ status: 'succeeded' });
      expect(bookRows(pkid)).toHaveLength(1);
    },
  );

  test('of which a worker without its lease reports another payment as paid is shown to a person', async () => {
    const { journal, timing, providers, reviews } = remit.app;
    const pkid = await payoutTo('two-references', 'acct_ok_1');
    const late = await claimPayout(remit.app, await read(pkid));
    const stripe = providers.get('stripe');
    if (late.type !== 'call' || stripe === undefined) throw new Error('The payout was not claimed.');
    await runUntilFinal(pkid);
    const { currency, beneficiary } = await read(pkid);
    const answer = {
      type: 'succeeded',
      externId: 'tr_second',
      money: { amountMinor: AMOUNT, currency },
      beneficiary,
      reversedMinor: 0n,
      arrival: null,
      fee: null,
      otherExternIds: [],
    } as const;
    const rules = payoutRules(remit.app);
    const companions = await rules.companionsOf(late.row);
    const context = { rules, companions, provider: stripe, timing };
    await journal.stepPayout(answerStep({ call: late, answer, latencyMs: 1 }, context));
    const { discrepancies } = await reviews.attention();
    expect(discrepancies).toContainEqual(
      expect.objectContaining({ semantic_key: 'two-references', reason: 'second_reference', amount: '1000' }),
    );
    expect(await read(pkid)).toMatchObject({
      status: 'succeeded',
      externPaymentId: expect.not.stringMatching('second'),
    });
  });

  test('whose claims crash five times in a row is put into review and still asked about', async () => {
    const pkid = await payoutTo('poison', 'acct_ok_1');
    for (let crash = 0; crash < 6; crash += 1) await claimAndDie(pkid);
    await remit.app.payouts.run(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'in_process', reviewReason: 'crashed_repeatedly' });
    expect(bookRows(pkid)).toHaveLength(0);
    const { review } = await remit.app.reviews.attention();
    expect(review).toContainEqual(
      expect.objectContaining({ semantic_key: 'poison', reason: 'crashed_repeatedly', amount: '1000' }),
    );
  });

  test('whose beneficiary was changed in the database is not sent', async () => {
    const pkid = await payoutTo('tampered', 'acct_ok_1');
    await sql`UPDATE payout SET beneficiary = 'acct_ok_thief' WHERE pkid = ${pkid}`.execute(remit.app.db.sql);
    await remit.app.payouts.run(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'in_process', reviewReason: 'approval_differs' });
    expect(bookRows(pkid)).toHaveLength(0);
  });

  test('that waits too long before sending does not send, and is due at once', async () => {
    const pkid = await payoutTo('late', 'acct_ok_1');
    const { app } = remit;
    // A deadline that is over before it begins stands for a process that was paused after its intent.
    const paused = createPayoutLife({ ...app, timing: { ...app.timing, sendDeadlineMs: -1 } });
    await paused.run(pkid);
    const payout = await read(pkid);
    expect(payout).toMatchObject({ status: 'in_process', firstSentAt: null, leased: false, unknowns: 0 });
    expect(payout.dueAt?.getTime()).toBeLessThanOrEqual(payout.updatedAt.getTime());
    expect(bookRows(pkid)).toHaveLength(0);
    await runUntilFinal(pkid);
    expect(bookRows(pkid)).toHaveLength(1);
  });

  test('cancelled while it rests fails, and confirming it afterwards is refused', async () => {
    const pkid = await payoutTo('rest', 'acct_ok_1', 'stripe', { confirm: false });
    const { row } = await remit.app.payouts.cancel(pkid, 'rest');
    expect(row).toMatchObject({ status: 'failed', failureCode: 'canceled' });
    await expect(remit.app.payouts.confirm(pkid, 'rest')).rejects.toMatchObject({ code: 'invalid-state' });
    await expect(remit.app.payouts.cancel(pkid, 'rest')).resolves.toMatchObject({ isRequested: false });
  });

  test('that is not confirmed in time expires without a movement', async () => {
    const expiresAt = new Date(Date.now() - 1_000);
    const pkid = await payoutTo('expires', 'acct_ok_1', 'stripe', { confirm: false, expiresAt });
    await expect(remit.app.payouts.confirm(pkid, 'expires')).rejects.toMatchObject({ code: 'invalid-state' });
    await remit.app.payouts.run(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'expired', attempt: 0 });
  });

  test('beyond the funds fails with insufficient_funds and holds nothing', async () => {
    const pkid = await payoutTo('too-much', 'acct_ok_1', 'stripe', { amountMinor: AMOUNT + 1n });
    await remit.app.payouts.run(pkid);
    expect(await read(pkid)).toMatchObject({ status: 'failed', failureCode: 'insufficient_funds' });
    await expect(remit.app.payouts.confirm(pkid, 'too-much')).resolves.toMatchObject({ status: 'failed' });
  });

  test('can be resolved by a person, who is recorded with the reason', async () => {
    const pkid = await payoutTo('by-hand', 'acct_never_1');
    await remit.app.payouts.run(pkid);
    const resolution = {
      verdict: 'failed',
      reason: 'the bank confirmed in writing',
      externPaymentId: null,
      actor: 'tester',
    } as const;
    const resolved = await remit.app.payouts.resolve(pkid, resolution);
    expect(resolved).toMatchObject({ status: 'failed', failureCode: 'resolved_by_operator' });
    const { rows } = await sql`SELECT actor, reason, verdict FROM review_action WHERE pkid = ${pkid}`.execute(
      remit.app.db.sql,
    );
    expect(rows).toEqual([{ actor: 'tester', reason: 'the bank confirmed in writing', verdict: 'failed' }]);
    await expect(remit.app.payouts.resolve(pkid, resolution)).resolves.toMatchObject({ status: 'failed' });
    const other = { ...resolution, verdict: 'succeeded', externPaymentId: 'tr_1' } as const;
    await expect(remit.app.payouts.resolve(pkid, other)).rejects.toMatchObject({ code: 'invalid-state' });
  });

  test('that the provider takes back after success is booked back once, however often it is looked at', async () => {
    const pkid = await payoutTo('bounced', 'acct_bounce_1');
    await runUntilFinal(pkid);
    await expect.poll(() => bookRows(pkid, 'return').length, { timeout: 10_000 }).toBe(1);
    await Promise.all(Array.from({ length: 5 }, () => remit.app.reviews.query('payout', pkid, 'tester')));
    expect(await read(pkid)).toMatchObject({ status: 'succeeded', returnedMinor: AMOUNT });
    expect(await balanceOf('w-bounced')).toBe(String(AMOUNT));
  });

  test('past the resend window whose payment is nowhere goes to review and is never sent again', async () => {
    const forgetful = await startRemit(
      { LEASE_MS: '600', PROVIDER_TIMEOUT_MS: '300', KEY_RETENTION_MS: '2' },
      { withWorkers: false },
    );
    try {
      const { app } = forgetful;
      await forgetful.fundedWallet('w-forgot', AMOUNT);
      await forgetful.payout('forgot', { walletId: 'w-forgot', amountMinor: AMOUNT, to: 'acct_error_before_1' });
      const pkid = pkidOf('payout', 'forgot');
      await expect
        .poll(
          async () => {
            await app.payouts.run(pkid);
            return (await app.payouts.find(pkid))?.reviewReason;
          },
          { timeout: 20_000, interval: 100 },
        )
        .toBe('key_expired');
      expect(forgetful.sandbox.book()).toHaveLength(0);
    } finally {
      await forgetful.stop();
    }
  });
});

describe('the audit', () => {
  test('finds nothing wrong after all of this', async () => {
    const { ok, checks } = await remit.app.audit();
    // One payout was tampered with on purpose, which no invariant of the books speaks of.
    expect(checks.filter((check) => check.violations.length > 0)).toEqual([]);
    expect(ok).toBe(true);
  });
});

async function payoutTo(
  key: string,
  to: string,
  provider: 'stripe' | 'demobank' = 'stripe',
  {
    confirm = true,
    expiresAt = null,
    amountMinor = AMOUNT,
  }: { confirm?: boolean; expiresAt?: Date | null; amountMinor?: bigint } = {},
): Promise<Pkid> {
  const walletId = `w-${key}`;
  await remit.fundedWallet(walletId, AMOUNT);
  const wallet = await remit.app.wallets.find(walletId);
  if (wallet === null) throw new Error('The wallet was not made.');
  await remit.app.payouts.request({
    semanticKey: key,
    walletId,
    amountMinor,
    currency: wallet.currency,
    provider,
    payeeId: null,
    destination: to,
    expiresAt,
    metadata: {},
    traceparent: null,
    confirm,
  });
  return pkidOf('payout', key);
}

/** What a worker leaves that is killed right after its claim: the row claimed, the intent committed, no answer. */
async function claimAndDie(pkid: Pkid): Promise<void> {
  await sql`UPDATE payout SET due_at = now() - interval '1 second' WHERE pkid = ${pkid}`.execute(remit.app.db.sql);
  const seen = await read(pkid);
  await claimPayout(remit.app, seen);
  await sql`UPDATE payout SET due_at = now() - interval '1 second' WHERE pkid = ${pkid}`.execute(remit.app.db.sql);
}

async function runUntilFinal(pkid: Pkid): Promise<void> {
  await expect
    .poll(
      async () => {
        await remit.app.payouts.run(pkid);
        return (await read(pkid)).finalAt;
      },
      { timeout: 20_000, interval: 50 },
    )
    .not.toBeNull();
}

async function read(pkid: Pkid): Promise<Payout> {
  const payout = await remit.app.payouts.find(pkid);
  if (payout === null) throw new Error(`There is no payout ${pkid}.`);
  return payout;
}

function bookRows(pkid: Pkid, direction = 'out') {
  return remit.sandbox.book().filter((row) => row.key === pkid && row.direction === direction);
}

async function stepsOf(pkid: Pkid): Promise<string[]> {
  const { rows } = await sql<{
    step: string;
  }>`SELECT step FROM provider_call WHERE pkid = ${pkid} ORDER BY number`.execute(remit.app.db.sql);
  return rows.map((row) => row.step);
}

async function balanceOf(walletId: string): Promise<string | undefined> {
  const { rows } = await sql<{ posted: string }>`SELECT posted::text FROM wallet WHERE wallet_id = ${walletId}`.execute(
    remit.app.db.sql,
  );
  return rows[0]?.posted;
}
