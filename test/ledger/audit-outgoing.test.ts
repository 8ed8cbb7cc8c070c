// The auditor reports what an endpoint should have been told and was not, and what it was told wrongly.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pkidOf } from '../../src/domain/id.ts';
import type { EventType } from '../../src/domain/outgoing.ts';
import { createWebhookEndpoints } from '../../src/jobs/webhook-endpoint.ts';
import { OUTGOING_CHECKS } from '../../src/ledger/audit/outgoing.ts';
import { outgoingTablesOf, writeOutgoing } from '../../src/ledger/outgoing.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import { adjust, type Ledger, openLedger, openWallets, transfer } from '../harness/ledger.ts';

const place = '127.0.0.1:1';
let ledger: Ledger;
let endpoints: ReturnType<typeof createWebhookEndpoints>;
beforeAll(async () => {
  ledger = await openLedger();
  endpoints = createWebhookEndpoints({ db: ledger.db, allowHosts: [place], enqueue: async () => undefined });
  await openWallets(ledger, ['from', 'to']);
  await adjust(ledger, { key: 'fund', walletId: 'from', amountMinor: 1_000n });
});
afterAll(() => ledger.close());

async function reported(id: string): Promise<unknown[]> {
  const check = OUTGOING_CHECKS.find((one) => one.id === id);
  if (check === undefined) throw new Error(`There is no check ${id}.`);
  const { rows } = await check.query.execute(ledger.db.sql);
  return rows.map((row) => row.semantic_key).sort();
}

const move = (key: string, amountMinor = 1n) => transfer(ledger, { key, from: 'from', to: 'to', amountMinor });

/** What a defect might tell beside the truth. */
const tell = (key: string, type: EventType) =>
  ledger.db.transaction((tx) =>
    writeOutgoing(statementsOf(tx), {
      tables: outgoingTablesOf(ledger.db),
      events: [{ type, kind: 'transfer', pkid: pkidOf('transfer', key), semanticKey: key }],
      now: new Date(),
    }),
  );

test('W1 names what an endpoint was not told since it was enabled, and nothing from before or beside it', async () => {
  await move('before');
  await endpoints.create({ url: `http://${place}/all`, events: ['transfer.*'] });
  const { endpoint } = await endpoints.create({
    url: `http://${place}/failed`,
    events: ['transfer.failed', 'payout.*'],
  });
  await move('told');
  await move('refused', 1_000_000n);
  expect(await reported('W1')).toEqual([]);

  await sql`DELETE FROM delivery WHERE endpoint_id = ${endpoint.endpointId}::uuid`.execute(ledger.db.sql);
  expect(await reported('W1')).toEqual(['refused']);
  await endpoints.disable(endpoint.endpointId);
  expect(await reported('W1')).toEqual([]);
  await sql`DELETE FROM delivery`.execute(ledger.db.sql);
  expect(await reported('W1')).toEqual(['refused', 'told']);
  await sql`DELETE FROM outgoing_event`.execute(ledger.db.sql);
  expect(await reported('W1')).toEqual(['refused', 'told']);
});

test('W2 names an operation of which both verdicts were told, or the wrong one', async () => {
  await endpoints.create({ url: `http://${place}/w2`, events: ['*'] });
  await move('clear');
  expect(await reported('W2')).toEqual([]);
  await tell('clear', 'transfer.failed');
  expect(await reported('W2')).toEqual(['clear']);
  await move('wrong');
  await sql`
    UPDATE outgoing_event SET type = 'transfer.failed'
    WHERE pkid = ${pkidOf('transfer', 'wrong')}::uuid`.execute(ledger.db.sql);
  expect(await reported('W2')).toEqual(['clear', 'wrong']);
});
