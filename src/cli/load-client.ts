// The load's way to the API: plain HTTP over connections that are kept. What comes back is an answer, or an error that
// says nothing about the operation.

import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

export interface LoadReply {
  readonly status: number;
  readonly body: LoadBody;
  readonly retryAfterMs: number | null;
}

export interface LoadClient {
  send(method: 'GET' | 'POST', path: string, options?: { body?: object; timeoutMs?: number }): Promise<LoadReply>;
  /** What is no JSON, as it came. */
  read(path: string): Promise<{ readonly status: number; readonly text: string }>;
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

interface ClientOptions {
  readonly url: string;
  readonly key: string;
  /** The longest wait for an answer that is not asked to wait itself. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 10_000;
/** One for each operation that waits for its end; more wait for a connection, and are measured waiting. */
const SOCKETS_MAX = 2_048;

export function createLoadClient({ url, key, patienceMs = PATIENCE_MS }: ClientOptions): LoadClient {
  const base = url.replace(/\/+$/, '');
  const transport = base.startsWith('https:') ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

  async function exchange(
    method: 'GET' | 'POST',
    path: string,
    { body, timeoutMs = patienceMs }: { body?: object; timeoutMs?: number } = {},
  ): Promise<http.IncomingMessage> {
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
    return promise;
  }

  return {
    async send(method, path, options) {
      const response = await exchange(method, path, options);
      return { status: response.statusCode ?? 0, body: await readBody(response), retryAfterMs: retryAfterOf(response) };
    },
    async read(path) {
      const response = await exchange('GET', path);
      return { status: response.statusCode ?? 0, text: await text(response) };
    },
    close: () => agent.destroy(),
  };
}

async function readBody(response: http.IncomingMessage): Promise<LoadBody> {
  const content = await text(response);
  try {
    return loadBody.parse(JSON.parse(content));
  } catch (cause) {
    const said = `${response.statusCode} ${content.slice(0, 100)}`;
    throw new Error(`What answered is no remit: ${said}. Give its address with --url.`, { cause });
  }
}

function retryAfterOf({ headers }: http.IncomingMessage): number | null {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : null;
}
