// A wire between the program and PostgreSQL that can be cut at the worst moment: after a COMMIT has reached the
// server and was carried out there, before its answer has reached us. Or it falls silent, and nobody is told.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface CutProxy {
  readonly url: string;
  /** How many commits have lost their answer. */
  readonly cuts: () => number;
  /** The next commits lose theirs, one connection each. */
  cutCommits(count: number): void;
  /** From now on nothing gets through, either way, and every connection stays open. */
  fallSilent(): void;
  close(): Promise<void>;
}

export async function openCutProxy(url: string): Promise<CutProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let cutsLeft = 0;
  let cuts = 0;
  let isSilent = false;
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    let isCommitting = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (isSilent) return;
      if (cutsLeft > 0 && /\bcommit\b/i.test(chunk.toString('latin1'))) {
        isCommitting = true;
        cutsLeft -= 1;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isSilent) return;
      if (!isCommitting) {
        client.write(chunk);
        return;
      }
      // The server's answer is here, so the commit is done; nobody will hear of it.
      cuts += 1;
      client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return {
    url: through.href,
    cuts: () => cuts,
    cutCommits(count) {
      cutsLeft = count;
    },
    fallSilent() {
      isSilent = true;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
