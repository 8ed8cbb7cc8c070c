// A provider's list is read line by line, and what is none, or stands under a wrong name, is refused before anything is
// filed: nobody shall look for money that the books have.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseStatement, runStatement } from '../../src/cli/statement.ts';
import { type Pkid, pkidOf } from '../../src/domain/id.ts';
import { PROVIDERS } from '../../src/domain/provider.ts';
import { kindsListed, STATEMENT_KINDS, type StatementName } from '../../src/domain/statement.ts';
import { fileStatement, findMisfiled, readStatement } from '../../src/jobs/statement.ts';
import { startRemit, type TestRemit } from '../harness/app.ts';
import { runCommand } from '../harness/command.ts';
import { createDatabase } from '../harness/postgres.ts';
import { until } from '../harness/until.ts';

const PKID = '8e12eff4-1f0b-5860-93fd-4876ca66286e';

test('a line is an id, or an id and our reference with or without its dashes', () => {
  const text = `tr_1\r\n\n"tr_2","${PKID}"\ntr_3,${PKID.replaceAll('-', '').toUpperCase()}\n`;
  expect(parseStatement(text)).toEqual([
    { externId: 'tr_1', pkid: null },
    { externId: 'tr_2', pkid: PKID },
    { externId: 'tr_3', pkid: PKID },
  ]);
});

test.each([
  ['a heading', 'id,reference\ntr_1', 'Line 1 is not'],
  ['more columns', 'tr_1,100,USD', 'Line 1 is not'],
  ['a broken reference', `tr_1\ntr_2,${PKID.slice(1)}-`, 'Line 2 is not'],
  ['nothing', ' \n', 'The statement is empty'],
])('%s is refused, with what to do', (_what, text, said) => {
  expect(() => parseStatement(text)).toThrow(said);
  expect(() => parseStatement(text)).toThrow(/Leave out|Give a file/);
});

test('a provider that has no such payments is told by name, with the lists that it has', async () => {
  const impossible = runStatement('-', { provider: 'tipalti', kind: 'payin', wait: 1 });
  await expect(impossible).rejects.toThrow(/^tipalti has no payins.*--kind payout, or --provider stripe or paypal or/);
});

test.each(['nofile.txt', tmpdir()])('what cannot be read (%s) is told with what to give instead', async (file) => {
  const unreadable = runStatement(file, { provider: 'stripe', kind: 'payout', wait: 1 });
  await expect(unreadable).rejects.toThrow(/cannot be read \((ENOENT|EISDIR)\)\. Give one with a payment a line/);
});

describe('on books that have a payout', () => {
  let remit: TestRemit;
  let folder: string;
  let databaseUrl: string;
  let externId: string;
  const pkid = pkidOf('payout', 'out-1');
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'remit-statement-'));
    const makeDatabase = async () => {
      const database = await createDatabase();
      databaseUrl = database.url;
      return database;
    };
    remit = await startRemit({}, { makeDatabase });
    await remit.fundedWallet('seller', 1_000n);
    await remit.payout('out-1', { walletId: 'seller', amountMinor: 100n, to: 'acct_ok_1' });
    externId = (await remit.settled('out-1')).externPaymentId ?? '';
  });
  afterAll(async () => {
    await remit.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const misfiled = (named: StatementName, line: { externId: string; pkid?: Pkid }) =>
    findMisfiled(remit.app.db, { ...named, lines: [{ pkid: null, ...line }] });
  const booked = { provider: 'stripe', kind: 'payout', booked: 'out-1' };

  test('a list under a wrong kind is refused as wrong usage, names the payout, and opens no discrepancy', async () => {
    const file = join(folder, 'payouts.txt');
    writeFileSync(file, `${externId},${pkid}\n`);
    const env = { DATABASE_URL: databaseUrl };
    const wrong = await runCommand(['statement', file, '--provider', 'stripe', '--kind', 'payin'], { env });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toContain(
      `${externId} is the payout "out-1" at stripe: that list is --provider stripe --kind`,
    );
    expect(wrong.stderr).toContain('Nothing was filed.');
    const { rows } = await sql`
      SELECT reason FROM discrepancy UNION ALL SELECT event_id FROM provider_event WHERE type = 'statement'
      `.execute(remit.app.db.sql);
    expect(rows).toEqual([]);
    const right = await runCommand(['statement', file, '--provider', 'stripe', '--kind', 'payout'], { env });
    expect(right).toMatchObject({ code: 0, stdout: 'Looked at: 1 no_effect\n' });
  });

  test('so is one under a wrong provider, and one whose payment has no id yet, by our reference', async () => {
    expect(await misfiled({ provider: 'paypal', kind: 'payout' }, { externId })).toEqual([{ externId, is: booked }]);
    await remit.payout('out-2', { walletId: 'seller', amountMinor: 5_000n, to: 'acct_ok_2' });
    expect(await remit.settled('out-2')).toMatchObject({ status: 'failed', externPaymentId: null });
    const line = { externId: 'B2', pkid: pkidOf('payout', 'out-2') };
    const is = { ...booked, booked: 'out-2' };
    expect(await misfiled({ provider: 'paypal', kind: 'refund' }, line)).toEqual([{ externId: 'B2', is }]);
  });

  test('an id that nobody here knows is refused where it says itself that it names something else', async () => {
    const named = { provider: 'stripe', kind: 'payin' } as const;
    const is = { provider: 'stripe', kind: 'payout', booked: null };
    expect(await misfiled(named, { externId: 'tr_1' })).toEqual([{ externId: 'tr_1', is }]);
    expect(await misfiled({ ...named, kind: 'payout' }, { externId: 'po_1' })).toEqual([
      { externId: 'po_1', is: 'unknown' },
    ]);
    expect(await misfiled({ ...named, kind: 'payout' }, { externId: 'tr_1' })).toEqual([]);
    expect(await misfiled({ provider: 'square', kind: 'refund' }, { externId: 'any_1' })).toEqual([]);
  });

  test.each([
    ['payout', 'it was paid twice'],
    ['refund', 'refunds are shown under the reference of what they give back'],
  ] as const)('a %s under the reference of what has another id is not refused: %s', async (kind, _why) => {
    expect(await misfiled({ provider: 'paypal', kind }, { externId: 'B1', pkid })).toEqual([]);
  });

  test('what the provider does not know either is told so', async () => {
    const lines = [{ externId: 'tr_nowhere', pkid: pkidOf('payout', 'nobody') }];
    const filed = await fileStatement(remit.app.db, { provider: 'stripe', kind: 'payout', lines });
    await until(
      () => readStatement(remit.app.db, filed),
      ({ open }) => open === 0,
    );
    const { discrepancies } = await remit.app.reviews.attention();
    expect(discrepancies).toMatchObject([{ detail: expect.stringMatching(/knew nothing under this id.*slip/) }]);
  });

  test('the lists that are taken are those of what each provider does', () => {
    for (const provider of remit.app.providers.values()) {
      const has = {
        payin: provider.payin,
        payout: provider.payout,
        refund: provider.refund,
        dispute: provider.findDispute,
      };
      const kinds = STATEMENT_KINDS.filter((kind) => has[kind] !== null);
      expect({ name: provider.name, kinds }).toEqual({ name: provider.name, kinds: kindsListed(provider.name) });
    }
    expect([...remit.app.providers.keys()].toSorted()).toEqual([...PROVIDERS].toSorted());
  });
});
