// What a run of the tests says about the mutant that was in the source. Only a promise that a test found broken kills
// it: a file that cannot be loaded, or code that falls over its own feet, has tested nothing.

import { relative } from 'node:path';
import { z } from 'zod';

export type Outcome =
  | { readonly type: 'killed'; readonly file: string; readonly test: string }
  | { readonly type: 'survived' }
  /** Red, but by no assertion of a test. */
  | { readonly type: 'broken'; readonly detail: string };

/** Of vitest's JSON reporter, what is looked at. */
export const reportShape = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({ status: z.string(), fullName: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
});

export type Report = z.infer<typeof reportShape>;

const ASSERTION = 'AssertionError';
const DETAIL_MAX = 500;

export function outcomeOf({ success, testResults }: Report, root: string): Outcome {
  if (success) return { type: 'survived' };
  const failures = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => ({ file: name, test: fullName, says: failureMessages?.[0] ?? '' })),
  );
  const killer = failures.find(({ says }) => says.startsWith(ASSERTION));
  if (killer !== undefined) {
    return { type: 'killed', file: relative(root, killer.file).replaceAll('\\', '/'), test: killer.test };
  }
  const said = [...failures.map(({ test, says }) => `${test}: ${says}`), ...testResults.map(({ message }) => message)];
  const detail = said.find((text) => text !== '') ?? 'The run failed outside of its tests.';
  return { type: 'broken', detail: detail.slice(0, DETAIL_MAX) };
}

/** Why a run without any mutant is no ground to stand on; null when it is. */
export function objectionTo({ success, testResults }: Report, root: string): string | null {
  const [red] = testResults.filter(({ status }) => status !== 'passed');
  if (!success || red !== undefined) {
    const file = red === undefined ? 'npm test' : `npm test -- ${relative(root, red.name)}`;
    return `The tests are red without any mutant, so that red proves nothing. Mend them first: ${file}`;
  }
  const idle = testResults.find(({ assertionResults }) => !assertionResults.some(({ status }) => status === 'passed'));
  if (idle === undefined) return null;
  return `No test ran in ${relative(root, idle.name)}. Install what it is skipped for, redis-server perhaps.`;
}
