// What remit is compared with: the plainest double-entry transfer that is as durable. One transfer per transaction
// through a SQL function, on the same server and in the same database, in a schema of its own.

import pg from 'pg';
import { createDraw, drawPair } from './draw.ts';

const CONNECTIONS = 16;
const WALLETS = 10_000;
/** Never used up: each transfer moves at most a hundred. */
const BALANCE = 1_000_000_000_000;
const AMOUNT_MAX = 100;

const SCHEMA = `
  CREATE SCHEMA bench_baseline;
  CREATE TABLE bench_baseline.wallet (
    wallet_id bigint PRIMARY KEY,
    balance   bigint NOT NULL CHECK (balance >= 0)
  );
  CREATE TABLE bench_baseline.transfer (
    transfer_id uuid PRIMARY KEY,
    from_wallet bigint NOT NULL,
    to_wallet   bigint NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    created_at  timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE bench_baseline.entry (
    entry_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transfer_id uuid NOT NULL REFERENCES bench_baseline.transfer,
    wallet_id   bigint NOT NULL REFERENCES bench_baseline.wallet,
    amount      bigint NOT NULL
  );
  CREATE INDEX entry_wallet ON bench_baseline.entry (wallet_id, entry_id);
  INSERT INTO bench_baseline.wallet SELECT n, ${BALANCE} FROM generate_series(0, ${WALLETS - 1}) n;
  CREATE FUNCTION bench_baseline.move(payer bigint, payee bigint, moved bigint) RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    id uuid := gen_random_uuid();
  BEGIN
    PERFORM FROM bench_baseline.wallet WHERE wallet_id IN (payer, payee) ORDER BY wallet_id FOR NO KEY UPDATE;
    INSERT INTO bench_baseline.transfer (transfer_id, from_wallet, to_wallet, amount) VALUES (id, payer, payee, moved);
    INSERT INTO bench_baseline.entry (transfer_id, wallet_id, amount) VALUES (id, payer, -moved), (id, payee, moved);
    UPDATE bench_baseline.wallet SET balance = balance - moved WHERE wallet_id = payer;
    UPDATE bench_baseline.wallet SET balance = balance + moved WHERE wallet_id = payee;
  END $$;
  ANALYZE bench_baseline.wallet;`;

const PROOF = `
  SELECT (SELECT count(*) FROM bench_baseline.transfer)::int AS transfers,
         (SELECT count(*) FROM bench_baseline.entry)::int AS entries,
         (SELECT coalesce(sum(amount), 0) FROM bench_baseline.entry)::text AS total,
         (SELECT sum(balance) FROM bench_baseline.wallet)::text AS balances`;

export interface Baseline {
  /** Transfers a second over `seconds`; with `isHot` one wallet is always on the debit side. */
  measure(options: { seconds: number; isHot: boolean }): Promise<number>;
  close(): Promise<void>;
}

export async function openBaseline(databaseUrl: string): Promise<Baseline> {
  const admin = new pg.Client({ connectionString: databaseUrl });
  const movers = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all([admin, ...movers].map((client) => client.connect()));
  await admin.query(SCHEMA);
  let movedInAll = 0;

  return {
    async measure({ seconds, isHot }) {
      const startedAt = performance.now();
      const until = startedAt + seconds * 1_000;
      const moved = await Promise.all(movers.map((client, seed) => moveUntil(client, { until, isHot, seed })));
      const count = moved.reduce((sum, one) => sum + one, 0);
      const perSecond = count / ((performance.now() - startedAt) / 1_000);
      movedInAll += count;
      const { rows } = await admin.query<Proof>(PROOF);
      refuseWrong(rows[0], movedInAll);
      return perSecond;
    },
    async close() {
      await Promise.all([admin, ...movers].map((client) => client.end()));
    },
  };
}

async function moveUntil(client: pg.Client, run: { until: number; isHot: boolean; seed: number }): Promise<number> {
  const { until, isHot, seed } = run;
  const draw = createDraw(seed);
  let moved = 0;
  while (performance.now() < until) {
    const [payer, payee] = drawPair(draw, { count: WALLETS, isHot });
    const values = [payer, payee, 1 + draw(AMOUNT_MAX)];
    // A name makes it a prepared statement: the database plans it once for each connection.
    await client.query({ name: 'move', text: 'SELECT bench_baseline.move($1, $2, $3)', values });
    moved += 1;
  }
  return moved;
}

interface Proof {
  readonly transfers: number;
  readonly entries: number;
  readonly total: string;
  readonly balances: string;
}

/** A baseline that lost something would be an unfair one. */
function refuseWrong(proof: Proof | undefined, moved: number): void {
  const isRight =
    proof?.transfers === moved &&
    proof.entries === 2 * moved &&
    proof.total === '0' &&
    proof.balances === String(WALLETS * BALANCE);
  if (!isRight)
    throw new Error(`The baseline's own books are wrong after ${moved} transfers. Look at bench/baseline.ts.`);
}
