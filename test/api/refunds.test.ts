// Refunds, disputes and unapplied money over HTTP, and that webhooks carry what GET returns.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderSubject } from '../../src/api/views/subject.ts';
import { pkidOf } from '../../src/domain/id.ts';
import type { SubjectKind } from '../../src/domain/outgoing.ts';
import { isErrorOf, type Json, type Rig, rowsOf, startRig } from './rig.ts';
import { BUYER, openShop, SELLER, type Shop } from './shop.ts';

let rig: Rig;
let shop: Shop;
beforeAll(async () => {
  rig = await startRig();
  shop = await openShop(rig);
});
afterAll(() => rig.stop());

describe('a refund', () => {
  it('goes back to the payer, and says of which pay-in it is', async () => {
    await shop.paid('re-1');
    const answer = await shop.refund('re-1-1', '400', { reason: 'Arrived broken' });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('Location')).toBe('/v1/refunds/re-1-1-refund-400');
    expect(answer.json).toMatchObject({
      kind: 'refund',
      status: 'succeeded',
      origin: 'api',
      order_id: 're-1-1',
      payin: 're-1-pay',
      to: 'payer',
      wallet_id: null,
      unapplied_id: null,
      amount: '400',
      currency: 'USD',
      provider: 'stripe',
      reason: 'Arrived broken',
      reversals: [],
      failure: null,
    });
    expect((await rig.get('/v1/refunds/re-1-1-refund-400?wait=1')).json).toEqual(answer.json);
    const types = rowsOf(await rig.get('/v1/refunds/re-1-1-refund-400/timeline')).map(({ type }) => type);
    expect(types).toContain('posting');
  });

  it("goes into the buyer's wallet at once, without a provider", async () => {
    await shop.paid('re-wallet');
    const answer = await shop.refund('re-wallet-1', '250', { to: 'wallet' });
    expect(answer.json).toMatchObject({ status: 'succeeded', to: 'wallet', wallet_id: `${BUYER}-usd` });
    expect((await rig.get(`/v1/wallets/${BUYER}-usd`)).json).toMatchObject({ available: '250' });
    const replay = await shop.refund('re-wallet-1', '250', { to: 'wallet' });
    expect([replay.status, replay.headers.get('Idempotency-Replayed')]).toEqual([200, 'true']);
    const other = await shop.refund('re-wallet-1', '250', { to: 'payer' });
    expect(isErrorOf(other)).toEqual({ status: 422, code: 'key-reused' });
  });

  it('of more than is left is refused, and nothing is kept of it', async () => {
    await shop.paid('re-more');
    await shop.refund('re-more-1', '999');
    const answer = await shop.refund('re-more-1', '2');
    expect(isErrorOf(answer)).toEqual({ status: 422, code: 'refund-exceeds-payment' });
    expect((await rig.get('/v1/refunds/re-more-1-refund-2')).status).toBe(404);
    expect((await rig.get('/v1/orders/re-more-1')).json).toMatchObject({ refunded: '999', refundable: '1' });
  });

  it('needs an order, and for a wallet a buyer who has one', async () => {
    expect(isErrorOf(await shop.refund('nobody', '1'))).toEqual({ status: 404, code: 'not-found' });
    const checkout = {
      checkout_id: 're-poor',
      buyer_id: 'poor',
      currency: 'USD',
      payment_info: { provider: 'stripe' },
    };
    const orders = [{ order_id: 're-poor-1', seller_id: SELLER, amount: '100' }];
    await rig.post('/v1/checkouts', { ...checkout, orders });
    await shop.pay('re-poor', { payment_info: { provider: 'stripe', token: 'pm_card_ok' } });
    const answer = await shop.refund('re-poor-1', '1', { to: 'wallet' });
    expect(isErrorOf(answer)).toEqual({ status: 404, code: 'not-found' });
  });

  it('that is declined gives the order its money back', async () => {
    await shop.paid('re-decline', { token: 'pm_refund_decline' });
    expect((await shop.refund('re-decline-1', '10')).json).toMatchObject({ status: 'failed' });
    expect((await rig.get('/v1/orders/re-decline-1')).json).toMatchObject({ refunded: '0', refundable: '1000' });
    expect((await rig.get('/v1/refunds?order_id=re-decline-1&status=failed')).json.data).toHaveLength(1);
  });

  it('can be asked about, and decided by an operator', async () => {
    await shop.paid('re-never', { token: 'pm_refund_never' });
    const body = { semantic_key: 're-never', order_id: 're-never-1', amount: '5' };
    await rig.post('/v1/refunds', body);
    await shop.eventually('/v1/refunds/re-never', { status: 'in_process' });
    expect((await rig.post('/v1/refunds/re-never/query')).status).toBe(202);
    const resolve = () => rig.post('/v1/refunds/re-never/resolve', { verdict: 'failed', reason: 'The bank says no' });
    await expect.poll(async () => (await resolve()).status, { timeout: 20_000 }).toBe(200);
    expect((await rig.get('/v1/orders/re-never-1')).json).toMatchObject({ refunding: '0', refundable: '1000' });
  });
});

describe('money that fits nothing', () => {
  /** A refund that came back after it had succeeded. */
  async function returned(name: string): Promise<Json> {
    await shop.paid(name, { token: 'pm_refund_bounce' });
    const key = `${name}-1-refund-30`;
    await shop.refund(`${name}-1`, '30');
    await shop.eventually(
      `/v1/refunds/${key}`,
      { status: 'succeeded', reversals: [{ amount: '30', reason: 'refund.returned' }] },
      () => rig.post(`/v1/refunds/${key}/query`),
    );
    const rows = rowsOf(await rig.get('/v1/unapplied?status=open&provider=stripe&currency=USD'));
    const found = rows.find((row) => JSON.stringify(row.ref) === JSON.stringify({ kind: 'refund', semantic_key: key }));
    return found ?? {};
  }

  it('is listed, given to a wallet by an operator, and then decided', async () => {
    const unapplied = await returned('re-apply');
    expect(unapplied).toMatchObject({ amount: '30', currency: 'USD', status: 'open', reason: 'refund_returned' });
    const path = `/v1/unapplied/${unapplied.unapplied_id}`;
    expect((await rig.get(path)).json).toEqual(unapplied);
    const before = BigInt(String((await rig.get(`/v1/wallets/${BUYER}-usd`)).json.posted));
    const body = { apply_to: `${BUYER}-usd`, reason: 'The buyer agreed' };
    const applied = await rig.post(`${path}/resolve`, body);
    expect(applied).toMatchObject({
      status: 200,
      json: { status: 'resolved', applied_to: `${BUYER}-usd`, refund: null, resolved_reason: 'The buyer agreed' },
    });
    expect((await rig.get(`/v1/wallets/${BUYER}-usd`)).json.posted).toBe(String(before + 30n));
    expect(isErrorOf(await rig.post(`${path}/resolve`, { ...body, apply_to: `${SELLER}-usd` }))).toEqual({
      status: 409,
      code: 'invalid-state',
    });
    expect(rowsOf(await rig.get('/v1/unapplied?status=resolved'))).toEqual([applied.json]);
  });

  it('is sent back to its payer by a refund of its own', async () => {
    const { unapplied_id } = await returned('re-back');
    const sent = await rig.post(`/v1/unapplied/${unapplied_id}/resolve`, { refund: true, reason: 'Try once more' });
    expect(sent).toMatchObject({ status: 202, json: { applied_to: null, refund: `unapplied:${unapplied_id}` } });
    expect(sent.headers.get('Location')).toBe(`/v1/refunds/unapplied:${unapplied_id}`);
    expect((await rig.get(`/v1/refunds/unapplied:${unapplied_id}?wait=20`)).json).toMatchObject({
      order_id: null,
      unapplied_id,
      payin: 're-back-pay',
    });
  });

  it('is resolved by one word only, to a wallet that may get it', async () => {
    const { unapplied_id } = await returned('re-bad');
    const path = `/v1/unapplied/${unapplied_id}/resolve`;
    for (const [body, status, code] of [
      [{ reason: 'x' }, 422, 'validation-failed'],
      [{ reason: 'x', refund: false }, 422, 'validation-failed'],
      [{ reason: 'x', refund: true, apply_to: `${BUYER}-usd` }, 422, 'validation-failed'],
      [{ refund: true }, 422, 'validation-failed'],
      [{ refund: true, reason: 'card 4242424242424242' }, 422, 'card-data-not-accepted'],
      [{ reason: 'x', apply_to: 'nobody' }, 404, 'not-found'],
      [{ reason: 'x', apply_to: '@bank:USD' }, 422, 'wallet-not-allowed'],
      [{ reason: 'x', apply_to: '@pending:nobody:USD' }, 422, 'wallet-not-allowed'],
    ] as const) {
      expect([body, isErrorOf(await rig.post(path, body))]).toEqual([body, { status, code }]);
    }
    const write = await rig.key(['read', 'write']);
    expect((await rig.call('POST', path, { body: { refund: true, reason: 'x' }, key: write })).status).toBe(403);
  });
});

describe('a dispute', () => {
  it.each(['won', 'lost'])('that is %s is read with its order, and found by it', async (end) => {
    const payin = await shop.paid(`re-${end}`, { token: `pm_dispute_${end}` });
    await expect.poll(() => shop.dispute(payin.json, 'open'), { timeout: 10_000, interval: 100 }).toBe(true);
    const [open] = rowsOf(await rig.get(`/v1/disputes?order_id=re-${end}-1`));
    expect(open).toMatchObject({ payin: `re-${end}-pay`, order_id: `re-${end}-1`, amount: '1000', status: 'open' });
    expect((await rig.get(`/v1/orders/re-${end}-1`)).json).toMatchObject({ disputed: '1000', refundable: '0' });
    await expect.poll(() => shop.dispute(payin.json, end), { timeout: 10_000, interval: 100 }).toBe(true);
    expect((await rig.get(`/v1/disputes/${open?.dispute_id}`)).json).toMatchObject({ status: end });
    const filters = [`payin=re-${end}-pay&status=${end}`, `checkout_id=re-${end}&seller_id=${SELLER}&provider=stripe`];
    for (const filter of filters) expect(rowsOf(await rig.get(`/v1/disputes?${filter}`))).toHaveLength(1);
    expect((await rig.get(`/v1/orders/re-${end}-1`)).json.disputed).toBe(end === 'won' ? '0' : '1000');
  });

  it('of nothing is not found', async () => {
    for (const id of ['stripe:dp_none', 'nobody', 'stripe:%00']) {
      expect(isErrorOf(await rig.get(`/v1/disputes/${id}`))).toEqual({ status: 404, code: 'not-found' });
    }
    expect(rowsOf(await rig.get('/v1/disputes?order_id=nobody'))).toEqual([]);
  });
});

describe('an outgoing webhook', () => {
  it('carries each resource as GET returns it', async () => {
    await rig.post('/v1/payees', { payee_id: 're-payee', owner_id: SELLER, provider: 'stripe', account: 'acct_ok' });
    const base = { wallet_id: `${SELLER}-usd`, amount: '1', currency: 'USD' };
    await rig.post('/v1/payouts', { semantic_key: 're-payout', ...base, provider: 'stripe', payee_id: 're-payee' });
    const wallets = { from_wallet: `${BUYER}-usd`, to_wallet: `${SELLER}-usd` };
    await rig.post('/v1/transfers?wait=20', { semantic_key: 're-move', ...wallets, amount: '1', currency: 'USD' });
    const [dispute] = rowsOf(await rig.get('/v1/disputes'));
    const render = renderSubject(rig.remit.app);
    const subjects: readonly (readonly [SubjectKind, string, string])[] = [
      ['payin', 'payins', 're-1-pay'],
      ['payout', 'payouts', 're-payout'],
      ['refund', 'refunds', 're-1-1-refund-400'],
      ['transfer', 'transfers', 're-move'],
      ['order', 'orders', 're-1-1'],
      ['payee', 'payees', 're-payee'],
      ['dispute', 'disputes', String(dispute?.dispute_id)],
    ];
    for (const [kind, plural, semanticKey] of subjects) {
      const got = await rig.get(`/v1/${plural}/${semanticKey}`);
      expect(got.status).toBe(200);
      expect(await render({ kind, pkid: pkidOf(kind, semanticKey), semanticKey })).toEqual(got.json);
    }
    const gone = render({ kind: 'payin', pkid: pkidOf('payin', 'gone'), semanticKey: 'gone' });
    await expect(gone).rejects.toMatchObject({ code: 'internal' });
  });
});
