// Guards the shape of the tree. Each rule is first shown a planted violation: a check that cannot fail guards nothing.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  bannedFileNames,
  cycles,
  fencedOff,
  type Lock,
  leftovers,
  type Manifest,
  missingFromLock,
  oversized,
  ownFolders,
  type Rule,
  type SourceFile,
  unlisted,
  wrongDirections,
} from './tidy-rules.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const files: readonly SourceFile[] = globSync('{src,test,bench,chaos,mutants,scripts,examples}/**/*.{ts,mjs}', {
  cwd: root,
})
  .map((path) => path.replaceAll('\\', '/'))
  .sort()
  .map((path) => ({ path, text: readFileSync(`${root}${path}`, 'utf8') }));

type Promise = { name: string; rule: Rule; planted: readonly SourceFile[]; found: RegExp };

const todo = ['TO', 'DO'].join('');
const promises: readonly Promise[] = [
  {
    name: 'imports point from right to left in the import order',
    rule: wrongDirections,
    planted: [{ path: 'src/domain/money.ts', text: "import { openDb } from '../runtime/db.ts';" }],
    found: /domain\/money.ts imports src\/runtime\/db.ts/,
  },
  {
    name: 'the sandbox knows nothing of the processor',
    rule: wrongDirections,
    planted: [{ path: 'src/sandbox/book.ts', text: "import type { Money } from '../domain/money.ts';" }],
    found: /sandbox\/book.ts imports/,
  },
  {
    name: 'only the command line starts the sandbox',
    rule: wrongDirections,
    planted: [{ path: 'src/app.ts', text: "const { start } = await import('./sandbox/server.ts');" }],
    found: /app.ts imports src\/sandbox/,
  },
  {
    name: 'every folder has its place in the import order',
    rule: wrongDirections,
    planted: [{ path: 'src/new/a.ts', text: "import { b } from './b.ts';" }],
    found: /no place in the import order/,
  },
  {
    name: "what stands in a noun's folder is imported by that noun alone",
    rule: ownFolders,
    planted: [
      { path: 'src/runtime/queue.ts', text: "import { a } from './queue/job.ts';" },
      { path: 'src/runtime/queue/job.ts', text: '' },
      { path: 'src/jobs/a.ts', text: "import { a } from '../runtime/queue/job.ts';" },
    ],
    found: /^src\/jobs\/a.ts imports src\/runtime\/queue\/job.ts$/,
  },
  {
    name: 'no file imports itself through others',
    rule: cycles,
    planted: [
      { path: 'src/jobs/a.ts', text: "import { b } from './b.ts';" },
      { path: 'src/jobs/b.ts', text: "export * from './a.ts';" },
    ],
    found: /src\/jobs\/a.ts -> src\/jobs\/b.ts -> src\/jobs\/a.ts/,
  },
  {
    name: 'no file or folder is a dumping ground',
    rule: bannedFileNames,
    planted: [{ path: 'src/api/utils/text.ts', text: '' }],
    found: /utils/,
  },
  {
    name: 'files and lines stay short enough to read',
    rule: oversized,
    planted: [{ path: 'src/a.ts', text: `${'x\n'.repeat(300)}${'x'.repeat(121)}` }],
    found: /301 lines[\s\S]*121 wide/,
  },
  {
    name: 'nothing half-done is left behind',
    rule: leftovers,
    planted: [
      { path: 'src/jobs/a.ts', text: `// ${todo}: later` },
      { path: 'test/a.test.ts', text: ['it.on', "ly('x', () => {});"].join('') },
      { path: 'src/jobs/b.ts', text: "console.log('here');" },
    ],
    found: /a.ts:1[\s\S]*a.test.ts:1[\s\S]*b.ts:1/,
  },
  {
    name: 'the queue, the web framework, the environment, the network and the ORM stay in their places',
    rule: fencedOff,
    planted: [
      { path: 'src/api/a.ts', text: "import { Queue } from 'bullmq';" },
      { path: 'src/jobs/b.ts', text: "import {\n  Hono,\n} from 'hono';" },
      { path: 'src/jobs/c.ts', text: 'const port = process.env.PORT;' },
      { path: 'src/jobs/d.ts', text: 'await fetch(url);' },
      { path: 'src/domain/e.ts', text: "import { sql } from 'kysely';" },
      { path: 'src/providers/f.ts', text: "import { request } from 'node:https';" },
    ],
    found: /api\/a.ts[\s\S]*jobs\/b.ts[\s\S]*domain\/e.ts[\s\S]*jobs\/c.ts:1[\s\S]*jobs\/d.ts:1[\s\S]*providers\/f.ts/,
  },
  {
    name: 'what is logged is on the list of what the logger writes',
    rule: unlisted,
    planted: [
      { path: 'src/runtime/logger.ts', text: "const allowedFields: ReadonlySet<string> = new Set(['queue']);" },
      { path: 'src/jobs/a.ts', text: "log.warn({ queue, err: error, source: told(1, 2) }, 'trouble');" },
      { path: 'src/jobs/b.ts', text: "log[level](\n  { queue: one, held },\n  'trouble',\n);" },
    ],
    found: /^src\/jobs\/a.ts logs source,.*\nsrc\/jobs\/b.ts logs held,.*$/,
  },
];

describe('tidy', () => {
  it('lets types of fenced-off packages pass, which are gone at run time', () => {
    const text = "import type {\n  Job,\n} from 'bullmq';\n// fetch( and process.env in a comment";
    expect(fencedOff([{ path: 'src/jobs/life.ts', text }])).toEqual([]);
  });

  it('looks at the real tree', () => {
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['src/runtime/config.ts', 'test/tidy.test.ts']),
    );
  });

  describe.each(promises)('$name', ({ rule, planted, found }) => {
    it('notices a planted violation', () => {
      expect(rule(planted).join('\n')).toMatch(found);
    });

    it('holds everywhere', () => {
      expect(rule(files)).toEqual([]);
    });
  });

  describe('every platform package is locked', () => {
    const manifest: Manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
    const lock: Lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'));

    it('notices a planted violation', () => {
      expect(missingFromLock({ manifest: { optionalDependencies: { 'node-os2': '1.0.0' } }, lock })).toHaveLength(1);
    });

    it('holds everywhere', () => {
      expect(Object.keys(manifest.optionalDependencies ?? {})).not.toEqual([]);
      expect(missingFromLock({ manifest, lock })).toEqual([]);
    });
  });
});
