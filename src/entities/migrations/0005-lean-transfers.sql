-- A transfer is written once and changed once. Here that change stops costing an entry in every index of its table:
-- no index holds a column that changes, so the new version of the row stays on its page.

DROP INDEX transfer_due;
DROP INDEX transfer_failed;

-- What changes is found in two small tables instead, which the database keeps by itself.
CREATE TABLE transfer_due (
  due_at timestamptz NOT NULL,
  pkid   uuid NOT NULL,
  CONSTRAINT transfer_due_pk PRIMARY KEY (due_at, pkid)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
INSERT INTO transfer_due SELECT due_at, pkid FROM transfer WHERE due_at IS NOT NULL;

CREATE TABLE transfer_failed (
  created_at  timestamptz NOT NULL,
  pkid        uuid NOT NULL,
  from_wallet text COLLATE "C" NOT NULL,
  to_wallet   text COLLATE "C" NOT NULL,
  CONSTRAINT transfer_failed_pk PRIMARY KEY (created_at, pkid)
);
INSERT INTO transfer_failed SELECT created_at, pkid, from_wallet, to_wallet FROM transfer WHERE status = 'failed';

CREATE INDEX transfer_failed_from ON transfer_failed (from_wallet, created_at, pkid);
CREATE INDEX transfer_failed_to ON transfer_failed (to_wallet, created_at, pkid);

-- Half of each page is kept for the second version of its rows; balances change in place likewise.
ALTER TABLE transfer SET (fillfactor = 50);
ALTER TABLE wallet SET (fillfactor = 70);

-- Rows that come in the order of time are added at the right end of an index, which is its cheapest place.
DROP INDEX transfer_created;
CREATE INDEX transfer_created ON transfer (created_at, pkid);
DROP INDEX posting_created;
CREATE INDEX posting_created ON posting (created_at, posting_id);
CREATE INDEX posting_event ON posting (event, created_at, posting_id) WHERE event <> 'transfer';

-- What a row refers to is looked up once a statement rather than once a row, and without locking it: wallets and
-- postings stay for ever.
CREATE TRIGGER wallet_stays BEFORE DELETE OR TRUNCATE ON wallet
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE transfer DROP CONSTRAINT transfer_from_fk;
ALTER TABLE transfer DROP CONSTRAINT transfer_to_fk;
ALTER TABLE entry DROP CONSTRAINT entry_wallet_fk;
ALTER TABLE entry DROP CONSTRAINT entry_posting_fk;

-- The settings keep a plan that was made for small tables from reading large ones as a whole.
CREATE FUNCTION keep_new_transfers() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF EXISTS (SELECT FROM fresh f WHERE (SELECT true FROM wallet w WHERE w.wallet_id = f.from_wallet) IS NULL
                                    OR (SELECT true FROM wallet w WHERE w.wallet_id = f.to_wallet) IS NULL) THEN
    RAISE EXCEPTION 'a transfer names a wallet that does not exist' USING ERRCODE = 'foreign_key_violation';
  END IF;
  INSERT INTO transfer_due SELECT due_at, pkid FROM fresh WHERE due_at IS NOT NULL;
  INSERT INTO transfer_failed SELECT created_at, pkid, from_wallet, to_wallet FROM fresh WHERE status = 'failed';
  RETURN NULL;
END $$;
CREATE TRIGGER transfer_new AFTER INSERT ON transfer REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION keep_new_transfers();

CREATE FUNCTION keep_changed_transfers() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  DELETE FROM transfer_due d USING stale s WHERE d.due_at = s.due_at AND d.pkid = s.pkid;
  INSERT INTO transfer_due SELECT due_at, pkid FROM fresh WHERE due_at IS NOT NULL;
  INSERT INTO transfer_failed SELECT created_at, pkid, from_wallet, to_wallet FROM fresh WHERE status = 'failed'
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER transfer_changed AFTER UPDATE ON transfer REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION keep_changed_transfers();

CREATE OR REPLACE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  uneven boolean;
  loose boolean;
BEGIN
  SELECT bool_or(of_posting.uneven), bool_or(of_posting.loose) INTO uneven, loose FROM (
    SELECT sum(f.amount) <> 0 AS uneven,
           (SELECT true FROM posting p WHERE p.posting_id = f.posting_id) IS NULL AS loose
    FROM fresh f GROUP BY f.posting_id, f.currency) of_posting;
  IF uneven THEN
    RAISE EXCEPTION 'the entries of a posting must sum to zero in each currency' USING ERRCODE = 'check_violation';
  END IF;
  IF loose OR EXISTS (SELECT FROM fresh f
                      WHERE (SELECT true FROM wallet w WHERE w.wallet_id = f.wallet_id) IS NULL) THEN
    RAISE EXCEPTION 'an entry names a wallet or a posting that does not exist'
      USING ERRCODE = 'foreign_key_violation';
  END IF;
  RETURN NULL;
END $$;

-- An update that is sent together with its COMMIT must itself refuse to have missed a row.
CREATE FUNCTION refuse_lost_update(changed bigint, expected integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF changed <> expected THEN
    RAISE EXCEPTION '% rows to update, % updated: run the audit', expected, changed USING ERRCODE = 'data_exception';
  END IF;
END $$;
