// `remit statement`: has every payment of a provider's own list looked at. Exit code 1 when something is not here.

import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isPkid } from '../domain/id.ts';
import type { ProviderName } from '../domain/provider.ts';
import { fileStatement, type Looked, readStatement, type Statement, type StatementLine } from '../jobs/statement.ts';
import { readConfig } from '../runtime/config.ts';
import { createLogger } from '../runtime/logger.ts';
import { joinDatabase, openAnsweringDb } from './database.ts';
import { UsageError } from './usage-error.ts';

/** A line is the provider's id, then perhaps our reference as the provider has it, with or without its dashes. */
const LINE = /^(?<externId>[A-Za-z0-9_-]{1,255})(?:,(?<reference>[0-9a-fA-F-]{32,36}))?$/;
/** A file that is longer than anybody pays in a day is some other file. */
const LINES_MAX = 100_000;
const LOOK_AGAIN_MS = 500;

export async function runStatement(
  file: string,
  options: { provider: ProviderName; kind: Statement['kind']; wait: number },
): Promise<void> {
  const { provider, kind, wait } = options;
  const lines = parseStatement(readList(file));
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, format: config.logFormat, destination: process.stderr });
  const database = await joinDatabase(config, log);
  const db = await openAnsweringDb(database.url, log);
  try {
    const name = await fileStatement(db, { provider, kind, lines });
    const giveUpAt = performance.now() + wait * 1000;
    let looked = await readStatement(db, name);
    while (looked.open > 0 && performance.now() < giveUpAt) {
      await delay(LOOK_AGAIN_MS);
      looked = await readStatement(db, name);
    }
    process.stdout.write(`${reportText(looked)}\n`);
    if (looked.open > 0 || looked.outcomes.unmatched !== undefined) process.exitCode = 1;
  } finally {
    await db.close();
    await database.close();
  }
}

function readList(file: string): string {
  try {
    return readFileSync(file === '-' ? process.stdin.fd : file, 'utf8');
  } catch (cause) {
    throw new UsageError(`Cannot read ${file}. Name a file with one payment id a line, or - for standard input.`, {
      cause,
    });
  }
}

export function parseStatement(text: string): StatementLine[] {
  const lines = text.split('\n').map((line) => line.trim().replaceAll('"', ''));
  const filled = lines.flatMap((line, index) => (line === '' ? [] : [{ line, number: index + 1 }]));
  if (filled.length === 0) throw new Error('The statement is empty. Give a file with one payment id a line.');
  if (filled.length > LINES_MAX) throw new Error(`The statement has more than ${LINES_MAX} lines. Split the file.`);
  return filled.map(({ line, number }) => {
    const { externId, reference = null } = LINE.exec(line)?.groups ?? {};
    const pkid = reference === null ? null : dashed(reference);
    if (externId === undefined || (pkid !== null && !isPkid(pkid))) {
      throw new Error(
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

function reportText({ open, outcomes }: Looked): string {
  const done = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  const waiting = open > 0 ? [`${open} not looked at yet: is a worker running?`] : [];
  const unknown = outcomes.unmatched === undefined ? [] : ['What is unmatched is listed in GET /v1/attention.'];
  return [`Looked at: ${done.join(', ') || 'nothing'}`, ...waiting, ...unknown].join('\n');
}
