// Everything that can go wrong at a provider goes wrong at random, and its webhooks come twice, out of order, or never.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, until } from '../harness/process.ts';
import { allFinal, expectBooksAgree, FINAL, type Operation, type Story, tell } from './story.ts';

const COUNT = 150;
const FINAL_WITHIN_MS = 120_000;
const BOUNCED_WITHIN_MS = 4_000;
/** Half of all calls that would move money meet one of these; the seed makes it the same half each time. */
const FAULTS = {
  seed: 7,
  rates: {
    decline: 0.04,
    insufficient: 0.03,
    error_before: 0.05,
    error_stored: 0.03,
    paid_then_500: 0.06,
    timeout_before: 0.05,
    paid_then_timeout: 0.05,
    paid_then_reset: 0.06,
    hidden: 0.03,
    html: 0.04,
    rate_limit: 0.03,
    slow: 0.02,
    pending: 0.02,
    pending_then_fail: 0.02,
    bounce: 0.02,
    never: 0.02,
  },
};
const WEBHOOKS = { duplicate: 0.3, drop: 0.1, shuffle: true };

let home: Home;
let story: Story;
beforeAll(async () => {
  home = openHome();
  await home.start('all');
  story = tell(home);
});
afterAll(() => home.close());

test('150 payouts through random faults end final or in attention, and every book agrees', async () => {
  await story.sandbox('POST', '/_sandbox/faults', FAULTS);
  await story.sandbox('POST', '/_sandbox/webhooks', WEBHOOKS);
  await story.wallet('seller', '100000000');
  const payouts = Array.from({ length: COUNT }, (_, index) => ({
    semantic_key: `random-${index}`,
    wallet_id: 'seller',
    amount: String(1000 + index),
    currency: 'USD',
    provider: index % 2 === 0 ? 'stripe' : 'demobank',
    destination: `acct_${index}`,
    confirm: true,
  }));
  const taken = await story.post('/v1/payouts/batch', { payouts });
  expect(taken.status).toBe(202);
  const { results }: { results: { status?: string }[] } = Object(taken.json);
  expect(results.filter(({ status }) => status === undefined)).toEqual([]);

  let stuck = new Set<string>();
  const mayWait = ({ pkid, status }: Operation) => status === 'in_process' && stuck.has(pkid);
  const isAllEnded = async () => {
    stuck = new Set((await callsThatMet('never')).map(({ key }) => key));
    return (await story.operations('payouts')).every((one) => FINAL.includes(one.status) || mayWait(one));
  };
  await until('nothing but what waits for ever is on its way', isAllEnded, FINAL_WITHIN_MS);
  await everythingHasBounced();
  const ended = await allFinal(story, { count: COUNT, kind: 'payouts', limitMs: FINAL_WITHIN_MS, mayWait });

  const waiting = ended.filter(mayWait);
  expect(waiting.length).toBeGreaterThan(0);
  const isShown = async () => {
    const shown = await inAttention();
    return waiting.every(({ semantic_key }) => shown.has(semantic_key));
  };
  await until('what waits is in attention', isShown, FINAL_WITHIN_MS);
  expect((await story.get('/v1/attention')).json).toMatchObject({ review: [], discrepancies: [], unapplied: [] });
  expect(ended.filter(({ status }) => status === 'succeeded').length).toBeGreaterThan(COUNT / 2);
  await until('what came back is booked', askAboutReturns, FINAL_WITHIN_MS);
  await expectBooksAgree(story);
  await until('what is held is what waits', isHeldWhatWaits, FINAL_WITHIN_MS);
}, 240_000);

/** One whose look-up alone met "never" may still end, between one question and the next. */
async function isHeldWhatWaits(): Promise<boolean> {
  const waiting = (await story.operations('payouts')).filter(({ status }) => !FINAL.includes(status));
  const held = waiting.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  return String((await story.get('/v1/wallets/seller')).json.held) === String(held);
}

interface Call {
  readonly key: string;
  readonly at: string;
}

async function callsThatMet(word: string): Promise<Call[]> {
  const { data }: { data: (Call & { fault: string | null })[] } = Object(await story.sandbox('GET', '/_sandbox/calls'));
  return data.filter(({ fault }) => fault === word);
}

/** The stand-in sends money back two seconds after it was paid, perhaps later than everything here is final. */
async function everythingHasBounced(): Promise<void> {
  const [last = 0] = (await callsThatMet('bounce')).map(({ at }) => Date.parse(at)).toSorted((a, b) => b - a);
  await until('the last payment has bounced', () => Date.now() > last + BOUNCED_WITHIN_MS, FINAL_WITHIN_MS);
}

async function inAttention(): Promise<Set<string>> {
  const { stale }: { stale: { semantic_key: string }[] } = Object((await story.get('/v1/attention')).json);
  return new Set(stale.map(({ semantic_key }) => semantic_key));
}

/** An event that was dropped tells us nothing, so a person asks. True when every return in the book is booked here. */
async function askAboutReturns(): Promise<boolean> {
  const back = new Set((await story.book()).filter(({ direction }) => direction === 'return').map(({ key }) => key));
  const payouts = await story.operations('payouts');
  const missing = payouts.filter(({ pkid, reversals = [] }) => back.has(pkid) && reversals.length === 0);
  for (const { semantic_key } of missing) await story.post(`/v1/payouts/${semantic_key}/query`);
  return missing.length === 0;
}
