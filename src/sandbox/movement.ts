// Money that moves: which row of the book a payment makes, what the provider keeps of it, and what is left of it.
import { type Effect, kindOf, newId, type Payment, returnedAmount } from './payment.ts';
import type { Fee, Happening, Voice, World } from './world.ts';

const DIRECTIONS = { payout: 'out', payin: 'in', refund: 'refund' } as const;
const HUNDRED_PERCENT = 1_000_000n; // a percentage has up to four decimals

/** The parts of a line that say that the payment's money moves now. */
export function moved(world: World, waiting: Payment): { payment: Payment } & Pick<Effect, 'row' | 'fee'> {
  const direction = DIRECTIONS[kindOf(waiting)];
  const fee = direction === 'in' ? feeOf(world.settings.fees[waiting.provider], BigInt(waiting.amount)) : 0n;
  const payment: Payment = {
    ...waiting,
    status: 'paid',
    paidAt: world.now(),
    ...(fee > 0n ? { fee: String(fee) } : {}),
  };
  const row = { direction, amount: payment.amount, callKey: payment.callKey };
  return { payment, row, ...(fee > 0n ? { fee: String(fee) } : {}) };
}

/** Whether our balance there is too small; money that comes in needs none. */
export function isShort(world: World, payment: Payment): boolean {
  return kindOf(payment) !== 'payin' && world.state.available(payment) < BigInt(payment.amount);
}

/** Of a payment, what has not come back. */
export function leftToReturn(payment: Payment): bigint {
  return BigInt(payment.amount) - returnedAmount(payment);
}

/** What was given back of a pay-in, or is about to be. */
export function refundedAmount(world: World, payin: Payment): bigint {
  return world.state
    .refundsOf(payin.id)
    .filter(({ status }) => status === 'paid' || status === 'pending')
    .reduce((sum, refund) => sum + BigInt(refund.amount), 0n);
}

export function eventParts(voice: Voice, happening: Happening): Pick<Effect, 'events'> {
  const types = voice.events[happening] ?? [];
  return types.length === 0 ? {} : { events: types.map((type) => ({ id: newId('evt_'), type })) };
}

/** Rounded half up, and never more than the money itself. */
function feeOf(fee: Fee | undefined, amount: bigint): bigint {
  if (!fee) return 0n;
  const [whole = '0', decimals = ''] = fee.percent.split('.');
  const share = BigInt(whole + decimals.padEnd(4, '0'));
  const taken = (amount * share + HUNDRED_PERCENT / 2n) / HUNDRED_PERCENT + BigInt(fee.fixed);
  return taken < amount ? taken : amount;
}
