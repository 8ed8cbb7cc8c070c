// The program is told to end while a provider takes longer to answer than the end may take.

import { afterAll, expect, test } from 'vitest';
import { openHome, until } from '../harness/process.ts';
import { allFinal, expectBooksAgree, tell } from './story.ts';

const PAYOUTS = [
  ['stripe', 'acct_slow_1'],
  ['stripe', 'acct_paid_then_timeout_1'],
  ['demobank', 'acct_slow_1'],
  ['demobank', 'acct_paid_then_timeout_1'],
] as const;
/** Longer than the end may take; the lease is at least twice as long. */
const PATIENT = { PROVIDER_TIMEOUT_MS: '12000', LEASE_MS: '24000' };
/** Longer than the two seconds after which a bounced payment comes back, shorter than the provider's time-out. */
const LATE_ANSWER_MS = 4_000;
const FINAL_WITHIN_MS = 90_000;

const home = openHome();
afterAll(() => home.close());

test('a payout still at the provider at the end is finished by the next start, and paid once', async () => {
  const remit = await home.start('all', { env: PATIENT });
  const story = tell(home);
  await story.wallet('seller', '100000');
  // On top of what the words do: every answer, also of the first of two calls, comes late.
  await story.sandbox('POST', '/_sandbox/faults', { rates: {}, latency_ms: 11_000 });
  for (const [index, [provider, destination]] of PAYOUTS.entries()) {
    const money = { semantic_key: `late-${index}`, wallet_id: 'seller', amount: '100', currency: 'USD' };
    expect((await story.post('/v1/payouts', { ...money, provider, destination, confirm: true })).status).toBe(202);
  }
  await until('the provider has begun', async () => (await story.book()).length === 2, FINAL_WITHIN_MS);

  expect(await remit.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(home.postgresPid()).toBeNull();

  await home.start('all');
  const payouts = await allFinal(story, { count: PAYOUTS.length, kind: 'payouts', limitMs: FINAL_WITHIN_MS });
  expect(payouts.filter(({ status }) => status !== 'succeeded')).toEqual([]);
  // Each was taken up a second time: the first run never saw its answer.
  expect(payouts.filter(({ attempts = 0 }) => attempts < 2)).toEqual([]);
  await expectBooksAgree(story);
}, 150_000);

test('a return that the provider tells before it has answered our call is booked', async () => {
  const other = openHome(PATIENT);
  try {
    await other.start('all');
    const story = tell(other);
    await story.wallet('seller', '100000');
    await story.sandbox('POST', '/_sandbox/faults', { rates: {}, latency_ms: LATE_ANSWER_MS });
    const money = { semantic_key: 'bounced', wallet_id: 'seller', amount: '100', currency: 'USD' };
    const order = { ...money, provider: 'stripe', destination: 'acct_bounce_1', confirm: true };
    expect(await story.post('/v1/payouts?wait=30', order)).toMatchObject({ json: { status: 'succeeded' } });
    expect((await story.book()).map(({ direction }) => direction)).toEqual(['out', 'return']);
    await expectBooksAgree(story);
    expect(await story.available('seller')).toBe('100000');
  } finally {
    await other.close();
  }
}, 120_000);
