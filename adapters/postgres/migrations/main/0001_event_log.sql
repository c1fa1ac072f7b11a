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

-- Appends of many callers in one transaction and one round trip. Each append is of one stream, and no stream is named
-- twice. An append whose stream is not at the expected revision writes nothing. Returns for each append, in the order of
-- the arguments, the revision that its stream was at and the position of its last event. The position is null if the
-- append did not fit.
--
-- In a function, each statement sees what was committed before it began. So everything after the lock sees what the
-- holders before wrote.
CREATE FUNCTION loquet.append(
    streams text[], expected bigint[], lengths bigint[],
    -- For each event: the place of its append in the arrays above, and its own place in the append, both from 1.
    appends bigint[], places bigint[],
    ids uuid[], names text[], versions int[], data bytea[], metadata bytea[], subjects uuid[], sealed bytea[],
    counts_decoy boolean
) RETURNS TABLE (head bigint, last bigint) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7813588627538313218);
    SELECT coalesce(max(held.position), 0) INTO before FROM loquet.events AS held;
    IF counts_decoy THEN
        UPDATE loquet.decoys SET counted = counted + 1;
    END IF;
    RETURN QUERY
        WITH judged AS MATERIALIZED (
            SELECT asked.place, asked.stream, asked.revision, asked.length, coalesce(newest.revision, 0) AS head
            FROM unnest(streams, expected, lengths) WITH ORDINALITY AS asked (stream, revision, length, place)
            LEFT JOIN LATERAL (
                SELECT held.revision FROM loquet.events AS held
                WHERE held.stream = asked.stream COLLATE "C" ORDER BY held.revision DESC LIMIT 1
            ) AS newest ON true
        ), fitting AS MATERIALIZED (
            SELECT judged.place, judged.stream, judged.revision,
                before + (sum(judged.length) OVER (ORDER BY judged.place))::bigint AS last,
                before + (sum(judged.length) OVER (ORDER BY judged.place))::bigint - judged.length AS base
            FROM judged WHERE judged.head = judged.revision
        ), written AS (
            INSERT INTO loquet.events
                (position, event_id, stream, revision, name, version, data, metadata, subject, sealed)
            SELECT fitting.base + new.place, new.id, fitting.stream, fitting.revision + new.place, new.name,
                new.version, new.data, new.metadata, new.subject, new.sealed
            FROM unnest(appends, places, ids, names, versions, data, metadata, subjects, sealed)
                AS new (append, place, id, name, version, data, metadata, subject, sealed)
            JOIN fitting ON fitting.place = new.append
        )
        SELECT judged.head, fitting.last FROM judged LEFT JOIN fitting USING (place) ORDER BY place;
END
$$;
