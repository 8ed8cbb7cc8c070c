// The command line as a whole: its version, and that the README names everything that it can do.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runCommand } from '../harness/command.ts';

const root = new URL('../../', import.meta.url);

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  expect(await runCommand(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('every command stands in the README', async () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const { stdout } = await runCommand(['--help']);
  const commands = [...stdout.matchAll(/^ {2}(\w+) /gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  expect(commands).toEqual(expect.arrayContaining(['demo', 'keys', 'statement', 'load', 'openapi', 'worker']));
  const isNamed = (name: string) => ['npm run ', 'npm run remit -- ', '`'].some((way) => readme.includes(way + name));
  expect(commands.filter((name) => !isNamed(name))).toEqual([]);
});
