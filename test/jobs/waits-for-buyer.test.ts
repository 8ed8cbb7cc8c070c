// A buyer who takes their time is normal business: no warning, and nothing that an alert would count.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../src/runtime/logger.ts';
import { type Rig, startRig } from '../api/rig.ts';

const lines: string[] = [];
let rig: Rig;
beforeAll(async () => {
  const log = createLogger({ level: 'info', format: 'json', destination: { write: (line) => void lines.push(line) } });
  rig = await startRig({}, { log });
});
afterAll(() => rig.stop());

test('a pay-in that waits for its buyer is no warning, says so, and is not counted as unfinished', async () => {
  await rig.post('/v1/wallets', { wallet_id: 'slow-w', owner_id: 'slow', kind: 'seller', currency: 'USD' });
  await rig.post('/v1/checkouts', {
    checkout_id: 'slow-cart',
    buyer_id: 'slow-buyer',
    currency: 'USD',
    payment_info: { provider: 'paypal', token: 'tok_action_1' },
    orders: [{ order_id: 'slow-order', seller_id: 'slow', amount: '100' }],
  });
  const payin = await rig.post('/v1/checkouts/slow-cart/pay?wait=20', { semantic_key: 'slow-pay' });
  expect(payin.json).toMatchObject({ status: 'in_process', next_action: { type: 'redirect' } });
  const asked = await rig.post('/v1/payins/slow-pay/query?wait=2');
  expect(asked.json).toMatchObject({ status: 'in_process' });
  await expect.poll(() => runsOf('slow-pay').length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(new Set(runsOf('slow-pay').map(({ level }) => level))).toEqual(new Set(['info']));
  expect(runsOf('slow-pay').at(-1)).toMatchObject({ msg: 'run', code: 'waits_for_buyer', to: 'in_process' });
  expect(await unfinished()).toEqual([]);
});

test('a pay-in that waits for its provider is a warning, and is counted', async () => {
  await rig.post('/v1/payins', {
    semantic_key: 'stuck-pay',
    wallet_id: 'slow-w',
    amount: '700',
    currency: 'USD',
    payment_info: { provider: 'stripe', token: 'pm_never' },
  });
  await expect.poll(() => runsOf('stuck-pay').length, { timeout: 20_000 }).toBeGreaterThan(0);
  expect(runsOf('stuck-pay')[0]).toMatchObject({ level: 'warn', msg: 'run', code: 'pending', to: 'in_process' });
  expect(await unfinished()).toMatchObject([{ kind: 'payin', count: 1 }]);
});

test('a pay-in that outlives the time of its buyer is counted', async () => {
  await sql`
    UPDATE payin SET expires_at = now() - interval '1 second', due_at = now() + interval '1 hour'
    WHERE semantic_key = 'slow-pay'`.execute(rig.remit.app.db.sql);
  expect(await unfinished()).toMatchObject([{ kind: 'payin', count: 2 }]);
});

async function unfinished(): Promise<unknown> {
  return (await rig.get('/v1/attention')).json.oldest_unfinished;
}

function runsOf(key: string) {
  return lines.map((line) => JSON.parse(line)).filter((line) => line.semantic_key === key);
}
