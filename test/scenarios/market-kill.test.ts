// The whole program is killed again and again while buyers pay, sellers deliver and orders are refunded, with providers
// that stumble in every way: all of it ends, and each provider's book is ours.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Home, openHome, type Running, until } from '../harness/process.ts';
import { expectMarketAgrees, finalAt, openSeller, sell } from './market.ts';
import { type Story, tell } from './story.ts';

/** How the provider treats the call that takes the money, and the one that gives it back. */
const PAYING = ['ok', 'paid_then_500', 'timeout_before', 'paid_then_reset', 'error_before', 'decline', 'html', 'slow'];
const GIVING = [
  'refund_ok',
  'refund_paid_then_500',
  'refund_timeout_before',
  'refund_paid_then_reset',
  'refund_decline',
];
const PROVIDERS = ['stripe', 'paypal', 'square'];
const OPEN_MAX = 16;

let home: Home;
let remit: Running;
let story: Story;
beforeAll(async () => {
  home = openHome();
  remit = await home.start('all');
  story = tell(home);
  await openSeller(story, 'seller');
});
afterAll(() => home.close());

interface Case {
  readonly checkoutId: string;
  readonly provider: string;
  readonly token: string;
}

const CASES: readonly Case[] = PROVIDERS.flatMap((provider) =>
  [...PAYING, ...GIVING].map((word) => ({
    checkoutId: `${provider}-${word.replaceAll('_', '-')}`,
    provider,
    token: `tok_${word}`,
  })),
);

test('pay-ins, deliveries and refunds survive four kills, and money moved once', async () => {
  let answered = 0;
  const count = () => {
    answered += 1;
  };
  const traffic = inParallel(CASES, (one) => live(one, count));
  // Whoever awaits it sees the failure; until then it must not end the run.
  traffic.catch(() => {});
  const steps = CASES.length * 3;
  for (const [share, also] of [
    [0.15, { sandbox: false, postgres: false }],
    [0.35, { sandbox: true, postgres: false }],
    [0.55, { sandbox: false, postgres: false }],
    [0.75, { sandbox: true, postgres: true }],
  ] as const) {
    await until(`${share} of the work is under way`, () => answered >= steps * share, 90_000);
    await kill(also);
  }
  await traffic;
  for (const { checkoutId } of CASES) {
    const payin = await finalAt(story, `/v1/payins/pay-${checkoutId}`);
    const { json } = await story.get(`/v1/orders/${checkoutId}-1`);
    const isPaid = String(payin.status) === 'succeeded';
    expect({ checkoutId, paid: isPaid }).toEqual({
      checkoutId,
      paid: !checkoutId.endsWith('-decline') || checkoutId.endsWith('refund-decline'),
    });
    if (isPaid) await finalAt(story, `/v1/refunds/back-${checkoutId}`);
    expect(json).toMatchObject({ status: isPaid ? expect.stringMatching(/delivered|refunded/) : 'unpaid' });
  }
  const moved = Map.groupBy(await story.book(), ({ key, direction }) => `${direction} ${key}`);
  expect([...moved.values()].filter((rows) => rows.length > 1)).toEqual([]);
  await expectMarketAgrees(story);
}, 420_000);

/** One buyer and one order, told by a client that insists on an answer. */
async function live({ checkoutId, provider, token }: Case, count: () => void): Promise<void> {
  await sell(story, { checkoutId, provider, token, orders: [{ seller: 'seller', amount: '5000', fee: '500' }] });
  const key = `pay-${checkoutId}`;
  await story.insist(`/v1/checkouts/${checkoutId}/pay`, { semantic_key: key });
  count();
  const payin = await finalAt(story, `/v1/payins/${key}`);
  count();
  if (String(payin.status) === 'succeeded') {
    await story.insist('/v1/refunds', {
      semantic_key: `back-${checkoutId}`,
      order_id: `${checkoutId}-1`,
      amount: '2000',
    });
    await story.insist(`/v1/orders/${checkoutId}-1/deliver`, {});
  }
  count();
}

async function inParallel<Item>(items: readonly Item[], run: (item: Item) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: OPEN_MAX }, worker));
}

async function kill(also: { sandbox: boolean; postgres: boolean }): Promise<void> {
  const { sandbox } = remit.children();
  const postgres = home.postgresPid();
  remit.signal('SIGKILL');
  if (also.sandbox && sandbox !== null) process.kill(sandbox, 'SIGKILL');
  if (also.postgres && postgres !== null) process.kill(postgres, 'SIGKILL');
  expect(await remit.exited).toEqual({ code: null, signal: 'SIGKILL' });
  remit = await home.start('all');
}
