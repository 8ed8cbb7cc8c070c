// The parts of PayPal's objects that are used here. A body of another shape says nothing about the money.

import { z } from 'zod';
import type { Money } from '../../domain/money.ts';
import { fromWire } from './amount.ts';

/** One purchase unit has one capture, unless something went wrong; a capture of small refunds may have many. */
const CAPTURES_MAX = 20;
const REFUNDS_MAX = 1000;
const LINKS_MAX = 50;

/** It stands in paths, so nothing else than this is taken for an id. */
export const externId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const status = z.string().min(1).max(50);
const ourId = z.string().max(255).nullish();
const links = z
  .array(z.object({ href: z.string().max(2048), rel: z.string().max(100) }))
  .max(LINKS_MAX)
  .nullish();

const amountText = z.string().max(32);
const currencyCode = z.string().max(3);
const money = z
  .object({ value: amountText, currency_code: currencyCode })
  .transform(({ value, currency_code }, context) => moneyOf({ value, currency: currency_code }, context));
/** Payouts name the currency by another word than all else. */
const payoutMoney = z.object({ value: amountText, currency: currencyCode }).transform(moneyOf);

function moneyOf(wire: { value: string; currency: string }, context: z.core.$RefinementCtx): Money {
  const found = fromWire(wire);
  if (found !== null) return found;
  context.addIssue({ code: 'custom', message: 'no amount' });
  return z.NEVER;
}

export const captureBody = z.object({
  id: externId,
  status,
  amount: money,
  custom_id: ourId,
  seller_receivable_breakdown: z.object({ paypal_fee: money.nullish() }).nullish(),
  supplementary_data: z.object({ related_ids: z.object({ order_id: externId.nullish() }).nullish() }).nullish(),
});
export type Capture = z.infer<typeof captureBody>;

export const refundBody = z.object({
  id: externId,
  status,
  amount: money,
  custom_id: ourId,
  invoice_id: ourId,
  links,
});
export type Refund = z.infer<typeof refundBody>;

const purchaseUnit = z.object({
  custom_id: ourId,
  payments: z
    .object({
      captures: z.array(captureBody).max(CAPTURES_MAX).nullish(),
      refunds: z.array(refundBody).max(REFUNDS_MAX).nullish(),
    })
    .nullish(),
});

/** An order of ours has one purchase unit. */
export const orderBody = z.object({ id: externId, status, purchase_units: z.tuple([purchaseUnit]), links });
export type Order = z.infer<typeof orderBody>;

const batchHeader = z.object({
  payout_batch_id: externId,
  batch_status: status,
  sender_batch_header: z.object({ sender_batch_id: ourId }),
});
/** What a create answers with: the item is only shown by the look-up. */
export const createdBatchBody = z.object({ batch_header: batchHeader });

const payoutItem = z.object({
  payout_item_id: externId,
  transaction_status: status.nullish(),
  payout_item_fee: payoutMoney.nullish(),
  payout_item: z.object({ amount: payoutMoney, receiver: z.string().min(1).max(255), sender_item_id: ourId }),
  errors: z.object({ name: z.string().nullish(), message: z.string().nullish() }).nullish(),
  return_amount: payoutMoney.nullish(),
});
export type PayoutItem = z.infer<typeof payoutItem>;

/** A batch of ours holds one item, which is listed once the batch was looked at. */
export const batchBody = z.object({ batch_header: batchHeader, items: z.array(payoutItem).max(1).nullish() });
export type Batch = z.infer<typeof batchBody>;

export const balancesBody = z.object({
  balances: z.array(z.object({ currency: currencyCode, available_balance: money.nullish(), total_balance: money })),
});

export const disputeBody = z.object({
  dispute_id: externId,
  status,
  dispute_amount: money,
  dispute_outcome: z.object({ outcome_code: z.string().max(255).nullish() }).nullish(),
  disputed_transactions: z.array(z.object({ seller_transaction_id: externId, custom: ourId })).min(1),
  seller_response_due_date: z.iso.datetime({ offset: true }).nullish(),
});

/** The id at the end of a link to an object; the rest of the link is never followed. */
export function idInLink(
  all: readonly { readonly href: string; readonly rel: string }[] | null | undefined,
  { rel, folder }: { readonly rel: string; readonly folder: string },
): string | null {
  for (const link of all ?? []) {
    const [name, id] = link.href.split(/[?#]/)[0]?.split('/').slice(-2) ?? [];
    if (link.rel === rel && name === folder && externId.safeParse(id).success) return id ?? null;
  }
  return null;
}
