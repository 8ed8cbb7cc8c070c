import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The crash bench takes minutes a file: begun last, one of them would keep one processor while the other has none. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => moduleId.includes('/test/crash/');
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    sequence: { sequencer: LongestFirst },
    maxConcurrency: 40, // concurrent tests wait for providers' times, not for the processor
    reporters: ['default', './test/harness/tally-reporter.ts'],
    // The suites share one PostgreSQL and one Redis and must also pass on a machine with two cores.
    maxWorkers: 2,
    // Each file starts what it needs and stops it; loading all modules anew for each of them takes minutes.
    isolate: false,
    // Bounds for a hung test, far above what any of them needs.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
