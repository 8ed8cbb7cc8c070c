// Books as a busy day leaves them: transfers that moved and that were refused, payouts in every state by both
// providers, a payout that came back in parts, adjustments and treasury, a marketplace, and an endpoint that hears it.

import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { ProviderName } from '../../src/domain/provider.ts';
import { createPayoutLife, type PayoutLife, payoutRules } from '../../src/jobs/payout.ts';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { adjust, type Ledger, moveTreasury, openWallets, transfer, USD } from '../harness/ledger.ts';
import { MAKE, openRig } from '../providers/rig.ts';
import { fillOrders } from './healthy-orders.ts';

const EUR = parseCurrency('EUR');
const SELLERS = Array.from({ length: 10 }, (_, index) => `seller${index}`);
const BUYERS = Array.from({ length: 10 }, (_, index) => `buyer${index}`);

export async function fillBooks(ledger: Ledger): Promise<void> {
  await listen(ledger);
  await openWallets(ledger, SELLERS);
  await openWallets(ledger, BUYERS, { kind: 'buyer' });
  await openWallets(ledger, ['euro'], { currency: EUR });
  await adjust(ledger, { key: 'fund:euro', walletId: 'euro', amountMinor: 1_000n, currency: EUR });
  for (const walletId of SELLERS) await adjust(ledger, { key: `fund:${walletId}`, walletId, amountMinor: 10_000n });
  await moveTreasury(ledger, 'fund:stripe', 500_000n);
  await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      transfer(ledger, {
        key: `transfer:${index}`,
        from: SELLERS[index % 10] ?? '',
        to: BUYERS[(index * 7) % 10] ?? '',
        // Every tenth asks for more than anybody has.
        amountMinor: index % 10 === 9 ? 1_000_000n : BigInt(1 + (index % 50)),
      }),
    ),
  );
  await payOut(ledger);
  await fillOrders(ledger);
}

/** A platform that wants to hear everything, and one that wants little. */
async function listen({ db }: Ledger): Promise<void> {
  const place = '127.0.0.1:1';
  const endpoints = createWebhookEndpoints({ db, allowHosts: [place], enqueue: async () => undefined });
  await endpoints.create({ url: `http://${place}/all`, events: ['*'] });
  await endpoints.create({ url: `http://${place}/some`, events: ['payout.failed', 'refund.*'] });
}

async function payOut(ledger: Ledger): Promise<void> {
  const rig = await openRig();
  try {
    const providers = new Map([
      ['stripe' as const, MAKE.stripe(rig.url)],
      ['demobank' as const, MAKE.demobank(rig.url)],
    ]);
    const payouts = createPayoutLife({ ...ledger.life, providers });
    const run = (facts: Facts) => requestAndRun(payouts, facts);
    for (const provider of ['stripe', 'demobank'] as const) {
      for (const [index, word] of ['ok', 'ok', 'decline', 'insufficient', 'paid_then_500', 'never'].entries()) {
        await run({ key: `${provider}:${word}:${index}`, provider, word, walletId: `seller${index}` });
      }
      await run({ key: `${provider}:poor`, provider, word: 'ok', walletId: 'buyer0', amountMinor: 1_000_000n });
      await run({ key: `${provider}:at-rest`, provider, word: 'ok', walletId: 'seller0', confirm: false });
      const canceled = await run({ key: `${provider}:off`, provider, word: 'ok', walletId: 'seller0', confirm: false });
      await payouts.cancel(canceled, `${provider}:off`);
    }
  } finally {
    await rig.close();
  }
  await bringBack(ledger, { amountMinor: 100n, totalMinor: 100n });
  await bringBack(ledger, { amountMinor: 150n, totalMinor: 250n });
}

interface Facts {
  readonly key: string;
  readonly provider: ProviderName;
  readonly word: string;
  readonly walletId: string;
  readonly amountMinor?: bigint;
  readonly confirm?: boolean;
}

async function requestAndRun(payouts: PayoutLife, facts: Facts) {
  const { key, provider, word, walletId, amountMinor = 300n, confirm = true } = facts;
  const { row } = await payouts.request({
    semanticKey: key,
    walletId,
    amountMinor,
    currency: USD,
    provider,
    payeeId: null,
    destination: `acct_${word}`,
    expiresAt: null,
    metadata: {},
    traceparent: null,
    confirm,
  });
  await payouts.run(row.pkid);
  return row.pkid;
}

async function bringBack({ journal, life }: Ledger, more: { amountMinor: bigint; totalMinor: bigint }): Promise<void> {
  const companions = { walletIds: [], orderPkids: [], unappliedId: null, loadedId: null, debtId: null };
  await journal.stepPayout({
    pkid: pkidOf('payout', 'stripe:ok:0'),
    walletIds: ['seller0', '@provider:stripe:USD'],
    decide(row, now, seen) {
      const { movements, ...records } = payoutRules(life).takeBack({ row, seen, companions, now }, more);
      const next = { ...row, returnedMinor: more.totalMinor };
      return { movements, conclude: () => ({ next, path: [], cause: 'returned', ...records, result: undefined }) };
    },
  });
}
