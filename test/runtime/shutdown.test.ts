// The orderly end: stages in order, each within its share of the time, whatever asks for it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createShutdown } from '../../src/runtime/shutdown.ts';

const module = new URL('../../src/runtime/shutdown.ts', import.meta.url).href;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  process.exitCode = undefined;
});

/** A program that says "ready", then "closing" when asked to end, and needs `closeMs` for that. */
function program(closeMs: number): string {
  return `
    const { createShutdown } = await import(${JSON.stringify(module)});
    const quiet = { info() {}, warn() {}, error() {} };
    const shutdown = createShutdown({ log: quiet, graceMs: 60_000 });
    shutdown.add('work', () => new Promise((done) => {
      console.log('closing');
      setTimeout(() => { console.log('closed'); done(); }, ${closeMs});
    }));
    shutdown.onSignal();
    setInterval(() => {}, 1_000);
    console.log('ready');`;
}

function run(script: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, nextLine: async () => (await lines.next()).value, exit: once(child, 'exit') };
}

describe('shutdown', () => {
  it('closes the stages one after the other, in the order given, and only once', async () => {
    const steps: string[] = [];
    const shutdown = createShutdown({ log: silentLogger(), graceMs: 5_000 });
    for (const name of ['http', 'workers', 'database']) {
      shutdown.add(name, async () => {
        steps.push(`${name} begins`);
        await new Promise(setImmediate);
        steps.push(`${name} ends`);
      });
    }
    await Promise.all([shutdown.run('SIGTERM'), shutdown.run('SIGINT')]);
    await shutdown.run('again');
    expect(steps).toEqual([
      'http begins',
      'http ends',
      'workers begins',
      'workers ends',
      'database begins',
      'database ends',
    ]);
    expect(process.exitCode).toBeUndefined();
  });

  it('goes on without a stage that hangs, so that the database still closes', async () => {
    const closed: string[] = [];
    const shutdown = createShutdown({ log: silentLogger(), graceMs: 200 });
    shutdown.add('hangs', () => new Promise(() => {}));
    shutdown.add('database', async () => void closed.push('database'));
    await shutdown.run('SIGTERM');
    expect(closed).toEqual(['database']);
  });

  it('closes the rest when a stage fails, and tells the failure in the exit code', async () => {
    const closed: string[] = [];
    const shutdown = createShutdown({ log: silentLogger(), graceMs: 1_000 });
    shutdown.add('breaks', () => Promise.reject(new Error('no')));
    shutdown.add('database', async () => void closed.push('database'));
    await shutdown.run('SIGTERM');
    expect({ closed, code: process.exitCode }).toEqual({ closed: ['database'], code: 1 });
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends the process in order with exit code 0', async (signal) => {
    const { child, nextLine, exit } = run(program(20));
    expect(await nextLine()).toContain('ready');
    child.kill(signal);
    expect([await nextLine(), await nextLine()]).toEqual(['closing', 'closed']);
    expect(await exit).toEqual([0, null]);
  });

  it('a second Ctrl-C ends the process at once', async () => {
    const { child, nextLine, exit } = run(program(60_000));
    await nextLine();
    child.kill('SIGINT');
    expect(await nextLine()).toBe('closing');
    // Interrupts that follow each other at once count as one keypress, so a person's second one is repeated here.
    const again = setInterval(() => child.kill('SIGINT'), 100);
    expect(await exit).toEqual([130, null]);
    clearInterval(again);
  });

  it('a process whose parent was killed ends in order', async () => {
    const parent = run(`
      const { spawn } = await import('node:child_process');
      spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(program(20))}], { stdio: 'inherit' });`);
    expect(await parent.nextLine()).toContain('ready');
    parent.child.kill('SIGKILL');
    expect([await parent.nextLine(), await parent.nextLine()]).toEqual(['closing', 'closed']);
    // Its output ends when it has ended; its number may stay in the process table for a while.
    expect(await parent.nextLine()).toBeUndefined();
  });

  it('a closed terminal does not cut the orderly end short', async () => {
    const { child, nextLine, exit } = run(program(20));
    await nextLine();
    child.stdout?.destroy();
    child.kill('SIGHUP');
    expect(await exit).toEqual([0, null]);
  });
});
