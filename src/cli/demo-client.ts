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
}

const bookRow = z.object({
  provider: z.string(),
  direction: z.string(),
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

  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    showGet: (path) => show('GET', path),
    showPost: (path, body) => show('POST', path, body),
    async book() {
      const response = await fetch(`${sandboxUrl}/_sandbox/book`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      return bookBody.parse(await response.json()).data;
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
  'kind',
  'owner_id',
  'type',
  'title',
  'request_id',
  'metadata',
  'posting_id',
  'actor',
]);

function shortened({ isReplay, body }: Reply): string {
  const shown = Object.entries(body).filter(([name, value]) => {
    if (NOT_SHOWN.has(name) || name.endsWith('_at') || value === null) return false;
    return !Array.isArray(value) || value.length > 0;
  });
  return `${JSON.stringify(Object.fromEntries(shown))}${isReplay ? '  Idempotency-Replayed: true' : ''}`;
}
