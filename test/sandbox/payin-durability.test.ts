import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { captured, captureOrder, createOrder, paypal, refund } from './paypal-rig.ts';
import { control, freshFile, rows, start, stripeGet, stripePost, transfer, until } from './rig.ts';

let file: ReturnType<typeof freshFile>;

beforeEach(() => {
  file = freshFile();
});
afterEach(() => {
  file.remove();
});

function pay(sandbox: Sandbox, key: string, token: string) {
  const body = `amount=1500&currency=usd&confirm=true&payment_method=${token}`;
  return stripePost(sandbox, '/v1/payment_intents', { key, body });
}

function waitForBook(sandbox: Sandbox, key: string, book: string[]) {
  return until(
    () => rows(sandbox, key).map((row) => row.direction),
    (made) => JSON.stringify(made) === JSON.stringify(book),
  );
}

test('what waits for the provider, the buyer or the payer goes on after a restart', async () => {
  const before = await start(file.path);
  const words = ['pending', 'bounce', 'dispute_won', 'dispute_lost', 'abandon', 'action'];
  const stripeKeys = new Map(words.map((word) => [word, randomUUID()]));
  const keyOf = (word: string) => stripeKeys.get(word) ?? '';
  const ids = new Map<string, string>();
  for (const word of words) ids.set(word, (await pay(before, keyOf(word), `pm_${word}`)).json.id);
  const orderKey = randomUUID();
  const { id: orderId } = (await createOrder(before, { key: orderKey, payer: 'tok_action' })).json;
  const refundKey = randomUUID();
  const { captureId } = await captured(before, { key: randomUUID(), payer: 'tok_refund_pending' });
  const made = await refund(before, captureId, { key: refundKey, value: '5.00' });
  expect(made.json.status).toBe('PENDING');
  await before.close();

  const after = await start(file.path);
  await control(after, 'POST', `/approve/${ids.get('action')}`);
  await control(after, 'POST', `/approve/${orderId}`);
  expect((await captureOrder(after, orderId, { key: `${orderKey}-c` })).status).toBe(201);
  await waitForBook(after, keyOf('pending'), ['in']);
  await waitForBook(after, keyOf('bounce'), ['in', 'return']);
  await waitForBook(after, keyOf('dispute_won'), ['in', 'dispute', 'dispute_won']);
  await waitForBook(after, keyOf('dispute_lost'), ['in', 'dispute']);
  await waitForBook(after, keyOf('action'), ['in']);
  await waitForBook(after, orderKey, ['in']);
  await waitForBook(after, refundKey, ['refund']);
  const gone = await until(
    () => stripeGet(after, `/v1/payment_intents/${ids.get('abandon')}`),
    (answer) => answer.json.status === 'canceled',
  );
  expect(gone.json.amount_received).toBe(0);
  const again = await pay(after, keyOf('pending'), 'pm_pending');
  expect([again.status, again.json.id]).toEqual([200, ids.get('pending')]);
  const refunded = await paypal(after, 'GET', `/v2/payments/captures/${captureId}`);
  expect(refunded.json.status).toBe('PARTIALLY_REFUNDED');
  const count = after.book().length;
  await after.close();
  const last = await start(file.path);
  expect(last.book()).toHaveLength(count);
  await last.close();
});

test('a pay-in with its fee, its key and its events is one line', async () => {
  const sandbox = await start(file.path);
  await control(sandbox, 'POST', '/fees', { stripe: { percent: '1', fixed: '0' } });
  const key = randomUUID();
  await pay(sandbox, key, 'pm_ok');
  const lines = readFileSync(file.path, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    key: { name: `stripe:${key}` },
    payment: { key, kind: 'payin', status: 'paid', fee: '15' },
    row: { direction: 'in', amount: '1500' },
    fee: '15',
    events: [{ type: 'payment_intent.succeeded' }, { type: 'charge.succeeded' }],
  });
  await sandbox.close();
  const again = await start(file.path);
  expect(again.book().map((row) => row.direction)).toEqual(['in', 'fee']);
  await again.close();
});

test('a file of the first version is read: no kind means a payout, and an event stands alone', async () => {
  const sandbox = await start(file.path);
  const key = randomUUID();
  await transfer(sandbox, { key, destination: 'acct_ok' });
  await sandbox.close();
  const { events, ...line } = JSON.parse(readFileSync(file.path, 'utf8'));
  expect(line.payment.kind).toBeUndefined();
  writeFileSync(file.path, `${JSON.stringify({ ...line, event: events[0] })}\n`);
  const after = await start(file.path);
  expect(rows(after, key)).toMatchObject([{ direction: 'out', amount: '1500' }]);
  const listed = await stripeGet(after, '/v1/events');
  expect(listed.json.data).toMatchObject([{ id: events[0].id, type: 'transfer.created' }]);
  await after.close();
});
