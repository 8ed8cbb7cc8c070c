// A provider that knows a payment by our key alone may repeat its first answer for ever. So an event about such a
// payment is not at its end before the payment has been looked at by the provider's own id.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Pkid } from '../../src/domain/id.ts';
import { createRefundLife } from '../../src/jobs/refund.ts';
import { openShop, type Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

const AMOUNT = 5_000n;
let shop: Shop;
beforeAll(async () => {
  // Long enough that no claim misses its moment to send; the test makes rows due itself.
  shop = await openShop({ LEASE_MS: '30000' }, { withWorkers: false, withWebhooks: true });
});
afterAll(() => shop.close());

test('an event that came while nobody knew whether a refund was paid is applied once that is known', async () => {
  const { app } = shop;
  const pkid = await refundLostAtSquare();
  const [paid] = await until(
    () => eventsOf(pkid),
    (events) => events.length > 0,
  );

  // The call may still be on its way, so that nobody asks again under its key.
  await sql`UPDATE refund SET leased = false, due_at = now() WHERE pkid = ${pkid}::uuid`.execute(app.db.sql);
  await app.events.apply({ provider: 'square', eventId: paid?.event_id ?? '' });
  expect(await app.refunds.find(pkid)).toMatchObject({ status: 'in_process', externPaymentId: null });
  expect((await eventsOf(pkid))[0]).toMatchObject({ outcome: null, rests_with_its_row: true });

  const returned = await until(
    async () => (await eventsOf(pkid)).find(({ status }) => status === 'FAILED'),
    (event) => event !== undefined,
  );
  await sql`UPDATE refund SET last_sent_at = last_sent_at - interval '1 hour', due_at = now()
    WHERE pkid = ${pkid}::uuid`.execute(app.db.sql);
  await app.events.apply({ provider: 'square', eventId: returned?.event_id ?? '' });
  expect(await app.refunds.find(pkid)).toMatchObject({ status: 'succeeded', returnedMinor: AMOUNT });
  expect((await eventsOf(pkid)).find(({ status }) => status === 'FAILED')).toMatchObject({ outcome: 'applied' });
  await shop.expectBooksAgree();
});

/** Paid, and about to come back, and the process that asked for it died before it had the answer. */
async function refundLostAtSquare(): Promise<Pkid> {
  const { app } = shop;
  await shop.oneOrder('one', { provider: 'square', token: 'tok_refund_bounce_1' });
  const { row } = await shop.tryPay('one', 'pay-one');
  await app.payins.run(row.pkid);
  const pkid = await shop.requestRefund('one-1', AMOUNT);
  const died = Promise.withResolvers<void>();
  const mortal = createRefundLife({
    ...app,
    async at(point) {
      if (point !== 'refund: after send call') return;
      died.resolve();
      await new Promise(() => undefined);
    },
  });
  void mortal.run(pkid);
  await died.promise;
  return pkid;
}

/** What Square has told of the refund, the oldest first. */
async function eventsOf(pkid: Pkid) {
  const { rows } = await sql<{
    event_id: string;
    status: string;
    outcome: string | null;
    rests_with_its_row: boolean;
  }>`
    SELECT e.event_id, e.body #>> '{data,object,refund,status}' AS status, e.outcome,
      e.due_at >= r.due_at AS rests_with_its_row
    FROM provider_event e JOIN refund r USING (pkid) WHERE r.pkid = ${pkid}::uuid
    ORDER BY e.received_at, e.event_id`.execute(shop.app.db.sql);
  return rows;
}
