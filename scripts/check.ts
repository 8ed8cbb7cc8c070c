// `npm run check`: types, lint and format, unused code, the layer rule, the OpenAPI document and the audit of
// dependencies, two steps at a time.
// One line for each step with its duration; a step that fails shows what it said, and the exit code is then 1.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditArguments, judgeAudit, type Outcome } from './dependency-audit.ts';

type Step = { name: string; run: () => Promise<Outcome> };

const root = fileURLToPath(new URL('../', import.meta.url));
const writeOpenapi = 'node src/main.mjs openapi > docs/openapi.json';
const openapiFile = join(root, 'docs', 'openapi.json');
// Two cores are what the build machines have; more steps at once would only wait for each other.
const stepsAtOnce = 2;

const steps: readonly Step[] = [
  { name: 'unused code', run: () => tool('knip', ['--no-progress']) },
  {
    name: 'layer rule',
    run: () => tool('vitest', ['run', 'test/tidy.test.ts', '--config', 'scripts/layer-rule.config.ts']),
  },
  { name: 'types', run: () => tool('tsc', ['-p', '.', '--noEmit']) },
  { name: 'lint and format', run: () => tool('biome', ['check', '--error-on-warnings', '.']) },
  { name: 'OpenAPI document', run: compareOpenapi },
  { name: 'dependency audit', run: auditDependencies },
];

const queue = [...steps];
let failed = 0;
await Promise.all(Array.from({ length: stepsAtOnce }, work));
process.stdout.write(failed === 0 ? 'check passed\n' : `check failed: ${failed} of ${steps.length} steps\n`);
process.exitCode = failed === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const startedAt = performance.now();
    const { verdict, said } = await step.run();
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    process.stdout.write(
      `${verdict.padEnd(7)} ${step.name} (${seconds} s)${verdict === 'ok' ? '' : `\n${said.trimEnd()}`}\n`,
    );
    if (verdict === 'FAILED') failed += 1;
  }
}

async function tool(name: string, args: readonly string[]): Promise<Outcome> {
  const suffix = process.platform === 'win32' ? '.cmd' : '';
  const { code, output } = await capture(join(root, 'node_modules', '.bin', `${name}${suffix}`), args);
  return { verdict: code === 0 ? 'ok' : 'FAILED', said: output };
}

/** The document in docs/ is what users read; it must be the one the program serves. */
async function compareOpenapi(): Promise<Outcome> {
  const isCommitted = existsSync(openapiFile);
  const { code, output, stdout } = await capture(process.execPath, [join(root, 'src', 'main.mjs'), 'openapi']);
  if (code !== 0) {
    if (isCommitted) return { verdict: 'FAILED', said: `node src/main.mjs openapi failed:\n${output}` };
    return { verdict: 'skipped', said: 'There is no docs/openapi.json and no "openapi" command yet.' };
  }
  if (!isCommitted) return { verdict: 'FAILED', said: `docs/openapi.json is missing. Write it: ${writeOpenapi}` };
  if (sameJson(stdout, readFileSync(openapiFile, 'utf8'))) return { verdict: 'ok', said: '' };
  return {
    verdict: 'FAILED',
    said: `docs/openapi.json differs from what the program serves. Write it anew: ${writeOpenapi}`,
  };
}

async function auditDependencies(): Promise<Outcome> {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  return judgeAudit((await capture(npm, auditArguments)).stdout);
}

function sameJson(one: string, other: string): boolean {
  try {
    return JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return false;
  }
}

function capture(command: string, args: readonly string[]): Promise<{ code: number; output: string; stdout: string }> {
  return new Promise((resolve) => {
    // The tools are scripts that look for `node` on PATH, and that must be the one installed here.
    const env = {
      ...process.env,
      NO_COLOR: '1',
      PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
    };
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: command.endsWith('.cmd'),
    });
    let stdout = '';
    let output = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
      output += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      output += String(chunk);
    });
    child.once('error', (error) => resolve({ code: 1, output: error.message, stdout }));
    child.once('close', (code) => resolve({ code: code ?? 1, output, stdout }));
  });
}
