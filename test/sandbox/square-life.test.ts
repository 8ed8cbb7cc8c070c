import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '../../src/sandbox/server.ts';
import { control, freshFile, hangUp, receiver, rows, start, until, type Wire } from './rig.ts';
import { about, complete, outcome, pay, type Square, squareCalls } from './square-rig.ts';

vi.setConfig({ maxConcurrency: 80 });

const file = freshFile();
let inbox: Awaited<ReturnType<typeof receiver>>;
let sandbox: Sandbox;
let square: Square;

beforeAll(async () => {
  inbox = await receiver();
  sandbox = await start(file.path, { webhookUrl: inbox.url });
  square = squareCalls(sandbox);
});
afterAll(async () => {
  await sandbox.close();
  await inbox.close();
  file.remove();
});

describe.concurrent('idempotency', () => {
  test('a repeat gives the first answer, whatever became of the payment and however its fields stand', async () => {
    const key = randomUUID();
    const one = await pay(square, { key, source: 'tok_1', autocomplete: false });
    await complete(square, one.json.payment.id);
    expect((await pay(square, { key, source: 'tok_1', autocomplete: false })).json).toEqual(one.json);
    expect(rows(sandbox, key)).toHaveLength(1);
  });

  test('the same key with another body is refused, and a refund may use the key of a payment', async () => {
    const key = randomUUID();
    const { id } = (await pay(square, { key, source: 'tok_1' })).json.payment;
    const other = await pay(square, { key, source: 'tok_1', amount: 1501 });
    expect([other.status, other.json.errors[0].code]).toEqual([400, 'IDEMPOTENCY_KEY_REUSED']);
    expect(outcome(await pay(square, { key, source: 'tok_1' }))).toBe('COMPLETED');
    const given = await square.post('/refunds', { idempotency_key: key, payment_id: id, amount_money: usd(1) });
    expect(given.json.refund.status).toBe('COMPLETED');
    expect(rows(sandbox, key).map((row) => row.direction)).toEqual(['in', 'refund']);
  });

  test('a key past its retention is forgotten, and the money moves again', async () => {
    const own = freshFile();
    const box = await start(own.path);
    await control(box, 'POST', '/retention', { ms: 0 });
    const key = randomUUID();
    for (let number = 0; number < 2; number += 1) await pay(squareCalls(box), { key, source: 'tok_1' });
    expect(rows(box, key)).toHaveLength(2);
    await box.close();
    own.remove();
  });
});

describe.concurrent('cancelling', () => {
  test('by key voids what the key reserved, once and for all', async () => {
    const key = randomUUID();
    const { id } = (await pay(square, { key, source: 'tok_1', autocomplete: false })).json.payment;
    for (let number = 0; number < 2; number += 1) {
      const voided = await square.post('/payments/cancel', { idempotency_key: key });
      expect([voided.status, voided.json]).toEqual([200, {}]);
    }
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe('CANCELED');
    expect((await complete(square, id)).json.errors[0].code).toBe('BAD_REQUEST');
    expect(rows(sandbox, key)).toEqual([]);
  });

  test('by a key that made nothing does nothing, and says that all is well', async () => {
    const key = randomUUID();
    const voided = await square.post('/payments/cancel', { idempotency_key: key });
    expect([voided.status, voided.json]).toEqual([200, {}]);
    expect(outcome(await pay(square, { key, source: 'tok_1' }))).toBe('COMPLETED');
  });

  test('a completed payment is refused, by key and by id', async () => {
    const key = randomUUID();
    const { id } = (await pay(square, { key, source: 'tok_1' })).json.payment;
    for (const path of ['/payments/cancel', `/payments/${id}/cancel`]) {
      const refused = await square.post(path, path === '/payments/cancel' ? { idempotency_key: key } : {});
      expect([refused.status, refused.json.errors[0].code]).toEqual([400, 'BAD_REQUEST']);
    }
    expect((await square.get(`/payments/${id}`)).json.payment.status).toBe('COMPLETED');
  });
});

function usd(amount: number) {
  return { amount, currency: 'USD' };
}

describe.concurrent('refunds', () => {
  type Refunded = { word: string; first: Wire['status'] | string; last: string; book: string[] };
  const refunds: Refunded[] = [
    { word: 'ok', first: 'COMPLETED', last: 'COMPLETED', book: ['refund'] },
    { word: 'decline', first: 400, last: 'FAILED', book: [] },
    { word: 'insufficient', first: 400, last: 'FAILED', book: [] },
    { word: 'error_before', first: 503, last: 'COMPLETED', book: ['refund'] },
    { word: 'paid_then_500', first: 500, last: 'COMPLETED', book: ['refund'] },
    { word: 'paid_then_timeout', first: 'none', last: 'COMPLETED', book: ['refund'] },
    { word: 'pending', first: 'PENDING', last: 'COMPLETED', book: ['refund'] },
    { word: 'pending_then_fail', first: 'PENDING', last: 'FAILED', book: [] },
    { word: 'bounce', first: 'COMPLETED', last: 'FAILED', book: ['refund', 'return'] },
  ];

  test.each(refunds)('refund_$word', async ({ word, first, last, book }) => {
    const { id } = (await pay(square, { key: randomUUID(), source: `tok_refund_${word}` })).json.payment;
    const key = randomUUID();
    const body = { idempotency_key: key, payment_id: id, amount_money: usd(600), reason: 'late' };
    const one = await hangUp(sandbox, key, (giveUp) => square.post('/refunds', body, giveUp));
    expect(one.status === 200 ? one.json.refund.status : one.status).toBe(first);
    if (one.status === 400) expect(one.json.errors[0].category).toBe('REFUND_ERROR');
    const repeated = await square.post('/refunds', body);
    const refundId = repeated.json.refund.id;
    const found = await until(
      () => square.get(`/refunds/${refundId}`),
      (answer) => answer.json.refund.status === last,
    );
    expect(found.json.refund).toMatchObject({ payment_id: id, amount_money: usd(600), reason: 'late' });
    expect(rows(sandbox, key).map((row) => row.direction)).toEqual(book);
    for (const row of rows(sandbox, key)) {
      expect(row).toMatchObject({ call_key: key, extern_id: refundId, amount: '600', currency: 'USD' });
    }
    const { refunded_money: refunded } = (await square.get(`/payments/${id}`)).json.payment;
    expect(refunded).toEqual(last === 'COMPLETED' ? usd(600) : undefined);
  });

  test('of many at once over the amount exactly the affordable ones go through', async () => {
    const { id } = (await pay(square, { key: randomUUID(), source: 'tok_1', amount: 10_000 })).json.payment;
    const calls = Array.from({ length: 15 }, () =>
      square.post('/refunds', { idempotency_key: randomUUID(), payment_id: id, amount_money: usd(1_000) }),
    );
    const answers = await Promise.all(calls);
    const refused = answers.filter(({ status }) => status === 400);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    expect(refused.map(({ json }) => json.errors[0].code)).toEqual(Array(5).fill('REFUND_AMOUNT_INVALID'));
    const { refunded_money: refunded, refund_ids: ids } = (await square.get(`/payments/${id}`)).json.payment;
    expect(refunded).toEqual(usd(10_000));
    expect(ids).toHaveLength(10);
  });

  test('of what was not completed, of nothing, in another currency, or of what is disputed are refused', async () => {
    const reserved = await pay(square, { key: randomUUID(), source: 'tok_1', autocomplete: false });
    const made = await pay(square, { key: randomUUID(), source: 'tok_1' });
    const disputed = await pay(square, { key: randomUUID(), source: 'tok_dispute_lost' });
    await until(
      () => square.get('/disputes'),
      (list) => list.json.disputes.some((one: Dispute) => one.disputed_payment.payment_id === disputed.json.payment.id),
    );
    const refund = (payment: Wire['json'], currency = 'USD') =>
      square.post('/refunds', {
        idempotency_key: randomUUID(),
        payment_id: payment.id,
        amount_money: { amount: 1, currency },
      });
    const answers = [
      await refund(reserved.json.payment),
      await refund({ id: 'sqp_no' }),
      await refund(made.json.payment, 'EUR'),
      await refund(disputed.json.payment),
    ];
    expect(answers.map(({ json }) => json.errors[0].code)).toEqual([
      'REFUND_ERROR_PAYMENT_NEEDS_COMPLETION',
      'NOT_FOUND',
      'CURRENCY_MISMATCH',
      'PAYMENT_NOT_REFUNDABLE_DUE_TO_DISPUTE',
    ]);
  });
});

type Dispute = { id: string; state: string; disputed_payment: { payment_id: string } };

describe.concurrent('events', () => {
  const types = (id: string) => about(inbox.received, id).map(({ type }) => type);

  test.each([
    { word: 'ok', told: ['payment.created', 'payment.updated'] },
    { word: 'decline', told: ['payment.created', 'payment.updated'] },
    { word: 'pending', told: ['payment.created', 'payment.updated'] },
    { word: 'bounce', told: ['payment.created', 'payment.updated', 'payment.updated'] },
    { word: 'dispute_won', told: ['payment.created', 'payment.updated', 'dispute.created', 'dispute.state.updated'] },
  ])('$word tells $told', async ({ word, told }) => {
    const { payment } = (await pay(square, { key: randomUUID(), source: `tok_${word}_e` })).json;
    const seen = await until(
      () => types(payment.id),
      (list) => list.length >= told.length,
    );
    expect(seen.toSorted()).toEqual(told.toSorted());
  });

  test('a dispute is told as the object that can be read', async () => {
    const { payment } = (await pay(square, { key: randomUUID(), source: 'tok_dispute_lost' })).json;
    const [, decided] = await until(
      () => about(inbox.received, payment.id).filter(({ type }) => type.startsWith('dispute')),
      (list) => list.length === 2,
    );
    const dispute = decided?.data.object.dispute;
    expect(dispute).toMatchObject({
      state: 'LOST',
      amount_money: usd(1500),
      disputed_payment: { payment_id: payment.id },
    });
    expect((await square.get(`/disputes/${dispute.id}`)).json.dispute).toEqual(dispute);
    expect((await square.get('/disputes/dp_no')).status).toBe(404);
  });
});

test.concurrent('what Square keeps is a fee row and a processing fee', async () => {
  const own = freshFile();
  const box = await start(own.path);
  await control(box, 'POST', '/fees', { square: { percent: '2.9', fixed: '30' } });
  const key = randomUUID();
  const { payment } = (await pay(squareCalls(box), { key, source: 'tok_1', amount: 10_000 })).json;
  expect(payment.processing_fee).toMatchObject([{ type: 'INITIAL', amount_money: usd(320) }]);
  expect(rows(box, key).map((row) => [row.direction, row.amount])).toEqual([
    ['in', '10000'],
    ['fee', '320'],
  ]);
  await box.close();
  own.remove();
});
