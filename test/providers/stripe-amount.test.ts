// Which amounts Stripe can be asked to move, and how they are written.

import { describe, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import { parseCurrency } from '../../src/domain/money.ts';
import { PAYMENT_KINDS, type PaymentKind } from '../../src/domain/provider.ts';
import { fromWire, refusalOf, toWire } from '../../src/providers/stripe/amount.ts';
import { createStripe } from '../../src/providers/stripe.ts';

const SPLIT = 'Send that or less: split the amount.';

describe('amounts on the wire', () => {
  test.each<[bigint, string, number]>([
    [1500n, 'USD', 1500],
    [1500n, 'JPY', 1500],
    [5n, 'ISK', 500],
    [5n, 'UGX', 500],
    [500n, 'MGA', 5],
    [5120n, 'KWD', 5120],
    [99_999_999n, 'EUR', 99_999_999],
    [999_999n, 'ISK', 99_999_900],
    [99_999_900n, 'HUF', 99_999_900],
  ])('%s %s is written %i and read back the same, whatever it is for', (amountMinor, currency, wire) => {
    for (const kind of PAYMENT_KINDS) {
      expect(toWire(money(amountMinor, currency), kind)).toEqual({ amount: wire, refusal: null });
    }
    expect(fromWire({ amount: wire, currency: currency.toLowerCase() })).toEqual(money(amountMinor, currency));
  });

  test('a fraction of our minor unit is not rounded but refused', () => {
    expect(fromWire({ amount: 505, currency: 'isk' })).toBeNull();
  });
});

describe('what Stripe cannot move is refused with advice', () => {
  test.each<[bigint, string, string]>([
    [5121n, 'KWD', 'Stripe moves KWD in steps of "10" (0.010 KWD). Send "5120" (5.120 KWD).'],
    [550n, 'MGA', 'Stripe moves MGA in steps of "100" (1.00 MGA). Send "500" (5.00 MGA).'],
    [100_000_000n, 'USD', `Stripe moves at most "99999999" (999999.99 USD) at once. ${SPLIT}`],
    [1_000_000n, 'ISK', `Stripe moves at most "999999" (999999 ISK) at once. ${SPLIT}`],
    [100_000_000n, 'OMR', `Stripe moves at most "99999990" (99999.990 OMR) at once. ${SPLIT}`],
    [100_000_001n, 'KWD', `Stripe moves at most "99999990" (99999.990 KWD) at once. ${SPLIT}`],
    [1n, 'CLF', 'Stripe does not move CLF. Choose another provider, or another currency.'],
  ])('%s %s of any kind', (amountMinor, currency, advice) => {
    for (const kind of PAYMENT_KINDS) expect(refusalOf(money(amountMinor, currency), kind)).toBe(advice);
  });

  test.each<[PaymentKind, bigint, string, string | null]>([
    [
      'payin',
      49n,
      'USD',
      'Stripe charges a buyer at least "50" (0.50 USD). Send that or more, or choose another provider.',
    ],
    ['payin', 50n, 'USD', null],
    ['refund', 1n, 'USD', null],
    ['payout', 1n, 'USD', null],
    [
      'payin',
      49n,
      'JPY',
      'Stripe charges a buyer at least "50" (50 JPY). Send that or more, or choose another provider.',
    ],
    ['payin', 10n, 'KWD', null],
    [
      'payin',
      17_499n,
      'HUF',
      'Stripe charges a buyer at least "17500" (175.00 HUF). Send that or more, or choose another provider.',
    ],
    ['payin', 17_550n, 'HUF', null],
    ['refund', 50n, 'HUF', null],
    ['payout', 17_550n, 'HUF', 'Stripe moves HUF in steps of "100" (1.00 HUF). Send "17500" (175.00 HUF).'],
    ['payout', 50n, 'TWD', 'Stripe moves TWD in steps of "100" (1.00 TWD). Send "100" (1.00 TWD).'],
  ])('a %s of %s %s', (kind, amountMinor, currency, advice) => {
    const log = { warn: () => undefined, error: () => undefined };
    const stripe = createStripe({ secretKey: 'sk_test_x', webhookSecrets: [], baseUrl: null, live: false, log });
    expect(stripe[kind]?.refusalOf(money(amountMinor, currency))).toBe(advice);
  });
});

test('what Stripe cannot move is never sent', async () => {
  const log = { warn: () => undefined, error: () => undefined };
  const stripe = createStripe({ secretKey: 'sk_test_x', webhookSecrets: [], baseUrl: null, live: false, log });
  const order = { pkid: pkidOf('payout', 'x'), semanticKey: 'x', key: 'x', money: money(5121n, 'KWD') };
  const refused = stripe.payout?.send({ ...order, beneficiary: 'acct_1' }, { timeoutMs: 1000 });
  await expect(refused).rejects.toMatchObject({ code: 'provider-not-able' });
});

function money(amountMinor: bigint, currency: string) {
  return { amountMinor, currency: parseCurrency(currency) };
}
