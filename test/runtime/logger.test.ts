// The log: only the listed fields leave the process, and an error keeps what explains it.

import { describe, expect, it } from 'vitest';
import { createLogger } from '../../src/runtime/logger.ts';

function capture(format: 'json' | 'pretty') {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format, destination: { write: (line: string) => void lines.push(line) } });
  return { log, lines };
}

describe('logger', () => {
  it('writes the fields on its list and drops every other one, at any depth and in child loggers', () => {
    const { log, lines } = capture('json');
    const child = log.child({ queue: 'payout', secret: 'canary' });
    child.info({ pkid: 'p1', attempt: 2, body: { card: 'canary' }, reason: { hidden: 'canary' } }, 'moved');
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      queue: 'payout',
      pkid: 'p1',
      attempt: 2,
      msg: 'moved',
    });
  });

  it('keeps of an error what explains it, with its causes, and nothing that was attached to it', () => {
    const { log, lines } = capture('json');
    const cause = Object.assign(new Error('deadlock'), { code: '40P01', query: 'canary' });
    log.error({ err: Object.assign(new Error('no'), { cause, request: 'canary' }) }, 'failed');
    const { err } = JSON.parse(lines[0] ?? '');
    expect(err).toMatchObject({ name: 'Error', message: 'no', cause: { code: '40P01', message: 'deadlock' } });
    expect(lines[0]).not.toContain('canary');
  });

  it('writes one line for a person to read', () => {
    const { log, lines } = capture('pretty');
    log.warn({ provider: 'stripe', durationMs: 12, err: new Error('no') }, 'will retry');
    expect(lines).toEqual([
      expect.stringMatching(/^[\d:.]+ WARN {2}will retry provider=stripe durationMs=12 err=Error: no \[at .*\]\n$/),
    ]);
  });
});
