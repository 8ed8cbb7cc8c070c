// Plain wire calls to the sandbox's Square.
import type { Sandbox } from '../../src/sandbox/server.ts';
import { type Received, send, type Wire } from './rig.ts';

export type Square = ReturnType<typeof squareCalls>;

export function squareCalls(sandbox: Sandbox) {
  const headers = { authorization: 'Bearer EAAA', 'content-type': 'application/json', 'square-version': '2026-09-16' };
  return {
    get: (path: string) => send(sandbox, 'GET', `/square/v2${path}`, { headers }),
    post: (path: string, body: unknown, giveUp?: AbortSignal) => {
      const more = giveUp ? { giveUp } : {};
      return send(sandbox, 'POST', `/square/v2${path}`, { headers, body: JSON.stringify(body), ...more });
    },
  };
}

type Order = { key: string; source: string; amount?: number; autocomplete?: boolean; giveUp?: AbortSignal };

export function pay(
  square: Square,
  { key, source, amount = 1_500, autocomplete = true, giveUp }: Order,
): Promise<Wire> {
  const body = {
    source_id: source,
    idempotency_key: key,
    amount_money: { amount, currency: 'USD' },
    autocomplete,
    reference_id: key,
    location_id: 'LSANDBOX00001',
  };
  return square.post('/payments', body, giveUp);
}

export function complete(square: Square, id: string, giveUp?: AbortSignal): Promise<Wire> {
  return square.post(`/payments/${id}/complete`, {}, giveUp);
}

/** The status of the payment where there is one, and how the call ended where there is none. */
export function outcome({ status, json }: Wire): Wire['status'] | string {
  return status === 200 ? json.payment.status : status;
}

/** The events that speak of a payment, in the order in which they came. */
export function about(received: Received[], id: string): Wire['json'][] {
  return received.filter(({ body }) => body.includes(id)).map(({ body }) => JSON.parse(body));
}
