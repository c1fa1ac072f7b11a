-- Tokens of programs and of the supplier's staff. Only their hashes are stored.
CREATE TABLE loquet.service_tokens (
    hash bytea PRIMARY KEY,               -- SHA-256 of the token
    -- Under which the token is listed. It reveals nothing about the token.
    id text GENERATED ALWAYS AS (encode(substring(hash FROM 1 FOR 6), 'hex')) STORED,
    name text NOT NULL,
    scopes text NOT NULL,                 -- separated by spaces; of a program's token
    role text,                            -- of a person's token: the scopes follow from it
    family bytea NOT NULL,                -- hash of the first token that this one was rotated from
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz              -- to the minute
);
CREATE INDEX service_tokens_id ON loquet.service_tokens (id);
