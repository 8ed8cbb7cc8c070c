// What a cancelled checkout gives back, where its orders change between two looks; no queue, so that each look is ours.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { readOrder } from '../../src/jobs/order-rows.ts';
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
  await openWallets(ledger, ['ann', 'bob']);
  market = openMarket({ ...ledger.life, providers: new Map([[PROVIDER, MAKE.stripe(rig.url)] as const]) });
});
afterAll(async () => {
  const { checks } = await audit(ledger.db);
  await ledger.close();
  await rig.close();
  expect(checks.filter(({ violations }) => violations.length > 0)).toEqual([]);
});

test('the same amount goes back once more when another refund of the order fails', async () => {
  await market.sell('same', 'tok_ok', { seller: 'ann', amountMinor: 14_000n, feeMinor: 0n });
  const open = await market.askForRefund('same-0', 7_000n);
  await market.cancel('same');
  const order = pkidOf('order', 'same-0');
  const first = pkidOf('refund', `cancel:${order}:0:7000`);
  await market.refunds.run(first);
  expect(await market.refunds.find(first)).toMatchObject({ status: 'succeeded' });
  await market.refunds.cancel(open, 'refund:same-0:7000');
  await market.cancel('same');
  const second = pkidOf('refund', `cancel:${order}:7000:7000`);
  await market.refunds.run(second);
  expect(await market.refunds.find(second)).toMatchObject({ status: 'succeeded' });
  await market.cancel('same');
  expect(await readOrder(ledger.db.sql, ledger.tables.order, 'same-0')).toMatchObject({ refundedMinor: 14_000n });
});

test('an order of a cancelled checkout is not delivered any more, even while its refund is still to come', async () => {
  const orders = ['kept', 'given'].map(() => ({ seller: 'bob', amountMinor: 5_000n, feeMinor: 500n }));
  await market.sell('late', 'tok_ok', ...orders);
  await market.deliver('late-0');
  await market.cancel('late');
  await expect(market.deliver('late-1')).rejects.toMatchObject({ code: 'invalid-state' });
  expect(await market.deliver('late-0')).toMatchObject({ orderId: 'late-0' });
  const refund = pkidOf('refund', `cancel:${pkidOf('order', 'late-1')}:0:5000`);
  await market.refunds.run(refund);
  expect(await market.refunds.find(refund)).toMatchObject({ status: 'succeeded' });
});

test('an order that is delivered while its checkout is compensated stays delivered', async () => {
  await market.sell('raced', 'tok_ok', { seller: 'bob', amountMinor: 5_000n, feeMinor: 500n });
  await market.deliver('raced-0');
  const seenBefore = {
    semanticKey: 'cancel:raced',
    orderId: 'raced-0',
    amountMinor: 5_000n,
    destination: 'payer',
  } as const;
  const asked = { ...seenBefore, reason: null, metadata: {}, traceparent: null };
  await expect(market.refunds.compensate(asked)).rejects.toMatchObject({ code: 'invalid-state' });
  expect(await market.refunds.find(pkidOf('refund', 'cancel:raced'))).toBeNull();
});
