// A wire that breaks on purpose, between an adapter and the sandbox: the request at one position is lost before it
// arrives, or carried out and its answer lost, or its answer is kept back until somebody lets it go.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';

export type Fate = 'pass' | 'lose_request' | 'lose_answer' | 'hold_answer';

export interface Seen {
  readonly method: string;
  readonly path: string;
}

export interface Wire {
  readonly url: string;
  /** What came along, in order. */
  readonly seen: readonly Seen[];
  /** Lets every answer that is kept back go. */
  release(): void;
  close(): void;
}

/** `fateOf` is asked once for each request, with its position from 0. */
export async function openWire(sandboxUrl: string, fateOf: (position: number, seen: Seen) => Fate): Promise<Wire> {
  const seen: Seen[] = [];
  const held = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const one = { method: request.method ?? '', path: request.url ?? '' };
    const fate = fateOf(seen.length, one);
    seen.push(one);
    carry({ request, response, fate, sandboxUrl, held: held.promise }).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The wire got no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    release: held.resolve,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Gives one of the requests that change something its fate; a sign-in changes nothing. */
export function nthChange({ nth, fate }: { nth: number; fate: Fate }): (at: number, seen: Seen) => Fate {
  let changes = 0;
  return (_at, { method, path }) => {
    if (method !== 'POST' || path.includes('token')) return 'pass';
    changes += 1;
    return changes === nth + 1 ? fate : 'pass';
  };
}

interface Carriage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly fate: Fate;
  readonly sandboxUrl: string;
  readonly held: Promise<void>;
}

async function carry({ request, response, fate, sandboxUrl, held }: Carriage): Promise<void> {
  const body = Buffer.concat(await request.toArray());
  if (fate === 'lose_request') return void request.socket.resetAndDestroy();
  const { host: _host, connection: _connection, ...headers } = request.headers;
  const answered = Promise.withResolvers<IncomingMessage>();
  const target = new URL(sandboxUrl + (request.url ?? '/'));
  send(target, { method: request.method ?? 'GET', headers }, answered.resolve)
    .on('error', answered.reject)
    .end(body);
  const answer = await answered.promise;
  const text = Buffer.concat(await answer.toArray());
  if (fate === 'lose_answer') return void request.socket.resetAndDestroy();
  if (fate === 'hold_answer') await held;
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  response.end(text);
}
