// A payout over HTTP, from creation to what an operator does about it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isErrorOf, type Rig, rowsOf, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  // A lease this long gives a busy machine two seconds to send, so that one claim is enough.
  rig = await startRig({ LEASE_MS: '20000' });
  await rig.post('/v1/wallets', { wallet_id: 'pay-w', owner_id: 'pay-o', kind: 'seller', currency: 'USD' });
  await rig.post('/v1/adjustments', {
    semantic_key: 'pay-fund',
    wallet_id: 'pay-w',
    amount: '10000',
    currency: 'USD',
    reason: 'funds',
  });
});
afterAll(() => rig.stop());

const payout = (semantic_key: string, more: object = {}) => ({
  semantic_key,
  wallet_id: 'pay-w',
  amount: '100',
  currency: 'USD',
  provider: 'stripe',
  destination: 'acct_ok',
  ...more,
});

describe('a payout', () => {
  it('rests until it is confirmed, then is paid once, however often it is confirmed', async () => {
    const created = await rig.post('/v1/payouts?wait=1', payout('pay:1.a'));
    expect(created).toMatchObject({ status: 201, json: { status: 'initialized', confirmed_at: null } });
    expect((await rig.post('/v1/payouts/pay:1.a/confirm')).status).toBe(202);
    const paid = await rig.post('/v1/payouts/pay%3A1.a/confirm?wait=20');
    expect(paid).toMatchObject({ status: 202, json: { status: 'succeeded', attempts: 1, failure: null } });
    expect((await rig.get('/v1/payouts/pay:1.a')).json).toEqual(paid.json);
    const found = rowsOf(await rig.get(`/v1/payouts?extern_payment_id=${paid.json.extern_payment_id}`));
    expect(found.map((row) => row.semantic_key)).toEqual(['pay:1.a']);
  });

  it('keeps what it was asked for with it', async () => {
    const metadata = { order: '77', nested: { list: [1, 2.5, null, true] } };
    const { json } = await rig.post(
      '/v1/payouts',
      payout('pay-2', { metadata, expires_at: '2100-01-01T01:00:00+01:00' }),
    );
    expect(json).toMatchObject({
      metadata,
      expires_at: '2100-01-01T00:00:00.000Z',
      destination: 'acct_ok',
      payee_id: null,
    });
    expect(json).toMatchObject({
      amount: '100',
      reversals: [],
      review: null,
      waiting: null,
      arrival: null,
      kind: 'payout',
    });
  });

  it('is cancelled while it rests, and can then not be confirmed', async () => {
    await rig.post('/v1/payouts', payout('pay-3'));
    const canceled = await rig.post('/v1/payouts/pay-3/cancel');
    expect(canceled).toMatchObject({ status: 200, json: { status: 'failed', failure: { code: 'canceled' } } });
    expect((await rig.post('/v1/payouts/pay-3/cancel')).status).toBe(200);
    expect(isErrorOf(await rig.post('/v1/payouts/pay-3/confirm'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('cannot be cancelled once it is paid', async () => {
    await rig.post('/v1/payouts?wait=20', payout('pay-4', { confirm: true }));
    expect(isErrorOf(await rig.post('/v1/payouts/pay-4/cancel'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('that the wallet cannot cover is accepted and ends as failed', async () => {
    const answer = await rig.post('/v1/payouts?wait=20', payout('pay-5', { amount: '1000000', confirm: true }));
    expect(answer).toMatchObject({ status: 202, json: { status: 'failed', failure: { code: 'insufficient_funds' } } });
  });

  it('in an amount that the provider cannot do is refused at once, with advice', async () => {
    const answer = await rig.post('/v1/payouts', payout('pay-x', { amount: '100000000' }));
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'provider-not-able' });
    expect(answer.json.detail).toContain('split the amount');
  });

  it('goes to a payee of its own owner only', async () => {
    await rig.post('/v1/payees', { payee_id: 'pay-other', owner_id: 'other', provider: 'stripe', account: 'acct_ok' });
    const answer = await rig.post('/v1/payouts', payout('pay-6', { destination: undefined, payee_id: 'pay-other' }));
    expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
  });

  it('stores the trace of its request', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await rig.post('/v1/payouts', payout('pay-7'), { traceparent });
    await rig.post('/v1/payouts', payout('pay-8'), { traceparent: '00-zz-01' });
    const rows = await rig.remit.app.db
      .em()
      .getConnection()
      .execute(`SELECT traceparent FROM payout WHERE semantic_key IN ('pay-7', 'pay-8') ORDER BY semantic_key`);
    expect(rows).toEqual([{ traceparent }, { traceparent: null }]);
  });

  it('that came back shows the reversal, and stays succeeded', async () => {
    await rig.post('/v1/payouts?wait=20', payout('pay-9', { confirm: true, destination: 'acct_bounce' }));
    await expect
      .poll(
        async () => {
          await rig.post('/v1/payouts/pay-9/query');
          return (await rig.get('/v1/payouts/pay-9')).json;
        },
        { timeout: 20_000, interval: 200 },
      )
      .toMatchObject({ status: 'succeeded', reversals: [{ amount: '100', reason: 'payout.returned' }] });
  });
});

describe('the timeline of a payout', () => {
  it('tells its life in order, each posting with its entries', async () => {
    await rig.post('/v1/payouts?wait=20', payout('pay-time', { confirm: true }));
    const items = rowsOf(await rig.get('/v1/payouts/pay-time/timeline'));
    expect(items.map(({ type, to }) => (type === 'status_change' ? to : type))).toEqual([
      'initialized',
      'in_process',
      'provider_call',
      'posting',
      'succeeded',
    ]);
    expect(items[2]).toMatchObject({ step: 'send', outcome: 'succeeded', verdict: 'succeeded', provider: 'stripe' });
    expect(items[3]).toMatchObject({
      posting: {
        entries: [
          { wallet_id: 'pay-w', amount: '-100' },
          { wallet_id: '@provider:stripe:USD', amount: '100' },
        ],
      },
    });
  });

  it('of a transfer shows both changes and the posting between them', async () => {
    await rig.post('/v1/wallets', { wallet_id: 'pay-w2', owner_id: 'pay-o2', kind: 'buyer', currency: 'USD' });
    await rig.post('/v1/transfers?wait=20', {
      semantic_key: 'pay-t',
      from_wallet: 'pay-w',
      to_wallet: 'pay-w2',
      amount: '5',
      currency: 'USD',
    });
    const items = rowsOf(await rig.get('/v1/transfers/pay-t/timeline'));
    expect(items.map(({ type, to }) => (type === 'status_change' ? to : type))).toEqual([
      'initialized',
      'in_process',
      'posting',
      'succeeded',
    ]);
  });
});

describe('an operator', () => {
  it('asks the provider, and resolves what the machine cannot decide', async () => {
    await rig.post('/v1/payouts', payout('pay-op', { confirm: true, destination: 'acct_never' }));
    await expect.poll(async () => (await rig.get('/v1/payouts/pay-op')).json.status).toBe('in_process');
    expect((await rig.post('/v1/payouts/pay-op/query')).status).toBe(202);
    const reason = 'The provider says by phone that it never left';
    let resolved = await rig.post('/v1/payouts/pay-op/resolve', { verdict: 'failed', reason });
    for (let tries = 0; resolved.status === 409 && tries < 100; tries += 1) {
      await rig.get('/v1/payouts/pay-op?wait=0.1');
      resolved = await rig.post('/v1/payouts/pay-op/resolve', { verdict: 'failed', reason });
    }
    expect(resolved).toMatchObject({
      status: 200,
      json: { status: 'failed', failure: { code: 'resolved_by_operator' } },
    });
    const again = await rig.post('/v1/payouts/pay-op/resolve', { verdict: 'failed', reason });
    expect(again).toMatchObject({ status: 200, json: { status: 'failed' } });
    const opposite = { verdict: 'succeeded', reason, extern_payment_id: 'tr_1' };
    const refused = await rig.post('/v1/payouts/pay-op/resolve', opposite);
    expect(isErrorOf(refused)).toEqual({ status: 409, code: 'invalid-state' });
    const actions = rowsOf(await rig.get('/v1/payouts/pay-op/timeline')).filter(({ type }) => type === 'review_action');
    expect(actions.map(({ action }) => action)).toEqual(['query', 'resolve']);
    expect(actions[1]?.reason).toBe(reason);
  });

  it('may ask of nothing that was not sent', async () => {
    await rig.post('/v1/payouts', payout('pay-rest'));
    expect(isErrorOf(await rig.post('/v1/payouts/pay-rest/query'))).toEqual({ status: 409, code: 'invalid-state' });
  });

  it('sees what needs attention, and the books proven', async () => {
    const { json } = await rig.get('/v1/attention');
    expect(Object.keys(json)).toEqual([
      'review',
      'discrepancies',
      'unapplied',
      'disputes',
      'webhook_endpoints',
      'provider_events',
      'oldest_unfinished',
      'stale',
    ]);
    expect(await rig.post('/v1/audit')).toMatchObject({ status: 200, json: { ok: true } });
  });
});

describe('a wait', () => {
  it('ends with the present state when the time is up', async () => {
    const answer = await rig.post(
      '/v1/payouts?wait=0.1',
      payout('pay-wait', { confirm: true, destination: 'acct_never' }),
    );
    expect(answer.status).toBe(202);
    expect(['initialized', 'in_process']).toContain(answer.json.status);
  });
});
