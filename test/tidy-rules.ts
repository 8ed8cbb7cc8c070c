// The rules that keep the source tree as it is drawn in the design: each takes files and returns the violations found.

export type SourceFile = { path: string; text: string };

/** A file imports from the folders left of its own, or from its own. */
const layers: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  entities: ['domain'],
  providers: ['domain'],
  runtime: ['domain', 'entities', 'providers'],
  ledger: ['domain', 'entities', 'providers', 'runtime'],
  jobs: ['domain', 'entities', 'providers', 'runtime', 'ledger'],
  api: ['domain', 'entities', 'providers', 'runtime', 'ledger', 'jobs'],
  console: ['domain', 'entities', 'providers', 'runtime', 'ledger', 'jobs'],
  'app.ts': ['domain', 'entities', 'providers', 'runtime', 'ledger', 'jobs', 'api', 'console'],
  sandbox: [],
  cli: ['domain', 'entities', 'providers', 'runtime', 'ledger', 'jobs', 'api', 'console', 'app.ts', 'sandbox'],
  'main.mjs': ['domain', 'entities', 'providers', 'runtime', 'ledger', 'jobs', 'api', 'console', 'app.ts', 'cli'],
};

const linesMax = 300;
const columnsMax = 120;
const bannedNames = [
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'shared',
  'lib',
  'misc',
  'base',
  'manager',
  'service',
];
const bannedName = new RegExp(`(^|/)(${[...bannedNames, 'types'].join('|')})(/|\\.[a-z.]+$)`);

export type Rule = (files: readonly SourceFile[]) => string[];

export const wrongDirections: Rule = (files) =>
  importsAmong(files).flatMap(({ from, to }) => {
    const allowed = layers[layerOf(from)];
    if (allowed === undefined)
      return layerOf(from) === '' ? [] : [`${from}: the folder has no place in the import order`];
    if (layerOf(to) === layerOf(from) || allowed.includes(layerOf(to))) return [];
    return [`${from} imports ${to}`];
  });

/** What stands in the folder of a noun (queue/) belongs to the file of that name (queue.ts) and to nobody else. */
export const ownFolders: Rule = (files) => {
  const paths = new Set(files.map(({ path }) => path));
  return importsAmong(files).flatMap(({ from, to }) => {
    const folder = to.slice(0, to.lastIndexOf('/'));
    const isOwn = from === `${folder}.ts` || from.startsWith(`${folder}/`);
    const isNouns = paths.has(`${folder}.ts`) && folder !== SHARED_FOLDER;
    return isOwn || !isNouns || !from.startsWith('src/') ? [] : [`${from} imports ${to}`];
  });
};

/** What payouts, pay-ins and refunds are made of. */
const SHARED_FOLDER = 'src/jobs/payment';

export const cycles: Rule = (files) => {
  const next = Map.groupBy(importsAmong(files), ({ from }) => from);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const { to } of next.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return found;
};

export const bannedFileNames: Rule = (files) =>
  files.filter(({ path }) => bannedName.test(path)).map(({ path }) => `${path}: name it after its noun`);

export const oversized: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = text.trimEnd().split('\n');
    const long = lines.flatMap((line, at) =>
      line.length > columnsMax ? [`${path}:${at + 1} is ${line.length} wide`] : [],
    );
    return lines.length > linesMax ? [`${path} has ${lines.length} lines`, ...long] : long;
  });

// Written in two halves, so that this file does not report itself.
const leftoverMarks = new RegExp(
  `\\b(TO${'DO'}|FIX${'ME'}|XX${'X'})\\b|\\b(it|test|describe)\\.on${'ly'}\\b|\\bdebug${'ger'};`,
);
const consoleCall = /\bconsole\.\w+\(/;

export const leftovers: Rule = (files) =>
  matches(files, leftoverMarks).concat(
    matches(
      files.filter(({ path }) => path.startsWith('src/') && !/^src\/(cli|sandbox)\//.test(path)),
      consoleCall,
    ),
  );

type Fence = { what: string; code?: RegExp; imported?: RegExp; allowed: RegExp };

/** What may appear in some places of src only. Type imports vanish at run time and do not count. */
const fences: readonly Fence[] = [
  { what: 'bullmq', imported: /^bullmq(\/|$)/, allowed: /^src\/(runtime\/queue(\/[^/]+)?|jobs\/worker)\.ts$/ },
  { what: 'hono', imported: /^(hono|@hono)(\/|$)/, allowed: /^src\/((api|console|sandbox)\/|app\.ts$)/ },
  { what: 'the ORM', imported: /^(@mikro-orm\/.+|kysely|pg)$/, allowed: /^src\/(?!domain\/|providers\/)/ },
  { what: 'process.env', code: /\bprocess\.env\b/, allowed: /^src\/(runtime\/config\.ts$|cli\/)/ },
  { what: 'fetch', code: /(?<![.\w])fetch\(/, allowed: /^src\/(sandbox|cli)\// },
  {
    what: "node's HTTP client",
    imported: /^node:https?$/,
    allowed: /^src\/(providers\/http-request\.ts$|jobs\/webhook-out\/send\.ts$|sandbox\/|cli\/)/,
  },
];

export const fencedOff: Rule = (files) =>
  fences.flatMap(({ what, code, imported, allowed }) => {
    const outside = files.filter(({ path }) => path.startsWith('src/') && !allowed.test(path));
    const used = code === undefined ? [] : matches(outside, code);
    const brought = outside.flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ target, isType }) => !isType && imported?.test(target))
        .map(({ target }) => `${path}: imports ${target}`),
    );
    return [...used, ...brought].map((place) => `${place} (${what} has no place here)`);
  });

/** What the logger's list does not name is dropped in silence, and the line says less than whoever wrote it meant. */
export const unlisted: Rule = (files) => {
  const logger = files.find(({ path }) => path === 'src/runtime/logger.ts')?.text ?? '';
  const [, list = ''] = /allowedFields[^[]*\[([^\]]*)\]/.exec(logger) ?? [];
  const listed = new Set(['err', ...[...list.matchAll(/'(\w+)'/g)].map(([, name]) => name)]);
  const ours = files.filter(({ path }) => path.startsWith('src/') && !path.startsWith('src/sandbox/'));
  return ours.flatMap(({ path, text }) =>
    [...text.matchAll(logCall)].flatMap(([, fields = '']) =>
      fieldNames(fields).flatMap((name) => (listed.has(name) ? [] : [`${path} logs ${name}, which the logger drops`])),
    ),
  );
};

const logCall = /\blog(?:\.\w+|\[[^\]]+\])\(\s*\{([^{}]*(?:\$\{[^}]*\}[^{}]*)*)\}/g;

/** Of an object as it is written, without what is spread into it. */
function fieldNames(fields: string): string[] {
  const outermost = fields.replaceAll(/`[^`]*`|\([^()]*(?:\([^()]*\)[^()]*)*\)/g, '');
  return outermost.split(',').flatMap((field) => /^\s*(\w+)/.exec(field)?.[1] ?? []);
}

/** The npm client drops platform packages from the lockfile in silence; then a clean install fails elsewhere. */
export function missingFromLock(project: { manifest: Manifest; lock: Lock }): string[] {
  const { manifest, lock } = project;
  return Object.entries(manifest.optionalDependencies ?? {}).flatMap(([name, version]) => {
    const locked = lock.packages[`node_modules/${name}`];
    if (locked === undefined) return [`${name} is not in package-lock.json`];
    const isLocked = locked.version === version && locked.integrity !== undefined && locked.optional === true;
    return isLocked ? [] : [`${name} is not locked as an optional ${version} with its hash`];
  });
}

export type Manifest = { optionalDependencies?: Record<string, string> };
export type Lock = {
  packages: Record<string, { version?: string; integrity?: string; optional?: boolean } | undefined>;
};

function matches(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, text }) =>
    withoutComments(text)
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
  );
}

/** A comment may name what code may not use; only leftover marks count there, and those keep their own words. */
function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, (line) => (leftoverMarks.test(line) ? line : ''));
}

function importsAmong(files: readonly SourceFile[]): { from: string; to: string }[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ target }) => target.startsWith('.'))
      .map(({ target }) => ({ from: path, to: new URL(target, `file:///${path}`).pathname.slice(1) })),
  );
}

/** Every form: `import x from`, `export ... from`, a bare `import '...'` and the dynamic `import('...')`. */
function importsOf(text: string): { target: string; isType: boolean }[] {
  const statement = /(?:^|[^\w.])(?:import|export)\b(\s+type\b(?!\s+from))?(?:[^'";=]*\bfrom)?\s*\(?\s*'([^']+)'/g;
  return [...withoutComments(text).matchAll(statement)].map(([, type, target = '']) => ({
    target,
    isType: type !== undefined,
  }));
}

function layerOf(path: string): string {
  return path.startsWith('src/') ? (path.split('/')[1] ?? '') : '';
}
