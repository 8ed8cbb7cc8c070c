-- What a changed transfer was due at is looked up by its key, one after the other, in whatever order the planner would
-- have joined them: it plans for a table that is empty most of the time, and read all that was due for each transfer.
-- Such a row is written and removed under its transfer's lock only, so its place (ctid) is still the same.

CREATE OR REPLACE FUNCTION keep_changed_transfers() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  DELETE FROM transfer_due WHERE ctid = ANY (ARRAY(
    SELECT (SELECT d.ctid FROM transfer_due d WHERE d.due_at = s.due_at AND d.pkid = s.pkid) FROM stale s));
  INSERT INTO transfer_due SELECT due_at, pkid FROM fresh WHERE due_at IS NOT NULL;
  INSERT INTO transfer_failed SELECT created_at, pkid, from_wallet, to_wallet FROM fresh WHERE status = 'failed'
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
