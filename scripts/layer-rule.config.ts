// The layer rule alone reads source files only, so `npm run check` runs it without starting a database.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { root: new URL('../', import.meta.url).pathname, include: ['test/tidy.test.ts'] },
});
