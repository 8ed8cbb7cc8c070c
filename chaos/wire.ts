// A wire between two processes that can hang, break or be slow, and that knows what it waits for: a connection whose
// last bytes went to the server has asked something and not heard the answer.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** `unanswered`: what is asked arrives, and what is answered does not. */
export type Trouble = 'hung' | 'reset' | 'slow' | 'unanswered';

export interface Wire {
  readonly port: number;
  /** How many questions are out on it at this moment. */
  waiting(): number;
  trouble(kind: Trouble): void;
  /** How many questions the present trouble has met: those that were out when it began, and those asked since. */
  met(): number;
  /** Of how many POSTs the present trouble has kept the answer. */
  withheld(): number;
  heal(): void;
  close(): Promise<void>;
}

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  isWaiting: boolean;
  isPost: boolean;
}

/** What `slow` adds to each piece of data, either way. */
const SLOW_MS = 150;
const POST = 'POST ';
const HOST = '127.0.0.1';

/** `targets`: where it leads, by port; a later one is tried when an earlier one refuses. */
export async function openWire(targets: () => readonly number[]): Promise<Wire> {
  const lines = new Set<Line>();
  const callers = new Set<Socket>();
  let trouble: Trouble | null = null;
  let met = 0;
  let withheld = 0;

  function accept(client: Socket): void {
    if (trouble !== null) met += 1;
    if (trouble === 'reset') {
      client.resetAndDestroy();
      return;
    }
    client.pause();
    client.on('error', () => undefined);
    callers.add(client);
    client.on('close', () => callers.delete(client));
    if (trouble !== 'hung') reach(client, targets());
  }

  function reach(client: Socket, [port, ...rest]: readonly number[]): void {
    if (port === undefined || client.destroyed) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: HOST, port, noDelay: true });
    const onRefused = () => reach(client, rest);
    server.once('error', onRefused);
    server.once('connect', () => {
      server.off('error', onRefused);
      join({ client, server, isWaiting: false, isPost: false });
    });
  }

  function join(line: Line): void {
    const { client, server } = line;
    lines.add(line);
    const end = () => {
      lines.delete(line);
      client.destroy();
      server.destroy();
    };
    server.on('error', () => undefined);
    for (const socket of [client, server]) socket.on('close', end);
    client.setNoDelay(true);
    client.on('data', (piece) => {
      // A body may come in a piece of its own; only the next question says what it is.
      if (!line.isWaiting) line.isPost = piece.toString('latin1', 0, POST.length) === POST;
      line.isWaiting = true;
      if (trouble !== null) met += 1;
      pass(server, piece);
    });
    server.on('data', (piece) => {
      if (trouble === 'unanswered') {
        if (line.isWaiting && line.isPost) withheld += 1;
        line.isPost = false;
        return;
      }
      line.isWaiting = false;
      pass(client, piece);
    });
    if (trouble !== 'hung') client.resume();
    else server.pause();
  }

  function pass(to: Socket, piece: Buffer): void {
    if (trouble !== 'slow') to.write(piece);
    else setTimeout(() => to.destroyed || to.write(piece), SLOW_MS);
  }

  const waiting = () => [...lines].filter(({ isWaiting }) => isWaiting).length;
  const server = createServer(accept);
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    waiting,
    met: () => met,
    withheld: () => withheld,
    trouble(kind) {
      trouble = kind;
      met = waiting();
      withheld = 0;
      if (kind === 'hung')
        for (const { client, server: other } of lines) for (const one of [client, other]) one.pause();
      if (kind === 'reset') for (const client of callers) client.resetAndDestroy();
    },
    heal() {
      const isHung = trouble === 'hung';
      trouble = null;
      if (!isHung) return;
      const joined = new Set([...lines].map(({ client }) => client));
      for (const { client, server: other } of lines) for (const one of [client, other]) one.resume();
      for (const client of callers) if (!joined.has(client)) reach(client, targets());
    },
    async close() {
      for (const client of callers) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
