// Ids are promises to the outside: a pkid that changed would be a second payment.

import { describe, expect, test } from 'vitest';
import {
  isPkid,
  jobIdOf,
  KEY_PATTERN,
  OPERATION_KINDS,
  pkidOf,
  postingIdOf,
  stepKeyOf,
  timedPostingIdOf,
  uuidV5,
} from '../../src/domain/id.ts';

test('a name-based UUID is the one that RFC 9562 computes (appendix A.4)', () => {
  expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
    '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  );
});

// Computed once and never to be changed: these ids are in databases and at providers.
test.each([
  ['payin', '285ee19a-2aa6-5da0-94a8-8cad3091706a'],
  ['payout', 'ec981ca0-8571-5b34-9b33-5362a037705a'],
  ['refund', '909fc111-d103-5ec4-97c6-f2adeff2279a'],
  ['transfer', '16750d86-6382-507c-9e95-a3be19185d27'],
  ['adjustment', '4590468f-56c4-5468-925a-c8974124732e'],
  ['treasury', '76c70bfb-8165-51a3-83de-b22df463af4a'],
] as const)('the pkid of the %s "order:42" is what it has always been', (kind, pkid) => {
  expect(pkidOf(kind, 'order:42')).toBe(pkid);
});

test('posting ids and step keys are what they have always been, and all different', () => {
  const pkid = pkidOf('payout', 'order:42');
  expect(postingIdOf(pkid, 'settle')).toBe('faf05e33-11ee-54f8-87ec-9b75fb75a86c');
  expect(stepKeyOf(pkid, 'confirm')).toBe('e9ade8a8-44e3-5a09-b37a-c2516a285400');
  const all = [pkid, postingIdOf(pkid, 'settle'), postingIdOf(pkid, 'confirm'), stepKeyOf(pkid, 'confirm')];
  expect(new Set([...all, stepKeyOf(pkid, 'settle')]).size).toBe(5);
});

test('the id of a posting of a kind of many begins with the time of the operation and never differs', () => {
  const pkid = pkidOf('transfer', 'order:42');
  const at = new Date('2026-11-27T09:00:00.123Z');
  const id = timedPostingIdOf(pkid, at);
  expect(id).toMatch(/^01a21c3b-a2fb-8/);
  expect(id.slice(15)).toBe(pkid.slice(15));
  const later = timedPostingIdOf(pkid, new Date(at.getTime() + 1));
  expect(later > id).toBe(true);
  expect(timedPostingIdOf(pkidOf('transfer', 'order:43'), at)).not.toBe(id);
  expect(isPkid(later)).toBe(true);
});

test('one semantic key names a different operation in each kind, and case matters', () => {
  expect(new Set(OPERATION_KINDS.map((kind) => pkidOf(kind, 'k'))).size).toBe(OPERATION_KINDS.length);
  expect(pkidOf('payout', 'k')).not.toBe(pkidOf('payout', 'K'));
});

test.each([
  [pkidOf('payout', 'x'), true],
  ['EC981CA0-8571-5B34-9B33-5362A037705A', false],
  ['not-a-pkid', false],
  [`${pkidOf('payout', 'x')}\n`, false],
])('%j is a pkid: %s', (text, expected) => {
  expect(isPkid(text)).toBe(expected);
});

describe('semantic keys', () => {
  test.each(['a', '0', 'order:42', 'A.b_c-d:e', 'x'.repeat(128)])('%j is a key', (key) => {
    expect(KEY_PATTERN.test(key)).toBe(true);
  });
  test.each(['', ' a', 'a ', '@a', '-a', '.a', '_a', ':a', 'a~b', 'a/b', 'ä', 'a\n', 'a\0', 'x'.repeat(129)])(
    '%j is none',
    (key) => {
      expect(KEY_PATTERN.test(key)).toBe(false);
    },
  );
});

test('a job id is never an integer, one of the queue’s own names, or shared by two keys', () => {
  for (const key of ['42', 'wait', 'completed', 'a:b']) expect(jobIdOf('payout', key)).toMatch(/^payout-[^:]+$/);
  expect(jobIdOf('payout', 'a:b')).toBe('payout-a~b');
  expect(jobIdOf('payout', 'a:b')).not.toBe(jobIdOf('payout', 'a-b'));
});
