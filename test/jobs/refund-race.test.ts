// Refunds that meet somebody else at their order or their pay-in.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import type { Refund } from '../../src/domain/refund.ts';
import { createRefundRequests } from '../../src/jobs/refund-request.ts';
import { createJournal } from '../../src/ledger/journal.ts';
import { lockOperations } from '../../src/ledger/reads.ts';
import type { Intake } from '../../src/ledger/step.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { openShop, type Shop } from '../harness/shop.ts';
import { until } from '../harness/until.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.close());

async function payinOf(checkoutId: string) {
  const [payin] = await shop.app.checkouts.payinsOf(checkoutId);
  if (payin === undefined) throw new Error(`${checkoutId} has no pay-in.`);
  return payin;
}

test('a refund that comes into being waits for nobody who holds its pay-in and may want its order next', async () => {
  await shop.paidOrder('held', { amountMinor: 10_000n, feeMinor: 0n });
  const { pkid } = await payinOf('held');
  const { db, tables } = shop.app;
  const refund = await db.sql.transaction().execute(async (tx) => {
    await lockOperations(statementsOf(tx), tables.payin, [pkid]);
    return shop.requestRefund('held-1', 1_000n);
  });
  expect(await shop.settledRefund(refund)).toMatchObject({ status: 'succeeded' });
  await shop.expectBooksAgree();
});

/** As another process would take refunds: with a journal of its own. */
function refundsElsewhere() {
  const journal = createJournal({ db: shop.app.db, log: silentLogger(), onBatch: () => undefined });
  return createRefundRequests({ ...shop.app, journal });
}

test('two refunds that are too much together, at once in two processes, are one refund and one refusal', async () => {
  await shop.paidOrder('once', { amountMinor: 10_000n, feeMinor: 0n });
  const { db, tables } = shop.app;
  const rest = { orderId: 'once-1', destination: 'payer', reason: null, metadata: {}, traceparent: null } as const;
  const [one, other] = [refundsElsewhere(), refundsElsewhere()];
  // Both stand before the order when it is let go, and the one that comes second must not go by what it saw before.
  const ends = await db.sql.transaction().execute(async (tx) => {
    await lockOperations(statementsOf(tx), tables.order, [pkidOf('order', 'once-1')]);
    const asked = Promise.allSettled([
      one.request({ semanticKey: 'first', amountMinor: 6_000n, ...rest }),
      other.request({ semanticKey: 'second', amountMinor: 7_000n, ...rest }),
    ]);
    await until(waitingSessions, (count) => count === 2);
    return { asked };
  });
  const refused = (await ends.asked).flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
  expect(refused).toEqual(['refund-exceeds-payment']);
  for (const end of await ends.asked) if (end.status === 'fulfilled') await shop.settledRefund(end.value.row.pkid);
  await shop.expectBooksAgree();
});

async function waitingSessions(): Promise<number | undefined> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(shop.app.db.sql);
  return rows[0]?.count;
}

const RACES = 20;

test('one new key on two orders at once, in two processes, is one refund, and a key that is used', async () => {
  await shop.paidOrder('left', { amountMinor: 10_000n, feeMinor: 0n });
  await shop.paidOrder('right', { amountMinor: 10_000n, feeMinor: 0n });
  const [one, other] = [refundsElsewhere(), refundsElsewhere()];
  const rest = { amountMinor: 10n, destination: 'payer', reason: null, metadata: {}, traceparent: null } as const;
  const results = await Promise.all(
    Array.from({ length: RACES }, (_, index) => `same-key-${index}`).map((semanticKey) =>
      Promise.all<Intake<Refund>>([
        one.request({ semanticKey, orderId: 'left-1', ...rest }),
        other.request({ semanticKey, orderId: 'right-1', ...rest }),
      ]),
    ),
  );
  const types = results.map((pair) => pair.map(({ type }) => type).sort());
  expect(types).toEqual(Array.from({ length: RACES }, () => ['created', 'key_reused']));
  for (const intake of results.flat()) await shop.settledRefund(intake.row.pkid);
  await shop.expectBooksAgree();
});
