// What Tipalti's answers say: payments, batches, payees, balances and errors, and what each status proves. The
// spelling of the statuses is not published for this interface, so case, spaces and underscores do not count.

import { z } from 'zod';
import type { Pkid } from '../../domain/id.ts';
import type { Money } from '../../domain/money.ts';
import type { Answer, DeclineCode, PayeeView } from '../../domain/provider.ts';
import { type Fault, type ProviderLog, providerText, uncertain } from '../surprise.ts';
import { fromWire } from './amount.ts';
import { refCodeOf } from './reference.ts';

const PROVIDER = 'tipalti';
/** Tipalti's largest page. More than one payment under a reference of ours is an alarm already. */
export const PAGE_ITEMS_MAX = 200;
const BALANCES_MAX = 1_000;

const externId = z.string().regex(/^[A-Za-z0-9_-]{1,120}$/);
const amount = z.object({ amount: z.string().max(64), currency: z.string().max(3) });
const reason = z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish();
const payment = z.object({
  id: externId,
  refCode: z.string().max(255).nullish(),
  payeeId: z.string().min(1).max(255),
  amountSubmitted: amount,
  status: z.string().min(1).max(100),
  reason,
});
export type TipaltiPayment = z.infer<typeof payment>;

const instruction = payment.omit({ id: true }).extend({ paymentId: externId });

/** A batch of ours holds one instruction. */
export const batchBody = z.object({
  paymentInstructions: z.tuple([
    instruction.transform(({ paymentId, ...rest }): TipaltiPayment => ({ id: paymentId, ...rest })),
  ]),
});
export const paymentBody = payment;
export const paymentList = z.object({
  items: z.array(payment).max(PAGE_ITEMS_MAX),
  nextPageCursor: z.string().nullish(),
});
export const balanceList = z.object({
  items: z.array(z.object({ currency: z.string(), availableBalance: amount })).max(BALANCES_MAX),
});
export const payeeBody = z.object({
  id: z.string().min(1).max(255),
  status: z.string().min(1).max(100),
  isPayable: z.boolean(),
  notPayableReason: z.string().nullish(),
});

type Standing = 'pending' | 'paid' | 'declined' | 'canceled';

const STANDINGS: ReadonlyMap<string, Standing> = new Map([
  ['submitted', 'pending'],
  ['scheduled', 'pending'],
  ['pendingfunds', 'pending'],
  ['riskreview', 'pending'],
  // Sent to the bank; Tipalti calls it not final, since the bank may still send it back.
  ['paid', 'paid'],
  ['cleared', 'paid'],
  ['rejected', 'declined'],
  // Never tried again by Tipalti: that takes a new instruction with a new reference.
  ['deferred', 'declined'],
  ['deferredinternal', 'declined'],
  ['canceled', 'canceled'],
  ['cancelled', 'canceled'],
]);

interface Shown {
  readonly payment: TipaltiPayment;
  readonly pkid: Pkid;
  readonly log: ProviderLog;
}

export function answerOfPayment({ payment: one, pkid, log }: Shown): Answer {
  if (one.refCode !== refCodeOf(pkid)) throw uncertain({ provider: PROVIDER, reason: 'another_payment' });
  const money = moneyOf(one);
  const standing = standingOf(one);
  if (standing === 'paid') return succeeded(one, { money, reversedMinor: 0n });
  if (isReturned(one)) return succeeded(one, { money, reversedMinor: money.amountMinor });
  if (standing === 'declined') return declined(one, isShort(one) ? 'provider_insufficient_funds' : 'declined');
  if (standing === 'canceled') return declined(one, 'canceled');
  if (standing === undefined) {
    const status = providerText(one.status);
    log.warn({ provider: PROVIDER, pkid, status }, 'Unknown payment status, kept as pending.');
  }
  return { type: 'pending', externId: one.id, awaitsConfirm: false };
}

/** Of several payments under one reference, those that moved money come first, then those that still may. */
export function weightOf(one: TipaltiPayment): number {
  const standing = standingOf(one);
  if (standing === 'paid' || isReturned(one)) return 0;
  return standing === 'declined' || standing === 'canceled' ? 2 : 1;
}

/** Errors of the interface and of the sign-in; null for a page of something in between. */
export function tipaltiFaultOf(body: unknown): Fault | null {
  const parsed = faultBody.safeParse(body);
  if (!parsed.success) return null;
  const [code, message] =
    'code' in parsed.data
      ? [parsed.data.code, parsed.data.message]
      : [parsed.data.error, parsed.data.error_description];
  // The reference belongs to another instruction, which may have moved money.
  return { type: code === 'RefCodeReused' ? 'idempotency_error' : '', code, message: message ?? '' };
}

const faultBody = z.union([
  z.object({ code: z.string().min(1), message: z.string().nullish() }),
  z.object({ error: z.string().min(1), error_description: z.string().nullish() }),
]);

const BLOCKED = new Set(['blocked', 'suspended', 'closed']);

/** Tipalti's page for payees opens only with a link signed by the payer's own site, so there is none to give here. */
export function payeeView({ status, isPayable, notPayableReason }: z.infer<typeof payeeBody>): PayeeView {
  if (isPayable && plain(status) === 'active') return { status: 'payable', blockedReason: null, onboardingUrl: null };
  const given = providerText(notPayableReason ?? '');
  if (BLOCKED.has(plain(status))) {
    return { status: 'blocked', blockedReason: given || 'Blocked at Tipalti.', onboardingUrl: null };
  }
  return { status: 'pending', blockedReason: given || 'Not payable at Tipalti yet.', onboardingUrl: null };
}

function moneyOf({ amountSubmitted }: TipaltiPayment): Money {
  const money = fromWire(amountSubmitted);
  if (money === null || money.amountMinor <= 0n) throw uncertain({ provider: PROVIDER, reason: 'unexpected_body' });
  return money;
}

function standingOf({ status }: TipaltiPayment): Standing | undefined {
  return STANDINGS.get(plain(status));
}

/** Rejected after it was paid: the money went out and came back, which is no decline. */
function isReturned(one: TipaltiPayment): boolean {
  return standingOf(one) === 'declined' && plain(one.reason?.code ?? '').startsWith('returned');
}

function isShort({ reason: why }: TipaltiPayment): boolean {
  return plain(why?.code ?? '') === 'insufficientfunds';
}

function succeeded(
  { id, payeeId }: TipaltiPayment,
  { money, reversedMinor }: { money: Money; reversedMinor: bigint },
): Answer {
  return {
    type: 'succeeded',
    externId: id,
    money,
    beneficiary: payeeId,
    reversedMinor,
    arrival: null,
    fee: null,
    otherExternIds: [],
  };
}

function declined({ id, status, reason: why }: TipaltiPayment, code: DeclineCode): Answer {
  const words = providerText(why?.message ?? '') || providerText(why?.code ?? '');
  const detail = providerText(words === '' ? `${status} by Tipalti.` : `${status} by Tipalti: ${words}`);
  return { type: 'declined', code, detail, externId: id, isOpen: false };
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z]/g, '');
}
