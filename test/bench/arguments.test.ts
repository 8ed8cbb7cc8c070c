// The bench's command line: what is meant is understood, and what is not is refused with the way out.

import { describe, expect, it } from 'vitest';
import { parseArguments, USAGE, UsageError } from '../../bench/arguments.ts';
import { DEFAULT_NAMES, NAMES, PREFILL_NAMES } from '../../bench/name.ts';

describe('what is asked for', () => {
  it('is the contract without any option', () => {
    expect(parseArguments([])).toEqual({
      json: false,
      names: DEFAULT_NAMES,
      seconds: 6,
      rounds: 3,
      backends: null,
      backlog: 20_000,
      prefill: 0,
      unsafe: false,
    });
  });

  it('is taken from the options', () => {
    const args = '--json --only http_single,drain_hot --seconds 2 --rounds 1 --backend both --backlog 50 --unsafe';
    expect(parseArguments(args.split(' '))).toMatchObject({
      json: true,
      names: ['http_single', 'drain_hot'],
      seconds: 2,
      rounds: 1,
      backends: ['redis', 'postgres'],
      backlog: 50,
      unsafe: true,
    });
  });

  it('includes the lists once the books are filled', () => {
    expect(parseArguments(['--prefill', '1000'])).toMatchObject({ names: [...DEFAULT_NAMES, ...PREFILL_NAMES] });
    expect(parseArguments(['--prefill', '1000', '--only', 'http_batch'])).toMatchObject({ names: ['http_batch'] });
  });

  it('may be help, which names everything', () => {
    expect(parseArguments(['--help'])).toBe('help');
    for (const name of Object.keys(NAMES)) expect(USAGE).toContain(name);
  });
});

it.each([
  { args: ['--only', 'drain'], said: /"drain" is not known.*drain_uniform/ },
  { args: ['--seconds', '0'], said: /from 1 to/ },
  { args: ['--seconds', '1.5'], said: /whole number/ },
  { args: ['--prefill', '-1'], said: /prefill/ },
  { args: ['--backend', 'kafka'], said: /redis, postgres or both/ },
  { args: ['--what'], said: /what/ },
  { args: ['drain_uniform'], said: /drain_uniform/ },
])('$args is refused', ({ args, said }) => {
  expect(() => parseArguments(args)).toThrow(UsageError);
  expect(() => parseArguments(args)).toThrow(said);
});
