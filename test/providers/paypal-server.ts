// A PayPal that says what the test wants it to say: it signs in whoever asks, and answers each path from a script.

import type { IncomingMessage } from 'node:http';
import { type LocalServer, serveHttp } from './local-server.ts';

export interface Said {
  readonly status?: number;
  readonly body: unknown;
}

/** By the path without its query; a list is said one after the other, and its last entry from then on. */
export type Script = Readonly<Record<string, Said | readonly Said[]>>;

export interface Heard {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export async function servePaypal(script: Script): Promise<LocalServer & { readonly heard: Heard[] }> {
  const heard: Heard[] = [];
  const times = new Map<string, number>();
  const server = await serveHttp(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('utf8');
    const path = (request.url ?? '').replace(/^\/paypal/, '').replace(/\?.*$/, '');
    heard.push({ line: `${request.method} ${path}`, headers: request.headers, body });
    const number = times.get(path) ?? 0;
    times.set(path, number + 1);
    const said = saidTo(path, number, script);
    response.writeHead(said.status ?? 200, { 'content-type': 'application/json' });
    response.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body));
  });
  return { ...server, heard };
}

export const TOKEN = '/v1/oauth2/token';

function saidTo(path: string, number: number, script: Script): Said {
  const entry = script[path];
  const list = entry === undefined ? [] : Array.isArray(entry) ? entry : [entry];
  const said = list[Math.min(number, list.length - 1)];
  if (said !== undefined) return said;
  if (path === TOKEN) return { body: grant(`token-${number + 1}`) };
  return problem(404, 'RESOURCE_NOT_FOUND', 'INVALID_RESOURCE_ID');
}

export function grant(text: string, expiresIn = 32_400) {
  return { access_token: text, token_type: 'Bearer', expires_in: expiresIn };
}

export function problem(status: number, name: string, issue?: string, links: object[] = []): Said & { status: number } {
  const details = issue === undefined ? [] : [{ issue, description: `Because of ${issue}.` }];
  return { status, body: { name, message: 'It did not work.', debug_id: 'd1', details, links } };
}
