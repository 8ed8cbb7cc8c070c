// The check fails on a dependency that is known to be dangerous, and on nothing that a registry did not say.

import { describe, expect, it } from 'vitest';
import { judgeAudit } from '../../scripts/dependency-audit.ts';

const report = (...severities: string[]) =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: Object.fromEntries(severities.map((severity, at) => [`package-${at}`, { severity }])),
  });

describe('the audit of dependencies', () => {
  it.each(['high', 'critical'])('fails on a finding of severity %s, and names it and the way out', (severity) => {
    const { verdict, said } = judgeAudit(report('low', severity, 'moderate'));
    expect(verdict).toBe('FAILED');
    expect(said).toContain(`package-1 (${severity})`);
    expect(said).toContain('package.json');
    expect(said).not.toContain('package-0');
  });

  it.each([[[]], [['low']], [['info', 'moderate']]])('passes with findings %j', (severities) => {
    expect(judgeAudit(report(...severities))).toEqual({ verdict: 'ok', said: '' });
  });

  it.each([
    [
      'a registry that does not take the question',
      { message: '405 Method Not Allowed - POST https://r/-/npm\n', statusCode: 405 },
    ],
    ['a network that is away', { error: { code: 'ENOTFOUND', summary: 'request to https://r/ failed' } }],
    ['no lockfile', { error: { code: 'ENOLOCK', summary: '' } }],
    ['an answer that is no report', [1, 2]],
  ])('of %s says in one line that it could not ask, and does not fail', (_what, answer) => {
    const { verdict, said } = judgeAudit(JSON.stringify(answer));
    expect(verdict).toBe('skipped');
    expect(said).toMatch(/^npm audit could not ask: \S.*\. Run it where the registry answers: npm audit$/);
  });

  it.each(['', 'npm error', '{'])('of the words "%s" says the same', (output) => {
    expect(judgeAudit(output)).toMatchObject({ verdict: 'skipped', said: expect.stringContaining('no report came') });
  });
});
