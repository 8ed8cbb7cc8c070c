// Where all want one wallet, a commit is planned on what the one before will leave: what it then must find, and what
// happens when it does not.

import { sql } from 'kysely';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { debtWalletId } from '../../src/domain/chart.ts';
import { PaymentError } from '../../src/domain/errors.ts';
import { timedPostingIdOf } from '../../src/domain/id.ts';
import { type Foreseen, lockAsForeseen, lockWallets } from '../../src/ledger/wallets.ts';
import { statementsOf } from '../../src/runtime/statements.ts';
import {
  adjust,
  closeAudited,
  type Ledger,
  openLedger,
  openWallets,
  postedOf,
  requestTransfer,
  USD,
} from '../harness/ledger.ts';

let ledger: Ledger;
beforeEach(async () => {
  ledger = await openLedger();
  await openWallets(ledger, ['ann', 'bob', 'eve']);
  await adjust(ledger, { key: 'fund', walletId: 'ann', amountMinor: 1_000n });
});
afterEach(async () => expect(await closeAudited(ledger)).toEqual([]));

const WAIT = { timeout: 20_000 };

/** As many as one commit takes, and as many more as make the next one worth it. */
const COUNT = 700;

type Row = Awaited<ReturnType<typeof requestTransfer>>['row'];

async function requested(): Promise<Row[]> {
  const keys = Array.from({ length: COUNT }, (_, index) => `t${index}`);
  const intakes = await Promise.all(
    keys.map((key) => requestTransfer(ledger, { key, from: 'ann', to: 'bob', amountMinor: 1n })),
  );
  return intakes.map(({ row }) => row);
}

/** Another posting has the id that the transfer's will have. */
async function plantPosting(client: pg.Client, { pkid, createdAt }: Row): Promise<void> {
  await client.query(
    `INSERT INTO posting (posting_id, event, operation_kind, operation_pkid, semantic_key, created_at)
     VALUES ($1, 'transfer', 'transfer', $2, 'other', now())`,
    [timedPostingIdOf(pkid, createdAt), pkid],
  );
}

async function removePlanted(client: pg.Client): Promise<void> {
  await client.query('ALTER TABLE posting DISABLE TRIGGER posting_append_only');
  await client.query("DELETE FROM posting WHERE semantic_key = 'other'");
  await client.query('ALTER TABLE posting ENABLE TRIGGER posting_append_only');
}

/** Sessions that wait for a lock, and those that have done something and wait for us. */
async function sessions(): Promise<{ waiting: number; behind: number }> {
  const { rows } = await sql<{ waiting: number; behind: number }>`
    SELECT count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting,
           count(*) FILTER (WHERE state = 'idle in transaction' AND application_name = 'remit')::int AS behind
    FROM pg_stat_activity WHERE datname = current_database()`.execute(ledger.db.sql);
  return rows[0] ?? { waiting: 0, behind: 0 };
}

describe('many transfers of one wallet', () => {
  test('are written while the commit before them is still under way, and end behind it', async () => {
    const rows = await requested();
    const holder = await ledger.connect();
    await holder.query('BEGIN; LOCK TABLE entry IN SHARE MODE');
    let ended = 0;
    const runs = rows.map((row) =>
      ledger.transfers.run(row.pkid).then(() => {
        ended += 1;
      }),
    );
    await expect.poll(sessions, WAIT).toEqual({ waiting: 1, behind: 1 });
    expect(ended).toBe(0);
    await holder.query('ROLLBACK');
    await Promise.all(runs);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([300n, 700n]);
  });

  test('are all carried out when the session of the commit before them is lost', async () => {
    const rows = await requested();
    const holder = await ledger.connect();
    await holder.query('BEGIN; LOCK TABLE entry IN SHARE MODE');
    const runs = rows.map((row) => ledger.transfers.run(row.pkid));
    await expect.poll(sessions, WAIT).toEqual({ waiting: 1, behind: 1 });
    await holder.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`);
    await holder.query('ROLLBACK');
    await Promise.all(runs);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([300n, 700n]);
  });

  test('are all carried out, but for the one that made the commit before them fail', async () => {
    const rows = await requested();
    const [guilty] = rows;
    if (guilty === undefined) throw new Error('Nothing was requested.');
    const holder = await ledger.connect();
    // Found out when the first commit writes, and by then the second one is planned.
    await holder.query('BEGIN');
    await plantPosting(holder, guilty);
    const runs = rows.map((row) => ledger.transfers.run(row.pkid));
    const ends = Promise.allSettled(runs);
    await expect.poll(sessions, WAIT).toEqual({ waiting: 1, behind: 1 });
    await holder.query('COMMIT');
    const refused = (await ends).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect([await postedOf(ledger, 'ann'), await postedOf(ledger, 'bob')]).toEqual([301n, 699n]);
    await removePlanted(holder);
  });
});

test('whoever decides anew when a commit is run again hears the last decision, and no other', async () => {
  const [first, guilty] = await Promise.all(
    ['first', 'guilty'].map((key) => requestTransfer(ledger, { key, from: 'ann', to: 'bob', amountMinor: 1n })),
  );
  if (first === undefined || guilty === undefined) throw new Error('Nothing was requested.');
  const holder = await ledger.connect();
  await plantPosting(holder, guilty.row);
  const decisions: string[] = [];
  const run = ledger.journal.stepTransfer({
    pkid: first.row.pkid,
    walletIds: ['ann'],
    decide() {
      decisions.push(decisions.length === 0 ? 'no' : 'yes');
      if (decisions.length === 1) throw new PaymentError('invalid-state');
      return { movements: [], conclude: () => ({ next: null, path: [], cause: null, result: 'yes' }) };
    },
  });
  // In one turn, and so in one commit, which this one makes fail.
  const other = ledger.transfers.run(guilty.row.pkid, { from_wallet: 'ann', to_wallet: 'bob' });
  const [heard, refused] = await Promise.allSettled([run, other]);
  expect(decisions).toEqual(['no', 'yes']);
  expect([heard, refused.status]).toEqual([{ status: 'fulfilled', value: 'yes' }, 'rejected']);
  await removePlanted(holder);
});

describe('a wallet that is to be as foreseen', () => {
  const debt = debtWalletId('ann', USD);
  const move = (walletId: string, amountMinor: bigint) =>
    adjust(ledger, { key: `move-${walletId}${amountMinor}`, walletId, amountMinor });
  const hold = (amount: number) =>
    sql`UPDATE wallet SET held = ${amount} WHERE wallet_id = 'ann'`.execute(ledger.db.sql);
  const lock = (foreseen: Foreseen) => ledger.db.transaction((tx) => lockAsForeseen(statementsOf(tx), foreseen));
  const foreseenOf = () =>
    ledger.db.transaction((tx) => lockWallets(statementsOf(tx), { must: [], may: ['ann', 'bob'] }));

  test('is had when it is, with what its owner owes', async () => {
    await move(debt, -50n);
    await expect(lock(await foreseenOf())).resolves.toBeUndefined();
  });

  const changes = {
    moved: async () => void (await move('ann', 1n)),
    'moved there and back': async () => {
      await move('ann', 1n);
      await move('ann', -1n);
    },
    'reserved from': async () => void (await hold(10)),
    'owed by since': async () => void (await move(debt, -50n)),
  } as const satisfies Record<string, () => Promise<void>>;
  test.each(Object.entries(changes))('is refused when it was %s', async (_name, change) => {
    const foreseen = await foreseenOf();
    await change();
    await expect(lock(foreseen)).rejects.toThrow(/ of 2 wallets are as foreseen/);
    await hold(0);
  });

  test('is refused when a reserve has been given back', async () => {
    await hold(10);
    const foreseen = await foreseenOf();
    await hold(0);
    await expect(lock(foreseen)).rejects.toThrow('1 of 2 wallets are as foreseen');
  });

  test('is refused when its owner owes another amount', async () => {
    await move(debt, -50n);
    const foreseen = await foreseenOf();
    await move(debt, -10n);
    await expect(lock(foreseen)).rejects.toThrow('2 of 3 wallets are as foreseen');
  });

  test('is refused and not waited for when another one has it', async () => {
    const foreseen = await foreseenOf();
    const holder = await ledger.connect();
    await holder.query("BEGIN; SELECT FROM wallet WHERE wallet_id = 'ann' FOR NO KEY UPDATE");
    await expect(lock(foreseen)).rejects.toThrow('1 of 2 wallets are as foreseen');
    await holder.query('ROLLBACK');
  });
});
