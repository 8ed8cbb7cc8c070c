// `remit audit`: proves the books and says what is wrong. Exit code 1 when something is.

import { audit } from '../ledger/audit.ts';
import { withDatabase } from './database.ts';

export async function runAudit({ json = false }: { json?: boolean }): Promise<void> {
  const report = await withDatabase(audit);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report));
  if (!report.ok) process.exitCode = 1;
}

export function reportText({ ok, checks }: Awaited<ReturnType<typeof audit>>): string {
  const idWidth = Math.max(...checks.map(({ id }) => id.length));
  const lines = checks.map(({ id, title, violations }) => {
    const result = violations.length === 0 ? 'ok    ' : `WRONG ${violations.length}`;
    return `${id.padEnd(idWidth)} ${result}  ${title}`;
  });
  const found = checks.flatMap(({ id, violations }) => violations.map((row) => `${id}: ${JSON.stringify(row)}`));
  const verdict = ok
    ? 'The books are right.'
    : 'The books are WRONG. See docs/runbook.md, "The audit found something".';
  return `${[...lines, ...found, verdict].join('\n')}\n`;
}
