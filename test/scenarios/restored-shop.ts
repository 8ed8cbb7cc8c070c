// What a shop asked for after the copy of the database was taken: it remembers its requests, and sends them again.

import { pkidOf } from '../../src/domain/id.ts';
import type { PaymentKind, ProviderName } from '../../src/domain/provider.ts';
import { deliver, ended, openSeller, pay, payOut, refund, sell } from './market.ts';
import type { Json, Story } from './story.ts';

export interface Moved {
  readonly kind: PaymentKind;
  readonly key: string;
  readonly provider: ProviderName;
  readonly amount: string;
}

/** Payments that the shop will ask for again, in the order in which they need each other's money. */
export const REPEATED: readonly Moved[] = [
  { kind: 'payin', key: 'pay-early', provider: 'stripe', amount: '5000' },
  { kind: 'payin', key: 'pay-late-paypal', provider: 'paypal', amount: '4000' },
  { kind: 'payin', key: 'pay-late-square', provider: 'square', amount: '3000' },
  { kind: 'refund', key: 'back-kept-1-300', provider: 'stripe', amount: '300' },
  { kind: 'payout', key: 'out-resting', provider: 'stripe', amount: '110' },
  { kind: 'payout', key: 'out-stripe', provider: 'stripe', amount: '120' },
  { kind: 'payout', key: 'out-paypal', provider: 'paypal', amount: '130' },
  { kind: 'payout', key: 'out-tipalti', provider: 'tipalti', amount: '140' },
];
/** A seller's whole wallet, which that seller's only order has filled. */
export const TOO_SOON: Moved = { kind: 'payout', key: 'out-poor', provider: 'stripe', amount: '4000' };
/** What nobody will ask for again. */
export const LOST_PAYIN: Moved = { kind: 'payin', key: 'pay-lost', provider: 'stripe', amount: '2000' };
export const LOST_PAYOUT: Moved = { kind: 'payout', key: 'out-lost', provider: 'stripe', amount: '700' };
export const AFTERWARDS = [...REPEATED, TOO_SOON, LOST_PAYIN, LOST_PAYOUT];

const DESTINATIONS: Readonly<Partial<Record<ProviderName, string>>> = {
  stripe: 'acct_ok_1',
  paypal: 'seller_ok_1@example.com',
  tipalti: 'seller_ok_1',
};

/** Two sellers with money, one without; a checkout that was paid, one that was not, and a payout at rest. */
export async function openBooks(story: Story): Promise<void> {
  await story.wallet('ann', '50000');
  await story.wallet('bob', '50000');
  await openSeller(story, 'cid');
  await sell(story, { checkoutId: 'kept', provider: 'stripe', orders: [{ seller: 'cid', amount: '1000' }] });
  await pay(story, 'kept');
  await sell(story, { checkoutId: 'early', provider: 'stripe', orders: [{ seller: 'cid', amount: '5000' }] });
  const resting = { semantic_key: 'out-resting', wallet_id: 'ann', amount: '110', currency: 'USD' };
  await story.insist('/v1/payouts', { ...resting, provider: 'stripe', destination: 'acct_ok_1' });
}

/** A careful shop repeats in this order: what brings money first, what takes it last. */
export async function askForAll(story: Story): Promise<void> {
  await sellLate(story);
  await refund(story, 'kept-1', '300');
  const moved = { semantic_key: 'moved', from_wallet: 'ann', to_wallet: 'bob', amount: '500', currency: 'USD' };
  await ended(story, '/v1/transfers', moved, '/v1/transfers/moved');
  await ended(story, '/v1/payouts/out-resting/confirm', {}, '/v1/payouts/out-resting');
  for (const one of REPEATED.filter(({ kind, key }) => kind === 'payout' && key !== 'out-resting')) {
    await askForPayout(story, one, 'ann');
  }
}

async function sellLate(story: Story): Promise<void> {
  await openSeller(story, 'dan');
  await sell(story, { checkoutId: 'late-paypal', provider: 'paypal', orders: [{ seller: 'dan', amount: '4000' }] });
  await sell(story, { checkoutId: 'late-square', provider: 'square', orders: [{ seller: 'cid', amount: '3000' }] });
  for (const checkoutId of ['early', 'late-paypal', 'late-square']) await pay(story, checkoutId);
  await deliver(story, 'late-paypal-1');
}

export async function askForLost(story: Story): Promise<void> {
  await sell(story, { checkoutId: 'lost', provider: 'stripe', orders: [{ seller: 'cid', amount: '2000' }] });
  await pay(story, 'lost');
  await askForPayout(story, LOST_PAYOUT, 'ann');
}

export async function askForPayout(story: Story, { key, provider, amount }: Moved, seller: string): Promise<Json> {
  return payOut(story, { seller, amount, provider, to: DESTINATIONS[provider] ?? '', key });
}

export async function readMoved(story: Story, { kind, key }: Pick<Moved, 'kind' | 'key'>): Promise<Json> {
  return (await story.get(`/v1/${kind}s/${key}`)).json;
}

/** The line that a provider's own list has of it. */
export interface Listed extends Moved {
  readonly externId: string;
}

export async function listAll(story: Story): Promise<Listed[]> {
  const listed: Listed[] = [];
  for (const one of AFTERWARDS) {
    const { extern_payment_id: externId, pkid, status } = await readMoved(story, one);
    if (String(pkid) !== pkidOf(one.kind, one.key) || String(status) !== 'succeeded') {
      throw new Error(`${one.key} is ${String(status)}.`);
    }
    listed.push({ ...one, externId: String(externId) });
  }
  return listed;
}
