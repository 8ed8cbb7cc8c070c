// The bench's HTTP client: keep-alive connections with one request at a time on each. It does no more than it must,
// because it shares the machine with what it measures.

import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Wire {
  /** Takes a free connection, or waits for one. Rejects when the connection breaks. */
  send(method: 'GET' | 'POST', path: string, body?: string): Promise<Answer>;
  close(): void;
}

interface Request {
  readonly text: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = Buffer.from('\r\n\r\n');

export function openWire(options: { url: string; key: string; connections: number }): Wire {
  const { hostname, port } = new URL(options.url);
  const headers = `Host: ${hostname}:${port}\r\nAuthorization: Bearer ${options.key}\r\n`;
  const free: Line[] = [];
  const lines = new Set<Line>();
  const waiting: Request[] = [];

  function next(line: Line): void {
    const request = waiting.shift();
    if (request === undefined) free.push(line);
    else line.ask(request);
  }

  function open(): Line {
    const line = createLine(connect({ host: hostname, port: Number(port), noDelay: true }), {
      onFree: () => next(line),
      onGone: () => lines.delete(line),
    });
    lines.add(line);
    return line;
  }

  return {
    send(method, path, body) {
      const content =
        body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
      const text = `${method} ${path} HTTP/1.1\r\n${headers}${content}\r\n${body ?? ''}`;
      return new Promise((resolve, reject) => {
        const request = { text, resolve, reject };
        const line = free.pop() ?? (lines.size < options.connections ? open() : undefined);
        if (line === undefined) waiting.push(request);
        else line.ask(request);
      });
    },
    close() {
      for (const line of lines) line.close();
    },
  };
}

interface Line {
  ask(request: Request): void;
  close(): void;
}

function createLine(socket: Socket, { onFree, onGone }: { onFree: () => void; onGone: () => void }): Line {
  let asked: Request | null = null;
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (piece) => {
    received = received.length === 0 ? piece : Buffer.concat([received, piece]);
    const read = readAnswer(received);
    if (read === null || asked === null) return;
    received = received.subarray(read.length);
    const { resolve } = asked;
    asked = null;
    resolve(read.answer);
    onFree();
  });
  // An error is followed by the close.
  socket.on('error', () => {});
  socket.on('close', () => {
    onGone();
    asked?.reject(new Error('remit closed the connection before it answered. Its log says why.'));
    asked = null;
  });
  return {
    ask(request) {
      asked = request;
      socket.write(request.text);
    },
    close: () => socket.destroy(),
  };
}

/** The first whole answer in what was received; null while a part of it is missing. */
export function readAnswer(received: Buffer): { answer: Answer; length: number } | null {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const head = received.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const bodyStart = headEnd + HEAD_END.length;
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (declared !== undefined) {
    const end = bodyStart + Number(declared);
    if (received.length < end) return null;
    return { answer: { status, body: received.toString('utf8', bodyStart, end) }, length: end };
  }
  return readChunks(received, { status, bodyStart });
}

/** An answer of unknown length comes in chunks: its size in hexadecimal, a line end, the chunk, a line end. */
function readChunks(
  received: Buffer,
  { status, bodyStart }: { status: number; bodyStart: number },
): { answer: Answer; length: number } | null {
  const chunks: Buffer[] = [];
  for (let at = bodyStart; ; ) {
    const lineEnd = received.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(received.toString('latin1', at, lineEnd), 16);
    const chunkEnd = lineEnd + 2 + size;
    if (received.length < chunkEnd + 2) return null;
    if (size === 0) return { answer: { status, body: Buffer.concat(chunks).toString('utf8') }, length: chunkEnd + 2 };
    chunks.push(received.subarray(lineEnd + 2, chunkEnd));
    at = chunkEnd + 2;
  }
}
