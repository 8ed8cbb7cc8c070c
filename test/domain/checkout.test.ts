// What a checkout is at, read off its orders and pay-ins.

import { expect, test } from 'vitest';
import { statusOfCheckout } from '../../src/domain/checkout.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import type { Order } from '../../src/domain/order.ts';
import type { Status } from '../../src/domain/state-machine.ts';
import { NOW } from './payment-rows.ts';
import { orderOf } from './till.ts';

const UNPAID = orderOf({ seller: 'ann', amountMinor: 100n, feeMinor: 20n, currency: parseCurrency('USD') });
const PAID: Order = { ...UNPAID, payinPkid: UNPAID.pkid, paidAt: NOW };
const DELIVERED: Order = { ...PAID, deliveredAt: NOW };
const REFUNDED: Order = { ...PAID, refundedMinor: 100n };
const DISPUTED: Order = { ...DELIVERED, takenAfterMinor: 100n };

const payins = (...statuses: readonly Status[]) => statuses.map((status) => ({ status }));

test.each([
  ['nobody has tried to pay', 'open', [UNPAID, UNPAID], payins()],
  ['every try failed', 'open', [UNPAID, UNPAID], payins('failed', 'failed')],
  ['a pay-in rests', 'paying', [UNPAID], payins('initialized')],
  ['a pay-in is on its way', 'paying', [UNPAID], payins('in_process')],
  ['a second try is on its way', 'paying', [UNPAID], payins('in_process', 'failed')],
  ['it is paid', 'paid', [PAID, PAID], payins('succeeded')],
  ['one of two orders is delivered', 'paid', [DELIVERED, PAID], payins('succeeded')],
  ['one of two orders is refunded', 'paid', [REFUNDED, PAID], payins('succeeded')],
  ['all orders are delivered', 'closed', [DELIVERED, DELIVERED], payins('succeeded')],
  ['all orders are delivered or refunded', 'closed', [DELIVERED, REFUNDED], payins('succeeded')],
  ['a delivered order was taken back as well', 'closed', [DISPUTED, REFUNDED], payins('succeeded')],
] as const)('when %s, a checkout is %s', (_, status, orders, tries) => {
  expect(statusOfCheckout({ canceledAt: null, orders, payins: tries })).toBe(status);
});

test.each([
  [[UNPAID], payins()],
  [[PAID], payins('succeeded')],
  [[REFUNDED], payins('succeeded')],
  [[DELIVERED, REFUNDED], payins('succeeded')],
])('a cancelled checkout stays cancelled, whatever its orders are at', (orders, tries) => {
  expect(statusOfCheckout({ canceledAt: NOW, orders, payins: tries })).toBe('canceled');
});
