// The wallets of a load: made and funded through the public API, under names of this run only.

import type { LoadClient, LoadReply } from './load-client.ts';
import { fundsOf, LOAD_CURRENCY, type LoadPlan, walletIn } from './load-plan.ts';

/** Requests at once: fast enough for thousands of wallets, and no burst. */
const AT_ONCE = 16;
const CREATED = [200, 201];
const AGAIN = 'What was made so far stays; start again when that is mended.';

/** Throws with the way out when the key may not. */
export async function openLoadWallets(client: LoadClient, plan: LoadPlan): Promise<void> {
  let next = 0;
  async function ask(what: string, { path, body }: { path: string; body: object }): Promise<void> {
    const reply = await client.send('POST', path, { body }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Could not ${what}: ${reason}. ${AGAIN}`, { cause: error });
    });
    refuse(what, reply);
  }
  async function work(): Promise<void> {
    while (next < plan.wallets) {
      const walletId = walletIn(plan, next);
      next += 1;
      const wallet = { wallet_id: walletId, owner_id: walletId, kind: 'seller', currency: LOAD_CURRENCY };
      await ask('make a wallet', { path: '/v1/wallets', body: wallet });
      const funds = {
        semantic_key: `${walletId}:funds`,
        wallet_id: walletId,
        amount: fundsOf(plan),
        currency: LOAD_CURRENCY,
        reason: `Funds of the load ${plan.runId}`,
      };
      await ask('fund a wallet', { path: '/v1/adjustments', body: funds });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function refuse(what: string, { status, body }: LoadReply): void {
  if (CREATED.includes(status)) return;
  if (status === 403) {
    throw new Error(
      `This key may not ${what}: a load needs the scopes read, write and operate (adjustments fund its wallets). ` +
        'Make one with: npm run remit -- keys create --scopes read,write,operate',
    );
  }
  const reason = `${status} ${body.code ?? ''} ${body.detail ?? ''}`.trimEnd();
  throw new Error(`Could not ${what}: ${reason}. ${AGAIN}`);
}
