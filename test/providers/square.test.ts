// Pay-ins through Square against the sandbox: every behaviour word, lost answers, repeats and races of cancels.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Answer, PayinOrder } from '../../src/domain/provider.ts';
import { outcomeOf } from './outcome.ts';
import { idOf, LIMITS, money, openSquare, payinOf, referenceOf, type SquareRig, until } from './square-rig.ts';

/** For calls that are never answered; the look-ups after them must come within the two seconds of "hidden". */
const SHORT = { timeoutMs: 800 };

let rig: SquareRig;
beforeAll(async () => {
  rig = await openSquare();
  // The first call also loads and compiles; the impatient ones should not pay for it.
  const order = payinOf('tok_ok', { name: 'warm' });
  await rig.payin.confirm(referenceOf(order, await reserve(order)), LIMITS);
});
afterAll(async () => {
  await rig.close();
});

async function reserve(order: PayinOrder): Promise<string> {
  const answer = await rig.payin.send(order, LIMITS);
  expect(answer).toMatchObject({ type: 'pending', awaitsConfirm: true });
  return idOf(answer);
}

const find = (order: PayinOrder, id: string | null) => rig.payin.find(referenceOf(order, id), LIMITS);

/** A call without any answer that is to come is given up early, and only such a one. */
const limitsOf = (first: string) => (first === 'uncertain:timeout' ? SHORT : LIMITS);

describe.concurrent('completing does what the word says, and a look-up by id tells the same', () => {
  test.each<[string, string, string, string[]]>([
    ['ok', 'succeeded', 'succeeded', ['in']],
    ['decline', 'declined:declined', 'declined:declined', []],
    ['insufficient', 'declined:declined', 'declined:declined', []],
    ['error_before', 'uncertain:http_503', 'succeeded', ['in']],
    ['paid_then_500', 'uncertain:http_500 stored', 'succeeded', ['in']],
    ['timeout_before', 'uncertain:timeout', 'succeeded', ['in']],
    ['paid_then_timeout', 'uncertain:timeout', 'succeeded', ['in']],
    ['paid_then_reset', 'uncertain:reset', 'succeeded', ['in']],
    ['html', 'uncertain:http_502', 'succeeded', ['in']],
    ['rate_limit', 'not_taken:http_429', 'succeeded', ['in']],
    ['slow', 'succeeded', 'succeeded', ['in']],
    ['pending', 'pending', 'succeeded', ['in']],
    ['pending_then_fail', 'pending', 'declined:declined', []],
    ['bounce', 'succeeded', 'succeeded:reversed 1500', ['in', 'return']],
    ['dispute_won', 'succeeded', 'succeeded', ['in', 'dispute', 'dispute_won']],
    ['dispute_lost', 'succeeded', 'succeeded', ['in', 'dispute']],
  ])('%s', async (word, first, last, book) => {
    const order = payinOf(`tok_${word}_1`);
    const externId = await reserve(order);
    const reference = referenceOf(order, externId);
    expect(await outcomeOf(rig.payin.confirm(reference, limitsOf(first)))).toBe(first);
    const again = await until(
      () => outcomeOf(rig.payin.confirm(reference, LIMITS)),
      (outcome) => outcome === last,
    );
    expect(again).toBe(last);
    expect(await outcomeOf(find(order, externId))).toBe(last);
    await until(
      () => rig.moved(order.pkid),
      (made) => made.length === book.length,
    );
    expect(rig.moved(order.pkid)).toEqual(book);
  });

  test('hidden: the look-up is late, and a cancel meanwhile says neither yes nor no', async () => {
    const order = payinOf('tok_hidden_1');
    const reference = referenceOf(order, await reserve(order));
    expect(await outcomeOf(rig.payin.confirm(reference, SHORT))).toBe('uncertain:timeout');
    expect(await outcomeOf(find(order, reference.externId))).toBe('pending:awaits_confirm');
    expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('uncertain:http_409');
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('uncertain:http_409');
    await until(
      () => outcomeOf(find(order, reference.externId)),
      (outcome) => outcome === 'succeeded',
    );
    expect(rig.moved(order.pkid)).toEqual(['in']);
  });

  test('error_stored: every repeat brings the same error back, until the reservation is cancelled', async () => {
    const order = payinOf('tok_error_stored_1');
    const reference = referenceOf(order, await reserve(order));
    for (let number = 0; number < 2; number += 1) {
      expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('uncertain:http_500 stored');
    }
    expect(await outcomeOf(find(order, reference.externId))).toBe('pending:awaits_confirm');
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('declined:canceled');
    expect(rig.moved(order.pkid)).toEqual([]);
  });

  test('never: it stays pending, which is neither success nor failure', async () => {
    const order = payinOf('tok_never_1');
    const reference = referenceOf(order, await reserve(order));
    expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('pending');
    expect(await outcomeOf(find(order, reference.externId))).toBe('pending');
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('pending');
  });
});

describe.concurrent('a reservation that was not answered is found by sending it again, and takes nothing', () => {
  test.each<[string, string]>([
    ['error_before', 'uncertain:http_503'],
    ['paid_then_500', 'uncertain:http_500 stored'],
    ['timeout_before', 'uncertain:timeout'],
    ['paid_then_timeout', 'uncertain:timeout'],
    ['paid_then_reset', 'uncertain:reset'],
    ['html', 'uncertain:http_502'],
    ['rate_limit', 'not_taken:http_429'],
  ])('reserve_%s', async (word, first) => {
    const order = payinOf(`tok_reserve_${word}_1`);
    expect(await outcomeOf(rig.payin.send(order, limitsOf(first)))).toBe(first);
    expect(await outcomeOf(find(order, null))).toBe('not_found');
    const again = await until(
      () => rig.payin.send(order, LIMITS).catch(() => null),
      (answer) => answer !== null,
    );
    expect(again).toMatchObject({ type: 'pending', awaitsConfirm: true });
    expect(rig.moved(order.pkid)).toEqual([]);
  });

  test('and one whose error is kept under the key says so each time', async () => {
    const order = payinOf('tok_reserve_error_stored_1');
    for (let number = 0; number < 2; number += 1) {
      expect(await outcomeOf(rig.payin.send(order, LIMITS))).toBe('uncertain:http_500 stored');
    }
  });

  test.each(['decline', 'insufficient'])('reserve_%s is final, and names the payment that failed', async (word) => {
    const order = payinOf(`tok_reserve_${word}_1`);
    const answer = await rig.payin.send(order, LIMITS);
    expect(answer).toMatchObject({ type: 'declined', code: 'declined', isOpen: false });
    expect(await outcomeOf(find(order, idOf(answer)))).toBe('declined:declined');
    expect(await rig.payin.send(order, LIMITS)).toEqual(answer);
  });
});

describe.concurrent('a buyer who must act', () => {
  test('is waited for, and then the payment awaits its second step', async () => {
    const order = payinOf('tok_action_1');
    const answer = await rig.payin.send(order, LIMITS);
    expect(answer).toMatchObject({ type: 'pending', awaitsConfirm: false });
    const reference = referenceOf(order, idOf(answer));
    expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('pending');
    await rig.control(`/approve/${idOf(answer)}`, {});
    expect(await outcomeOf(find(order, idOf(answer)))).toBe('pending:awaits_confirm');
    expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe('succeeded');
  });

  test('and does not is cancelled', async () => {
    const order = payinOf('tok_abandon_1');
    const externId = idOf(await rig.payin.send(order, LIMITS));
    expect(await outcomeOf(rig.payin.cancel(referenceOf(order, externId), LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(find(order, externId))).toBe('declined:canceled');
  });
});

describe.concurrent('cancelling', () => {
  test('by key voids a reservation whose answer was lost, and a repeat of it cannot be completed', async () => {
    const order = payinOf('tok_reserve_paid_then_timeout_2');
    expect(await outcomeOf(rig.payin.send(order, SHORT))).toBe('uncertain:timeout');
    const canceled = await until(
      () => rig.payin.cancel(referenceOf(order), LIMITS).catch(() => null),
      (answer) => answer !== null,
    );
    expect(canceled).toMatchObject({ type: 'declined', code: 'canceled', externId: null });
    const externId = await reserve(order);
    expect(await outcomeOf(find(order, externId))).toBe('declined:canceled');
    expect(await outcomeOf(rig.payin.confirm(referenceOf(order, externId), LIMITS))).toBe('declined:canceled');
    expect(rig.moved(order.pkid)).toEqual([]);
  });

  test('by key is what it is when nothing was ever sent', async () => {
    expect(await outcomeOf(rig.payin.cancel(referenceOf(payinOf('tok_unsent')), LIMITS))).toBe('declined:canceled');
  });

  test('what was paid says paid, by id, and says nothing by key', async () => {
    const order = payinOf('tok_ok_paid');
    const reference = referenceOf(order, await reserve(order));
    await rig.payin.confirm(reference, LIMITS);
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('succeeded');
    expect(await outcomeOf(rig.payin.cancel(referenceOf(order), LIMITS))).toBe('uncertain:cancel_refused');
    expect(rig.moved(order.pkid)).toEqual(['in']);
  });

  test('twice is no change', async () => {
    const order = payinOf('tok_ok_canceled');
    const reference = referenceOf(order, await reserve(order));
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('declined:canceled');
    expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe('declined:canceled');
  });

  test('against completing has one winner, and both agree on it in the end', async () => {
    for (let round = 0; round < 5; round += 1) {
      const order = payinOf('tok_ok_race', { name: `race-${round}` });
      const reference = referenceOf(order, await reserve(order));
      await Promise.allSettled([rig.payin.confirm(reference, LIMITS), rig.payin.cancel(reference, LIMITS)]);
      const last = await outcomeOf(find(order, reference.externId));
      expect(await outcomeOf(rig.payin.confirm(reference, LIMITS))).toBe(last);
      expect(await outcomeOf(rig.payin.cancel(reference, LIMITS))).toBe(last);
      expect(rig.moved(order.pkid)).toEqual(last === 'succeeded' ? ['in'] : []);
    }
  });
});

describe.concurrent('a key', () => {
  test('sent by ten callers at once makes one payment', async () => {
    const order = payinOf('tok_ok_ten');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => rig.payin.send(order, LIMITS).catch(() => null)),
    );
    const ids = new Set(answers.flatMap((answer: Answer | null) => (answer === null ? [] : [idOf(answer)])));
    expect(ids.size).toBe(1);
  });

  test('sent with another amount is a conflict, and never a decline', async () => {
    const order = payinOf('tok_ok_reused');
    await reserve(order);
    const other = { ...order, money: money(1501n) };
    expect(await outcomeOf(rig.payin.send(other, LIMITS))).toBe('key_conflict:key_conflict');
  });
});

test.each([1500n, 9_007_199_254_740_991n])('%s units arrive as such in every currency', async (amountMinor) => {
  for (const currency of ['USD', 'JPY', 'KWD', 'HUF']) {
    const order = payinOf('tok_ok', {
      name: `amount-${amountMinor}-${currency}`,
      amount: money(amountMinor, currency),
    });
    const answer = await rig.payin.confirm(referenceOf(order, await reserve(order)), LIMITS);
    expect(answer).toMatchObject({ type: 'succeeded', money: order.money, beneficiary: null, reversedMinor: 0n });
  }
});

test('the fee is told once under an id of its own, and none where Square tells none', async () => {
  const [free, charged] = [payinOf('tok_ok', { name: 'free' }), payinOf('tok_ok', { name: 'charged' })];
  expect(await rig.payin.confirm(referenceOf(free, await reserve(free)), LIMITS)).toMatchObject({ fee: null });
  await rig.control('/fees', { square: { percent: '2.9', fixed: '30' } });
  const externId = await reserve(charged);
  const fee = { externId: `${externId}:initial`, money: money(74n) };
  expect(await rig.payin.confirm(referenceOf(charged, externId), LIMITS)).toMatchObject({ fee });
  await rig.control('/fees', {});
  expect(await find(charged, externId)).toMatchObject({ fee });
});

test('the events of a payment verify, and name it by our pkid', async () => {
  const order = payinOf('tok_ok', { name: 'events' });
  const externId = await reserve(order);
  await rig.payin.confirm(referenceOf(order, externId), LIMITS);
  const events = await until(
    () => rig.events.filter(({ pkid }) => pkid === order.pkid),
    (seen) => seen.length === 2,
  );
  for (const event of events) expect(event).toMatchObject({ subject: 'payin', externId });
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['payment.created', 'payment.updated']));
});
