// The platform's web app, as small as it can be: a local server that believes a message only when its signature fits,
// and remembers what it was told. It shares nothing with the sender but what docs/webhooks.md says.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { z } from 'zod';

export interface Listener {
  readonly url: string;
  /** As WEBHOOK_ALLOW_HOSTS names it. */
  readonly host: string;
  /** Until the secret is known, nothing is believed. */
  believe(secret: string): void;
  /** Each event once, in the order in which they came. */
  heard(): readonly Heard[];
  /** What came once more, and what was not believed. */
  counts(): { readonly repeated: number; readonly refused: number };
  close(): Promise<void>;
}

export interface Heard {
  readonly type: string;
  readonly sequence: number;
  /** The key or id of what it speaks of. */
  readonly subject: string;
}

const HOST = '127.0.0.1';
/** Older messages may be somebody's recording. */
const AGE_SECONDS_MAX = 300;

const message = z.object({
  type: z.string(),
  sequence: z.number(),
  data: z.object({
    semantic_key: z.string().optional(),
    order_id: z.string().nullish(),
    dispute_id: z.string().optional(),
    payee_id: z.string().nullish(),
  }),
});

export async function startListener(): Promise<Listener> {
  const heard = new Map<string, Heard>();
  const counts = { repeated: 0, refused: 0 };
  let secret = '';

  async function statusFor(request: IncomingMessage): Promise<number> {
    const raw = Buffer.concat(await request.toArray()).toString('utf8');
    if (!isSigned(raw, { secret, headers: request.headers })) {
      counts.refused += 1;
      return 401;
    }
    const id = String(request.headers['webhook-id']);
    const { type, sequence, data } = message.parse(JSON.parse(raw));
    const subject = data.semantic_key ?? data.dispute_id ?? data.order_id ?? data.payee_id ?? '';
    if (heard.has(id)) counts.repeated += 1;
    else heard.set(id, { type, sequence, subject });
    return 200;
  }

  const server = createServer((request, response) => {
    statusFor(request).then(
      (status) => response.writeHead(status).end(),
      () => response.writeHead(500).end(),
    );
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The listener has no port.');
  const host = `${HOST}:${address.port}`;

  return {
    url: `http://${host}/events`,
    host,
    believe(given) {
      secret = given;
    },
    heard: () => [...heard.values()],
    counts: () => ({ ...counts }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function isSigned(raw: string, { secret, headers }: { secret: string; headers: IncomingHttpHeaders }): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures } = headers;
  if (secret === '' || !(Math.abs(Date.now() / 1_000 - Number(at)) < AGE_SECONDS_MAX)) return false;
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${at}.${raw}`).digest();
  return String(signatures)
    .split(' ')
    .some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
}
