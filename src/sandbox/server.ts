// The sandbox: stand-in providers on one local port, with a book of the money that really moved. No answer leaves
// before everything it may have seen is on the disk.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, jsonAnswer, type WireRequest } from './answer.ts';
import { type CallLog, callLog } from './call-log.ts';
import { control } from './control.ts';
import { startDelayed } from './delayed.ts';
import { openEffectFile } from './effect-file.ts';
import { claimFile } from './file-claim.ts';
import { startOutbox } from './outbox.ts';
import type { BookRow, Payment } from './payment.ts';
import { isProviderName, PROVIDERS, type ProviderName } from './providers.ts';
import { emptyState } from './state.ts';
import { type Voice, voiceOf, type World } from './world.ts';

export type SandboxOptions = {
  /** 0: any free one. */
  port: number;
  host: '127.0.0.1';
  /** The append-only file that holds everything. */
  dataFile: string;
  /** Events go to `<webhookUrl>/stripe` and so on; null sends none. */
  webhookUrl: string | null;
  /** What each signs its events with, for PayPal the id of the webhook; `sandbox` for one that is not named. */
  webhookSecrets: Partial<Record<ProviderName, string>>;
  log?: (line: string) => void;
};

export type Sandbox = { port: number; url: string; book(): BookRow[]; close(): Promise<void> };

const BODY_BYTES_MAX = 1 << 20;
const ABANDON_MS = 3_000; // long enough to look at a pay-in that waits, short enough for tests
const HELD_MS = 120_000; // longer than any caller's time-out, and not for ever
const KEEP_ALIVE_MS = 65_000; // longer than callers keep idle connections, so that they close them and not we

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { log = () => undefined } = options;
  const calls = callLog();
  const release = await claimFile(options.dataFile);
  const opened = await openWorld(options, log).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const { world, durable } = opened;
  const stop = async () => {
    await opened.stop();
    await release();
  };
  const server = createServer((request, response) => {
    serve({ request, response, world, calls, durable }).catch((error: unknown) => {
      // A caller that hung up while sending its body is no fault of ours.
      if (!request.errored) log(`request failed: ${error instanceof Error ? error.stack : String(error)}`);
      response.destroy();
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = KEEP_ALIVE_MS + 1_000;
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(options.port, options.host, listening.resolve);
  try {
    await listening.promise;
  } catch (error) {
    await stop();
    throw error;
  }
  const port = portOf(server.address());
  const url = `http://${options.host}:${port}`;
  opened.begin(url);
  return {
    port,
    url,
    book: () => [...world.state.book],
    async close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
      await stop();
    },
  };
}

async function openWorld(options: SandboxOptions, log: (line: string) => void) {
  const state = emptyState();
  const file = openEffectFile(options.dataFile, (effect) => state.apply(effect));
  const counts = new Map<string, number>();
  let ownUrl = '';
  const world: World = {
    state,
    settings: {
      faults: { seed: 1, rates: [], latencyMs: 0 },
      webhooks: { duplicate: 0, drop: 0, delayMs: 0, shuffle: false },
      retentionMs: null,
      fees: {},
      abandonMs: ABANDON_MS,
      tokens: { ms: null, voidBefore: 0 },
    },
    inFlight: new Set(),
    now: () => Date.now(),
    url: () => ownUrl,
    countCall(keyName) {
      const count = (counts.get(keyName) ?? 0) + 1;
      counts.set(keyName, count);
      return count;
    },
    commit(effect) {
      const { events } = state.apply(effect);
      file.append(JSON.stringify(effect));
      if (effect.payment) delayed.schedule(effect.payment);
      if (events.length > 0 && outbox) {
        file.durable().then(
          () => events.forEach(outbox.send),
          () => undefined,
        );
      }
    },
  };
  const delayed = startDelayed(world, voiceFor);
  const outbox =
    options.webhookUrl === null
      ? null
      : startOutbox({
          world,
          url: options.webhookUrl.replace(/\/$/, ''),
          providerOf: (name) => ({
            provider: PROVIDERS[known(name)],
            secret: options.webhookSecrets[known(name)] ?? 'sandbox',
          }),
          onDelivered(eventId) {
            const effect = { at: world.now(), delivered: eventId };
            state.apply(effect);
            file.note(JSON.stringify(effect));
          },
          log,
        });
  // Events name the sandbox's own address, so what an earlier run left waits until there is one.
  const begin = (url: string) => {
    ownUrl = url;
    for (const payment of state.withDue()) delayed.schedule(payment);
    for (const event of outbox ? state.undelivered() : []) outbox?.send(event);
  };
  const stop = async () => {
    delayed.stop();
    outbox?.stop();
    await file.close();
  };
  return { world, durable: () => file.durable(), begin, stop };
}

function voiceFor(payment: Payment): Voice {
  return voiceOf(PROVIDERS[known(payment.provider)], payment);
}

function known(name: string): ProviderName {
  if (isProviderName(name)) return name;
  throw new Error(`The sandbox file speaks of "${name}", a provider this version does not know. Use a newer version.`);
}

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  world: World;
  calls: CallLog;
  durable: () => Promise<void>;
};

async function serve({ request, response, world, calls, durable }: Exchange): Promise<void> {
  const body = await readBody(request);
  const at = world.now();
  const { provider, wire } = address(request, body ?? '');
  const answer = body === null ? tooLarge() : handle(provider, wire, world, calls);
  try {
    await durable();
    const { latencyMs } = world.settings.faults;
    if (provider && latencyMs > 0) await wait(latencyMs, undefined, { ref: false });
  } finally {
    if (answer.inFlight !== null) world.inFlight.delete(answer.inFlight);
  }
  if (provider) calls.add({ provider, request: wire, answer, at });
  if (answer.delayMs > 0) await wait(answer.delayMs, undefined, { ref: false });
  if (answer.act === 'hold') await callerGone(response);
  if (answer.act === 'send') send(response, answer);
  else if (!request.socket.destroyed) request.socket.resetAndDestroy();
}

/** Resolves when the caller hangs up, or when it has been kept waiting long enough. */
function callerGone(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  const gone = Promise.withResolvers<void>();
  const timer = setTimeout(gone.resolve, HELD_MS);
  response.once('close', gone.resolve);
  return gone.promise.finally(() => clearTimeout(timer));
}

function address(request: IncomingMessage, body: string): { provider: ProviderName | null; wire: WireRequest } {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const whole = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  const name = whole.split('/', 2)[1] ?? '';
  const provider = isProviderName(name) ? name : null;
  const path = decoded(provider ? whole.slice(name.length + 1) : whole);
  return { provider, wire: { method: request.method ?? 'GET', path, query, headers: request.headers, body } };
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function handle(provider: ProviderName | null, request: WireRequest, world: World, calls: CallLog): Answer {
  return provider ? PROVIDERS[provider].handle(request, world) : control({ request, world, calls, voiceFor });
}

/** The body as text, or null when it is too long; the rest is then read and thrown away so that the answer arrives. */
function readBody(request: IncomingMessage): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_BYTES_MAX) chunks.push(chunk);
    });
    request.once('end', () => resolve(size > BODY_BYTES_MAX ? null : Buffer.concat(chunks).toString('utf8')));
    request.once('error', reject);
  });
}

function tooLarge(): Answer {
  const message = `The body is longer than ${BODY_BYTES_MAX} bytes. Send less.`;
  return jsonAnswer(413, { error: { code: 'body_too_large', message } });
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  if (response.destroyed) return;
  if (typeof body === 'string') {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(body);
    return;
  }
  response.writeHead(status, headers);
  for (const piece of body) response.write(piece);
  response.end();
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the sandbox got no port');
  return address.port;
}
