// The demo's way to the API: plain HTTP, as any program would do it, with every step in its curl form.

import { z } from 'zod';
import type { Screen } from './demo-screen.ts';

export interface Reply {
  readonly status: number;
  readonly isReplay: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Client {
  get(path: string): Promise<Reply>;
  post(path: string, body?: object): Promise<Reply>;
  /** As above, and shown on the screen. */
  showGet(path: string): Promise<Reply>;
  showPost(path: string, body?: object): Promise<Reply>;
  /** One row for each time money really moved at a provider, from the sandbox's own book. */
  book(): Promise<readonly BookRow[]>;
  /** What the buyer does on the provider's page. */
  showApprove(externId: string): Promise<void>;
  /** What the sandbox's providers keep of what comes in. */
  setFees(fees: object): Promise<void>;
}

const bookRow = z.object({
  provider: z.string(),
  direction: z.enum(['in', 'out', 'refund', 'return', 'dispute', 'dispute_won', 'fee']),
  key: z.string().nullable(),
  extern_id: z.string(),
  amount: z.string(),
  currency: z.string(),
  destination: z.string(),
});
export type BookRow = z.infer<typeof bookRow>;
const bookBody = z.object({ data: z.array(bookRow) });

/** Longer than the longest wait that the API grants. */
const REQUEST_TIMEOUT_MS = 60_000;

export function createClient(at: { apiUrl: string; sandboxUrl: string; key: string; screen: Screen }): Client {
  const { apiUrl, sandboxUrl, key, screen } = at;

  async function send(method: 'GET' | 'POST', path: string, body?: object): Promise<Reply> {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const parsed: Record<string, unknown> = JSON.parse(await response.text());
    return { status: response.status, isReplay: response.headers.get('idempotency-replayed') === 'true', body: parsed };
  }

  async function show(method: 'GET' | 'POST', path: string, body?: object): Promise<Reply> {
    const reply = await send(method, path, body);
    screen.exchange(curlOf({ method, path, body }), `${reply.status} ${shortened(reply)}`);
    return reply;
  }

  async function tellSandbox(path: string, body: object = {}): Promise<Response> {
    const response = await fetch(`${sandboxUrl}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`The sandbox refused ${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    showGet: (path) => show('GET', path),
    showPost: (path, body) => show('POST', path, body),
    async book() {
      const response = await fetch(`${sandboxUrl}/_sandbox/book`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      return bookBody.parse(await response.json()).data;
    },
    async showApprove(externId) {
      const path = `/_sandbox/approve/${externId}`;
      const { status } = await tellSandbox(path);
      screen.exchange(`curl -X POST "$SANDBOX${path}"`, String(status));
    },
    async setFees(fees) {
      await tellSandbox('/_sandbox/fees', fees);
    },
  };
}

function curlOf({ method, path, body }: { method: string; path: string; body: object | undefined }): string {
  const data = body === undefined ? '' : ` --json '${JSON.stringify(body)}'`;
  return `curl -H "$AUTH"${method === 'POST' && body === undefined ? ' -X POST' : ''} "$URL${path}"${data}`;
}

/** Known from the request, or the same in every answer; left out of what is shown. */
const NOT_SHOWN = new Set([
  'pkid',
  'owner_id',
  'type',
  'title',
  'request_id',
  'metadata',
  'posting_id',
  'actor',
  'secret',
  'origin',
  'attempts',
  'refundable',
]);

function shortened({ isReplay, body }: Reply): string {
  return `${JSON.stringify(withoutNoise(body))}${isReplay ? '  Idempotency-Replayed: true' : ''}`;
}

/** Of the parts of a whole, also without what the whole says of itself already. */
function withoutNoise(body: object, whole: Readonly<Record<string, unknown>> = {}): object {
  const shown = Object.entries(body).filter(([name, value]) => {
    if (NOT_SHOWN.has(name) || name.endsWith('_at') || value === null || value === whole[name]) return false;
    return !Array.isArray(value) || value.length > 0;
  });
  const own = Object.fromEntries(shown);
  const parts = shown.map(([name, value]) => [
    name,
    Array.isArray(value) ? value.map((part) => partOf(part, own)) : value,
  ]);
  return Object.fromEntries(parts);
}

function partOf(part: unknown, whole: Readonly<Record<string, unknown>>): unknown {
  return typeof part === 'object' && part !== null ? withoutNoise(part, whole) : part;
}
