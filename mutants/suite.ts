// Runs test files in a copy, by the vitest and the node that are installed there, and reads what came of it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clusterPaths, isServing, readPostmaster } from '../src/runtime/embedded-postgres/cluster.ts';
import type { Copy } from './copy.ts';
import { type Report, reportShape } from './outcome.ts';

export interface Suite {
  /** Null when vitest did not come as far as a report; `bail` ends with the first test that fails. */
  run(files: readonly string[], options: { bail: boolean }): Promise<Report | null>;
  /** Ends what is running, with its servers, for good. */
  stop(): Promise<void>;
}

/** Many times what the slowest file needs, for a mutant that makes everything wait. */
const RUN_MS_MAX = 10 * 60_000;
/** vitest ends at once, unless it hangs. */
const STOP_MS_MAX = 5_000;

export function openSuite({ root, temporary }: Pick<Copy, 'root' | 'temporary'>): Suite {
  const env = { ...process.env, TMPDIR: temporary, TMP: temporary, TEMP: temporary };
  const reportFile = join(root, 'report.json');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  let running: { child: ChildProcess; exited: Promise<unknown> } | null = null;
  let isStopped = false;

  async function end(): Promise<void> {
    if (running === null) return;
    const { child, exited } = running;
    child.kill('SIGINT');
    const timeout = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await exited.finally(() => clearTimeout(timeout));
    endServers(temporary);
  }

  return {
    async run(files, { bail }) {
      rmSync(reportFile, { force: true });
      const output = ['--reporter', 'json', '--outputFile', reportFile];
      const args = [vitest, 'run', ...files, ...(bail ? ['--bail', '1'] : []), ...output];
      // What it prints is in the report; a run that dies before says on stderr why.
      const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] });
      running = { child, exited: once(child, 'exit') };
      const timeout = setTimeout(() => void end(), RUN_MS_MAX);
      await running.exited.finally(() => clearTimeout(timeout));
      running = null;
      // Whoever stopped it is about to leave, and must not meet the start of the next run.
      return isStopped ? new Promise<never>(() => undefined) : readReport(reportFile);
    },
    stop() {
      isStopped = true;
      return end();
    },
  };
}

function readReport(file: string): Report | null {
  try {
    return reportShape.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** vitest leaves a server of a run that is interrupted; once its folder is gone nobody could find it any more. */
function endServers(folder: string): void {
  for (const file of globSync('**/postgres/postmaster.pid', { cwd: folder })) {
    const paths = clusterPaths(join(folder, dirname(dirname(file))));
    const postmaster = readPostmaster(paths);
    if (postmaster !== null && isServing({ postmaster, paths })) process.kill(postmaster.pid, 'SIGQUIT');
  }
}
