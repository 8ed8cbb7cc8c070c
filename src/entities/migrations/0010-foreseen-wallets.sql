-- A commit that was planned on what the one before is to leave refuses itself where it finds something else, in the
-- same write as its COMMIT. Nothing is wrong then: another process was faster, and all of it is run again.
CREATE FUNCTION refuse_unforeseen(matching bigint, expected integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF matching <> expected THEN
    RAISE EXCEPTION '% of % wallets are as foreseen: others are held or were changed, and the commit is run again',
      matching, expected USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END $$;
