// Something of everything that waits for a person: operations that no provider decides, money that fits nothing, a
// difference, a dispute, an endpoint that hears nothing. Nothing runs by itself here.

import { sql } from 'kysely';
import { pkidOf } from '../../src/domain/id.ts';
import type { Answer, Rig } from '../api/rig.ts';

export const SELLER = 'desk-seller';
const USD = { amount: '1000', currency: 'USD' };
const DISCREPANCY = '11111111-1111-4111-8111-111111111111';

export interface Waiting {
  readonly payouts: string;
  readonly payins: string;
  readonly refunds: string;
  readonly unapplied: string;
  readonly discrepancies: string;
}

/** The keys and ids of what waits. */
export async function openDesk(rig: Rig): Promise<Waiting> {
  const { app } = rig.remit;
  async function make(path: string, body: unknown): Promise<Answer['json']> {
    const { status, json, text } = await rig.post(path, body);
    if (status >= 300) throw new Error(`${path} was answered ${status}: ${text}`);
    return json;
  }
  await make('/v1/wallets', { wallet_id: SELLER, owner_id: SELLER, kind: 'seller', currency: 'USD' });
  const funds = { wallet_id: SELLER, amount: '100000', currency: 'USD', reason: 'funds' };
  await make('/v1/adjustments', { semantic_key: 'desk-funds', ...funds });

  const payout = { wallet_id: SELLER, provider: 'stripe', destination: 'acct_never_1', ...USD, confirm: true };
  await make('/v1/payouts', { semantic_key: 'desk-out', ...payout });
  await app.payouts.run(pkidOf('payout', 'desk-out'));

  const payIn = async (key: string, token: string) => {
    await make('/v1/payins', {
      semantic_key: key,
      wallet_id: SELLER,
      payment_info: { provider: 'stripe', token },
      ...USD,
    });
    await app.payins.run(pkidOf('payin', key));
  };
  await payIn('desk-in', 'pm_never');

  const orders = [{ order_id: 'desk-order', seller_id: SELLER, amount: '1000', fee: '10' }];
  const payment_info = { provider: 'stripe', token: 'pm_refund_never' };
  await make('/v1/checkouts', { checkout_id: 'desk', buyer_id: 'desk-buyer', currency: 'USD', payment_info, orders });
  await make('/v1/checkouts/desk/pay', { semantic_key: 'desk-paid' });
  await app.payins.run(pkidOf('payin', 'desk-paid'));
  await make('/v1/refunds', { semantic_key: 'desk-back', order_id: 'desk-order', amount: '100' });
  await app.refunds.run(pkidOf('refund', 'desk-back'));

  await payIn('desk-twice', 'pm_action');
  const twice = await app.payins.find(pkidOf('payin', 'desk-twice'));
  if (twice === null) throw new Error('There is no pay-in that could be paid twice.');
  await app.payins.lookBeside(twice, await payBeside(rig, twice.pkid));

  await sql`INSERT INTO discrepancy (discrepancy_id, reason, provider, operation_kind, pkid, semantic_key, detail,
                                     opened_at)
    VALUES (${DISCREPANCY}, 'not_compensated', 'stripe', 'payin', ${pkidOf('payin', 'desk-paid')}, 'desk-paid', 'Look.',
            now())`.execute(app.db.sql);
  const { rows } = await sql<{ id: string }>`SELECT unapplied_id AS id FROM unapplied`.execute(app.db.sql);
  const [unapplied] = rows;
  if (unapplied === undefined) throw new Error('No money was kept as unapplied.');
  return {
    payouts: 'desk-out',
    payins: 'desk-in',
    refunds: 'desk-back',
    unapplied: unapplied.id,
    discrepancies: DISCREPANCY,
  };
}

/** A second payment of the same pay-in, as a buyer makes who clicks in two windows. */
async function payBeside({ remit }: Rig, pkid: string): Promise<string> {
  const fields = { amount: '700', currency: 'usd', confirm: 'true', payment_method: 'pm_card_ok' };
  const response = await fetch(`${remit.sandbox.url}/stripe/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_x', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...fields, transfer_group: pkid, 'metadata[pkid]': pkid }),
  });
  const { id }: { id: string } = JSON.parse(await response.text());
  return id;
}
