// What is lost on the wire: each request and each answer of a payment's way, one at a time and all in turn; and what a
// provider has forgotten, which is never sent again but goes to review.

import { afterAll, beforeAll, describe, type ExpectStatic, test } from 'vitest';
import { type Life, readyOperation, startLife } from './contract-life.ts';
import { bookOf, LINES, type Line, namedLines, type Operation, operationOf } from './contract-lines.ts';
import { type Fate, nthChange, openWire, type Seen, type Wire } from './contract-wire.ts';
import { LIMITS, openRig, type Rig } from './rig.ts';

const TERMS = { ...LIMITS, graceMs: 300 };
const RETENTION_MS = 60_000;

let rig: Rig;
/** Its provider forgets every key at once. */
let forgetful: Rig;

beforeAll(async () => {
  rig = await openRig();
  forgetful = await openRig();
  await forgetful.control('/retention', { ms: 1 });
});

afterAll(() => Promise.all([rig.close(), forgetful.close()]));

describe.concurrent.each(namedLines(LINES))('%s', (_name, line) => {
  test('wherever one request or its answer is lost, money moves once', async ({ expect }) => {
    const clean = await travel(line, { label: 'clean', fateOf: () => 'pass' });
    expect(clean.outcome).toEqual(['succeeded', 1]);
    const losses = clean.seen.flatMap((seen, position) =>
      (['lose_request', 'lose_answer'] as const).map((fate) => ({
        fate,
        position,
        label: `${position}:${fate}`,
        seen,
      })),
    );
    expect(losses.length).toBeGreaterThan(0);
    const outcomes = await Promise.all(
      losses.map(async ({ fate, position, label, seen }) => {
        const fateOf = (at: number): Fate => (at === position ? fate : 'pass');
        return [`${label} of ${seen.method}`, (await travel(line, { label, fateOf })).outcome] as const;
      }),
    );
    expect(outcomes).toEqual(outcomes.map(([name]) => [name, ['succeeded', 1]]));
  });

  test('when every answer is lost at its first time, money moves once', async ({ expect }) => {
    const { outcome } = await travel(line, { label: 'all', fateOf: losingFirst() });
    expect(outcome).toEqual(['succeeded', 1]);
  });

  const positions = line.stages === 1 ? ([0] as const) : ([0, 1] as const);
  test.for(positions)(
    'a call (%i) that was lost and whose key is forgotten is never sent again',
    async (nth, { expect }) => {
      for (const fate of ['lose_request', 'lose_answer'] as const) {
        const forgotten = await forget(line, { nth, fate });
        try {
          await judgeForgotten(expect, { line, nth, fate, ...forgotten });
        } finally {
          forgotten.wire.close();
        }
      }
    },
  );
});

describe.concurrent.each(namedLines(LINES.filter(({ kind }) => kind === 'refund')))('%s', (_name, line) => {
  test('a refund that never arrived is not taken for another one of the same pay-in', async ({ expect }) => {
    const first = await readyOperation(rig, line, { word: 'ok', label: 'first' });
    expect(await startLife(rig.make(line.name), first, TERMS).settle()).toBe('succeeded');
    const { payinExternId } = first;
    const second = { ...operationOf(line, { word: 'ok', label: 'second' }), payinExternId };
    const wire = await openWire(rig.url, nthChange({ nth: 0, fate: 'lose_request' }));
    try {
      const life = startLife(rig.make(line.name, { via: wire.url }), second, TERMS);
      expect(await life.settle()).toBe('succeeded');
      expect(rig.moved(second.pkid)).toEqual([bookOf(second)]);
    } finally {
      wire.close();
    }
  });
});

/** A payment's whole way over a wire of its own, with an adapter that knows nothing yet. */
async function travel(line: Line, { label, fateOf }: { label: string; fateOf: (at: number, seen: Seen) => Fate }) {
  const operation = await readyOperation(rig, line, { word: 'ok', label });
  const wire = await openWire(rig.url, fateOf);
  try {
    const end = await startLife(rig.make(line.name, { via: wire.url }), operation, TERMS).settle();
    const moved = rig.moved(operation.pkid);
    const isExact = moved.every((row) => JSON.stringify(row) === JSON.stringify(bookOf(operation)));
    return { outcome: [isExact ? end : 'another amount', moved.length], seen: wire.seen };
  } finally {
    wire.close();
  }
}

function losingFirst(): (at: number, seen: Seen) => Fate {
  const known = new Set<string>();
  return (_at, { method, path }) => {
    // Ids differ and queries carry times; the shape of the path tells what is asked.
    const shape = `${method} ${path.replace(/\?.*/, '').replace(/[A-Za-z0-9_-]{16,}/g, '*')}`;
    if (known.has(shape)) return 'pass';
    known.add(shape);
    return 'lose_answer';
  };
}

interface Forgotten {
  readonly operation: Operation;
  readonly life: Life;
  readonly wire: Wire;
}

/** Loses the nth call that changes something, and puts the clock forward to where the provider forgets. */
async function forget(line: Line, { nth, fate }: { nth: number; fate: Fate }): Promise<Forgotten> {
  const operation = await readyOperation(forgetful, line, { word: 'ok', label: `forgotten:${nth}:${fate}` });
  const wire = await openWire(forgetful.url, nthChange({ nth, fate }));
  const provider = forgetful.make(line.name, { via: wire.url, keyRetentionMs: RETENTION_MS });
  const life = startLife(provider, operation, { ...TERMS, graceMs: RETENTION_MS / 2 });
  await life.claim();
  await life.claim();
  life.jump(RETENTION_MS);
  return { operation, life, wire };
}

interface Case extends Forgotten {
  readonly line: Line;
  readonly nth: number;
  readonly fate: Fate;
}

async function judgeForgotten(expect: ExpectStatic, { line, nth, fate, operation, life }: Case) {
  const isFirstOfTwo = line.stages === 2 && nth === 0;
  const isFindable = line.isFindable || (line.stages === 2 && nth === 1);
  const isTaken = fate === 'lose_answer';
  // A first step moves nothing, as a rule: without it the payment is over, and one that is found is confirmed.
  const lost = isFirstOfTwo && line.mayMoveAtSend !== true ? 'failed:expired' : 'review:key_expired';
  expect(await life.settle()).toBe(isTaken && isFindable ? 'succeeded' : lost);
  for (const called of ['send', 'confirm']) {
    expect(life.steps.filter((step) => step === called).length).toBeLessThanOrEqual(1);
  }
  const isMoved = isTaken && (isFindable || !isFirstOfTwo);
  expect(forgetful.moved(operation.pkid)).toEqual(isMoved ? [bookOf(operation)] : []);
  if (!isMoved || isFindable) return;
  // What the review has kept from happening.
  await startLife(forgetful.make(line.name), operation, TERMS).settle();
  expect(forgetful.moved(operation.pkid)).toHaveLength(2);
}
