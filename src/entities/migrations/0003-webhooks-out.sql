-- Events for the platform's web app: where they go, what happened, and one delivery for each event and endpoint.

CREATE TABLE webhook_endpoint (
  endpoint_id     uuid NOT NULL,
  url             text NOT NULL,
  events          jsonb NOT NULL,
  status          text NOT NULL,
  disabled_reason text,
  -- From this time on no event that it subscribes to is missing; set after its row was committed as enabled.
  enabled_since   timestamptz,
  secret          bytea NOT NULL,
  previous_secret bytea,
  previous_until  timestamptz,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  CONSTRAINT webhook_endpoint_pk PRIMARY KEY (endpoint_id),
  CONSTRAINT webhook_endpoint_events_list CHECK (jsonb_typeof(events) = 'array' AND jsonb_array_length(events) > 0),
  CONSTRAINT webhook_endpoint_status_known CHECK (status IN ('enabled', 'disabled')),
  CONSTRAINT webhook_endpoint_disabled_for_a_reason CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
  CONSTRAINT webhook_endpoint_secret_whole CHECK (octet_length(secret) = 32),
  CONSTRAINT webhook_endpoint_previous_ends CHECK ((previous_secret IS NULL) = (previous_until IS NULL))
);
CREATE INDEX webhook_endpoint_created ON webhook_endpoint (created_at DESC, endpoint_id DESC);
CREATE INDEX webhook_endpoint_enabled ON webhook_endpoint (endpoint_id) WHERE status = 'enabled';

CREATE TABLE outgoing_event (
  event_id     uuid NOT NULL,
  type         text NOT NULL,
  kind         text NOT NULL,
  pkid         uuid NOT NULL,
  semantic_key text COLLATE "C" NOT NULL,
  sequence     integer NOT NULL,
  created_at   timestamptz NOT NULL,
  CONSTRAINT outgoing_event_pk PRIMARY KEY (event_id),
  CONSTRAINT outgoing_event_in_order UNIQUE (pkid, sequence),
  CONSTRAINT outgoing_event_counted CHECK (sequence > 0)
);
CREATE INDEX outgoing_event_created ON outgoing_event (created_at DESC, event_id DESC);

CREATE TABLE delivery (
  delivery_id     uuid NOT NULL,
  event_id        uuid NOT NULL,
  endpoint_id     uuid NOT NULL,
  pkid            uuid NOT NULL,
  sequence        integer NOT NULL,
  status          text NOT NULL,
  attempt         integer NOT NULL,
  tries           integer NOT NULL,
  leased          boolean NOT NULL,
  due_at          timestamptz,
  body            text,
  outcome         text,
  http_status     smallint,
  last_attempt_at timestamptz,
  final_at        timestamptz,
  created_at      timestamptz NOT NULL,
  CONSTRAINT delivery_pk PRIMARY KEY (delivery_id),
  -- Also finds what an operation has told an endpoint before.
  CONSTRAINT delivery_once UNIQUE (endpoint_id, pkid, sequence),
  CONSTRAINT delivery_event_fk FOREIGN KEY (event_id) REFERENCES outgoing_event (event_id),
  CONSTRAINT delivery_endpoint_fk FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoint (endpoint_id),
  CONSTRAINT delivery_status_known CHECK (status IN ('pending', 'delivered', 'failed')),
  CONSTRAINT delivery_due CHECK ((status = 'pending') = (due_at IS NOT NULL)),
  CONSTRAINT delivery_final CHECK ((status = 'pending') = (final_at IS NULL)),
  CONSTRAINT delivery_leased CHECK (NOT leased OR status = 'pending'),
  CONSTRAINT delivery_sent_with_a_body CHECK (status <> 'delivered' OR body IS NOT NULL)
);
-- Each endpoint has its own line, so that one that hangs keeps nobody else waiting.
CREATE INDEX delivery_waiting ON delivery (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_failed ON delivery (endpoint_id, created_at) WHERE status = 'failed';
CREATE INDEX delivery_listed ON delivery (endpoint_id, created_at DESC, delivery_id DESC);
CREATE INDEX delivery_event ON delivery (event_id);
