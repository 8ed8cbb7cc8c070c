// Refunds that meet somebody else at their order or their pay-in.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Refund } from '../../src/domain/refund.ts';
import { createRefundRequests } from '../../src/jobs/refund-request.ts';
import { createJournal } from '../../src/ledger/journal.ts';
import { lockOperations } from '../../src/ledger/reads.ts';
import type { Intake } from '../../src/ledger/step.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { openShop, type Shop } from '../harness/shop.ts';

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

const RACES = 20;

test('one new key on two orders at once, in two processes, is one refund, and a key that is used', async () => {
  await shop.paidOrder('left', { amountMinor: 10_000n, feeMinor: 0n });
  await shop.paidOrder('right', { amountMinor: 10_000n, feeMinor: 0n });
  const process = () => {
    const journal = createJournal({ db: shop.app.db, log: silentLogger(), onBatch: () => undefined });
    return createRefundRequests({ ...shop.app, journal });
  };
  const [one, other] = [process(), process()];
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
