// The wallets of a load: made and funded through the public API, under names of this run only.

import type { LoadClient, LoadReply } from './load-client.ts';
import { fundsOf, LOAD_CURRENCY, type LoadPlan, walletIn } from './load-plan.ts';

/** Requests at once: fast enough for thousands of wallets, and no burst. */
const AT_ONCE = 16;
const CREATED = [200, 201];

/** Throws with the way out when the key may not, or when what answers is not ready. */
export async function openLoadWallets(client: LoadClient, plan: LoadPlan): Promise<void> {
  let next = 0;
  async function work(): Promise<void> {
    while (next < plan.wallets) {
      const walletId = walletIn(plan, next);
      next += 1;
      const wallet = { wallet_id: walletId, owner_id: walletId, kind: 'seller', currency: LOAD_CURRENCY };
      refuse('make a wallet', await client.send('POST', '/v1/wallets', { body: wallet }));
      const funds = {
        semantic_key: `${walletId}:funds`,
        wallet_id: walletId,
        amount: fundsOf(plan),
        currency: LOAD_CURRENCY,
        reason: `Funds of the load ${plan.runId}`,
      };
      refuse('fund a wallet', await client.send('POST', '/v1/adjustments', { body: funds }));
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function refuse(what: string, { status, body }: LoadReply): void {
  if (CREATED.includes(status)) return;
  if (status === 401) throw new Error(`The key is not known there. Give the right one with --key.`);
  if (status === 403) {
    throw new Error(
      `This key may not ${what}: a load needs the scopes read, write and operate (adjustments fund its wallets). ` +
        'Make one with: npm run remit -- keys create --scopes read,write,operate',
    );
  }
  throw new Error(`Could not ${what}: ${status} ${body.code ?? ''} ${body.detail ?? ''}`.trimEnd());
}
