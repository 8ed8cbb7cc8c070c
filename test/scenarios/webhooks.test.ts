// What the platform's own web app hears: every end of every operation, in order for each, however long its receiver is
// away; and what strangers say under the providers' names is refused without anybody noticing.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort, type Home, openHome } from '../harness/process.ts';
import { type Receiver, startReceiver, verify } from '../jobs/webhook-out-rig.ts';
import { deliver, openSeller, pay, refund, sell } from './market.ts';
import { type Story, tell } from './story.ts';

let home: Home;
let story: Story;
let port: number;
beforeAll(async () => {
  port = await freePort();
  home = openHome({ WEBHOOK_ALLOW_HOSTS: `127.0.0.1:${port}` });
  await home.start('all');
  story = tell(home);
});
afterAll(() => home.close());

describe('a receiver that is away', () => {
  let receiver: Receiver | null = null;
  afterAll(() => receiver?.close());

  test('gets every event once it is back, in order for each object, and can verify each', async () => {
    const endpoint = await story.post('/v1/webhook-endpoints', { url: `http://127.0.0.1:${port}/hook`, events: ['*'] });
    expect(endpoint.status).toBe(201);
    const seller = await openSeller(story, 'heard');
    for (const name of ['heard-1', 'heard-2', 'heard-3']) {
      await sell(story, { checkoutId: name, provider: 'stripe', orders: [{ seller, amount: '2000' }] });
      await pay(story, name);
      await deliver(story, `${name}-1`);
      await refund(story, `${name}-1`, '500');
    }
    receiver = await startReceiver({ port });
    const wanted = ['payin.succeeded', 'order.delivered', 'refund.succeeded'];
    const heard = () => receiver?.received ?? [];
    await expect.poll(() => new Set(heard().map(({ headers }) => headers['webhook-id'])).size, WITHIN).toBe(9);
    const secret = String(endpoint.json.secret);
    for (const message of heard()) verify(message, secret);
    const types = Map.groupBy(heard(), ({ body }) => String(body.type));
    expect([...types.keys()].toSorted()).toEqual(wanted.toSorted());
    const { json } = await story.get('/v1/payins/pay-heard-1');
    const said = heard().find(({ body }) => body.data.semantic_key === 'pay-heard-1');
    expect(said?.body.data).toEqual(json);
  }, 120_000);
});

test('ten thousand forged webhooks are refused, and the other routes keep answering', async () => {
  const quiet = await medianOf(50);
  let forged = 0;
  const statuses = new Map<number, number>();
  const stranger = async () => {
    while (forged < FORGED) {
      forged += 1;
      const provider = FORGED_AS[forged % FORGED_AS.length];
      const response = await fetch(`${home.url()}/webhooks/${provider}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'stripe-signature': `t=${forged},v1=${'0'.repeat(64)}` },
        body: JSON.stringify({ id: `evt_${forged}`, type: 'transfer.created', data: { object: { id: 'tr_1' } } }),
      });
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      await response.arrayBuffer();
    }
  };
  const flood = Promise.all(Array.from({ length: 8 }, stranger));
  const busy = await medianOf(100);
  await flood;
  expect([...statuses]).toEqual([[401, FORGED]]);
  // The client that forges takes one of the cores; a route that waited for it would take seconds.
  expect({ quiet, busy, isQuick: busy < 250 }).toMatchObject({ isQuick: true });
}, 120_000);

const FORGED = 10_000;
const FORGED_AS = ['stripe', 'square', 'demobank'];
const WITHIN = { timeout: 90_000, interval: 200 } as const;

/** Of so many reads one after the other, in milliseconds. */
async function medianOf(count: number): Promise<number> {
  const times: number[] = [];
  for (let done = 0; done < count; done += 1) {
    const startedAt = performance.now();
    expect((await story.get('/v1/wallets?limit=1')).status).toBe(200);
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(count / 2)] ?? 0;
}
