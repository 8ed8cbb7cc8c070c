-- Payments and refunds that somebody made in a provider's own dashboard may be of nothing that we know.

-- What came in without a checkout or a wallet is kept as unapplied money.
ALTER TABLE payin DROP CONSTRAINT payin_for_something;
ALTER TABLE payin ADD CONSTRAINT payin_for_something CHECK (
  CASE origin WHEN 'external' THEN checkout_id IS NULL AND wallet_id IS NULL
              ELSE (checkout_id IS NULL) <> (wallet_id IS NULL) END);

-- What went back beyond any order is taken from the wallet that the pay-in loaded, or borne by us.
ALTER TABLE refund DROP CONSTRAINT refund_of_something;
ALTER TABLE refund ADD CONSTRAINT refund_of_something CHECK (
  (order_pkid IS NULL OR unapplied_id IS NULL)
  AND (origin = 'external' OR order_pkid IS NOT NULL OR unapplied_id IS NOT NULL));

-- A refund that is found there is looked for by the payment it is of, which may be one that is kept as unapplied. Is it
-- of a part of that, the part becomes a row of its own.
CREATE INDEX unapplied_extern ON unapplied (extern_payment_id);
ALTER TABLE unapplied ADD COLUMN split_off bigint NOT NULL DEFAULT 0;
ALTER TABLE unapplied ADD CONSTRAINT unapplied_split_bound CHECK (split_off >= 0 AND split_off < amount);

-- When the provider was asked for what is shown of a payee: an answer to an older question changes nothing.
ALTER TABLE payee ADD COLUMN asked_at timestamptz;

-- Until here a movement was booked the other way round than it was asked for. It is named for what it moved, because
-- what is booked stays; and it is no longer what was asked for under its key, so a repeat of that request is refused.
UPDATE treasury SET from_wallet = to_wallet, to_wallet = from_wallet, fingerprint = '';
