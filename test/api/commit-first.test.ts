// Nothing is acknowledged before it is committed. The database refuses at the commit itself, when every statement has
// gone well; whoever had answered by then would have told of something that is not there.

import { sql } from 'kysely';
import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Rig, startRig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  const { app } = rig.remit;
  await rig.remit.fundedWallet('from', 100n);
  await rig.remit.fundedWallet('to', 1n);
  await sql`CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'refused at the commit'; END $$`.execute(app.db.sql);
  for (const table of ['payout', 'transfer', 'provider_event']) {
    await sql`CREATE CONSTRAINT TRIGGER refuse_at_commit AFTER INSERT ON ${sql.table(table)}
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_at_commit()`.execute(app.db.sql);
  }
});
afterAll(() => rig.stop());

const MONEY = { amount: '1', currency: 'USD' };
const TRANSFER = { semantic_key: 't', from_wallet: 'from', to_wallet: 'to', ...MONEY };
const PAYOUT = { semantic_key: 'p', wallet_id: 'from', provider: 'stripe', destination: 'acct_ok_1', ...MONEY };

test.each([
  ['a transfer', '/v1/transfers', TRANSFER],
  ['a payout at rest', '/v1/payouts', PAYOUT],
  ['a payout on its way', '/v1/payouts', { ...PAYOUT, confirm: true }],
])('%s is not accepted when its commit fails', async (_what, path, body) => {
  expect(await rig.post(path, body)).toMatchObject({ status: 500, json: { code: 'internal' } });
  expect((await rig.get(`${path}/${body.semantic_key}`)).status).toBe(404);
});

test("a provider's webhook is not answered with 200 when its commit fails, so that it comes again", async () => {
  const object = { id: 'tr_1', object: 'transfer', metadata: {} };
  const created = Math.floor(Date.now() / 1_000);
  const event = { id: 'evt_1', object: 'event', type: 'transfer.created', created, data: { object } };
  const payload = JSON.stringify(event);
  const secret = rig.remit.app.config.stripe.webhookSecrets[0] ?? '';
  const signature = new Stripe('sk_test_x').webhooks.generateTestHeaderString({ payload, secret });
  const headers = { 'Stripe-Signature': signature };
  const answer = await rig.call('POST', '/webhooks/stripe', { body: payload, headers, key: null });
  expect(answer).toMatchObject({ status: 500, json: { code: 'internal' } });
});
