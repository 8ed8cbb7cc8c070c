import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/global-setup.ts'],
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
