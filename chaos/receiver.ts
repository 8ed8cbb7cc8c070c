// The merchant's own server: believes a message whose signature fits, writes it down before it says 200, and now and
// then fails on purpose, as servers do.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { watchParent } from '../src/runtime/parent.ts';
import { chanceOf } from './chance.ts';
import { type HeardLine, messageOf } from './heard-log.ts';
import { openJournal } from './journal.ts';

const webhook = new Webhook(process.env.CHAOS_SECRET ?? '');
const chance = chanceOf(Number(process.env.CHAOS_SEED));
const journal = openJournal<HeardLine>(process.env.CHAOS_HEARD_LOG ?? '');
/** The first attempt of these is failed; the second comes five seconds later. */
const FAILED_SHARE = 0.02;
const failed = new Set<string>();

watchParent(() => process.exit(1));
const server = createServer(async (request, response) => {
  response.writeHead(await statusFor(request).catch(() => 400)).end();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
await once(server, 'listening');
process.stdout.write('Receiver listens\n');

async function statusFor(request: IncomingMessage): Promise<number> {
  const raw = Buffer.concat(await request.toArray()).toString('utf8');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  try {
    webhook.verify(raw, headers);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await journal.durable({ what: 'refused', reason, at: Date.now() });
    return 401;
  }
  const eventId = headers['webhook-id'] ?? '';
  if (!failed.has(eventId) && chance.fraction(`fails ${eventId}`) < FAILED_SHARE) {
    failed.add(eventId);
    return 503;
  }
  await journal.durable({ what: 'heard', eventId, ...messageOf(JSON.parse(raw)), at: Date.now() });
  return 200;
}
