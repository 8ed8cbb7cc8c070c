// A real browser for pages: Debian's chromium on PATH. Without one the suite is skipped with one printed line, or
// refused when REQUIRE_CHROMIUM=1.

import { spawnSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';

/** The path of a browser, or null after saying why the suite is skipped. */
export function browserPath(env: Record<string, string | undefined> = process.env): string | null {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  const wayOut = 'Install it (apt-get install chromium).';
  if (env.REQUIRE_CHROMIUM === '1') throw new Error(`REQUIRE_CHROMIUM=1 and there is no chromium on PATH. ${wayOut}`);
  process.stdout.write(`Page suites are skipped: there is no chromium on PATH. ${wayOut}\n`);
  return null;
}

export function openBrowser(executablePath: string): Promise<Browser> {
  const quiet = ['--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...quiet] });
}
