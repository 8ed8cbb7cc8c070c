// How a careful platform asks: written down before it is sent, bounded in time, and sent again under the same key, to
// the other API, until there is an answer that is no failure of ours.

import { setTimeout as wait } from 'node:timers/promises';
import type { AskedKind, ClientLine } from './client-log.ts';
import type { Journal } from './journal.ts';

export interface Reply {
  readonly status: number;
  readonly isReplay: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Request {
  readonly key: string;
  readonly kind: AskedKind;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Asker {
  /** On the disk before anything of it is sent; tells whether it was not there yet. */
  writeDown(request: Request): Promise<boolean>;
  /** Until it is answered. What is written as answered already is not sent again. */
  ask(request: Request): Promise<Reply>;
  /** The same for what nobody needs to write down: questions, and what is sent on purpose wrongly. */
  insist(request: Omit<Request, 'kind'> & { method: 'GET' | 'POST' }): Promise<Reply>;
  /** Once; null when no answer came in time. */
  once(request: Omit<Request, 'kind'> & { method: 'GET' | 'POST' }): Promise<Reply | null>;
}

/** Above the longest `?wait` that is asked for here. */
export const TIMEOUT_MS = 4_000;
const PAUSES_MS = [50, 100, 200, 400, 800];
const TOO_MANY_REQUESTS = 429;

export function createAsker(options: {
  urls: readonly string[];
  apiKey: string;
  journal: Journal<ClientLine>;
  before: readonly ClientLine[];
}): Asker {
  const { urls, apiKey, journal, before } = options;
  const asked = new Set(before.flatMap((line) => (line.what === 'asked' ? line.key : [])));
  const answered = new Map(before.flatMap((line) => (line.what === 'answered' ? [[line.key, line] as const] : [])));
  let turn = 0;

  const once: Asker['once'] = async ({ key, path, body, method }) => {
    const api = turn++ % urls.length;
    const from = Date.now();
    const reply = await send(`${urls[api]}${path}`, { method, apiKey, body }).catch(() => null);
    journal.note({ what: 'tried', key, api, method, from, to: Date.now(), status: reply?.status ?? null });
    return reply;
  };

  const insist: Asker['insist'] = async (request) => {
    for (let tried = 0; ; tried += 1) {
      const reply = await once(request);
      if (reply !== null && reply.status < 500 && reply.status !== TOO_MANY_REQUESTS) return reply;
      const pauseMs = PAUSES_MS[Math.min(tried, PAUSES_MS.length - 1)] ?? 0;
      await wait(pauseMs * (1 + Math.random()));
    }
  };

  const writeDown: Asker['writeDown'] = async ({ key, kind, path, body }) => {
    if (asked.has(key)) return false;
    asked.add(key);
    await journal.durable({ what: 'asked', key, kind, path, body, at: Date.now() });
    return true;
  };

  return {
    once,
    insist,
    writeDown,
    async ask({ kind, ...request }) {
      const { key } = request;
      const known = answered.get(key);
      if (known !== undefined) return { status: known.status, isReplay: true, body: { code: known.code } };
      await writeDown({ kind, ...request });
      const reply = await insist({ ...request, method: 'POST' });
      const { status, isReplay, body: said } = reply;
      journal.note({
        what: 'answered',
        key,
        status,
        isReplay,
        pkid: textOf(said.pkid),
        code: status < 300 ? null : textOf(said.code),
        at: Date.now(),
      });
      const shown = textOf(said.status);
      if (kind !== 'step' && status < 300 && shown !== null)
        journal.note({ what: 'shown', key, status: shown, at: Date.now() });
      return reply;
    },
  };
}

async function send(
  url: string,
  { method, apiKey, body }: { method: 'GET' | 'POST'; apiKey: string; body: object },
): Promise<Reply> {
  const response = await fetch(url, {
    method,
    headers: { Authorization: `Bearer ${apiKey}`, ...(method === 'POST' && { 'Content-Type': 'application/json' }) },
    ...(method === 'POST' && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const isReplay = response.headers.get('idempotency-replayed') === 'true';
  return { status: response.status, isReplay, body: Object(await response.json()) };
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
