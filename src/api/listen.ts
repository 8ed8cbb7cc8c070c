// The HTTP server. It listens before the rest has started, so that the port is certain, and answers 503 until then.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { PaymentError } from '../domain/errors.ts';
import { problemResponse } from './problems.ts';
import { SECURITY_HEADERS } from './request-context.ts';

export interface Listener {
  readonly port: number;
  /** From now on requests go here. */
  serve(fetch: FetchHandler): void;
  /** Takes no new connection, lets running requests end, closes idle ones. */
  close(): Promise<void>;
}

type FetchHandler = (request: Request, ...rest: unknown[]) => Response | Promise<Response>;

/** How far the next free port is looked for when the default one is taken. */
const PORTS_TRIED_MAX = 50;
/** Longer than common load balancers keep idle connections, so that they close them and not we. */
const KEEP_ALIVE_MS = 65_000;

/** Time for 2 MiB over a slow line. Who only drips holds a connection, and what was read of it, no longer. */
const REQUEST_MS_MAX = 30_000;
/** How often in that time the server looks for such connections. */
const REQUEST_LOOKS = 6;

const CLOSE_IDLE_MS = 50;
/** What is not answered by then is repeated by its caller; the workers need the rest of the grace time. */
const DRAIN_MS_MAX = 2_000;

export async function listen(options: {
  host: string;
  port: number;
  portAsked: boolean;
  requestMsMax?: number;
}): Promise<Listener> {
  const { host, port, portAsked, requestMsMax = REQUEST_MS_MAX } = options;
  let handler: FetchHandler = starting;
  // The adaptor's own Response goes out as it is; the one of the platform would be read back through a stream.
  const server = createAdaptorServer({
    fetch: (request, env) => handler(request, env),
    overrideGlobalObjects: true,
    serverOptions: {
      requestTimeout: requestMsMax,
      headersTimeout: requestMsMax,
      connectionsCheckingInterval: requestMsMax / REQUEST_LOOKS,
    },
  });
  if ('keepAliveTimeout' in server) server.keepAliveTimeout = KEEP_ALIVE_MS;
  for (let tried = 0; ; tried += 1) {
    try {
      server.listen(port === 0 ? 0 : port + tried, host);
      await once(server, 'listening');
      break;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (isTaken && !portAsked && tried < PORTS_TRIED_MAX) continue;
      if (!isTaken) {
        const message = `Cannot listen on ${host}:${port}. Set HOST and PORT to an address of this machine.`;
        throw new Error(message, { cause: error });
      }
      throw new Error(`Port ${port} is taken. Stop what uses it, or set PORT to a free one.`, { cause: error });
    }
  }
  return {
    port: portOf(server.address()),
    serve(fetch) {
      handler = fetch;
    },
    async close() {
      handler = starting;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      if (!('closeIdleConnections' in server)) return closed;
      // A connection that was in use a moment ago becomes idle after its answer, and would keep the server open.
      const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS);
      const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS_MAX);
      server.closeIdleConnections();
      await closed;
      clearInterval(idle);
      clearTimeout(late);
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The server listens on no port. Set PORT.');
  return address.port;
}

function starting(): Response {
  const detail = 'The process is starting or stopping. Repeat the same request in a second; it cannot be done twice.';
  const requestId = randomUUID();
  const answer = problemResponse(new PaymentError('unavailable', { detail, retryAfterMs: 1000 }), requestId);
  answer.headers.set('X-Request-Id', requestId);
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
  answer.headers.set('Connection', 'close');
  return answer;
}
