-- Webhook endpoints, and the deliveries that did not succeed yet. The secrets are derived and not stored.

CREATE TABLE loquet.webhook_endpoints (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    types text[] NOT NULL,
    created_at timestamptz NOT NULL,
    secret int NOT NULL CHECK (secret > 0),
    older_secret_until timestamptz,
    position bigint NOT NULL CHECK (position >= 0),
    event_id uuid,
    stopped text
);

CREATE TABLE loquet.webhook_deliveries (
    endpoint uuid NOT NULL REFERENCES loquet.webhook_endpoints ON DELETE CASCADE,
    position bigint NOT NULL,
    tries int NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at timestamptz,
    why text,
    PRIMARY KEY (endpoint, position)
);

CREATE INDEX webhook_deliveries_due ON loquet.webhook_deliveries (endpoint, due_at);
CREATE INDEX webhook_deliveries_failing ON loquet.webhook_deliveries (endpoint, position) WHERE tries > 0;

COMMENT ON COLUMN loquet.webhook_endpoints.types IS 'the types of event that it gets; empty for all';
COMMENT ON COLUMN loquet.webhook_endpoints.secret IS 'the number of its present secret';
COMMENT ON COLUMN loquet.webhook_endpoints.position IS 'events up to here were delivered, wait, or are dead letters';
COMMENT ON COLUMN loquet.webhook_endpoints.event_id IS 'the event at this position, which tells whether the log is the same';
COMMENT ON COLUMN loquet.webhook_endpoints.stopped IS 'why it gets no more events; null while it does';
COMMENT ON COLUMN loquet.webhook_deliveries.due_at IS 'when it is tried next; null for a dead letter';
