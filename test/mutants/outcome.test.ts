// What counts as killed: a test that found a promise broken, and nothing else that is red.

import { describe, expect, it } from 'vitest';
import { objectionTo, outcomeOf, type Report } from '../../mutants/outcome.ts';
import { exitCodeOf, lineOf, reportJson, tallyOf } from '../../mutants/report.ts';
import type { Tried } from '../../mutants/run.ts';

const ROOT = '/copy';

/** A report of one file with one test; with `says` it failed, and said that. */
function reportOf({ says, message = '' }: { says?: string; message?: string } = {}): Report {
  const status = says === undefined ? 'passed' : 'failed';
  const assertion = { status, fullName: 'a payout is paid once', failureMessages: says === undefined ? [] : [says] };
  const file = { name: '/copy/test/a.test.ts', status, message, assertionResults: [assertion] };
  return { success: says === undefined, testResults: [file] };
}

const unloaded: Report = {
  success: false,
  testResults: [
    { name: '/copy/test/a.test.ts', status: 'failed', message: "Cannot find module './b.ts'", assertionResults: [] },
  ],
};

describe('a mutant', () => {
  it('is killed by a test that asserts otherwise, which is named', () => {
    expect(outcomeOf(reportOf({ says: 'AssertionError: expected 2 to be 1' }), ROOT)).toEqual({
      type: 'killed',
      file: 'test/a.test.ts',
      test: 'a payout is paid once',
    });
  });

  it('has survived when everything is green', () => {
    expect(outcomeOf(reportOf(), ROOT)).toEqual({ type: 'survived' });
  });

  it.each([
    ['a file cannot be loaded', unloaded, /Cannot find module/],
    ['its own code falls over', reportOf({ says: 'ReferenceError: rwo is not defined' }), /rwo/],
    ['a test only waited', reportOf({ says: 'Error: Test timed out in 30000ms.' }), /timed out/],
    ['the run fails outside of its tests', { success: false, testResults: [] }, /outside/],
  ])('proves nothing when %s', (_what, report, said) => {
    expect(outcomeOf(report, ROOT)).toMatchObject({ type: 'broken', detail: expect.stringMatching(said) });
  });
});

describe('tests without a mutant', () => {
  it('are good ground when all pass', () => {
    expect(objectionTo(reportOf(), ROOT)).toBeNull();
  });

  it.each([
    ['one is red', reportOf({ says: 'AssertionError: no' }), /red without any mutant.*npm test -- test\/a\.test\.ts/],
    ['a file cannot be loaded', unloaded, /red without any mutant/],
    ['the run fails outside of them', { success: false, testResults: [] }, /red without any mutant.*npm test/],
    ['a file was skipped whole', skipped(), /No test ran in test\/a\.test\.ts.*Install/],
  ])('are none when %s', (_what, report, objection) => {
    expect(objectionTo(report, ROOT)).toMatch(objection);
  });
});

describe('the report', () => {
  const mutant = { name: 'twice', promise: 'Once.', file: 'src/a.ts', find: 'a', replace: 'b', killers: ['test/a.ts'] };
  const killed: Tried = { mutant, outcome: { type: 'killed', file: 'test/a.ts', test: 'pays once' }, seconds: 1.26 };
  const survived: Tried = { mutant, outcome: { type: 'survived' }, seconds: 2 };
  const broken: Tried = { mutant, outcome: { type: 'broken', detail: 'no module' }, seconds: 3 };

  it('says of each what killed it, or what to do', () => {
    expect(lineOf(killed)).toMatch(/^killed +twice \(1\.3 s\)\n +Once\.\n +by test\/a\.ts: pays once\n$/);
    expect(lineOf(survived)).toMatch(/^survived twice.*\n.*\n.*Write the one that is missing\.\n$/);
    expect(lineOf(broken)).toMatch(/^broken +twice.*\n.*\n.*mend the mutant.*no module\n$/);
  });

  it('is good only when every one was killed', () => {
    expect([exitCodeOf([killed, killed]), tallyOf([killed, killed])]).toEqual([0, '2 / 2 killed\n']);
    expect([exitCodeOf([killed, survived]), tallyOf([killed, survived])]).toEqual([1, '1 / 2 killed\n']);
    expect(exitCodeOf([killed, broken])).toBe(1);
  });

  it('is one JSON object for scripts', () => {
    expect(JSON.parse(reportJson([killed, broken]))).toMatchObject({
      killed: 1,
      total: 2,
      mutants: [
        { name: 'twice', outcome: 'killed', killed_by: { file: 'test/a.ts', test: 'pays once' }, seconds: 1.3 },
        { outcome: 'broken', killed_by: null, detail: 'no module' },
      ],
    });
  });
});

function skipped(): Report {
  const assertion = { status: 'skipped', fullName: 'on Redis', failureMessages: [] };
  const file = { name: '/copy/test/a.test.ts', status: 'passed', message: '', assertionResults: [assertion] };
  return { success: true, testResults: [file] };
}
