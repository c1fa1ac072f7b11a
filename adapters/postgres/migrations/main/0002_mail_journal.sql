-- The reactions: how far each has read the log, the mails to send, and the lease that says which node runs them. There
-- is no personal data here: the text of a mail is made from the log when the mail is sent.

CREATE TABLE loquet.reaction_checkpoints (
    reaction text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL CHECK (position >= 0)
);

CREATE TABLE loquet.mails (
    effect uuid PRIMARY KEY,
    kind text NOT NULL,
    recipient uuid NOT NULL,
    position bigint NOT NULL,
    urgency smallint NOT NULL,
    state text NOT NULL DEFAULT 'pending',
    tries int NOT NULL DEFAULT 0 CHECK (tries >= 0),
    waited_microseconds bigint NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    tried_at timestamptz,
    ended_at timestamptz,
    why text,
    verdict text,
    note_at timestamptz,
    not_noted_why text,
    CONSTRAINT a_known_state CHECK (state IN ('pending', 'sending', 'sent', 'void', 'dead'))
);

CREATE INDEX mails_due ON loquet.mails (urgency, due_at, position) WHERE state = 'pending';
CREATE INDEX mails_next_due ON loquet.mails (due_at) WHERE state = 'pending';
CREATE INDEX mails_open ON loquet.mails (state) WHERE state IN ('pending', 'sending', 'dead');
CREATE INDEX mails_to_note ON loquet.mails (note_at) WHERE note_at IS NOT NULL;
CREATE INDEX mails_of_recipient ON loquet.mails (recipient);
CREATE INDEX mails_about_event ON loquet.mails (position);
CREATE INDEX mails_newest ON loquet.mails (queued_at DESC, position DESC);

COMMENT ON COLUMN loquet.mails.effect IS 'the id of the mail; its Message-ID begins with it';
COMMENT ON COLUMN loquet.mails.position IS 'the event from which the mail follows';
COMMENT ON COLUMN loquet.mails.urgency IS '0: before all others; 1: in its turn';
COMMENT ON COLUMN loquet.mails.waited_microseconds IS 'the sum of its own pauses; after mail.give_up_after it is given up';
COMMENT ON COLUMN loquet.mails.since IS 'when it was queued, or put back into the queue by hand';
COMMENT ON COLUMN loquet.mails.verdict IS 'what the mail server said last, as stage and codes';
COMMENT ON COLUMN loquet.mails.note_at IS 'when the log is told the result; null if there is nothing to tell';
COMMENT ON COLUMN loquet.mails.not_noted_why IS 'why the log did not take in the result';

-- Why no mail is being sent. There is a row only while none is.
CREATE TABLE loquet.mail_hold (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    since timestamptz NOT NULL,
    why text NOT NULL,
    verdict text
);

CREATE TABLE loquet.reaction_lease (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    fence bigint NOT NULL CHECK (fence > 0),
    holder text,
    ends_at timestamptz NOT NULL
);

COMMENT ON COLUMN loquet.reaction_lease.fence IS 'grows each time the lease is given; a write under an older one is refused';
COMMENT ON COLUMN loquet.reaction_lease.holder IS 'the node that runs the reactions; null once it gave the lease back';
