// A copy of the source in which one mutant at a time lives. What is installed is linked, not copied.

import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutant } from './list.ts';

export interface Copy {
  readonly root: string;
  /** For what tests leave behind when they are interrupted: it goes with the copy. */
  readonly temporary: string;
  /** Does the work while the mutant is in the copy, and then takes it out again. */
  with<Done>(mutant: Mutant, work: () => Promise<Done>): Promise<Done>;
  remove(): void;
}

/** What the tests read of the tree. */
const PARTS = ['src', 'test', 'chaos', 'package.json', 'tsconfig.json', 'vitest.config.ts'] as const;

export function openCopy(source: string): Copy {
  const root = mkdtempSync(join(tmpdir(), 'remit-mutants-'));
  const temporary = join(root, 'tmp');
  mkdirSync(temporary);
  // Where root runs the tests, their PostgreSQL is another user's, who has to get in.
  chmodSync(root, 0o755);
  for (const part of PARTS) cpSync(join(source, part), join(root, part), { recursive: true });
  symlinkSync(join(source, 'node_modules'), join(root, 'node_modules'), 'junction');
  return {
    root,
    temporary,
    async with(mutant, work) {
      const path = join(root, mutant.file);
      const original = readFileSync(path, 'utf8');
      writeFileSync(path, mutated(original, mutant));
      try {
        return await work();
      } finally {
        writeFileSync(path, original);
      }
    },
    // A server of a test may still be writing its last line.
    remove: () => rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  };
}

/** The text with the mutant in it. A mutant that fits nowhere, or twice, would prove something else. */
export function mutated(text: string, { name, file, find, replace }: Mutant): string {
  const [before = '', after, ...more] = text.split(find);
  if (after !== undefined && more.length === 0) return `${before}${replace}${after}`;
  const times = after === undefined ? 'nowhere' : `${more.length + 1} times`;
  throw new Error(
    `The mutant "${name}" no longer fits: its text stands ${times} in ${file}, and must stand there once. ` +
      'Look up what became of it, and bring its find and replace in mutants/list.ts up to date.',
  );
}
