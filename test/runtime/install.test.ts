// The install step before every script, with an npm that the test watches.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const installer = fileURLToPath(new URL('../../scripts/install.mjs', import.meta.url));
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A project with nothing installed and an `npm` on PATH that notes each call and installs in no time, or fails. */
function project({ npmExitCode }: { npmExitCode: number }) {
  const root = mkdtempSync(join(tmpdir(), 'remit-install-'));
  folders.push(root);
  mkdirSync(join(root, 'scripts'));
  mkdirSync(join(root, 'bin'));
  cpSync(installer, join(root, 'scripts', 'install.mjs'));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  const npm = `#!/bin/sh
echo "npm $1 says hello"
echo "$*" >> calls
[ ${npmExitCode} = 0 ] && mkdir -p node_modules && echo '{}' > node_modules/.package-lock.json
exit ${npmExitCode}
`;
  writeFileSync(join(root, 'bin', 'npm'), npm);
  chmodSync(join(root, 'bin', 'npm'), 0o755);
  const calls = () =>
    existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').split('\n').length - 1 : 0;
  return { root, calls };
}

async function install(root: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'scripts', 'install.mjs')], {
    env: { PATH: `${join(root, 'bin')}${delimiter}${process.env.PATH}` },
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    said.stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    said.stderr += String(chunk);
  });
  await once(child, 'close');
  return { code: child.exitCode, ...said };
}

describe('install', () => {
  it('installs what is missing once, says so on standard error only, and leaves no lock', async () => {
    const { root, calls } = project({ npmExitCode: 0 });
    const first = await install(root);
    expect(first).toMatchObject({ code: 0, stdout: '' });
    expect(first.stderr).toContain('npm ci says hello');
    expect(await install(root)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(calls()).toBe(1);
    expect(readdirSync(root).sort()).toEqual(['bin', 'calls', 'node_modules', 'package-lock.json', 'scripts']);
  });

  it('installs again when the lockfile is newer than what is installed, even one dated in the future', async () => {
    const { root, calls } = project({ npmExitCode: 0 });
    await install(root);
    const tomorrow = new Date(Date.now() + 86_400_000);
    utimesSync(join(root, 'package-lock.json'), tomorrow, tomorrow);
    await install(root);
    await install(root);
    expect(calls()).toBe(2);
  });

  it('installs once for several scripts that start at the same time', async () => {
    const { root, calls } = project({ npmExitCode: 0 });
    const ends = await Promise.all([install(root), install(root), install(root)]);
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(calls()).toBe(1);
  });

  it('takes over the lock of an install that was killed', async () => {
    const { root, calls } = project({ npmExitCode: 0 });
    const dead = spawn('true');
    await once(dead, 'exit');
    writeFileSync(join(root, '.install.lock'), `${dead.pid}\n`);
    expect(await install(root)).toMatchObject({ code: 0 });
    expect(calls()).toBe(1);
    expect(existsSync(join(root, '.install.lock'))).toBe(false);
  });

  it('fails with the way out when npm fails, and leaves no lock', async () => {
    const { root } = project({ npmExitCode: 7 });
    const end = await install(root);
    expect(end).toMatchObject({ code: 1, stdout: '' });
    expect(end.stderr).toMatch(/npm ci failed \(7\).*then run: npm ci/s);
    expect(existsSync(join(root, '.install.lock'))).toBe(false);
  });
});
