// One command of remit as a process of its own, run to its end with nothing of the caller's settings.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const main = fileURLToPath(new URL('../../src/main.mjs', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What stands on its standard input. */
  readonly input?: string;
}

export async function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const run = promisify(execFile)(process.execPath, [main, ...args], { env: environment(options) });
  run.child.stdin?.end(options.input ?? '');
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ended) => ({ code, stdout, stderr }),
  );
}

/** The same where nobody reads one of its streams; gives what the other said. */
export async function runUnread(
  unread: 'stdout' | 'stderr',
  args: readonly string[],
  options: CommandOptions = {},
): Promise<{ code: number | null; heard: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child[unread].destroy();
  let heard = '';
  child[unread === 'stdout' ? 'stderr' : 'stdout'].on('data', (piece: Buffer) => {
    heard += piece.toString('utf8');
  });
  const [code] = await once(child, 'close');
  return { code, heard };
}

function environment({ env = {} }: CommandOptions): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, TMPDIR: tmpdir(), ...env };
}
