// Webhooks on their way to the receiver: at least once, signed anew for each try, in no promised order.
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
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

export function startOutbox(options: {
  world: World;
  url: string;
  providerOf: (name: string) => { provider: Provider; secret: string };
  onDelivered: (eventId: string) => void;
  log: (line: string) => void;
}): Outbox {
  const { world, url, providerOf, onDelivered, log } = options;
  const secure = url.startsWith('https:');
  const agentOptions = { keepAlive: true, maxSockets: SENDING_MAX };
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  const timers = new Set<NodeJS.Timeout>();
  // A set keeps its order and gives up its first member at no cost, however many wait after a restart.
  const queue = new Set<Delivery>();
  let sending = 0;
  let stopped = false;

  function send(event: EventRecord): void {
    const { seed } = world.settings.faults;
    const { drop, duplicate, delayMs, shuffle } = world.settings.webhooks;
    const chance = (what: string) => fraction([seed, event.payment.key ?? event.id, event.type, what]);
    if (chance('drop') < drop) {
      log(`webhook ${event.id} ${event.type} dropped on request`);
      onDelivered(event.id);
      return;
    }
    const waitMs = delayMs + (shuffle ? chance('shuffle') * SHUFFLE_MS : 0);
    enqueue({ event, tried: 0 }, waitMs);
    if (chance('duplicate') < duplicate) enqueue({ event, tried: 0 }, waitMs);
  }

  function enqueue(delivery: Delivery, waitMs: number): void {
    if (stopped) return;
    if (waitMs <= 0) {
      queue.add(delivery);
      pump();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      enqueue(delivery, 0);
    }, waitMs);
    timers.add(timer);
  }

  function pump(): void {
    for (const delivery of queue) {
      if (sending >= SENDING_MAX) return;
      queue.delete(delivery);
      sending += 1;
      attempt(delivery, (ok) => {
        sending -= 1;
        if (stopped) return;
        if (ok) onDelivered(delivery.event.id);
        else again(delivery);
        pump();
      });
    }
  }

  function again({ event, tried }: Delivery): void {
    if (tried + 1 >= TRIES_MAX) {
      log(`webhook ${event.id} ${event.type} given up after ${TRIES_MAX} tries`);
      return;
    }
    const waitS = LADDER_S[Math.min(tried, LADDER_S.length - 1)] ?? 60;
    enqueue({ event, tried: tried + 1 }, waitS * 1000);
  }

  function attempt({ event }: Delivery, done: (ok: boolean) => void): void {
    const { provider, secret } = providerOf(event.provider);
    const body = provider.webhookBody(event);
    const headers = provider.sign({ body, secret, atSeconds: Math.floor(world.now() / 1000) });
    const post = secure ? httpsRequest : httpRequest;
    const once = Promise.withResolvers<boolean>();
    once.promise.then(done);
    const sent = post(
      `${url}/${provider.name}`,
      {
        method: 'POST',
        agent,
        timeout: ANSWER_MS,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers },
      },
      (received) => {
        received.resume();
        const status = received.statusCode ?? 0;
        received.on('end', () => once.resolve(status >= 200 && status < 300));
        received.on('error', () => once.resolve(false));
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => once.resolve(false));
    sent.on('close', () => once.resolve(false));
    sent.end(body);
  }

  return {
    send,
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      queue.clear();
      agent.destroy();
    },
  };
}
