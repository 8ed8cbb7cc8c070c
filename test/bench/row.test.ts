// The pure parts of the bench: rows and ratios, who pays whom, and what a settings table says of durability.

import { describe, expect, it } from 'vitest';
import { unsafeSettings } from '../../bench/database.ts';
import { createDraw, drawPair } from '../../bench/draw.ts';
import { best, rowOf, tableLine } from '../../bench/row.ts';
import { readAnswer } from '../../bench/wire.ts';

const PLACE = { backend: 'redis', cores: 2, isUnsafe: false } as const;

describe('a row', () => {
  it('has the figure, its baseline and their ratio', () => {
    const row = rowOf({ name: 'drain_uniform', value: 4_500.4, baseline: 3_000, note: 'rounds 1' }, PLACE);
    expect(row).toMatchObject({
      name: 'drain_uniform',
      unit: 'transfers/s',
      value: 4_500,
      baseline: 3_000,
      ratio: 1.5,
    });
    expect(row).toMatchObject({ backend: 'redis', cores: 2, note: expect.stringMatching(/^a backlog .*; rounds 1$/) });
    expect(Object.keys(row)).not.toContain('p99_ms');
    expect(Object.keys(row)).not.toContain('unsafe');
  });

  it('has no ratio where nothing is compared, and latencies where they were measured', () => {
    const figure = { name: 'latency_half_load', value: 12.345, baseline: null, p50Ms: 4.2, p99Ms: 12.345 } as const;
    expect(rowOf(figure, PLACE)).toMatchObject({
      value: 12.35,
      baseline: null,
      ratio: null,
      p50_ms: 4.2,
      p99_ms: 12.35,
    });
  });

  it('says in JSON and in the table that the database may lose commits', () => {
    const row = rowOf({ name: 'http_single', value: 10, baseline: 20 }, { ...PLACE, isUnsafe: true });
    expect(row).toMatchObject({ unsafe: true, ratio: 0.5 });
    expect(tableLine(row)).toMatch(/^http_single .*10 .*20 .*0.5 .*redis .*UNSAFE POST/);
  });

  it('is of the best round', () => {
    expect(best([3, 5, 4])).toBe(5);
  });
});

describe('durability', () => {
  const safe = { version: '18', fsync: 'on', synchronousCommit: 'on', fullPageWrites: 'on' };
  it.each([
    { settings: safe, missing: [] },
    { settings: { ...safe, synchronousCommit: 'remote_apply' }, missing: [] },
    { settings: { ...safe, fsync: 'off', synchronousCommit: 'off' }, missing: ['fsync', 'synchronous_commit'] },
    { settings: { ...safe, fullPageWrites: 'off' }, missing: ['full_page_writes'] },
  ])('$settings lacks $missing', ({ settings, missing }) => {
    expect(unsafeSettings(settings)).toEqual(missing);
  });
});

describe('who pays whom', () => {
  it('never pays itself, is spread over all, and is the same in every run', () => {
    const drawAll = () => {
      const draw = createDraw(7);
      return Array.from({ length: 5_000 }, () => drawPair(draw, { count: 50, isHot: false }));
    };
    const pairs = drawAll();
    expect(pairs.filter(([from, to]) => from === to || from >= 50 || to >= 50)).toEqual([]);
    expect(new Set(pairs.flat()).size).toBe(50);
    expect(drawAll()).toEqual(pairs);
  });

  it('debits one wallet when it is hot', () => {
    const draw = createDraw(7);
    const pairs = Array.from({ length: 500 }, () => drawPair(draw, { count: 50, isHot: true }));
    expect(pairs.every(([from, to]) => from === 0 && to > 0 && to < 50)).toBe(true);
  });
});

describe('an answer on the wire', () => {
  const whole = 'HTTP/1.1 202 Accepted\r\nContent-Length: 7\r\nX: y\r\n\r\n{"a":1}';
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n';

  it.each([
    { text: whole, status: 202 },
    { text: chunked, status: 200 },
  ])('is read whole, and not before', ({ text, status }) => {
    const bytes = Buffer.from(text);
    for (let length = 0; length < bytes.length; length += 1) expect(readAnswer(bytes.subarray(0, length))).toBeNull();
    expect(readAnswer(Buffer.concat([bytes, Buffer.from('HTTP')]))).toEqual({
      answer: { status, body: '{"a":1}' },
      length: bytes.length,
    });
  });
});
