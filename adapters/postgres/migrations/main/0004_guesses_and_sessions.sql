-- Wrong guesses at addresses that no active account has. A row holds a hash of the address. Nothing waits until a row is
-- on disk, so a crash may lose the newest ones.
CREATE SEQUENCE loquet.guess_numbers;
CREATE TABLE loquet.anonymous_guesses (
    email text COLLATE "C" PRIMARY KEY,   -- keyed hash of the address
    lockout text NOT NULL,                -- the counts and the end of the lockout, as JSON
    number bigint NOT NULL                -- grows with each guess at whatever address
);
-- The oldest guesses are found by their number.
CREATE INDEX anonymous_guesses_number ON loquet.anonymous_guesses (number);

-- When each session was last used. A crash may lose the newest uses. There is no index on the moment: a write then
-- changes no index, and old rows are looked for only now and then. The free space in each page is for these writes.
CREATE TABLE loquet.session_uses (
    session uuid PRIMARY KEY,
    used_at timestamptz NOT NULL
) WITH (fillfactor = 70);
