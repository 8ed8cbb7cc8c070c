// One request by Node's own client, on connections that are kept. Of a request and its answer `fetch` makes streams and
// objects that cost more than all the rest of a call to a provider.

import { isUtf8 } from 'node:buffer';
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';

/** Shorter than any provider keeps an idle connection, unless its answers say how long. */
const IDLE_MS = 4_000;
/** What does not stand by then never carried the request; the deadline of the call may be later. */
const CONNECT_MS_MAX = 10_000;
/** Answers are small, and each is read as it comes. */
const HEADERS = { Accept: '*/*', 'Accept-Encoding': 'identity', 'User-Agent': 'remit' } as const;

const KEPT = { keepAlive: true, timeout: IDLE_MS } as const;
const plain = { request: httpRequest, agent: new HttpAgent(KEPT) };
const secure = { request: httpsRequest, agent: new HttpsAgent(KEPT) };

/** The code of the error of a connection that did not stand in time. */
export const CONNECT_TIMEOUT = 'REMIT_CONNECT_TIMEOUT';

/** Nothing is sent before its end; what cannot be sent, such as a broken header, throws. */
export function openRequest(
  url: URL,
  { method, headers, signal }: { method: string; headers: Readonly<Record<string, string>>; signal: AbortSignal },
): ClientRequest {
  const { request, agent } = url.protocol === 'https:' ? secure : plain;
  const opened = request(url, { method, headers: { ...HEADERS, ...headers }, agent, signal });
  opened.once('socket', (socket) => {
    if (!socket.connecting) return;
    const late = setTimeout(() => {
      opened.destroy(Object.assign(new Error('The connection did not stand in time.'), { code: CONNECT_TIMEOUT }));
    }, CONNECT_MS_MAX);
    socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => clearTimeout(late));
    socket.once('close', () => clearTimeout(late));
  });
  return opened;
}

/** Resolves when the head of the answer is there. */
export function sendRequest(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.once('response', resolve);
    request.end(body);
  });
}

/** Null when it is larger than the bound or not UTF-8. */
export function readText(answer: IncomingMessage, { bytesMax }: { bytesMax: number }): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('error', reject);
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= bytesMax) return;
      // Reading on would buy work for a hostile answer.
      answer.destroy();
      resolve(null);
    });
    answer.once('end', () => {
      const raw = Buffer.concat(chunks, bytes);
      resolve(isUtf8(raw) ? raw.toString('utf8') : null);
    });
  });
}
