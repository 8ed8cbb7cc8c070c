// The evidence of a small run in which everything held: what each planted violation starts from.

import type { ClientLine } from '../../chaos/client-log.ts';
import type { BookRow, Evidence, Operation, Order } from '../../chaos/evidence.ts';
import type { Heard } from '../../chaos/heard-log.ts';
import { BUYERS, CURRENCY, PLAIN, SELLERS, WALLETS } from '../../chaos/market.ts';

const [FROM = '', TO = ''] = PLAIN;
const [SELLER = ''] = SELLERS;
const [BUYER = ''] = BUYERS;
const AT = 1_000_000;

const none = { currency: CURRENCY, origin: 'api', reviewReason: null, returned: 0n, to: null, orderId: null } as const;
const transferFields = { from_wallet: FROM, to_wallet: TO, amount: '100', currency: CURRENCY };
const payoutFields = {
  wallet_id: FROM,
  amount: '1000',
  currency: CURRENCY,
  provider: 'stripe',
  destination: 'acct_ok_1',
};

export const operations: readonly Operation[] = [
  {
    ...none,
    kind: 'transfer',
    pkid: 'T',
    semanticKey: 't-1',
    status: 'succeeded',
    amount: '100',
    fields: transferFields,
  },
  { ...none, kind: 'payout', pkid: 'P', semanticKey: 'p-2', status: 'succeeded', amount: '1000', fields: payoutFields },
  { ...none, kind: 'payout', pkid: 'D', semanticKey: 'p-3', status: 'failed', amount: '1000', fields: payoutFields },
  { ...none, kind: 'payin', pkid: 'I', semanticKey: 'pay-c-4', status: 'succeeded', amount: '5000', fields: {} },
  {
    ...none,
    kind: 'refund',
    pkid: 'R',
    semanticKey: 'r-o-4-0-0',
    status: 'succeeded',
    amount: '2000',
    to: 'wallet',
    orderId: 'o-4-0',
    fields: { wallet_id: BUYER, order_id: 'o-4-0', amount: '2000' },
  },
];

/** 5000 with a fee of 500, and 2000 of it given back: 200 of the fee is given up with it. */
const orders: readonly Order[] = [
  {
    orderId: 'o-4-0',
    checkoutId: 'c-4',
    sellerId: SELLER,
    amountMinor: 5_000n,
    feeMinor: 500n,
    isPaid: true,
    isDelivered: true,
  },
];

const book: readonly BookRow[] = [
  row({ direction: 'out', key: 'P', amount: '1000', destination: 'acct_ok_1' }),
  row({ direction: 'in', key: 'I', amount: '5000', destination: 'tok_ok' }),
];

const POSTED: Readonly<Record<string, bigint>> = {
  [FROM]: -1_100n,
  [TO]: 100n,
  [SELLER]: 2_700n,
  [BUYER]: 2_000n,
  [`@fees:${CURRENCY}`]: 300n,
  [`@provider:stripe:${CURRENCY}`]: -4_000n,
  [`@equity:${CURRENCY}`]: -WALLETS.reduce((sum, { fundsMinor }) => sum + fundsMinor, 0n),
};

export const soundRun: Evidence = {
  client: [
    ...askedCheckout(),
    ...operations.flatMap(({ kind, semanticKey: key, pkid, status, fields }): ClientLine[] => [
      { what: 'asked', key, kind, path: '/', body: asBody(fields), at: AT },
      { what: 'tried', key, api: 0, method: 'POST', from: AT, to: AT, status: 202 },
      { what: 'answered', key, status: 202, isReplay: false, pkid, code: null, at: AT },
      { what: 'shown', key, status: 'initialized', at: AT },
      { what: 'shown', key, status, at: AT + 1 },
    ]),
  ],
  heard: [
    ...operations.map(({ kind, status, semanticKey }) => heard(`${kind}.${status}`, semanticKey)),
    heard('order.delivered', 'o-4-0'),
  ],
  operations,
  orders,
  book,
  wallets: new Map([...WALLETS.map(funded), ...Object.keys(POSTED).filter(isPlatform).map(funded)]),
  firstIntentAt: new Map(['P', 'D', 'I', 'R'].map((pkid) => [pkid, AT - 10])),
  unapplied: [],
  leftovers: [],
  audit: [],
};

export function row(of: Pick<BookRow, 'direction' | 'key' | 'amount' | 'destination'>): BookRow {
  return { at: AT, provider: 'stripe', currency: CURRENCY, ...of };
}

export function heard(type: string, subject: string, sequence = 1): Heard {
  return { what: 'heard', eventId: `${type} ${subject}`, type, sequence, subject, at: AT };
}

function funded(wallet: string | (typeof WALLETS)[number]): [string, bigint] {
  if (typeof wallet === 'string') return [wallet, POSTED[wallet] ?? 0n];
  return [wallet.walletId, wallet.fundsMinor + (POSTED[wallet.walletId] ?? 0n)];
}

function isPlatform(wallet: string): boolean {
  return wallet.startsWith('@');
}

function askedCheckout(): ClientLine[] {
  const key = 'c-4';
  const body = { orders: [{ order_id: 'o-4-0', seller_id: SELLER, amount: '5000', fee: '500' }] };
  return [
    { what: 'asked', key, kind: 'checkout', path: '/', body, at: AT },
    { what: 'answered', key, status: 201, isReplay: false, pkid: null, code: null, at: AT },
  ];
}

function asBody(fields: Operation['fields']): Record<string, unknown> {
  const { wallet_id: _, ...body } = fields;
  return body;
}
