-- The event log. Positions are given under a lock that is held until the commit, so that no reader sees a gap that is
-- filled later. Nothing updates or deletes a row.
CREATE TABLE loquet.events (
    position bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    stream text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    name text NOT NULL,
    version int NOT NULL,
    data bytea NOT NULL,
    metadata bytea NOT NULL,
    subject uuid,
    sealed bytea,
    CONSTRAINT one_event_at_each_revision UNIQUE (stream, revision)
);

-- The same events, for somebody who reads them by hand.
CREATE VIEW loquet.readable_events AS
SELECT position, stream, revision, event_id, name, version,
       convert_from(data, 'UTF8')::json AS data,
       convert_from(metadata, 'UTF8')::json AS metadata,
       subject, octet_length(sealed) AS sealed_bytes
FROM loquet.events;

-- A guess at an unknown address writes here, so that its answer takes as long as that to a known one.
CREATE TABLE loquet.decoys (counted bigint NOT NULL);
INSERT INTO loquet.decoys VALUES (0);
