// Where a test's sandbox sends its webhooks: a local address that hands each delivery on, as the API's route does.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { ERRORS, PaymentError } from '../../src/domain/errors.ts';

interface Delivery {
  readonly provider: string;
  readonly raw: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Receiver {
  readonly url: string;
  /** Until it is told who takes the deliveries, it answers 503, and the sandbox sends them again. */
  handTo(take: (delivery: Delivery) => Promise<unknown>): void;
  close(): void;
}

export async function openReceiver(): Promise<Receiver> {
  let take: ((delivery: Delivery) => Promise<unknown>) | null = null;

  async function statusOf(delivery: Delivery): Promise<number> {
    if (take === null) return 503;
    try {
      await take(delivery);
      return 200;
    } catch (error) {
      return error instanceof PaymentError ? ERRORS[error.code].status : 500;
    }
  }

  const server = createServer(async (request, response) => {
    const raw = Buffer.concat(await request.toArray());
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const provider = (request.url ?? '').split('/').at(-1) ?? '';
    response.writeHead(await statusOf({ provider, raw, headers })).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver of webhooks got no port.');
  return {
    url: `http://127.0.0.1:${address.port}/webhooks`,
    handTo(taker) {
      take = taker;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
