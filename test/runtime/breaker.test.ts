// The circuit breaker: when it opens, whom it lets through while it tries, and that nothing late or unsent decides.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Admission, type BreakerState, type CallOutcome, createBreaker } from '../../src/runtime/breaker.ts';

const HALF_OPEN_AFTER_MS = 5_000;
const WINDOW_MS = 30_000;

function open(halfOpenAfterMs = HALF_OPEN_AFTER_MS) {
  let nowMs = 0;
  const changes: BreakerState[] = [];
  const breaker = createBreaker({ halfOpenAfterMs, clock: () => nowMs, onChange: (state) => changes.push(state) });
  let asked = 0;
  /** Each time another operation asks, unless it is named. */
  const admit = (subject = `operation ${asked}`): Admission | null => {
    asked += 1;
    return breaker.admit(subject);
  };
  const admitted = (subject?: string): Admission => {
    const admission = admit(subject);
    if (admission === null) throw new Error('The breaker should have admitted this call.');
    return admission;
  };
  return {
    state: breaker.state,
    admit,
    admitted,
    changes,
    pass: (ms: number) => {
      nowMs += ms;
    },
    call: (outcome: CallOutcome, times = 1) => {
      for (let time = 0; time < times; time += 1) admitted().record(outcome);
    },
  };
}

function opened(halfOpenAfterMs = HALF_OPEN_AFTER_MS) {
  const breaker = open(halfOpenAfterMs);
  breaker.call('no_answer', 50);
  expect(breaker.state()).toBe('open');
  return breaker;
}

describe('a closed breaker', () => {
  it.each([
    { unanswered: 49, answered: 0, state: 'closed', why: 'fewer than 50 calls prove nothing' },
    { unanswered: 50, answered: 0, state: 'open', why: '50 calls without an answer' },
    { unanswered: 49, answered: 1, state: 'open', why: '98 % of 50 got no answer' },
    { unanswered: 47, answered: 3, state: 'closed', why: '94 % of 50 are not enough' },
    { unanswered: 95, answered: 5, state: 'open', why: 'exactly 95 % of 100 are' },
    { unanswered: 94, answered: 6, state: 'closed', why: '94 % of 100 are not' },
    { unanswered: 0, answered: 500, state: 'closed', why: 'every call was answered' },
  ])('is $state after $unanswered calls without and $answered with an answer: $why', (row) => {
    const breaker = open();
    breaker.call('answered', row.answered);
    breaker.call('no_answer', row.unanswered);
    expect(breaker.state()).toBe(row.state);
  });

  it('does not count calls that were not sent', () => {
    const breaker = open();
    breaker.call('no_answer', 49);
    breaker.call('not_sent', 500);
    expect(breaker.state()).toBe('closed');
  });

  it('forgets a call 30 s after it', () => {
    const breaker = open();
    breaker.call('no_answer', 49);
    breaker.pass(WINDOW_MS);
    breaker.call('no_answer', 49);
    expect(breaker.state()).toBe('closed');
    breaker.call('no_answer');
    expect(breaker.state()).toBe('open');
  });

  it('opens when the answers that kept it closed are forgotten', () => {
    const breaker = open();
    breaker.call('answered', 50);
    breaker.pass(WINDOW_MS / 2);
    breaker.call('no_answer', 100);
    expect(breaker.state()).toBe('closed');
    breaker.pass(WINDOW_MS / 2);
    expect(breaker.admit()).toBeNull();
    expect(breaker.changes).toEqual(['open']);
  });

  it('counts a call once, however often its outcome is recorded', () => {
    const breaker = open();
    const call = breaker.admitted();
    for (let time = 0; time < 60; time += 1) call.record('no_answer');
    expect(breaker.state()).toBe('closed');
  });
});

describe('an open breaker', () => {
  it.each([
    { halfOpenAfterMs: 5_000, atMs: 5_000 },
    { halfOpenAfterMs: 1_000, atMs: 1_000 },
    { halfOpenAfterMs: 10, atMs: 1_000 },
  ])('asked for $halfOpenAfterMs ms admits nobody before $atMs ms', ({ halfOpenAfterMs, atMs }) => {
    const breaker = opened(halfOpenAfterMs);
    breaker.pass(atMs - 1);
    expect(breaker.admit()).toBeNull();
    breaker.pass(1);
    expect(breaker.admit()).not.toBeNull();
    expect(breaker.state()).toBe('half_open');
  });

  it('tries with one call at a time, and nobody else goes before its outcome', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.admitted();
    breaker.pass(10 * WINDOW_MS);
    expect([breaker.admit(), breaker.admit()]).toEqual([null, null]);
  });

  it('closes when the try was answered, and begins to count anew', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.call('answered');
    breaker.call('no_answer', 49);
    expect(breaker.state()).toBe('closed');
    expect(breaker.changes).toEqual(['open', 'half_open', 'closed']);
  });

  it('stays shut for the whole time again when the try got no answer', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.call('no_answer');
    expect(breaker.state()).toBe('open');
    breaker.pass(HALF_OPEN_AFTER_MS - 1);
    expect(breaker.admit()).toBeNull();
    breaker.pass(1);
    expect(breaker.admit()).not.toBeNull();
  });

  it('gives the try to the next call when the first one was not sent', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.call('not_sent');
    breaker.call('answered');
    expect(breaker.changes).toEqual(['open', 'half_open', 'closed']);
  });

  it('leaves the next try to another one than what got no answer, if such a one has asked', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.admitted('hangs').record('no_answer');
    expect(breaker.admit('well')).toBeNull();
    breaker.pass(HALF_OPEN_AFTER_MS);
    expect(breaker.admit('hangs')).toBeNull();
    breaker.admitted('well').record('answered');
    expect(breaker.state()).toBe('closed');
    breaker.admitted('hangs');
  });

  it('tries with what got no answer again when nobody else asks, or no longer', () => {
    const breaker = opened();
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.admitted('hangs').record('no_answer');
    breaker.pass(HALF_OPEN_AFTER_MS);
    breaker.admitted('hangs').record('no_answer');
    expect(breaker.admit('well, and then canceled')).toBeNull();
    breaker.pass(3 * HALF_OPEN_AFTER_MS);
    expect(breaker.admit('hangs')).toBeNull();
    breaker.pass(1);
    breaker.admitted('hangs');
  });

  it('comes to every one that asks within as many tries, however many hang', () => {
    const breaker = opened();
    const asking = ['hangs 1', 'hangs 2', 'hangs 3', 'well'];
    for (let tries = 1; breaker.state() !== 'closed'; tries += 1) {
      expect(tries).toBeLessThanOrEqual(asking.length);
      breaker.pass(HALF_OPEN_AFTER_MS);
      for (const one of asking) breaker.admit(one)?.record(one === 'well' ? 'answered' : 'no_answer');
    }
  });

  it.each(['answered', 'no_answer', 'not_sent'] as const)(
    'is not moved by a call from before that ends late as %s, neither open nor trying',
    (outcome) => {
      const breaker = open();
      const late = [breaker.admitted(), breaker.admitted()];
      breaker.call('no_answer', 50);
      late[0]?.record(outcome);
      expect(breaker.state()).toBe('open');
      breaker.pass(HALF_OPEN_AFTER_MS);
      breaker.admitted();
      late[1]?.record(outcome);
      expect(breaker.state()).toBe('half_open');
      expect(breaker.admit()).toBeNull();
    },
  );
});

describe('under any traffic', () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 200 }).map((tenths) => tenths * 100),
    }),
    fc.record({
      type: fc.constant('calls' as const),
      outcome: fc.constantFrom<CallOutcome>('answered', 'no_answer', 'no_answer', 'no_answer', 'not_sent'),
      times: fc.integer({ min: 1, max: 80 }),
    }),
  );

  it('it agrees with a model that remembers every call', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const breaker = open();
        const model = remembering();
        for (const one of steps) {
          if (one.type === 'pass') {
            breaker.pass(one.ms);
            model.pass(one.ms);
            continue;
          }
          for (let time = 0; time < one.times; time += 1) {
            const admission = breaker.admit();
            expect(admission !== null).toBe(model.call(one.outcome));
            admission?.record(one.outcome);
          }
          expect(breaker.state()).toBe(model.state());
        }
      }),
    );
  });

  it('never more than one call is out while it tries', () => {
    const move = fc.record({
      what: fc.constantFrom('admit', 'answered', 'no_answer', 'not_sent', 'pass'),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(move, { maxLength: 200 }), (moves) => {
        const breaker = opened();
        let out: { admission: Admission; era: number }[] = [];
        for (const { what, pick } of moves) {
          if (what === 'pass') breaker.pass(1_000);
          else if (what === 'admit') {
            const admission = breaker.admit();
            if (admission !== null) out.push({ admission, era: breaker.changes.length });
          } else {
            const chosen = out[pick % Math.max(1, out.length)];
            chosen?.admission.record(what === 'answered' || what === 'no_answer' ? what : 'not_sent');
            out = out.filter((one) => one !== chosen);
          }
          const trying = out.filter(({ era }) => era === breaker.changes.length);
          if (breaker.state() === 'half_open') expect(trying.length).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});

/** The rule in its plainest form: a list of all calls, read from the beginning each time. */
function remembering() {
  let nowMs = 0;
  let state: BreakerState = 'closed';
  let openedAt = 0;
  let calls: { at: number; outcome: CallOutcome }[] = [];
  const turn = (next: BreakerState) => {
    state = next;
    calls = [];
    if (next === 'open') openedAt = nowMs;
  };
  const look = () => {
    const recent = calls.filter(({ at }) => at > nowMs - WINDOW_MS);
    const unanswered = recent.filter(({ outcome }) => outcome === 'no_answer');
    if (state === 'closed' && recent.length >= 50 && unanswered.length / recent.length >= 0.95) turn('open');
  };
  return {
    pass(ms: number) {
      nowMs += ms;
    },
    /** Whether the call was let through. */
    call(outcome: CallOutcome): boolean {
      look();
      if (state === 'open' && nowMs - openedAt < HALF_OPEN_AFTER_MS) return false;
      if (state === 'open') turn('half_open');
      if (outcome === 'not_sent') return true;
      if (state === 'half_open') {
        turn(outcome === 'answered' ? 'closed' : 'open');
        return true;
      }
      calls.push({ at: nowMs, outcome });
      look();
      return true;
    },
    state: () => state,
  };
}
