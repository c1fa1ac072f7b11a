-- Appends of many callers in one transaction and one round trip. This takes the place of loquet.append, which nodes of
-- the version before still call. Each append is of one stream, and no stream is named twice. An append whose stream is
-- not at the expected revision writes nothing.
--
-- Returns the position of the last event before this batch, and for each append the revision that its stream was at. The
-- appends that fit follow each other from that position, in the order of the arguments.
--
-- In a function, each statement sees what was committed before it began. So everything after the lock sees what the
-- holders before wrote.
CREATE FUNCTION loquet.append_batch(
    -- For each append: its stream, and the revision that the caller expects.
    streams text[], expected bigint[],
    -- For each event: the place of its append in the arrays above, counted from 1, and the event.
    appends bigint[], event_streams text[], revisions bigint[], ids uuid[], names text[], versions int[],
    data bytea[], metadata bytea[], subjects uuid[], sealed bytea[],
    counts_decoy boolean,
    OUT before bigint, OUT heads bigint[]
) LANGUAGE plpgsql
-- A plan made for these very arrays is no better, and would be made at every call.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    only_stream text := streams[1];
BEGIN
    PERFORM pg_advisory_xact_lock(7813588627538313218);
    before := coalesce((SELECT held.position FROM loquet.events AS held ORDER BY held.position DESC LIMIT 1), 0);
    IF counts_decoy THEN
        UPDATE loquet.decoys SET counted = counted + 1;
    END IF;
    IF cardinality(streams) = 1 THEN
        heads := ARRAY[coalesce((
            SELECT held.revision FROM loquet.events AS held
            WHERE held.stream = only_stream COLLATE "C" ORDER BY held.revision DESC LIMIT 1
        ), 0)];
    ELSE
        heads := ARRAY(
            SELECT coalesce((
                SELECT held.revision FROM loquet.events AS held
                WHERE held.stream = asked.stream COLLATE "C" ORDER BY held.revision DESC LIMIT 1
            ), 0)
            FROM unnest(streams) WITH ORDINALITY AS asked (stream, place) ORDER BY asked.place
        );
    END IF;
    IF heads = expected THEN
        INSERT INTO loquet.events
            (position, event_id, stream, revision, name, version, data, metadata, subject, sealed)
        SELECT before + new.place, new.id, new.stream, new.revision, new.name, new.version, new.data, new.metadata,
            new.subject, new.sealed
        FROM unnest(event_streams, revisions, ids, names, versions, data, metadata, subjects, sealed)
            WITH ORDINALITY AS new (stream, revision, id, name, version, data, metadata, subject, sealed, place);
    ELSE
        INSERT INTO loquet.events
            (position, event_id, stream, revision, name, version, data, metadata, subject, sealed)
        SELECT before + row_number() OVER (ORDER BY new.place), new.id, new.stream, new.revision, new.name,
            new.version, new.data, new.metadata, new.subject, new.sealed
        FROM unnest(appends, event_streams, revisions, ids, names, versions, data, metadata, subjects, sealed)
            WITH ORDINALITY
            AS new (append, stream, revision, id, name, version, data, metadata, subject, sealed, place)
        WHERE heads[new.append] = expected[new.append];
    END IF;
END
$$;
