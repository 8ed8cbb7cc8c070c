// Provider events: stored before they are acted on, applied once, and never believed without a look.

import { sql } from 'kysely';
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { closeDiscrepancy } from '../../src/jobs/discrepancy.ts';
import { claimPayout, startRemit, type TestRemit } from '../harness/app.ts';

const AMOUNT = 1_000n;
let remit: TestRemit;
beforeAll(async () => {
  remit = await startRemit({}, { withWorkers: false });
});
afterAll(() => remit.stop());

describe('a provider event', () => {
  test('delivered many times at once is stored once and applied once', async () => {
    const { app } = remit;
    await paidPayout('bounce', 'acct_bounce_1');
    await expect.poll(() => returns().length, { timeout: 10_000 }).toBe(1);
    const delivery = eventOf('evt_reversed', 'transfer.reversed', await externIdOf('bounce'));
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.events.receive(delivery)));
    expect(answers.filter((answer) => answer === 'stored')).toHaveLength(1);
    const event = { provider: 'stripe', eventId: 'evt_reversed' } as const;
    await Promise.all(Array.from({ length: 5 }, () => app.events.apply(event)));
    expect(await app.payouts.find(pkidOf('payout', 'bounce'))).toMatchObject({
      status: 'succeeded',
      returnedMinor: AMOUNT,
    });
    // A claim that came late has seen the return already, and then the event has nothing left to apply.
    const outcome = expect.toBeOneOf(['applied', 'no_effect']);
    expect(await outcomeOf('evt_reversed')).toMatchObject({ outcome, due_at: null });
    const { rows } = await sql`SELECT 1 FROM posting WHERE event = 'payout.returned'`.execute(app.db.sql);
    expect(rows).toHaveLength(1);
  });

  test('that says only that a payment was made asks nobody about the one on file, and does about another', async () => {
    const { app } = remit;
    await paidPayout('made', 'acct_ok_1');
    const pkid = pkidOf('payout', 'made');
    const before = await callsOf(pkid);
    await app.events.receive(eventOf('evt_made', 'transfer.created', await externIdOf('made'), pkid));
    await app.events.apply({ provider: 'stripe', eventId: 'evt_made' });
    expect(await outcomeOf('evt_made')).toMatchObject({ outcome: 'no_effect', due_at: null });
    expect(await callsOf(pkid)).toBe(before);
    await app.events.receive(eventOf('evt_made_twice', 'transfer.created', 'tr_another', pkid));
    await app.events.apply({ provider: 'stripe', eventId: 'evt_made_twice' });
    expect(await callsOf(pkid)).toBe(before + 1);
  });

  test('that is brought again while it is applied here asks the provider once', async () => {
    const { app } = remit;
    await paidPayout('brought-again', 'acct_ok_1');
    const pkid = pkidOf('payout', 'brought-again');
    const before = await callsOf(pkid);
    await app.events.receive(eventOf('evt_again', 'transfer.reversed', await externIdOf('brought-again'), pkid));
    const event = { provider: 'stripe', eventId: 'evt_again' } as const;
    await Promise.all(Array.from({ length: 5 }, () => app.events.apply(event)));
    expect(await callsOf(pkid)).toBe(before + 1);
    expect(await outcomeOf('evt_again')).toMatchObject({ outcome: 'no_effect', due_at: null });
  });

  test('about a payment whose call is out in this process waits for the answer instead of being put off', async () => {
    const { app } = remit;
    const pkid = await requested('answered', 'acct_ok_1');
    await app.events.receive(eventOf('evt_answered', 'transfer.created', 'tr_of_the_call', pkid));
    const run = app.runner.run('payout', pkid, { reason: 'reconcile' });
    await app.events.apply({ provider: 'stripe', eventId: 'evt_answered' });
    await run;
    expect(await app.payouts.find(pkid)).toMatchObject({ status: 'succeeded' });
    expect(await outcomeOf('evt_answered')).toMatchObject({ outcome: 'no_effect' });
  });

  test('in a crowd is stored once and told apart from the others', async () => {
    const { app } = remit;
    const crowd = Array.from({ length: 300 }, (_, index) =>
      eventOf(`evt_crowd_${index % 100}`, 'balance.available', 'x'),
    );
    const answers = await Promise.all(crowd.map((delivery) => app.events.receive(delivery)));
    expect(answers.filter((answer) => answer === 'stored')).toHaveLength(100);
    const names = Array.from({ length: 100 }, (_, index) => `evt_crowd_${index}`);
    await Promise.all(names.map((eventId) => app.events.apply({ provider: 'stripe', eventId })));
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM provider_event
      WHERE starts_with(event_id, 'evt_crowd_') AND outcome = 'ignored' AND due_at IS NULL`.execute(app.db.sql);
    expect(rows).toEqual([{ count: 100 }]);
  });

  test('while our call is under way elsewhere makes the row due when the claim ends, and waits for it', async () => {
    const { app } = remit;
    const pkid = await requested('early', 'acct_ok_1');
    const seen = await app.payouts.find(pkid);
    if (seen === null) throw new Error('The payout was not made.');
    await claimPayout(app, seen);
    await app.events.receive(eventOf('evt_early', 'transfer.created', 'tr_unknown_yet', pkid));
    await app.events.apply({ provider: 'stripe', eventId: 'evt_early' });
    expect(await app.payouts.find(pkid)).toMatchObject({ status: 'in_process', leased: true, hinted: true });
    // The call that is out may have been answered before what the event tells of had happened.
    expect(await outcomeOf('evt_early')).toMatchObject({ outcome: null, due_at: expect.anything() });
  });

  test('that speaks of success moves nothing when the provider itself knows of no payment', async () => {
    const { app } = remit;
    const pkid = await requested('liar', 'acct_never_1');
    await app.payouts.run(pkid);
    await app.events.receive(eventOf('evt_liar', 'transfer.created', 'tr_invented', pkid));
    await app.events.apply({ provider: 'stripe', eventId: 'evt_liar' });
    expect(await app.payouts.find(pkid)).toMatchObject({ status: 'in_process', sawSuccess: false });
  });

  test('of a payment that no operation stands for is kept, reported once and listed for a person', async () => {
    const { app } = remit;
    for (const eventId of ['evt_stranger_1', 'evt_stranger_2']) {
      await app.events.receive(eventOf(eventId, 'transfer.created', 'tr_stranger'));
      await app.events.apply({ provider: 'stripe', eventId });
      expect(await outcomeOf(eventId)).toMatchObject({ outcome: 'unmatched' });
    }
    const { discrepancies } = await app.reviews.attention();
    const strangers = discrepancies.filter((row) => row.extern_payment_id === 'tr_stranger');
    expect(strangers).toEqual([expect.objectContaining({ reason: 'unmatched_event', provider: 'stripe' })]);
    const closing = { discrepancyId: String(strangers[0]?.discrepancy_id), reason: 'made by hand', actor: 'tester' };
    expect(await closeDiscrepancy(app.db, closing)).toMatchObject({ closedBy: 'tester', closedReason: 'made by hand' });
    expect(await closeDiscrepancy(app.db, closing)).toMatchObject({ closedReason: 'made by hand' });
    const other = { ...closing, reason: 'something else' };
    await expect(closeDiscrepancy(app.db, other)).rejects.toMatchObject({ code: 'invalid-state' });
    const after = await app.reviews.attention();
    expect(after.discrepancies.filter((row) => row.extern_payment_id === 'tr_stranger')).toEqual([]);
  });

  test('that names no payment is kept, and calls nobody', async () => {
    const { app } = remit;
    await app.events.receive(eventOf('evt_balance', 'balance.available', 'unused'));
    await app.events.apply({ provider: 'stripe', eventId: 'evt_balance' });
    expect(await outcomeOf('evt_balance')).toMatchObject({ outcome: 'ignored', due_at: null });
    const { discrepancies } = await app.reviews.attention();
    expect(discrepancies.filter(({ detail }) => String(detail).includes('evt_balance'))).toEqual([]);
  });

  test('with a forged signature is refused and leaves nothing', async () => {
    const delivery = eventOf('evt_forged', 'transfer.created', 'tr_1');
    const forged = { ...delivery, raw: Buffer.concat([delivery.raw, Buffer.from(' ')]) };
    await expect(remit.app.events.receive(forged)).rejects.toMatchObject({ code: 'invalid-signature' });
    expect(await outcomeOf('evt_forged')).toBeUndefined();
  });

  test('whose job was lost is applied by reconcile', async () => {
    const { app } = remit;
    await app.events.receive(eventOf('evt_lost', 'transfer.created', 'tr_lost'));
    await sql`UPDATE provider_event SET due_at = now() WHERE event_id = 'evt_lost'`.execute(app.db.sql);
    await app.reconcile.round();
    expect(await outcomeOf('evt_lost')).toMatchObject({ outcome: 'unmatched' });
  });

  test('that fails leaves the next round to others, and is tried again after a lease', async () => {
    const { app } = remit;
    await paidPayout('absent', 'acct_ok_1');
    await app.events.receive(eventOf('evt_failing', 'transfer.updated', await externIdOf('absent')));
    await sql`UPDATE provider_event SET due_at = now() WHERE event_id = 'evt_failing'`.execute(app.db.sql);
    const event = { provider: 'stripe', eventId: 'evt_failing' } as const;
    await withoutProvider(() => expect(app.events.apply(event)).rejects.toMatchObject({ code: 'not-found' }));
    const { rows } = await sql<{ is_due: boolean; outcome: string | null }>`
      SELECT due_at <= now() AS is_due, outcome FROM provider_event WHERE event_id = 'evt_failing'`.execute(app.db.sql);
    expect(rows[0]).toEqual({ is_due: false, outcome: null });
    await app.events.apply(event);
    expect(await outcomeOf('evt_failing')).toMatchObject({ outcome: 'no_effect', due_at: null });
  });

  test.each([
    ['a NUL in a text', 'evt_nul', 'tr_\u0000nul'],
    ['half a surrogate pair in a text', 'evt_half', 'tr_\uD800half'],
  ])('with %s is stored all the same', async (_what, eventId, externId) => {
    await remit.app.events.receive(eventOf(eventId, 'transfer.created', externId));
    expect(await outcomeOf(eventId)).toMatchObject({ outcome: null });
  });

  test('with a NUL in the name of a field is stored all the same', async () => {
    await remit.app.events.receive(eventOf('evt_nul_name', 'transfer.created', 'tr_1', undefined, { 'a\u0000b': 'x' }));
    expect(await outcomeOf('evt_nul_name')).toMatchObject({ outcome: null });
  });

  test('with a number beyond the database is stored all the same', async () => {
    const { raw } = eventOf('evt_number', 'transfer.created', 'tr_1', undefined, { beyond: 'NUMBER' });
    await remit.app.events.receive(signed(raw.toString().replace('"NUMBER"', '1e999999')));
    expect(await outcomeOf('evt_number')).toMatchObject({ outcome: null });
  });
});

async function requested(key: string, to: string) {
  await remit.fundedWallet(`w-${key}`, AMOUNT);
  await remit.payout(key, { walletId: `w-${key}`, amountMinor: AMOUNT, to });
  return pkidOf('payout', key);
}

async function paidPayout(key: string, to: string): Promise<void> {
  const pkid = await requested(key, to);
  // On a busy machine a claim may miss its moment to send; the next one sends.
  const run = async () => {
    await remit.app.payouts.run(pkid);
    return (await remit.app.payouts.find(pkid))?.status;
  };
  await expect.poll(run, { timeout: 20_000 }).toBe('succeeded');
}

/** As in a process that does not know Stripe. */
async function withoutProvider(work: () => Promise<void>): Promise<void> {
  const { providers } = remit.app;
  const stripe = providers.get('stripe');
  if (!(providers instanceof Map) || stripe === undefined) throw new Error('There is no Stripe to leave out.');
  providers.delete('stripe');
  await work().finally(() => providers.set('stripe', stripe));
}

async function externIdOf(key: string): Promise<string> {
  return (await remit.app.payouts.find(pkidOf('payout', key)))?.externPaymentId ?? '';
}

async function callsOf(pkid: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM provider_call WHERE pkid = ${pkid}::uuid`.execute(remit.app.db.sql);
  return rows[0]?.count ?? 0;
}

function returns() {
  return remit.sandbox.book().filter((row) => row.direction === 'return');
}

/** A delivery as Stripe would make it, signed now with the configured secret. */
function eventOf(eventId: string, type: string, externId: string, pkid?: string, metadata: object = {}) {
  const object = {
    id: externId,
    object: 'transfer',
    metadata: { ...metadata, ...(pkid === undefined ? {} : { pkid }) },
  };
  const created = Math.floor(Date.now() / 1000);
  return signed(JSON.stringify({ id: eventId, object: 'event', type, created, data: { object } }));
}

function signed(payload: string) {
  const secret = remit.app.config.stripe.webhookSecrets[0] ?? '';
  const header = new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret });
  return { provider: 'stripe', raw: Buffer.from(payload), headers: { 'stripe-signature': header } };
}

async function outcomeOf(eventId: string) {
  const { rows } = await sql<{ outcome: string | null; due_at: string | null }>`
    SELECT outcome, due_at FROM provider_event WHERE event_id = ${eventId}`.execute(remit.app.db.sql);
  return rows[0];
}
