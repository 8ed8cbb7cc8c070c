// What `npm audit` says of the locked dependencies, as a step of the check: a finding of high severity fails it. A
// registry that cannot be asked fails nothing, because it says nothing of them; one line tells that it was not asked.

export type Outcome = { verdict: 'ok' | 'FAILED' | 'skipped'; said: string };

/** No second try and a short wait: without a network the check must not stand still. */
export const auditArguments = ['audit', '--json', '--fetch-retries=0', '--fetch-timeout=15000'] as const;

const severe = ['high', 'critical'];

type Finding = { name: string; severity: string };

/** Of its standard output; the exit code says nothing that is not in there. */
export function judgeAudit(output: string): Outcome {
  const report = parsed(output);
  const findings = findingsIn(report);
  if (findings === null)
    return { verdict: 'skipped', said: `npm audit could not ask: ${reasonIn(report)}. ${askAgain}` };
  const found = findings.filter(({ severity }) => severe.includes(severity));
  if (found.length === 0) return { verdict: 'ok', said: '' };
  const names = found.map(({ name, severity }) => `${name} (${severity})`).sort();
  return { verdict: 'FAILED', said: `npm audit found: ${names.join(', ')}. ${wayOut}` };
}

const askAgain = 'Run it where the registry answers: npm audit';
const wayOut = 'Read "npm audit", then raise the version in package.json, or in its "overrides" where others bring it.';

/** Null when this is no report at all. */
function findingsIn(report: Record<string, unknown>): Finding[] | null {
  const { vulnerabilities } = report;
  if (!isObject(vulnerabilities)) return null;
  return Object.entries(vulnerabilities).map(([name, finding]) => ({
    name,
    severity: isObject(finding) ? String(finding.severity) : 'unknown',
  }));
}

/** In one line, whatever the registry or the network said. */
function reasonIn({ message, error }: Record<string, unknown>): string {
  const summary = isObject(error) ? error.summary || error.code : undefined;
  const said = typeof message === 'string' ? message : typeof summary === 'string' ? summary : 'no report came';
  return said.replaceAll(/\s+/g, ' ').trim().replace(/\.$/, '').slice(0, 200);
}

function parsed(output: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(output);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
