// Servers that misbehave on purpose, on loopback, one per test.

import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

export interface LocalServer {
  readonly url: string;
  /** How many requests (or connections, for raw servers) reached it. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** Answers each request as the listener says. */
export async function serveHttp(listener: RequestListener): Promise<LocalServer> {
  const seen: string[] = [];
  const server = createHttpServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    listener(request, response);
  });
  return listening(server, seen);
}

/** The same body for every request. */
export async function serveText(status: number, text: string, headers: Record<string, string> = {}) {
  return serveHttp((request, response) => {
    request.resume();
    response.writeHead(status, headers);
    response.end(text);
  });
}

/** Hands over the bare socket, once it stands and before anything is read. */
export async function serveRaw(handle: (socket: Socket) => void): Promise<LocalServer> {
  const seen: string[] = [];
  const server = createServer((socket) => {
    seen.push('connection');
    socket.on('error', () => socket.destroy());
    handle(socket);
  });
  return listening(server, seen);
}

/** A port on which nobody listens. */
export async function closedUrl(): Promise<string> {
  const server = await serveRaw((socket) => socket.destroy());
  await server.close();
  return server.url;
}

async function listening(server: Server, seen: string[]): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server got no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
