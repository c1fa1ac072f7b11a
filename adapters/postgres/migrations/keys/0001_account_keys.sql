-- The accounts' keys. Each is wrapped by the server key, which is not in the database.

-- What other nodes must notice is numbered. The row is locked until the commit, so that the numbers become visible in
-- their order.
CREATE TABLE loquet.key_changes (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number bigint NOT NULL,               -- grows with each erasure and each change of the server key
    ring bigint NOT NULL                  -- the number of the last change of the server key
);
INSERT INTO loquet.key_changes (number, ring) VALUES (0, 0);

-- The generations of the server key. The last of them wraps new keys.
CREATE TABLE loquet.server_keys (
    generation int PRIMARY KEY,
    fingerprint bytea NOT NULL UNIQUE     -- it reveals nothing about the key
);

-- What does not follow from the server key, or from an earlier one.
CREATE TABLE loquet.key_secrets (
    name text COLLATE "C" PRIMARY KEY,
    wrapped bytea NOT NULL,
    generation int NOT NULL REFERENCES loquet.server_keys,
    ends_at timestamptz                   -- none for what is needed for ever
);

-- While a key refers to its generation, that generation can't be deleted. So no key is lost that is made during a
-- rotation. An erased key leaves a dead row behind, which is removed soon.
CREATE TABLE loquet.account_keys (
    account uuid PRIMARY KEY,
    wrapped bytea,                        -- none once it was erased
    generation int REFERENCES loquet.server_keys,
    erasure bigint,                       -- the number of the change that erased it
    CONSTRAINT either_wrapped_or_erased CHECK (
        (wrapped IS NULL) = (generation IS NULL) AND (wrapped IS NULL) = (erasure IS NOT NULL)
    )
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);
CREATE INDEX account_keys_erasure ON loquet.account_keys (erasure) WHERE erasure IS NOT NULL;
