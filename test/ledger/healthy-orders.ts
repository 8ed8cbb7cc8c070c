// Books of a marketplace as a busy day leaves them: checkouts paid, delivered, refunded before and after, disputed and
// decided, money taken back by the provider, debt, wallets loaded, and money that fits nothing.

import { sql } from 'kysely';
import { expect, vi } from 'vitest';
import { derivedPkid, type Pkid, pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { Succeeded } from '../../src/domain/provider.ts';
import { takeFromAll } from '../../src/jobs/payin.ts';
import { headOf } from '../../src/jobs/payment/rules.ts';
import { keepUnapplied, strayMoney } from '../../src/jobs/unapplied-money.ts';
import { adjust, type Ledger, openWallets, transfer, USD } from '../harness/ledger.ts';
import { MAKE, openRig, type Rig } from '../providers/rig.ts';
import { moveByHand } from './healthy-externals.ts';
import { type Market, openMarket, PROVIDER } from './market.ts';

const JPY = parseCurrency('JPY');
const WITHIN = { timeout: 40_000, interval: 50 } as const;

export async function fillOrders(ledger: Ledger): Promise<void> {
  await openWallets(ledger, ['ann', 'bob', 'cid', 'dan', 'eve', 'fay', 'gus', 'hal', 'ida', 'jon']);
  await openWallets(ledger, ['yuki'], { currency: JPY });
  await openWallets(ledger, ['buyer-half', 'buyer-by-hand'], { kind: 'buyer' });
  const rig = await openRig();
  try {
    const providers = new Map([[PROVIDER, MAKE.stripe(rig.url)] as const]);
    const market = openMarket({ ...ledger.life, providers });
    await sellWhatWillBeDisputed(market);
    await sellAndRefund(market);
    await sellInTrouble(market);
    await keepWhatFitsNothing(ledger, market);
    await takeBack(ledger, market);
    await charge(ledger, { key: 'pay:half', amountMinor: 320n });
    await charge(ledger, { key: 'pay:yen', amountMinor: 40n });
    await disputeAll(rig, { market, ledger });
    await moveByHand(rig, market);
  } finally {
    await rig.close();
  }
}

async function sellAndRefund(market: Market): Promise<void> {
  const half = { amountMinor: 10_000n, feeMinor: 2_000n };
  await market.sell('half', 'tok_ok', { seller: 'ann', ...half }, { seller: 'bob', amountMinor: 5_000n, feeMinor: 0n });
  await market.refund('half-0', 3_000n);
  const open = await market.askForRefund('half-1', 1_000n);
  await market.deliver('half-0');
  await market.deliver('half-1');
  await market.refunds.run(open);
  await market.refund('half-0', 2_500n);
  await market.refund('half-0', 500n, 'wallet');

  await market.sell('declined', 'tok_refund_decline', { seller: 'ann', amountMinor: 7_777n, feeMinor: 333n });
  const refused = await market.askForRefund('declined-0', 1_111n);
  await market.refund('declined-0', 10n);
  await market.deliver('declined-0');
  await market.refunds.run(refused);
  await market.refund('declined-0', 20n);

  await market.sell('waiting', 'tok_refund_never', { seller: 'bob', amountMinor: 4_000n, feeMinor: 401n });
  await market.refund('waiting-0', 1_000n);
  await market.deliver('waiting-0');
  await market.refund('waiting-0', 500n);

  await market.checkout('yen', 'tok_ok', [{ seller: 'yuki', amountMinor: 1_001n, feeMinor: 77n }], JPY);
  await market.pay('yen');
  await market.refund('yen-0', 333n);
  await market.deliver('yen-0');

  await market.sell('undelivered', 'tok_ok', { seller: 'ann', amountMinor: 900n, feeMinor: 90n });
  await market.refund('undelivered-0', 100n);
}

async function sellInTrouble(market: Market): Promise<void> {
  const order = { seller: 'cid', amountMinor: 2_000n, feeMinor: 200n };
  await market.checkout('unpaid', 'tok_ok', [order]);
  await market.checkout('second-try', 'tok_decline', [order]);
  await market.pay('second-try');
  await market.pay('second-try', { key: 'pay:second-try:again', token: 'tok_ok' });
  await market.checkout('resting', 'tok_ok', [order]);
  await market.pay('resting', { confirm: false });
  await market.checkout('at-the-buyer', 'tok_action', [order]);
  await market.pay('at-the-buyer');
  await market.sell('canceled', 'tok_ok', order, { ...order, seller: 'dan' });
  await market.deliver('canceled-0');
  await market.cancel('canceled');
  await market.refunds.run(pkidOf('refund', `cancel:${pkidOf('order', 'canceled-1')}:0:2000`));

  // Dan took his money out, and owes what goes back from here on; the next delivery pays it.
  await market.sell('in-debt', 'tok_ok', { ...order, seller: 'dan' }, { ...order, seller: 'dan' });
  await market.deliver('in-debt-0');
  await market.payOut('dan', 1_800n);
  await market.refund('in-debt-0', 1_000n);
  await market.deliver('in-debt-1');
}

async function keepWhatFitsNothing(ledger: Ledger, market: Market): Promise<void> {
  const payin = await market.sell('twice', 'tok_ok', { seller: 'eve', amountMinor: 3_000n, feeMinor: 30n });
  await ledger.journal.stepPayin({
    pkid: payin,
    walletIds: [`@provider:${PROVIDER}:USD`, `@costs:${PROVIDER}:USD`, '@unapplied:USD'],
    decide(row, now, seen) {
      const held = { row, seen, now, companions: NO_COMPANIONS };
      const reason = 'second_reference';
      const own = { kind: 'payin', row, externId: row.externPaymentId ?? '', reason, now } as const;
      const kept = [
        ...STRAYS.map((success) => strayMoney('payin', held, { success, reason })),
        keepUnapplied({ ...own, money: { amountMinor: 800n, currency: USD } }),
      ];
      const unapplied = kept.flatMap((one) => one.unapplied ?? []);
      return { movements: kept.flatMap((one) => one.movements), conclude: () => ({ ...UNCHANGED, unapplied }) };
    },
  });
  const { externPaymentId } = (await market.payins.find(payin)) ?? {};
  const by = { reason: 'test', actor: 'test' };
  await market.unapplied.resolve(derivedPkid(payin, 'unapplied:stray-1'), { ...by, applyTo: 'eve' });
  const back = derivedPkid(payin, `unapplied:${externPaymentId}`);
  await market.unapplied.resolve(back, { ...by, applyTo: null });
  await market.refunds.run(pkidOf('refund', `unapplied:${back}`));
}

/** One to apply to a wallet, and one that stays and was charged for. */
const STRAYS: readonly Succeeded[] = [
  stray({ externId: 'stray-1', amountMinor: 700n, fee: null }),
  stray({
    externId: 'stray-2',
    amountMinor: 900n,
    fee: { externId: 'txn_stray', money: { amountMinor: 9n, currency: USD } },
  }),
];
const NO_COMPANIONS = { walletIds: [], orderPkids: [], unappliedId: null, loadedId: null, debtId: null } as const;
const UNCHANGED = { next: null, path: [], cause: null, result: undefined } as const;

function stray({
  externId,
  amountMinor,
  fee,
}: Pick<Succeeded, 'externId' | 'fee'> & { amountMinor: bigint }): Succeeded {
  const money = { amountMinor, currency: USD };
  const rest = { beneficiary: null, reversedMinor: 0n, arrival: null, otherExternIds: [] };
  return { type: 'succeeded', externId, money, fee, ...rest };
}

/** The provider takes money back by itself: of a paid checkout before and after delivery, and a refund that returns. */
async function takeBack(ledger: Ledger, market: Market): Promise<void> {
  const order = { seller: 'fay', amountMinor: 1_000n, feeMinor: 100n };
  const payin = await market.sell('reversed', 'tok_ok', order, { ...order, seller: 'gus' });
  await market.refund('reversed-0', 100n);
  await reverse(ledger, market, { payin, amountMinor: 300n, totalMinor: 300n });
  await market.deliver('reversed-0');
  await market.deliver('reversed-1');
  // More than all orders have left: the rest is ours to bear.
  await reverse(ledger, market, { payin, amountMinor: 1_700n, totalMinor: 2_000n });

  await market.sell('bounced', 'tok_refund_bounce', { ...order, seller: 'hal' });
  const refund = await market.refund('bounced-0', 400n);
  const bounced = await market.refunds.find(refund);
  if (bounced === null) throw new Error('The refund is gone.');
  await vi.waitFor(async () => expect(await market.refunds.lookAgain(bounced)).toBe('applied'), WITHIN);
}

async function reverse(
  { journal }: Ledger,
  { payins }: Market,
  { payin, amountMinor, totalMinor }: { payin: Pkid; amountMinor: bigint; totalMinor: bigint },
): Promise<void> {
  const seen = await payins.find(payin);
  if (seen === null) throw new Error('The pay-in is gone.');
  const companions = await payins.companionsOf(seen);
  const { walletIds, orderPkids } = companions;
  await journal.stepPayin({
    pkid: payin,
    walletIds,
    orderPkids,
    decide(row, now, beside) {
      const { orders, lines } = takeFromAll({ row, seen: beside, companions, now }, amountMinor);
      const head = headOf('payin', row, { step: `return:${totalMinor}`, event: 'payin.reversed', reverses: true });
      const next = { ...row, returnedMinor: totalMinor };
      return {
        movements: [{ type: 'post', posting: head, currency: row.currency, lines }],
        conclude: () => ({ ...UNCHANGED, next, cause: 'returned', orders }),
      };
    },
  });
}

/** What the provider charges for a pay-in, in its own currency. */
async function charge({ journal }: Ledger, { key, amountMinor }: { key: string; amountMinor: bigint }): Promise<void> {
  const lines = [
    { walletId: `@costs:${PROVIDER}:USD`, amountMinor: -amountMinor },
    { walletId: `@provider:${PROVIDER}:USD`, amountMinor },
  ];
  await journal.stepPayin({
    pkid: pkidOf('payin', key),
    walletIds: lines.map(({ walletId }) => walletId),
    decide(row) {
      const feeExternId = `txn_${row.pkid}`;
      const posting = headOf('payin', row, { step: `fee:${feeExternId}`, event: 'provider.fee' });
      const next = { ...row, feeMinor: amountMinor, feeExternId };
      return {
        movements: [{ type: 'post', posting, currency: USD, lines }],
        conclude: () => ({ ...UNCHANGED, next, cause: 'charged' }),
      };
    },
  });
}

/** Pay-ins whose disputes open by themselves. */
async function sellWhatWillBeDisputed(market: Market): Promise<void> {
  const order = { seller: 'hal', amountMinor: 6_000n, feeMinor: 601n };
  await market.sell('won', 'tok_dispute_won', order, { ...order, seller: 'ida' });
  await market.refund('won-1', 1_000n);
  await market.sell('won-delivered', 'tok_dispute_won', order);
  await market.deliver('won-delivered-0');
  await market.sell('lost', 'tok_dispute_lost', order);
  await market.sell('lost-delivered', 'tok_dispute_lost', { ...order, seller: 'gus' }, { ...order, seller: 'gus' });
  await market.deliver('lost-delivered-0');
  await market.deliver('lost-delivered-1');
  await market.payOut('gus', 10_000n);
  await market.load('buyer-half', 2_000n, 'tok_dispute_lost');
  await market.load('ida', 2_000n, 'tok_dispute_lost');
  await market.payOut('ida', 1_500n);
}
const DISPUTES = 6;

async function disputeAll(rig: Rig, { market, ledger }: { market: Market; ledger: Ledger }): Promise<void> {
  const events = () =>
    rig.deliveries.flatMap(({ event }) => (event?.subject === 'dispute' ? [event.externId ?? ''] : []));
  const lookAtAll = async () => {
    for (const externId of new Set(events())) await market.disputes.look(PROVIDER, externId);
  };
  await vi.waitFor(() => expect(new Set(events()).size).toBe(DISPUTES), WITHIN);
  await lookAtAll();
  await market.deliver('won-0');
  const undecided = async () => {
    await lookAtAll();
    const { rows } = await sql<{ open: string }>`
      SELECT count(*) AS open FROM dispute WHERE status = 'open'`.execute(ledger.db.sql);
    return Number(rows[0]?.open);
  };
  await vi.waitFor(async () => expect(await undecided()).toBe(0), WITHIN);
  // Whoever owes pays back before anything goes out.
  await adjust(ledger, { key: 'fund:gus', walletId: 'gus', amountMinor: 500n });
  await transfer(ledger, { key: 'from-debt', from: 'gus', to: 'eve', amountMinor: 1n });
}
