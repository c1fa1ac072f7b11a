-- Commands with an idempotency key: those that are being carried out, and the answers to the others. Both hashes are
-- keyed.
CREATE TABLE loquet.answers (
    command bytea PRIMARY KEY,            -- hash of the caller and the key
    contents bytea NOT NULL,              -- hash of the request
    begun_at timestamptz NOT NULL,
    answer bytea,                         -- none while the command is being carried out
    -- While the command is being carried out: the process that does so, its number for this attempt, and the moment at
    -- which its claim ends, unless it is renewed. The moment is of the server's clock.
    holder uuid,
    claim bigint,
    claimed_until timestamptz,
    CONSTRAINT either_claimed_or_answered CHECK (
        (answer IS NULL) = (claimed_until IS NOT NULL AND holder IS NOT NULL AND claim IS NOT NULL)
    )
);
CREATE INDEX answers_begun ON loquet.answers (begun_at);
