// Payouts through Stripe: one Connect transfer from the platform's balance to the seller's connected account. A
// transfer is synchronous and has no status: if it exists, the money has moved.

import { z } from 'zod';
import type { Pkid } from '../../domain/id.ts';
import type { Answer, CallLimits, Payments, PayoutOrder, Reference } from '../../domain/provider.ts';
import { parseAnswer, uncertain } from '../surprise.ts';
import { fromWire, refusalOf, wireOf } from './amount.ts';
import {
  type Bound,
  boundsOf,
  declinedBy,
  isMissing,
  marksOf,
  noSecondStage,
  PAGE_ITEMS_MAX,
  PROVIDER,
  type StripeAccess,
  surpriseOf,
} from './call.ts';

/** A transfer answers at once; what is open longer than this deserves a look. */
const USUAL_MS = 10_000;

const transferBody = z.object({
  id: z.string().regex(/^tr_[A-Za-z0-9_-]{1,250}$/),
  object: z.literal('transfer'),
  amount: z.int().positive(),
  amount_reversed: z.int().nonnegative(),
  created: z.int().nonnegative(),
  currency: z.string().regex(/^[a-z]{3}$/),
  destination: z.string().min(1).max(255),
  transfer_group: z.string(),
});
type Transfer = z.infer<typeof transferBody>;

/** More than one transfer in a group of ours is an alarm already, so one page is enough. */
const transferList = z.object({ object: z.literal('list'), data: z.array(transferBody).max(PAGE_ITEMS_MAX) });

export function createTransfers({ stripe, keyRetentionMs }: StripeAccess): Payments<PayoutOrder> {
  async function send(order: PayoutOrder, limits: CallLimits): Promise<Answer> {
    const { pkid, key, money, beneficiary } = order;
    const body = {
      ...wireOf(money, 'payout'),
      destination: beneficiary,
      transfer_group: pkid,
      metadata: marksOf(order),
    };
    try {
      const transfer = await stripe.transfers.create(body, { ...boundsOf(limits)(), idempotencyKey: key });
      return succeededBy(pkid, [parseAnswer(PROVIDER, transferBody, transfer)]);
    } catch (cause) {
      return declinedBy(cause);
    }
  }

  async function find({ pkid, externId }: Reference, limits: CallLimits): Promise<Answer> {
    try {
      const bound = boundsOf(limits);
      const known = externId === null ? null : await transferOf(externId, bound());
      if (known !== null) return succeededBy(pkid, [known]);
      const page = await stripe.transfers.list({ transfer_group: pkid, limit: PAGE_ITEMS_MAX }, bound());
      // Newest first on the wire; the first one made is the one that counts.
      const transfers = parseAnswer(PROVIDER, transferList, page).data.toReversed();
      const oldestFirst = transfers.toSorted((left, right) => left.created - right.created);
      return oldestFirst.length === 0 ? { type: 'not_found' } : succeededBy(pkid, oldestFirst);
    } catch (cause) {
      throw surpriseOf(cause);
    }
  }

  async function transferOf(externId: string, bound: Bound): Promise<Transfer | null> {
    try {
      return parseAnswer(PROVIDER, transferBody, await stripe.transfers.retrieve(externId, {}, bound));
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw cause;
    }
  }

  return {
    stages: 1,
    keyRetentionMs,
    canFindByKey: true,
    cancelable: false,
    usualMs: USUAL_MS,
    creationEvents: ['transfer.created'],
    refusalOf: (money) => refusalOf(money, 'payout'),
    send,
    confirm: noSecondStage,
    // A transfer cannot be taken back; what there is to say about a cancel is what has become of it.
    cancel: find,
    find,
  };
}

/** The first transfer is ours; more of them in the group of one payout are reported with it. */
function succeededBy(pkid: Pkid, transfers: readonly Transfer[]): Answer {
  const [transfer, ...others] = transfers;
  if (transfer?.transfer_group !== pkid) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  const money = fromWire(transfer);
  const reversed = fromWire({ amount: transfer.amount_reversed, currency: transfer.currency });
  if (money === null || reversed === null) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  return {
    type: 'succeeded',
    externId: transfer.id,
    money,
    beneficiary: transfer.destination,
    reversedMinor: reversed.amountMinor,
    // Its way on to the bank is a payout of the connected account, which a transfer does not name.
    arrival: null,
    fee: null,
    otherExternIds: others.map(({ id }) => id),
  };
}
