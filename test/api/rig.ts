// The API in this process on a real database, with keys of every scope, and short ways to call it.

import type { Hono } from 'hono';
import type { ApiOptions } from '../../src/api/options.ts';
import type { ContextEnv } from '../../src/api/request-context.ts';
import { createApi } from '../../src/api/server.ts';
import { createApiKey, type Scope } from '../../src/jobs/api-key.ts';
import { type RemitOptions, startRemit, type TestRemit } from '../harness/app.ts';
import { checkAnswer } from './document-check.ts';
import { checkWords } from './problem-words.ts';

export interface Rig {
  readonly remit: TestRemit;
  readonly api: Hono<ContextEnv>;
  /** A key with these scopes. */
  key(scopes: readonly Scope[]): Promise<string>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  get(path: string): Promise<Answer>;
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Another API over the same data, with other options. */
  with(options: Partial<ApiOptions>): Hono<ContextEnv>;
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Null sends no key. */
  readonly key?: string | null;
  readonly api?: Hono<ContextEnv>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What the body says, untyped as it came. */
  readonly json: Json;
}

/** JSON that tests look into by name. */
export type Json = Readonly<Record<string, unknown>>;

export async function startRig(env: Record<string, string> = {}, options: RemitOptions = {}): Promise<Rig> {
  const remit = await startRemit(env, options);
  const { app } = remit;
  const readiness = async () => ({ ok: true, checks: {} });
  const build = (options: Partial<ApiOptions>) => createApi({ ...app, readiness, ...options });
  const api = build({});
  const key = async (scopes: readonly Scope[]) => (await createApiKey(app.db, { name: 'test', scopes })).key;
  const full = await key(['read', 'write', 'operate']);

  const rig: Rig = {
    remit,
    api,
    key,
    with: build,
    get: (path) => rig.call('GET', path),
    post: (path, body, headers = {}) => rig.call('POST', path, { body, headers }),
    async call(method, path, options = {}) {
      const key = options.key === undefined ? full : options.key;
      const headers: Record<string, string> = { ...(key !== null && { Authorization: `Bearer ${key}` }) };
      const isText = typeof options.body === 'string' || options.body instanceof Uint8Array;
      if (options.body !== undefined) headers['Content-Type'] = 'application/json';
      const body = options.body === undefined ? null : isText ? options.body : JSON.stringify(options.body);
      const init = { method, headers: { ...headers, ...options.headers }, ...(body !== null && { body }) };
      const response = await (options.api ?? api).request(path, init);
      const text = await response.text();
      checkAnswer({ method, path, status: response.status, contentType: response.headers.get('content-type'), text });
      const json = readJson(text);
      checkWords(`${method} ${path}`, json);
      return { status: response.status, headers: response.headers, text, json };
    },
    stop: () => remit.stop(),
  };
  return rig;
}

/** The rows of a list. */
export function rowsOf({ json }: Pick<Answer, 'json'>): readonly Json[] {
  const rows: unknown = json.data;
  if (!Array.isArray(rows)) throw new TypeError(`No list: ${JSON.stringify(json)}`);
  return rows;
}

/** What an answer with an error is judged by. */
export function isErrorOf({ status, json }: Answer): { status: number; code: unknown } {
  return { status, code: json.code };
}

function readJson(text: string): Json {
  return text.startsWith('{') ? JSON.parse(text) : {};
}
