-- Wallets, the double-entry journal, payouts, transfers and what watches over them.
-- Rules that must hold for ever are constraints and triggers here, so that no code path can break them.

CREATE TABLE wallet (
  wallet_id      text COLLATE "C" NOT NULL,
  owner_id       text COLLATE "C" NOT NULL,
  kind           text NOT NULL,
  currency       text NOT NULL,
  posted         bigint NOT NULL DEFAULT 0,
  held           bigint NOT NULL DEFAULT 0,
  seq            bigint NOT NULL DEFAULT 0,
  allow_negative boolean NOT NULL DEFAULT false,
  fingerprint    bytea,
  metadata       jsonb NOT NULL DEFAULT '{}',
  created_at     timestamptz NOT NULL,
  CONSTRAINT wallet_pk PRIMARY KEY (wallet_id),
  CONSTRAINT wallet_owner_once UNIQUE (owner_id, kind, currency),
  CONSTRAINT wallet_kind_known CHECK (kind IN ('seller', 'buyer', 'provider', 'pending', 'debt', 'fees', 'costs',
                                               'unapplied', 'bank', 'equity')),
  CONSTRAINT wallet_platform_id CHECK ((wallet_id LIKE '@%') = (kind NOT IN ('seller', 'buyer'))),
  CONSTRAINT wallet_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
  CONSTRAINT wallet_held_positive CHECK (held >= 0),
  CONSTRAINT wallet_available CHECK (allow_negative OR posted - held >= 0),
  CONSTRAINT wallet_people_positive CHECK (kind NOT IN ('seller', 'buyer') OR NOT allow_negative),
  CONSTRAINT wallet_debt_negative CHECK (kind <> 'debt' OR posted <= 0)
);
CREATE INDEX wallet_created ON wallet (created_at DESC, wallet_id DESC);

CREATE TABLE posting (
  posting_id     uuid NOT NULL,
  event          text NOT NULL,
  operation_kind text NOT NULL,
  operation_pkid uuid NOT NULL,
  semantic_key   text COLLATE "C" NOT NULL,
  reverses       uuid,
  created_at     timestamptz NOT NULL,
  CONSTRAINT posting_pk PRIMARY KEY (posting_id),
  CONSTRAINT posting_reverses_fk FOREIGN KEY (reverses) REFERENCES posting (posting_id)
);
CREATE INDEX posting_operation ON posting (operation_pkid);
CREATE INDEX posting_created ON posting (created_at DESC, posting_id DESC);
CREATE INDEX posting_reverses ON posting (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE entry (
  wallet_id     text COLLATE "C" NOT NULL,
  seq           bigint NOT NULL,
  posting_id    uuid NOT NULL,
  currency      text NOT NULL,
  amount        bigint NOT NULL,
  balance_after bigint NOT NULL,
  created_at    timestamptz NOT NULL,
  CONSTRAINT entry_pk PRIMARY KEY (wallet_id, seq),
  CONSTRAINT entry_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT entry_posting_fk FOREIGN KEY (posting_id) REFERENCES posting (posting_id),
  CONSTRAINT entry_seq_positive CHECK (seq > 0),
  CONSTRAINT entry_amount_moves CHECK (amount <> 0)
);
CREATE INDEX entry_posting ON entry (posting_id);

CREATE TABLE payee (
  payee_id       text COLLATE "C" NOT NULL,
  owner_id       text COLLATE "C" NOT NULL,
  provider       text NOT NULL,
  account        text NOT NULL,
  status         text NOT NULL,
  blocked_reason text,
  onboarding_url text,
  fingerprint    bytea NOT NULL,
  metadata       jsonb NOT NULL DEFAULT '{}',
  created_at     timestamptz NOT NULL,
  CONSTRAINT payee_pk PRIMARY KEY (payee_id),
  CONSTRAINT payee_status_known CHECK (status IN ('pending', 'payable', 'blocked'))
);
CREATE INDEX payee_created ON payee (created_at DESC, payee_id DESC);
CREATE INDEX payee_owner ON payee (owner_id);

CREATE TABLE payout (
  pkid                uuid NOT NULL,
  semantic_key        text COLLATE "C" NOT NULL,
  status              text NOT NULL,
  wallet_id           text COLLATE "C" NOT NULL,
  amount              bigint NOT NULL,
  currency            text NOT NULL,
  provider            text NOT NULL,
  payee_id            text COLLATE "C",
  destination         text,
  beneficiary         text NOT NULL,
  approval            bytea NOT NULL,
  fingerprint         bytea NOT NULL,
  metadata            jsonb NOT NULL DEFAULT '{}',
  traceparent         text,
  extern_payment_id   text COLLATE "C",
  arrival             jsonb,
  failure_code        text,
  failure_detail      text,
  review_reason       text,
  review_since        timestamptz,
  waiting             text,
  attempt             integer NOT NULL DEFAULT 0,
  leased              boolean NOT NULL DEFAULT false,
  hinted              boolean NOT NULL DEFAULT false,
  due_at              timestamptz,
  crashes             integer NOT NULL DEFAULT 0,
  unknowns            integer NOT NULL DEFAULT 0,
  pendings            integer NOT NULL DEFAULT 0,
  calls               integer NOT NULL DEFAULT 0,
  first_sent_at       timestamptz,
  last_sent_at        timestamptz,
  confirm_sent_at     timestamptz,
  stored_error        text,
  error_replays       integer NOT NULL DEFAULT 0,
  saw_success         boolean NOT NULL DEFAULT false,
  saw_decline         boolean NOT NULL DEFAULT false,
  cancel_requested_at timestamptz,
  returned            bigint NOT NULL DEFAULT 0,
  confirmed_at        timestamptz,
  expires_at          timestamptz,
  created_at          timestamptz NOT NULL,
  updated_at          timestamptz NOT NULL,
  final_at            timestamptz,
  CONSTRAINT payout_pk PRIMARY KEY (pkid),
  CONSTRAINT payout_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT payout_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT payout_payee_fk FOREIGN KEY (payee_id) REFERENCES payee (payee_id),
  CONSTRAINT payout_status_known CHECK (status IN ('initialized', 'in_process', 'succeeded', 'failed')),
  CONSTRAINT payout_amount_positive CHECK (amount > 0),
  CONSTRAINT payout_to_someone CHECK ((payee_id IS NULL) <> (destination IS NULL)),
  CONSTRAINT payout_final_rests CHECK ((status IN ('succeeded', 'failed')) = (final_at IS NOT NULL)),
  CONSTRAINT payout_final_not_due CHECK (final_at IS NULL OR (due_at IS NULL AND NOT leased)),
  CONSTRAINT payout_in_process_due CHECK (status <> 'in_process' OR due_at IS NOT NULL),
  CONSTRAINT payout_failure_named CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CONSTRAINT payout_success_named CHECK (status <> 'succeeded' OR extern_payment_id IS NOT NULL),
  CONSTRAINT payout_in_process_claimed CHECK (status <> 'in_process' OR attempt > 0),
  CONSTRAINT payout_review_open CHECK (review_reason IS NULL OR status = 'in_process'),
  CONSTRAINT payout_returned_bound CHECK (returned >= 0 AND returned <= amount)
);
CREATE INDEX payout_due ON payout (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payout_created ON payout (created_at DESC, pkid DESC);
CREATE INDEX payout_status ON payout (status, created_at DESC, pkid DESC);
CREATE INDEX payout_wallet ON payout (wallet_id, created_at DESC, pkid DESC);
CREATE INDEX payout_extern ON payout (extern_payment_id) WHERE extern_payment_id IS NOT NULL;
CREATE INDEX payout_review ON payout (review_since) WHERE review_reason IS NOT NULL;

CREATE TABLE transfer (
  pkid           uuid NOT NULL,
  semantic_key   text COLLATE "C" NOT NULL,
  status         text NOT NULL,
  from_wallet    text COLLATE "C" NOT NULL,
  to_wallet      text COLLATE "C" NOT NULL,
  amount         bigint NOT NULL,
  currency       text NOT NULL,
  fingerprint    bytea NOT NULL,
  metadata       jsonb NOT NULL DEFAULT '{}',
  traceparent    text,
  failure_code   text,
  failure_detail text,
  due_at         timestamptz,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  final_at       timestamptz,
  CONSTRAINT transfer_pk PRIMARY KEY (pkid),
  CONSTRAINT transfer_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT transfer_from_fk FOREIGN KEY (from_wallet) REFERENCES wallet (wallet_id),
  CONSTRAINT transfer_to_fk FOREIGN KEY (to_wallet) REFERENCES wallet (wallet_id),
  CONSTRAINT transfer_status_known CHECK (status IN ('initialized', 'in_process', 'succeeded', 'failed')),
  CONSTRAINT transfer_amount_positive CHECK (amount > 0),
  CONSTRAINT transfer_two_wallets CHECK (from_wallet <> to_wallet),
  CONSTRAINT transfer_final_rests CHECK ((status IN ('succeeded', 'failed')) = (final_at IS NOT NULL)),
  CONSTRAINT transfer_unfinished_due CHECK ((final_at IS NULL) = (due_at IS NOT NULL)),
  CONSTRAINT transfer_failure_named CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX transfer_due ON transfer (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX transfer_created ON transfer (created_at DESC, pkid DESC);
CREATE INDEX transfer_failed ON transfer (created_at DESC, pkid DESC) WHERE status = 'failed';
CREATE INDEX transfer_from ON transfer (from_wallet, created_at DESC, pkid DESC);
CREATE INDEX transfer_to ON transfer (to_wallet, created_at DESC, pkid DESC);

CREATE TABLE hold (
  wallet_id  text COLLATE "C" NOT NULL,
  hold_id    uuid NOT NULL,
  amount     bigint NOT NULL,
  status     text NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at   timestamptz,
  CONSTRAINT hold_pk PRIMARY KEY (wallet_id, hold_id),
  CONSTRAINT hold_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT hold_status_known CHECK (status IN ('active', 'captured', 'released')),
  CONSTRAINT hold_amount_positive CHECK (amount > 0),
  CONSTRAINT hold_ends_once CHECK ((status = 'active') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX hold_operation ON hold (hold_id);

CREATE TABLE adjustment (
  pkid         uuid NOT NULL,
  semantic_key text COLLATE "C" NOT NULL,
  wallet_id    text COLLATE "C" NOT NULL,
  amount       bigint NOT NULL,
  currency     text NOT NULL,
  reason       text NOT NULL,
  actor        text NOT NULL,
  posting_id   uuid NOT NULL,
  fingerprint  bytea NOT NULL,
  created_at   timestamptz NOT NULL,
  CONSTRAINT adjustment_pk PRIMARY KEY (pkid),
  CONSTRAINT adjustment_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT adjustment_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT adjustment_posting_fk FOREIGN KEY (posting_id) REFERENCES posting (posting_id),
  CONSTRAINT adjustment_amount_moves CHECK (amount <> 0)
);

CREATE TABLE treasury (
  pkid         uuid NOT NULL,
  semantic_key text COLLATE "C" NOT NULL,
  from_wallet  text COLLATE "C" NOT NULL,
  to_wallet    text COLLATE "C" NOT NULL,
  amount       bigint NOT NULL,
  currency     text NOT NULL,
  reference    text NOT NULL,
  actor        text NOT NULL,
  posting_id   uuid NOT NULL,
  fingerprint  bytea NOT NULL,
  created_at   timestamptz NOT NULL,
  CONSTRAINT treasury_pk PRIMARY KEY (pkid),
  CONSTRAINT treasury_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT treasury_from_fk FOREIGN KEY (from_wallet) REFERENCES wallet (wallet_id),
  CONSTRAINT treasury_to_fk FOREIGN KEY (to_wallet) REFERENCES wallet (wallet_id),
  CONSTRAINT treasury_posting_fk FOREIGN KEY (posting_id) REFERENCES posting (posting_id),
  CONSTRAINT treasury_amount_positive CHECK (amount > 0),
  CONSTRAINT treasury_platform_only CHECK (from_wallet LIKE '@%' AND to_wallet LIKE '@%' AND from_wallet <> to_wallet)
);

CREATE TABLE provider_call (
  pkid              uuid NOT NULL,
  number            integer NOT NULL,
  operation_kind    text NOT NULL,
  provider          text NOT NULL,
  attempt           integer NOT NULL,
  step              text NOT NULL,
  key               text NOT NULL,
  intent_at         timestamptz NOT NULL,
  answered_at       timestamptz,
  latency_ms        integer,
  outcome           text,
  reason            text,
  http_status       integer,
  extern_payment_id text,
  verdict           text,
  CONSTRAINT provider_call_pk PRIMARY KEY (pkid, number),
  CONSTRAINT provider_call_step_known CHECK (step IN ('send', 'confirm', 'find', 'cancel')),
  CONSTRAINT provider_call_answer_whole CHECK ((answered_at IS NULL) = (outcome IS NULL))
);

CREATE TABLE provider_event (
  provider          text NOT NULL,
  event_id          text COLLATE "C" NOT NULL,
  type              text NOT NULL,
  extern_payment_id text,
  pkid              uuid,
  body              jsonb NOT NULL,
  occurred_at       timestamptz NOT NULL,
  received_at       timestamptz NOT NULL,
  processed_at      timestamptz,
  outcome           text,
  due_at            timestamptz,
  CONSTRAINT provider_event_pk PRIMARY KEY (provider, event_id),
  CONSTRAINT provider_event_outcome_known CHECK (outcome IN ('applied', 'hinted', 'no_effect', 'unmatched', 'ignored')),
  CONSTRAINT provider_event_processed CHECK ((processed_at IS NULL) = (outcome IS NULL)),
  CONSTRAINT provider_event_due CHECK (processed_at IS NULL OR due_at IS NULL)
);
CREATE INDEX provider_event_due ON provider_event (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX provider_event_pkid ON provider_event (pkid) WHERE pkid IS NOT NULL;
CREATE INDEX provider_event_unmatched ON provider_event (received_at) WHERE outcome = 'unmatched';

CREATE TABLE status_change (
  pkid           uuid NOT NULL,
  number         smallint NOT NULL,
  operation_kind text NOT NULL,
  from_status    text,
  to_status      text NOT NULL,
  attempt        integer NOT NULL,
  cause          text,
  created_at     timestamptz NOT NULL,
  CONSTRAINT status_change_pk PRIMARY KEY (pkid, number),
  -- The number and the two states together are the table of allowed moves, so a chain cannot fork or skip.
  CONSTRAINT status_change_allowed CHECK (
    (number = 1 AND from_status IS NULL AND to_status = 'initialized')
    OR (number = 2 AND from_status = 'initialized' AND to_status IN ('in_process', 'failed'))
    OR (number = 3 AND from_status = 'in_process' AND to_status IN ('succeeded', 'failed')))
);

CREATE TABLE review_action (
  review_action_id uuid NOT NULL,
  operation_kind   text NOT NULL,
  pkid             uuid NOT NULL,
  action           text NOT NULL,
  verdict          text,
  reason           text,
  actor            text NOT NULL,
  created_at       timestamptz NOT NULL,
  CONSTRAINT review_action_pk PRIMARY KEY (review_action_id),
  CONSTRAINT review_action_known CHECK (action IN ('query', 'resolve'))
);
CREATE INDEX review_action_pkid ON review_action (pkid);

CREATE TABLE discrepancy (
  discrepancy_id    uuid NOT NULL,
  reason            text NOT NULL,
  provider          text,
  operation_kind    text,
  pkid              uuid,
  semantic_key      text COLLATE "C",
  extern_payment_id text,
  amount            bigint,
  currency          text,
  detail            text NOT NULL,
  opened_at         timestamptz NOT NULL,
  closed_at         timestamptz,
  closed_by         text,
  closed_reason     text,
  CONSTRAINT discrepancy_pk PRIMARY KEY (discrepancy_id),
  CONSTRAINT discrepancy_closed_by_someone CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
CREATE INDEX discrepancy_open ON discrepancy (opened_at) WHERE closed_at IS NULL;
CREATE INDEX discrepancy_pkid ON discrepancy (pkid) WHERE pkid IS NOT NULL;

CREATE TABLE api_key (
  key_id     uuid NOT NULL,
  name       text NOT NULL,
  hash       bytea NOT NULL,
  scopes     text[] NOT NULL,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz,
  CONSTRAINT api_key_pk PRIMARY KEY (key_id),
  CONSTRAINT api_key_hash_once UNIQUE (hash),
  CONSTRAINT api_key_scopes_known CHECK (scopes <@ ARRAY['read', 'write', 'operate'] AND cardinality(scopes) > 0)
);

CREATE TABLE heartbeat (
  name      text NOT NULL,
  holder    text NOT NULL,
  period_ms integer NOT NULL,
  beat_at   timestamptz NOT NULL,
  CONSTRAINT heartbeat_pk PRIMARY KEY (name)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: write a new row that corrects the old one', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER status_change_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON status_change
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM fresh GROUP BY posting_id, currency HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'the entries of a posting must sum to zero in each currency' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER entry_zero_sum AFTER INSERT ON entry REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();

CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% %: no move from % to %', TG_TABLE_NAME, OLD.semantic_key, OLD.status, NEW.status
    USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER payout_moves BEFORE UPDATE ON payout FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('initialized', 'in_process'), ('initialized', 'failed'), ('in_process', 'succeeded'), ('in_process', 'failed')))
  EXECUTE FUNCTION refuse_move();
-- A transfer passes in_process inside its one commit, so its row shows only the first and the last state.
CREATE TRIGGER transfer_moves BEFORE UPDATE ON transfer FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('initialized', 'succeeded'), ('initialized', 'failed')))
  EXECUTE FUNCTION refuse_move();
CREATE TRIGGER payout_stays BEFORE DELETE OR TRUNCATE ON payout
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_stays BEFORE DELETE OR TRUNCATE ON transfer
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
