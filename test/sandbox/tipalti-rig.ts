// Plain wire calls to the sandbox's Tipalti.
import type { Sandbox } from '../../src/sandbox/server.ts';
import { send, type Wire } from './rig.ts';

export type Tipalti = Awaited<ReturnType<typeof tipaltiCalls>>;

export const CLIENT = 'client_id=id&client_secret=secret';

export function getToken(sandbox: Sandbox, body: string): Promise<Wire> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return send(sandbox, 'POST', '/tipalti/connect/token', { headers, body });
}

type Order = { key: string; payeeId: string; amount?: string; currency?: string; giveUp?: AbortSignal };

export async function tipaltiCalls(sandbox: Sandbox) {
  const granted = await getToken(sandbox, `grant_type=client_credentials&${CLIENT}`);
  const headers = { authorization: `Bearer ${granted.json.access_token}`, 'content-type': 'application/json' };
  const get = (path: string) => send(sandbox, 'GET', `/tipalti/api/v1${path}`, { headers });
  const post = (path: string, body: string, giveUp?: AbortSignal) =>
    send(sandbox, 'POST', `/tipalti/api/v1${path}`, { headers, body, ...(giveUp ? { giveUp } : {}) });
  return {
    get,
    post,
    /** The amount goes onto the wire as it is written. */
    pay({ key, payeeId, amount = '15.00', currency = 'USD', giveUp }: Order): Promise<Wire> {
      const money = `{"amount":${amount},"currency":"${currency}"}`;
      const one = `{"payeeId":"${payeeId}","amountSubmitted":${money},"refCode":"${plain(key)}"}`;
      return post('/payment-batches', `{"paymentInstructions":[${one}]}`, giveUp);
    },
    async lookUp(key: string): Promise<Wire['json']> {
      return (await get(`/payments?refCode=${plain(key)}`)).json.items;
    },
  };
}

export function plain(key: string): string {
  return key.replaceAll('-', '');
}
