// A run passes only when nothing was violated and every fault hit something; a report says what did not hold.

import { expect, test } from 'vitest';
import { type Figures, missedOf } from '../../chaos/figures.ts';
import { exitCodeOf, type Outcome, reportJson, reportText } from '../../chaos/report.ts';

const met = { answer_lost: 1, job_lost: 1, call_unanswered: 1, paid_unanswered: 0, event_repeated: 0 };
const figures: Figures = {
  offered: 10,
  accepted: 9,
  refused: 1,
  succeeded: 8,
  failed: 1,
  in_review: 0,
  payments_in_the_books: 5,
  faults: { worker_killed: { times: 1, hit: { call: 2 } } },
  missed: [],
  met,
  next_settled_ms: { p50: 100, p99: 200 },
  struck_final_ms: { p50: 300, p99: 400 },
  availability: { tries: 0.9, with_retries: 1 },
  ended_by_themselves: [],
};
const options = { seed: 7, seconds: 40, backend: 'redis', json: false } as const;
const sound: Outcome = { options, figures, violations: [], folder: null };

test('a run in which everything held passes, and says so', () => {
  expect(exitCodeOf(sound)).toBe(0);
  expect(reportText(sound)).toContain('Everything held.');
  expect(JSON.parse(reportJson(sound))).toMatchObject({ ok: true, lost: 0, doubled: 0, paid_but_failed: 0, orphan: 0 });
});

test('a violation fails the run, and is named with its key and the folder of the logs', () => {
  const violations = [{ check: 'doubled', key: 'p-2', detail: 'P was paid 2 times' }] as const;
  const failed: Outcome = { ...sound, violations, folder: '/tmp/kept' };
  expect(exitCodeOf(failed)).toBe(1);
  // Also when the run is void besides.
  expect(exitCodeOf({ ...failed, figures: { ...figures, missed: ['redis_flushed'] } })).toBe(1);
  expect(reportText(failed)).toMatch(/VIOLATED doubled \(1\)[\s\S]*p-2: P was paid 2 times[\s\S]*\/tmp\/kept/);
  expect(JSON.parse(reportJson(failed))).toMatchObject({ ok: false, doubled: 1, folder: '/tmp/kept', violations });
});

test('a fault that hit nothing, and a gap that nothing fell into, make the run void', () => {
  const faults = { ...figures.faults, redis_flushed: { times: 1, hit: {} } };
  expect(missedOf(faults, met)).toEqual(['redis_flushed']);
  expect(missedOf(figures.faults, { ...met, job_lost: 0 })).toEqual(['job_lost']);
  const voided: Outcome = { ...sound, figures: { ...figures, missed: ['redis_flushed'] }, folder: '/tmp/kept' };
  expect(exitCodeOf(voided)).toBe(3);
  expect(reportText(voided)).toContain('VOID: redis_flushed met nothing');
});
