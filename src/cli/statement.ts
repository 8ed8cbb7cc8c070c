// `remit statement`: has every payment of a provider's own list looked at. Exit code 1 when something is not here.

import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { isPkid } from '../domain/id.ts';
import { PROVIDERS } from '../domain/provider.ts';
import { beginningsOf, kindsListed, type StatementName } from '../domain/statement.ts';
import {
  fileStatement,
  findMisfiled,
  type Looked,
  type Misfiled,
  readStatement,
  type StatementLine,
} from '../jobs/statement.ts';
import { withDatabase } from './database.ts';
import { UsageError } from './usage-error.ts';

/** A line is the provider's id, then perhaps our reference as the provider has it, with or without its dashes. */
const LINE = /^(?<externId>[A-Za-z0-9_-]{1,255})(?:,(?<reference>[0-9a-fA-F-]{32,36}))?$/;
/** A file that is longer than anybody pays in a day is some other file. */
const LINES_MAX = 100_000;
const LOOK_AGAIN_MS = 500;
/** A whole file of the wrong kind is told by its first lines. */
const MISFILED_SHOWN_MAX = 5;

export async function runStatement(file: string, { wait, ...named }: StatementName & { wait: number }): Promise<void> {
  const { provider, kind } = named;
  refuseImpossible(named);
  const lines = parseStatement(await readStatementFile(file));
  const looked = await withDatabase(async (db) => {
    const misfiled = await findMisfiled(db, { provider, kind, lines });
    if (misfiled.length > 0) throw new UsageError(misfiledText(misfiled, named));
    const filed = await fileStatement(db, { provider, kind, lines });
    const giveUpAt = performance.now() + wait * 1000;
    let seen = await readStatement(db, filed);
    while (seen.open > 0 && performance.now() < giveUpAt) {
      await delay(LOOK_AGAIN_MS);
      seen = await readStatement(db, filed);
    }
    return seen;
  });
  process.stdout.write(`${reportText(looked)}\n`);
  if (looked.open > 0 || looked.outcomes.unmatched !== undefined) process.exitCode = 1;
}

function refuseImpossible({ provider, kind }: StatementName): void {
  const kinds = kindsListed(provider);
  if (kinds.includes(kind)) return;
  const others = PROVIDERS.filter((name) => kindsListed(name).includes(kind));
  throw new UsageError(
    `${provider} has no ${kind}s, so this is another list. Give --kind ${kinds.join(' or ')}, or ` +
      `--provider ${others.join(' or ')}.`,
  );
}

async function readStatementFile(file: string): Promise<string> {
  try {
    return await (file === '-' ? text(process.stdin) : readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(
      `The file "${file}" cannot be read (${reason}). Give one with a payment a line, or "-" for the standard input.`,
    );
  }
}

export function parseStatement(content: string): StatementLine[] {
  const lines = content.split('\n').map((line) => line.trim().replaceAll('"', ''));
  const filled = lines.flatMap((line, index) => (line === '' ? [] : [{ line, number: index + 1 }]));
  if (filled.length === 0) throw new UsageError('The statement is empty. Give a file with one payment id a line.');
  if (filled.length > LINES_MAX)
    throw new UsageError(`The statement has more than ${LINES_MAX} lines. Split the file.`);
  return filled.map(({ line, number }) => {
    const { externId, reference = null } = LINE.exec(line)?.groups ?? {};
    const pkid = reference === null ? null : dashed(reference);
    if (externId === undefined || (pkid !== null && !isPkid(pkid))) {
      throw new UsageError(
        `Line ${number} is not "<id of the provider>" or "<id>,<our reference>". Leave out headings and other columns.`,
      );
    }
    return { externId, pkid };
  });
}

function dashed(reference: string): string {
  const digits = reference.toLowerCase().replaceAll('-', '');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function misfiledText(misfiled: readonly Misfiled[], named: StatementName): string {
  const shown = misfiled.slice(0, MISFILED_SHOWN_MAX).map(({ externId, is }) => {
    if (is === 'unknown') {
      const beginnings = beginningsOf(named).join(' or ');
      return `${externId} is no id of a ${named.kind} at ${named.provider}: those begin with ${beginnings}.`;
    }
    const what = is.booked === null ? `the id of a ${is.kind}` : `the ${is.kind} "${is.booked}"`;
    return `${externId} is ${what} at ${is.provider}: that list is --provider ${is.provider} --kind ${is.kind}.`;
  });
  const more = misfiled.length - shown.length;
  const rest = more > 0 ? [`${more} more lines are misplaced too.`] : [];
  const wayOut = 'Nothing was filed. Name the list as what it is, or take these lines out.';
  return [...shown, ...rest, wayOut].join('\n');
}

function reportText({ open, outcomes }: Looked): string {
  const done = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  const waiting = open > 0 ? [`${open} not looked at yet: is a worker running?`] : [];
  const unknown = outcomes.unmatched === undefined ? [] : ['What is unmatched is listed in GET /v1/attention.'];
  return [`Looked at: ${done.join(', ') || 'nothing'}`, ...waiting, ...unknown].join('\n');
}
