// Webhooks of every provider and kind, as the sandbox really sends them: before the answer, twice, out of order, late,
// forged and stale. An event only says where to look; what holds is what the look says.

import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest';
import { PaymentError } from '../../src/domain/errors.ts';
import type { ProviderEvent } from '../../src/domain/provider.ts';
import { type Life, readyOperation, startLife } from './contract-life.ts';
import {
  type Asked,
  bookOf,
  LINES,
  type Line,
  namedLines,
  nameOf,
  type Operation,
  paymentsOf,
  referenceOf,
} from './contract-lines.ts';
import { nthChange, openWire } from './contract-wire.ts';
import { outcomeOf } from './outcome.ts';
import { type Delivery, LIMITS, type Made, openRig, type Rig } from './rig.ts';

const TERMS = { ...LIMITS, graceMs: 500 };
const PATIENCE = { timeout: 15_000 };
/** What a look says after money came back, where it is not that all of it was taken back. */
const RETURNED: Readonly<Record<string, string>> = {
  // At Stripe the bank's taking it back is a dispute that is lost as it begins.
  'stripe payin': 'succeeded',
  // They show such a refund as one that never was; against a success on file that is a discrepancy.
  'square refund': 'declined:declined',
  'paypal refund': 'declined:declined',
};

/** Proved by asking back instead of by a signature. */
const UNSIGNED: ReadonlySet<Made> = new Set<Made>(['tipalti']);
/** How many milliseconds from its signed time a webhook is stale; of the others only the event's id tells a replay. */
const STALE: Readonly<Partial<Record<Made, readonly number[]>>> = {
  stripe: [310_000, -310_000],
  // PayPal keeps the time of its first try for three days of tries.
  paypal: [4.01 * 24 * 60 * 60 * 1000, -310_000],
  demobank: [310_000, -310_000],
};

let rig: Rig;
/** Its events arrive twice and in no order. */
let unruly: Rig;
/** Its provider forgets every key at once. */
let forgetful: Rig;

beforeAll(async () => {
  rig = await openRig();
  unruly = await openRig();
  forgetful = await openRig();
  await forgetful.control('/retention', { ms: 1 });
  await unruly.control('/webhooks', { duplicate: 1, shuffle: true });
});

afterAll(() => Promise.all([rig.close(), unruly.close(), forgetful.close()]));

describe.concurrent.each(namedLines(LINES))('%s', (_name, line) => {
  test('an event that comes before the answer leads to the same payment', async ({ expect }) => {
    const operation = await readyOperation(rig, line, { word: 'ok', label: 'early' });
    const wire = await openWire(rig.url, (_at, { method, path }) => {
      const moves = line.stages === 1 || /\/(confirm|complete|capture)$/.test(path);
      return method === 'POST' && moves && !path.includes('token') ? 'hold_answer' : 'pass';
    });
    try {
      const life = startLife(rig.make(line.name, { via: wire.url }), operation, TERMS);
      const settled = life.settle();
      const named = () => rig.deliveries.find(({ event }) => event?.pkid === operation.pkid)?.event;
      const event = await expect.poll(named, PATIENCE).toBeDefined().then(named);
      if (event === undefined || event === null) throw new Error('An event should have come.');
      expect(event.subject).toBe(line.kind);
      // It may be the event of a first step, while the second is on its way.
      await expect.poll(() => look(rig, operation, event), PATIENCE).toBe('succeeded');
      wire.release();
      expect(await settled).toBe('succeeded');
      expect(event.externId).toBe(life.success()?.externId);
      expect(rig.moved(operation.pkid)).toEqual([bookOf(operation)]);
    } finally {
      wire.release();
      wire.close();
    }
  });

  test('events that come twice and in any order all lead to what holds now', async ({ expect }) => {
    const { operation, life } = await settled(unruly, line, { word: 'pending', label: 'unruly' });
    const copies = () => Map.groupBy(eventsOf(unruly, operation, life), ({ eventId }) => eventId);
    await expect
      .poll(() => [...copies().values()].filter((some) => some.length === 2).length, PATIENCE)
      .toBeGreaterThan(0);
    await expect.poll(() => [...copies().values()].every((some) => some.length === 2), PATIENCE).toBe(true);
    for (const event of eventsOf(unruly, operation, life)) {
      expect(await look(unruly, operation, event)).toBe('succeeded');
    }
    expect(unruly.moved(operation.pkid)).toEqual([bookOf(operation)]);
  });

  test('an event of an earlier state, delivered once more after the end, changes nothing', async ({ expect }) => {
    const { operation, life } = await settled(rig, line, { word: 'pending', label: 'late' });
    await expect.poll(() => eventsOf(rig, operation, life).length, PATIENCE).toBeGreaterThan(0);
    const [oldest] = rig.deliveries.filter(({ event }) => event !== null && isAbout(event, operation, life));
    if (oldest?.event === null || oldest === undefined) throw new Error('An event should have come.');
    const again = await rig.make(line.name).parseWebhook(oldest.raw, oldest.headers, new Date());
    expect(again.eventId).toBe(oldest.event.eventId);
    expect(await look(rig, operation, again)).toBe('succeeded');
  });

  test('money that came back is told by an event and by the look it leads to', async ({ expect }) => {
    const { operation, life } = await settled(rig, line, { word: 'bounce', label: 'returned' });
    const reference = referenceOf(operation, life.externId());
    const found = () => outcomeOf(paymentsOf(rig.make(line.name), operation).find(reference, LIMITS));
    const expected = RETURNED[nameOf(line)] ?? `succeeded:reversed ${operation.money.amountMinor}`;
    await expect.poll(found, PATIENCE).toBe(expected);
    // One for the success, one for the return; a dispute's event names the dispute instead.
    if (expected === 'succeeded') return;
    await expect.poll(() => eventsOf(rig, operation, life).length, PATIENCE).toBeGreaterThan(1);
  });
});

describe.concurrent.each(namedLines(LINES.filter(({ kind }) => kind === 'payin')))('%s', (_name, line) => {
  test.for(['won', 'lost'] as const)(
    'a dispute that is %s is told by an event and by the look it leads to',
    async (end, { expect }) => {
      const { operation, life } = await settled(rig, line, { word: `dispute_${end}`, label: 'disputed' });
      const { findDispute } = rig.make(line.name);
      const views = async () => {
        const ids = rig.deliveries.flatMap(({ name, event }) =>
          name === line.name && event?.subject === 'dispute' && event.externId !== null ? [event.externId] : [],
        );
        const found = await Promise.all([...new Set(ids)].map((id) => findDispute?.(id, LIMITS)));
        return found.filter((view) => view?.payinExternId === life.externId());
      };
      await expect.poll(views, PATIENCE).toMatchObject([{ money: operation.money, status: end }]);
    },
  );
});

describe.concurrent.each(namedLines(LINES.filter(({ kind }) => kind === 'refund')))('%s', (_name, line) => {
  test('a refund is known by its id alone, whoever made it', async ({ expect }) => {
    const { operation, life } = await settled(rig, line, { word: 'ok', label: 'viewed' });
    const { pkid, payinExternId, money } = operation;
    const view = await rig.make(line.name).findRefund?.(life.externId() ?? '', LIMITS);
    expect(view).toEqual({ externId: life.externId(), pkid, payinExternId, money, status: 'succeeded' });
  });
});

const ORPHANING = LINES.filter(({ stages, isFindable }) => stages === 2 && !isFindable);

describe.concurrent.each(namedLines(ORPHANING))('%s', (_name, line) => {
  test('an event of an older attempt, whose first step was lost, does not stand for the payment', async ({
    expect,
  }) => {
    const operation = await readyOperation(forgetful, line, { word: 'ok', label: 'older' });
    const wire = await openWire(forgetful.url, nthChange({ nth: 0, fate: 'lose_answer' }));
    try {
      const life = startLife(forgetful.make(line.name, { via: wire.url }), operation, TERMS);
      expect(await life.settle()).toBe('succeeded');
      const older = () => eventsOf(forgetful, operation, life).find(({ externId }) => externId !== life.externId());
      await expect.poll(older, PATIENCE).toBeDefined();
      const event = older();
      if (event === undefined) throw new Error('An event of the older attempt should have come.');
      expect(await look(forgetful, operation, event)).toBe('pending:awaits_confirm');
      expect(await look(forgetful, operation, { ...event, externId: life.externId() })).toBe('succeeded');
      expect(forgetful.moved(operation.pkid)).toEqual([bookOf(operation)]);
    } finally {
      wire.close();
    }
  });
});

const NAMES = [...new Set(LINES.map(({ name }) => name))];

describe.each(NAMES)('a webhook of %s', (name) => {
  test('is refused when it was changed, stripped or signed by somebody else', async ({ expect }) => {
    const { raw, headers, receivedAt } = await genuine(expect, { name, label: 'forged' });
    const adapter = rig.make(name);
    const parse = (body: Buffer, given = headers, by = adapter) =>
      verdictOf(() => by.parseWebhook(body, given, receivedAt));
    expect(await parse(raw)).toBe('accepted');
    expect(await parse(Buffer.concat([raw, Buffer.from(' ')]))).toBe('invalid-signature');
    expect(await parse(Buffer.from(raw.toString().replace(/[0-9]/, anotherDigit)))).toBe('invalid-signature');
    if (UNSIGNED.has(name)) return;
    expect(await parse(raw, {})).toBe('invalid-signature');
    expect(await parse(raw, headers, rig.make(name, { webhookSecret: 'another' }))).toBe('invalid-signature');
  });

  test('is stale far from the time that is signed, and is no less genuine where none is', async ({ expect }) => {
    const { raw, headers, receivedAt } = await genuine(expect, { name, label: 'stale' });
    const at = (offsetMs: number) =>
      verdictOf(() => rig.make(name).parseWebhook(raw, headers, new Date(receivedAt.getTime() + offsetMs)));
    for (const offsetMs of STALE[name] ?? []) expect(await at(offsetMs)).toBe('stale-timestamp');
    if (STALE[name] === undefined) expect(await at(310_000)).toBe('accepted');
  });
});

async function settled(where: Rig, line: Line, asked: Asked): Promise<{ operation: Operation; life: Life }> {
  const operation = await readyOperation(where, line, asked);
  const life = startLife(where.make(line.name), operation, TERMS);
  const end = await life.settle();
  if (end !== 'succeeded') throw new Error(`It should have succeeded, and ended as ${end}.`);
  return { operation, life };
}

/** By our reference where the event carries it, else by the provider's id. */
function isAbout(event: ProviderEvent, { kind, pkid }: Operation, life: Life): boolean {
  if (event.subject !== kind) return false;
  return event.pkid === null ? event.externId === life.externId() : event.pkid === pkid;
}

function eventsOf(where: Rig, operation: Operation, life: Life): ProviderEvent[] {
  return where.deliveries.flatMap(({ event }) => (event !== null && isAbout(event, operation, life) ? [event] : []));
}

/** What a worker finds that knows nothing but the event. */
function look(where: Rig, operation: Operation, { externId }: ProviderEvent): Promise<string> {
  return outcomeOf(paymentsOf(where.make(operation.name), operation).find(referenceOf(operation, externId), LIMITS));
}

async function genuine(expect: ExpectStatic, { name, label }: { name: Made; label: string }): Promise<Delivery> {
  const line = LINES.find((one) => one.name === name);
  if (line === undefined) throw new Error(`Nothing runs on ${name}.`);
  await settled(rig, line, { word: 'ok', label });
  const found = () => rig.deliveries.find((one) => one.name === name && one.event !== null);
  await expect.poll(found, PATIENCE).toBeDefined();
  const delivery = found();
  if (delivery === undefined) throw new Error('An event should have come.');
  return delivery;
}

async function verdictOf(parse: () => ProviderEvent | Promise<ProviderEvent>): Promise<string> {
  try {
    await parse();
    return 'accepted';
  } catch (error) {
    if (error instanceof PaymentError) return error.code;
    throw error;
  }
}

function anotherDigit(digit: string): string {
  return digit === '9' ? '1' : '9';
}
