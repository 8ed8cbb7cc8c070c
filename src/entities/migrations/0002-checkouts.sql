-- Checkouts with their orders, pay-ins, refunds, disputes, and money that fits nothing yet.
-- What a provider does with a payment is written the same way for payouts, pay-ins and refunds.

ALTER TABLE payout
  ADD COLUMN decline_code   text,
  ADD COLUMN decline_detail text,
  ADD COLUMN fee            bigint,
  ADD COLUMN fee_extern_id  text COLLATE "C";
UPDATE payout SET decline_code = 'declined', decline_detail = 'Declined by the provider.' WHERE saw_decline;
ALTER TABLE payout
  DROP COLUMN saw_decline,
  ADD CONSTRAINT payout_fee_whole CHECK ((fee IS NULL) = (fee_extern_id IS NULL));

-- What an event speaks of: a kind of payment, a dispute, a payee. Those stored before spoke of payouts.
ALTER TABLE provider_event ADD COLUMN subject text;
UPDATE provider_event SET subject = 'payout';

CREATE TABLE checkout (
  checkout_id text COLLATE "C" NOT NULL,
  buyer_id    text COLLATE "C" NOT NULL,
  currency    text NOT NULL,
  total       bigint NOT NULL,
  -- The provider and its token of the means of payment; never a card number.
  payment_info jsonb NOT NULL,
  fingerprint bytea NOT NULL,
  metadata    jsonb NOT NULL DEFAULT '{}',
  canceled_at timestamptz,
  -- When its compensation has to be looked at again; null when there is nothing to compensate.
  due_at      timestamptz,
  created_at  timestamptz NOT NULL,
  CONSTRAINT checkout_pk PRIMARY KEY (checkout_id),
  CONSTRAINT checkout_total_positive CHECK (total > 0),
  CONSTRAINT checkout_due_canceled CHECK (due_at IS NULL OR canceled_at IS NOT NULL)
);
CREATE INDEX checkout_created ON checkout (created_at DESC, checkout_id DESC);
CREATE INDEX checkout_due ON checkout (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE payin (
  pkid                 uuid NOT NULL,
  semantic_key         text COLLATE "C" NOT NULL,
  status               text NOT NULL,
  origin               text NOT NULL DEFAULT 'api',
  checkout_id          text COLLATE "C",
  wallet_id            text COLLATE "C",
  amount               bigint NOT NULL,
  currency             text NOT NULL,
  provider             text NOT NULL,
  token                text,
  return_url           text,
  cancel_url           text,
  statement_descriptor text,
  buyer                jsonb,
  next_action          jsonb,
  beneficiary          text NOT NULL,
  approval             bytea NOT NULL,
  fingerprint          bytea NOT NULL,
  metadata             jsonb NOT NULL DEFAULT '{}',
  traceparent          text,
  extern_payment_id    text COLLATE "C",
  arrival              jsonb,
  failure_code         text,
  failure_detail       text,
  review_reason        text,
  review_since         timestamptz,
  waiting              text,
  attempt              integer NOT NULL DEFAULT 0,
  leased               boolean NOT NULL DEFAULT false,
  hinted               boolean NOT NULL DEFAULT false,
  due_at               timestamptz,
  crashes              integer NOT NULL DEFAULT 0,
  unknowns             integer NOT NULL DEFAULT 0,
  pendings             integer NOT NULL DEFAULT 0,
  calls                integer NOT NULL DEFAULT 0,
  first_sent_at        timestamptz,
  last_sent_at         timestamptz,
  confirm_sent_at      timestamptz,
  stored_error         text,
  error_replays        integer NOT NULL DEFAULT 0,
  saw_success          boolean NOT NULL DEFAULT false,
  decline_code         text,
  decline_detail       text,
  cancel_requested_at  timestamptz,
  returned             bigint NOT NULL DEFAULT 0,
  fee                  bigint,
  fee_extern_id        text COLLATE "C",
  confirmed_at         timestamptz,
  expires_at           timestamptz,
  created_at           timestamptz NOT NULL,
  updated_at           timestamptz NOT NULL,
  final_at             timestamptz,
  CONSTRAINT payin_pk PRIMARY KEY (pkid),
  CONSTRAINT payin_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT payin_checkout_fk FOREIGN KEY (checkout_id) REFERENCES checkout (checkout_id),
  CONSTRAINT payin_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT payin_origin_known CHECK (origin IN ('api', 'external')),
  CONSTRAINT payin_for_something CHECK ((checkout_id IS NULL) <> (wallet_id IS NULL)),
  CONSTRAINT payin_status_known CHECK (status IN ('initialized', 'in_process', 'succeeded', 'failed')),
  CONSTRAINT payin_amount_positive CHECK (amount > 0),
  CONSTRAINT payin_final_rests CHECK ((status IN ('succeeded', 'failed')) = (final_at IS NOT NULL)),
  CONSTRAINT payin_final_not_due CHECK (final_at IS NULL OR (due_at IS NULL AND NOT leased)),
  CONSTRAINT payin_in_process_due CHECK (status <> 'in_process' OR due_at IS NOT NULL),
  CONSTRAINT payin_failure_named CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CONSTRAINT payin_success_named CHECK (status <> 'succeeded' OR extern_payment_id IS NOT NULL),
  CONSTRAINT payin_in_process_claimed CHECK (status <> 'in_process' OR attempt > 0),
  CONSTRAINT payin_review_open CHECK (review_reason IS NULL OR status = 'in_process'),
  CONSTRAINT payin_returned_bound CHECK (returned >= 0 AND returned <= amount),
  CONSTRAINT payin_fee_whole CHECK ((fee IS NULL) = (fee_extern_id IS NULL))
);
-- A checkout is paid once: a second pay-in meets this, unless the first one failed.
CREATE UNIQUE INDEX payin_checkout_once ON payin (checkout_id) WHERE checkout_id IS NOT NULL AND status <> 'failed';
CREATE INDEX payin_checkout ON payin (checkout_id, created_at DESC, pkid DESC) WHERE checkout_id IS NOT NULL;
CREATE INDEX payin_due ON payin (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payin_created ON payin (created_at DESC, pkid DESC);
CREATE INDEX payin_status ON payin (status, created_at DESC, pkid DESC);
CREATE INDEX payin_wallet ON payin (wallet_id, created_at DESC, pkid DESC) WHERE wallet_id IS NOT NULL;
CREATE INDEX payin_extern ON payin (extern_payment_id) WHERE extern_payment_id IS NOT NULL;
CREATE INDEX payin_review ON payin (review_since) WHERE review_reason IS NOT NULL;

CREATE TABLE seller_order (
  pkid         uuid NOT NULL,
  order_id     text COLLATE "C" NOT NULL,
  checkout_id  text COLLATE "C" NOT NULL,
  seller_id    text COLLATE "C" NOT NULL,
  wallet_id    text COLLATE "C" NOT NULL,
  amount       bigint NOT NULL,
  currency     text NOT NULL,
  fee          bigint NOT NULL,
  payin_pkid   uuid,
  paid_at      timestamptz,
  delivered_at timestamptz,
  -- Refunds that succeeded; open ones asked for before and after delivery.
  refunded     bigint NOT NULL DEFAULT 0,
  open_before  bigint NOT NULL DEFAULT 0,
  open_after   bigint NOT NULL DEFAULT 0,
  -- Disputed (open or lost) or reversed by the provider, before and after delivery.
  taken_before bigint NOT NULL DEFAULT 0,
  taken_after  bigint NOT NULL DEFAULT 0,
  -- What the seller got, and how much of the fee was given up for refunds.
  released     bigint NOT NULL DEFAULT 0,
  fee_given    bigint NOT NULL DEFAULT 0,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  CONSTRAINT seller_order_pk PRIMARY KEY (pkid),
  CONSTRAINT seller_order_id_once UNIQUE (order_id),
  CONSTRAINT seller_order_checkout_fk FOREIGN KEY (checkout_id) REFERENCES checkout (checkout_id),
  CONSTRAINT seller_order_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT seller_order_payin_fk FOREIGN KEY (payin_pkid) REFERENCES payin (pkid),
  CONSTRAINT seller_order_amount_positive CHECK (amount > 0),
  CONSTRAINT seller_order_fee_bound CHECK (fee >= 0 AND fee <= amount),
  CONSTRAINT seller_order_paid_whole CHECK ((payin_pkid IS NULL) = (paid_at IS NULL)),
  CONSTRAINT seller_order_delivered_paid CHECK (delivered_at IS NULL OR paid_at IS NOT NULL),
  CONSTRAINT seller_order_counts_positive CHECK (refunded >= 0 AND open_before >= 0 AND open_after >= 0
    AND taken_before >= 0 AND taken_after >= 0 AND released >= 0 AND fee_given >= 0 AND fee_given <= fee),
  -- Never more back than was paid, whoever asks for it.
  CONSTRAINT seller_order_not_exceeded CHECK (refunded + open_before + open_after + taken_before + taken_after <= amount)
);
CREATE INDEX seller_order_checkout ON seller_order (checkout_id);
CREATE INDEX seller_order_created ON seller_order (created_at DESC, order_id DESC);
CREATE INDEX seller_order_seller ON seller_order (seller_id, created_at DESC, order_id DESC);

CREATE TABLE unapplied (
  unapplied_id      uuid NOT NULL,
  reason            text NOT NULL,
  provider          text NOT NULL,
  extern_payment_id text COLLATE "C" NOT NULL,
  operation_kind    text NOT NULL,
  pkid              uuid NOT NULL,
  semantic_key      text COLLATE "C" NOT NULL,
  amount            bigint NOT NULL,
  currency          text NOT NULL,
  opened_at         timestamptz NOT NULL,
  -- Set while it is on its way back to the payer.
  refund_pkid       uuid,
  resolved_at       timestamptz,
  resolved_by       text,
  resolved_reason   text,
  applied_to        text COLLATE "C",
  CONSTRAINT unapplied_pk PRIMARY KEY (unapplied_id),
  CONSTRAINT unapplied_amount_positive CHECK (amount > 0),
  CONSTRAINT unapplied_resolved_by_someone CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
);
CREATE INDEX unapplied_open ON unapplied (opened_at) WHERE resolved_at IS NULL;
CREATE INDEX unapplied_created ON unapplied (opened_at DESC, unapplied_id DESC);

CREATE TABLE refund (
  pkid                uuid NOT NULL,
  semantic_key        text COLLATE "C" NOT NULL,
  status              text NOT NULL,
  origin              text NOT NULL DEFAULT 'api',
  order_pkid          uuid,
  order_id            text COLLATE "C",
  unapplied_id        uuid,
  payin_pkid          uuid NOT NULL,
  payin_extern_id     text COLLATE "C" NOT NULL,
  -- Where the money goes: back to the payer through the provider, or into the buyer's wallet.
  destination         text NOT NULL,
  wallet_id           text COLLATE "C",
  before_delivery     boolean NOT NULL,
  amount              bigint NOT NULL,
  currency            text NOT NULL,
  provider            text NOT NULL,
  reason              text,
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
  decline_code        text,
  decline_detail      text,
  cancel_requested_at timestamptz,
  returned            bigint NOT NULL DEFAULT 0,
  fee                 bigint,
  fee_extern_id       text COLLATE "C",
  confirmed_at        timestamptz,
  expires_at          timestamptz,
  created_at          timestamptz NOT NULL,
  updated_at          timestamptz NOT NULL,
  final_at            timestamptz,
  CONSTRAINT refund_pk PRIMARY KEY (pkid),
  CONSTRAINT refund_semantic_key_once UNIQUE (semantic_key),
  CONSTRAINT refund_order_fk FOREIGN KEY (order_pkid) REFERENCES seller_order (pkid),
  CONSTRAINT refund_unapplied_fk FOREIGN KEY (unapplied_id) REFERENCES unapplied (unapplied_id),
  CONSTRAINT refund_payin_fk FOREIGN KEY (payin_pkid) REFERENCES payin (pkid),
  CONSTRAINT refund_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallet (wallet_id),
  CONSTRAINT refund_origin_known CHECK (origin IN ('api', 'external')),
  CONSTRAINT refund_of_something CHECK ((order_pkid IS NULL) <> (unapplied_id IS NULL)),
  CONSTRAINT refund_destination_known CHECK (destination IN ('payer', 'wallet')),
  CONSTRAINT refund_destination_wallet CHECK ((destination = 'wallet') = (wallet_id IS NOT NULL)),
  CONSTRAINT refund_status_known CHECK (status IN ('initialized', 'in_process', 'succeeded', 'failed')),
  CONSTRAINT refund_amount_positive CHECK (amount > 0),
  CONSTRAINT refund_final_rests CHECK ((status IN ('succeeded', 'failed')) = (final_at IS NOT NULL)),
  CONSTRAINT refund_final_not_due CHECK (final_at IS NULL OR (due_at IS NULL AND NOT leased)),
  CONSTRAINT refund_in_process_due CHECK (status <> 'in_process' OR due_at IS NOT NULL),
  CONSTRAINT refund_failure_named CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
  CONSTRAINT refund_success_named CHECK (status <> 'succeeded' OR destination = 'wallet' OR extern_payment_id IS NOT NULL),
  CONSTRAINT refund_in_process_claimed CHECK (status <> 'in_process' OR attempt > 0),
  CONSTRAINT refund_review_open CHECK (review_reason IS NULL OR status = 'in_process'),
  CONSTRAINT refund_returned_bound CHECK (returned >= 0 AND returned <= amount),
  CONSTRAINT refund_fee_whole CHECK ((fee IS NULL) = (fee_extern_id IS NULL))
);
CREATE INDEX refund_due ON refund (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX refund_created ON refund (created_at DESC, pkid DESC);
CREATE INDEX refund_status ON refund (status, created_at DESC, pkid DESC);
CREATE INDEX refund_order ON refund (order_id, created_at DESC, pkid DESC);
CREATE INDEX refund_payin ON refund (payin_pkid);
CREATE INDEX refund_extern ON refund (extern_payment_id) WHERE extern_payment_id IS NOT NULL;
CREATE INDEX refund_review ON refund (review_since) WHERE review_reason IS NOT NULL;

CREATE TABLE dispute (
  dispute_id   text COLLATE "C" NOT NULL,
  pkid         uuid NOT NULL,
  provider     text NOT NULL,
  extern_id    text COLLATE "C" NOT NULL,
  payin_pkid   uuid NOT NULL,
  order_id     text COLLATE "C",
  amount       bigint NOT NULL,
  currency     text NOT NULL,
  fee          bigint NOT NULL DEFAULT 0,
  status       text NOT NULL,
  evidence_due timestamptz,
  -- How it was taken: [{order_pkid, amount, before_delivery}], in minor units as text.
  parts        jsonb NOT NULL DEFAULT '[]',
  -- What no order could give, and therefore we gave.
  uncovered    bigint NOT NULL DEFAULT 0,
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  CONSTRAINT dispute_pk PRIMARY KEY (dispute_id),
  CONSTRAINT dispute_extern_once UNIQUE (provider, extern_id),
  CONSTRAINT dispute_payin_fk FOREIGN KEY (payin_pkid) REFERENCES payin (pkid),
  CONSTRAINT dispute_status_known CHECK (status IN ('open', 'won', 'lost')),
  CONSTRAINT dispute_amounts CHECK (amount > 0 AND fee >= 0 AND uncovered >= 0)
);
CREATE INDEX dispute_created ON dispute (created_at DESC, dispute_id DESC);
CREATE INDEX dispute_payin ON dispute (payin_pkid);
CREATE INDEX dispute_open ON dispute (evidence_due) WHERE status = 'open';

CREATE TRIGGER payin_moves BEFORE UPDATE ON payin FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('initialized', 'in_process'), ('initialized', 'failed'), ('in_process', 'succeeded'), ('in_process', 'failed')))
  EXECUTE FUNCTION refuse_move();
-- A refund into a wallet passes in_process inside the commit that inserts it.
CREATE TRIGGER refund_moves BEFORE UPDATE ON refund FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('initialized', 'in_process'), ('initialized', 'failed'), ('in_process', 'succeeded'), ('in_process', 'failed')))
  EXECUTE FUNCTION refuse_move();
CREATE TRIGGER payin_stays BEFORE DELETE OR TRUNCATE ON payin
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_stays BEFORE DELETE OR TRUNCATE ON refund
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seller_order_stays BEFORE DELETE OR TRUNCATE ON seller_order
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
