// The client of the fault test: its log outlives it, and its wires know what is in flight on them.

import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chanceOf } from '../../chaos/chance.ts';
import { type ClientLine, parseClientLine } from '../../chaos/client-log.ts';
import { openJournal, readJournal } from '../../chaos/journal.ts';
import { readOptions, UsageError } from '../../chaos/options.ts';
import { freePorts } from '../../chaos/ports.ts';
import { openWire } from '../../chaos/wire.ts';
import { until } from '../harness/process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'remit-chaos-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a line that was half-written when the client was killed is no line, and harms none after it', async () => {
  const file = join(folder, 'client.jsonl');
  const first = openJournal<ClientLine>(file);
  await first.durable({ what: 'told', story: 1, at: 1 });
  first.close();
  appendFileSync(file, '{"what":"told","sto');
  const second = openJournal<ClientLine>(file);
  await Promise.all([2, 3].map((story) => second.durable({ what: 'told', story, at: story })));
  second.close();
  expect(readJournal(file, parseClientLine).map((line) => line.what === 'told' && line.story)).toEqual([1, 2, 3]);
});

test('the same seed draws the same, whatever was drawn before', () => {
  const [one, other] = [chanceOf(7), chanceOf(7)];
  other.fraction('something else');
  expect(one.whole('amount', 1, 1_000_000)).toBe(other.whole('amount', 1, 1_000_000));
  expect(one.shuffled('order', [1, 2, 3, 4, 5])).toEqual(other.shuffled('order', [1, 2, 3, 4, 5]));
  expect(chanceOf(8).fraction('amount')).not.toBe(one.fraction('amount'));
});

test('wrong usage is refused in words', () => {
  expect(readOptions(['--help'])).toBeNull();
  expect(readOptions(['--seed', '7', '--seconds', '40', '--backend', 'postgres'])).toEqual({
    seed: 7,
    seconds: 40,
    backend: 'postgres',
    json: false,
  });
  for (const wrong of [['--seconds', '5'], ['--seed', 'x'], ['--backend', 'kafka'], ['--unknown']]) {
    expect(() => readOptions(wrong)).toThrow(UsageError);
  }
});

test('a wire counts questions without an answer, and hangs, heals and breaks', async () => {
  const [port = 0] = await freePorts(1);
  const server = await mirrorOn(port);
  const wire = await openWire(() => [port]);
  const socket = connect({ port: wire.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  let heard = '';
  socket.on('data', (piece) => {
    heard += piece;
  });
  const isHeard = (text: string) => () => heard === text;

  socket.write('a');
  await until('the echo', isHeard('a'), 5_000);
  expect(wire.waiting()).toBe(0);
  socket.write('hold');
  await until('it waits', () => wire.waiting() === 1, 5_000);

  wire.trouble('hung');
  expect(wire.met()).toBe(1);
  socket.write('b');
  expect(heard).toBe('a');
  wire.heal();
  await until('the echo after the trouble', isHeard('ab'), 5_000);

  wire.trouble('reset');
  await until('it is broken', () => socket.destroyed, 5_000);
  wire.heal();
  await wire.close();
  server.close();
});

test('a wire keeps answers back, and counts those that somebody paid for', async () => {
  const [port = 0] = await freePorts(1);
  const server = await mirrorOn(port);
  const wire = await openWire(() => [port]);
  wire.trouble('unanswered');
  let heard = '';
  const ask = (question: string) => {
    const socket = connect({ port: wire.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      heard += piece;
    });
    socket.write(question);
    return socket;
  };

  const looking = ask('GET /payments/1');
  await until('it waits', () => wire.waiting() === 1, 5_000);
  const paying = ask('POST /payments');
  await until('its answer is kept', () => wire.withheld() === 1, 5_000);
  expect(heard).toBe('');
  expect(wire.waiting()).toBe(2);

  wire.heal();
  paying.write('again');
  await until('the echo after the trouble', () => heard === 'again', 5_000);
  for (const socket of [looking, paying]) socket.destroy();
  await wire.close();
  server.close();
});

/** Says what it hears, unless it is asked to hold its answer. */
async function mirrorOn(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (piece) => {
      if (!piece.toString().includes('hold')) socket.write(piece);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
