// Ends the run with one plain line, `12 passed, 0 failed`, for people and scripts alike.
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    process.stdout.write(`${tallyLine({ modules, unhandledErrors })}\n`);
  }
}

function tallyLine(run: { modules: readonly TestModule[]; unhandledErrors: readonly SerializedError[] }): string {
  const count = { passed: 0, failed: run.unhandledErrors.length, skipped: 0, pending: 0 };
  for (const module of run.modules) {
    for (const test of module.children.allTests()) count[test.result().state] += 1;
    // A file or suite that breaks outside its tests has no failed test to show for it.
    count.failed += module.errors().length;
    for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
  }
  // A test that never came to an end is no success.
  const failed = count.failed + count.pending;
  return `${count.passed} passed, ${failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`;
}
