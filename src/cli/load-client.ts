// The load's way to the API: plain HTTP over connections that are kept. What comes back is an answer, or an error that
// says nothing about the operation.

import http from 'node:http';
import https from 'node:https';
import { z } from 'zod';

export interface LoadReply {
  readonly status: number;
  readonly body: LoadBody;
  readonly retryAfterMs: number | null;
}

export interface LoadClient {
  send(method: 'GET' | 'POST', path: string, options?: { body?: object; timeoutMs?: number }): Promise<LoadReply>;
  close(): void;
}

/** What a load looks at of any answer: an operation's state, or a problem's code. */
const loadBody = z.object({
  status: z.union([z.string(), z.number()]).optional(),
  code: z.string().optional(),
  detail: z.string().optional(),
  failure: z.object({ code: z.string() }).nullish(),
});
type LoadBody = z.infer<typeof loadBody>;

const TIMEOUT_MS = 10_000;
/** One for each operation that waits for its end; more wait for a connection, and are measured waiting. */
const SOCKETS_MAX = 2_048;

export function createLoadClient({ url, key }: { url: string; key: string }): LoadClient {
  const base = url.replace(/\/+$/, '');
  const transport = base.startsWith('https:') ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  return {
    async send(method, path, { body, timeoutMs = TIMEOUT_MS } = {}) {
      const content = body === undefined ? null : Buffer.from(JSON.stringify(body));
      const headers = {
        authorization: `Bearer ${key}`,
        ...(content === null ? {} : { 'content-type': 'application/json', 'content-length': content.length }),
      };
      const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
      const request = transport.request(`${base}${path}`, { method, headers, agent, timeout: timeoutMs }, resolve);
      request.on('error', reject);
      request.on('timeout', () => request.destroy(Object.assign(new Error('no answer in time'), { code: 'TIMEOUT' })));
      request.end(content);
      const response = await promise;
      return { status: response.statusCode ?? 0, body: await readBody(response), retryAfterMs: retryAfterOf(response) };
    },
    close: () => agent.destroy(),
  };
}

async function readBody(response: http.IncomingMessage): Promise<LoadBody> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(Buffer.from(piece));
  const text = Buffer.concat(pieces).toString('utf8');
  try {
    return loadBody.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`What answered is no remit: ${response.statusCode} ${text.slice(0, 100)}`, { cause });
  }
}

function retryAfterOf({ headers }: http.IncomingMessage): number | null {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
}
