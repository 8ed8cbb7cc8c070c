// Webhooks on their way to the receiver: at least once, signed anew for each try, in no promised order.
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { fraction } from './behaviour.ts';
import type { EventRecord } from './payment.ts';
import type { Provider, World } from './world.ts';

export type Outbox = { send(event: EventRecord): void; stop(): void };

/** Waits before the tries after the first, in seconds; the last one repeats. */
const LADDER_S = [1, 2, 5, 10, 30, 60];
const TRIES_MAX = 30; // about 25 minutes of a receiver that is away
const SENDING_MAX = 64; // open connections; a receiver on the same machine needs no more
const ANSWER_MS = 10_000; // what real providers grant a receiver
const SHUFFLE_MS = 500; // long enough that events of one payment overtake each other

type Delivery = { event: EventRecord; tried: number };

type Options = {
  world: World;
  url: string;
  providerOf: (name: string) => { provider: Provider; secret: string };
  onDelivered: (eventId: string) => void;
  log: (line: string) => void;
};

type Box = Options & {
  agent: HttpAgent;
  /** By provider; addresses are read once. */
  targets: Map<string, RequestOptions>;
  timers: Set<NodeJS.Timeout>;
  /** A set keeps its order and gives up its first member at no cost, however many wait after a restart. */
  queue: Set<Delivery>;
  sending: number;
  stopped: boolean;
};

export function startOutbox(options: Options): Outbox {
  const agentOptions = { keepAlive: true, maxSockets: SENDING_MAX };
  const agent = isSecure(options) ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const targets = new Map<string, RequestOptions>();
  const box: Box = { ...options, agent, targets, timers: new Set(), queue: new Set(), sending: 0, stopped: false };
  return {
    send: (event) => send(box, event),
    stop() {
      box.stopped = true;
      for (const timer of box.timers) clearTimeout(timer);
      box.timers.clear();
      box.queue.clear();
      agent.destroy();
    },
  };
}

function isSecure({ url }: { url: string }): boolean {
  return url.startsWith('https:');
}

function send(box: Box, event: EventRecord): void {
  const { seed } = box.world.settings.faults;
  const { drop, duplicate, delayMs, shuffle } = box.world.settings.webhooks;
  const chance = (what: string) => fraction([seed, event.payment.key ?? event.id, event.type, what]);
  if (drop > 0 && chance('drop') < drop) {
    box.log(`webhook ${event.id} ${event.type} dropped on request`);
    box.onDelivered(event.id);
    return;
  }
  const waitMs = delayMs + (shuffle ? chance('shuffle') * SHUFFLE_MS : 0);
  enqueue(box, { event, tried: 0 }, waitMs);
  if (duplicate > 0 && chance('duplicate') < duplicate) enqueue(box, { event, tried: 0 }, waitMs);
}

function enqueue(box: Box, delivery: Delivery, waitMs: number): void {
  if (box.stopped) return;
  if (waitMs <= 0) {
    box.queue.add(delivery);
    pump(box);
    return;
  }
  const timer = setTimeout(() => {
    box.timers.delete(timer);
    enqueue(box, delivery, 0);
  }, waitMs);
  box.timers.add(timer);
}

function pump(box: Box): void {
  for (const delivery of box.queue) {
    if (box.sending >= SENDING_MAX) return;
    box.queue.delete(delivery);
    box.sending += 1;
    post(box, delivery.event).then((ok) => {
      box.sending -= 1;
      if (box.stopped) return;
      if (ok) box.onDelivered(delivery.event.id);
      else again(box, delivery);
      pump(box);
    });
  }
}

function again(box: Box, { event, tried }: Delivery): void {
  if (tried + 1 >= TRIES_MAX) {
    box.log(`webhook ${event.id} ${event.type} given up after ${TRIES_MAX} tries`);
    return;
  }
  const waitS = LADDER_S[Math.min(tried, LADDER_S.length - 1)] ?? 60;
  enqueue(box, { event, tried: tried + 1 }, waitS * 1000);
}

function targetOf({ targets }: Box, url: string): RequestOptions {
  const target = targets.get(url) ?? urlToHttpOptions(new URL(url));
  targets.set(url, target);
  return target;
}

/** Resolves to whether the receiver took it; never rejects. */
function post(box: Box, event: EventRecord): Promise<boolean> {
  const { provider, secret } = box.providerOf(event.provider);
  const { world } = box;
  const url = `${box.url}/${provider.name}`;
  const body = provider.webhookBody(event, world);
  const signed = provider.sign({ body, url, secret, atSeconds: Math.floor(world.now() / 1000), event, world });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...signed };
  const request = isSecure(box) ? httpsRequest : httpRequest;
  const taken = Promise.withResolvers<boolean>();
  const options = { ...targetOf(box, url), method: 'POST', agent: box.agent, timeout: ANSWER_MS, headers };
  const sent = request(options, (received) => {
    received.resume();
    const status = received.statusCode ?? 0;
    received.on('end', () => taken.resolve(status >= 200 && status < 300));
    received.on('error', () => taken.resolve(false));
  });
  sent.on('timeout', () => sent.destroy());
  sent.on('error', () => taken.resolve(false));
  sent.on('close', () => taken.resolve(false));
  sent.end(body);
  return taken.promise;
}
