//! Which node wrote what only the holder of the lease may write. Triggers of PostgreSQL note it, so nothing depends on
//! what nodes say about themselves.

use std::collections::{BTreeMap, BTreeSet};

use loquet_tests::postgres_server::PostgresServer;
use serde::Deserialize;
use serde_json::Value;

/// Notes each write in a table of its own, with the name that the node's connection has.
const NOTE: &str = "
    CREATE TABLE public.writes (
        number bigserial PRIMARY KEY, program text NOT NULL, relation text NOT NULL, row jsonb NOT NULL
    );
    CREATE FUNCTION public.note_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.writes (program, relation, row)
        SELECT current_setting('application_name'), TG_TABLE_NAME,
            to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
        RETURN NULL;
    END $$;
    CREATE FUNCTION public.note_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.writes (program, relation, row)
        SELECT current_setting('application_name'), 'reaction_events',
            jsonb_build_object('stream', NEW.stream, 'name', NEW.name, 'actor', actor)
        FROM (SELECT convert_from(NEW.metadata, 'UTF8')::jsonb -> 'actor' AS actor) AS metadata
        WHERE actor ->> 'kind' = 'system';
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_event AFTER INSERT ON loquet.events FOR EACH ROW EXECUTE FUNCTION note_event();";

/// The tables that only the holder of the lease writes.
const GUARDED: [&str; 4] = ["reaction_lease", "reaction_checkpoints", "mails", "mail_hold"];

/// A write.
#[derive(Clone, Debug, Deserialize)]
struct Write {
    number: u64,
    program: String,
    relation: String,
    row: Value,
}

/// Notes all writes from now on.
pub(crate) fn watch(postgres: &PostgresServer) {
    let triggers = GUARDED.map(|table| {
        format!(
            "CREATE TRIGGER note_write AFTER INSERT OR UPDATE OR DELETE ON loquet.{table}
             FOR EACH ROW EXECUTE FUNCTION note_write();"
        )
    });
    // All of it is one transaction. The update notes who holds the lease at its end.
    let noted = "UPDATE loquet.reaction_lease SET fence = fence";
    postgres.sql(&format!("{NOTE} {} {noted}", triggers.concat()));
}

fn all(postgres: &PostgresServer) -> Vec<Write> {
    let lines = postgres.sql("SELECT to_json(writes) FROM public.writes ORDER BY number");
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The number of the newest write.
pub(crate) fn newest(postgres: &PostgresServer) -> u64 {
    postgres.sql("SELECT max(number) FROM public.writes").parse().unwrap()
}

/// Panics if a node wrote something guarded while another node held the lease. Returns how often the lease changed hands.
#[track_caller]
pub(crate) fn only_the_holder_wrote(postgres: &PostgresServer) -> usize {
    let (mut holder, mut changes) = (String::new(), 0);
    for write in all(postgres) {
        if write.relation == "reaction_lease" {
            if let Some(name) = write.row["holder"].as_str() {
                let name = name.split('/').next().unwrap();
                changes += usize::from(!holder.is_empty() && holder != name);
                name.clone_into(&mut holder);
            }
            if write.program == "psql" {
                continue;
            }
        }
        if write.relation != "reaction_events" {
            assert_eq!(write.program, format!("loquet {holder}"), "{holder} held the lease: {write:?}");
        }
    }
    changes
}

/// Panics if a reaction of this node has written an event after this write, before the node got the lease again.
#[track_caller]
pub(crate) fn no_reaction_of(postgres: &PostgresServer, node: &str, after: u64) {
    let program = format!("loquet {node}");
    for write in all(postgres).into_iter().filter(|write| write.number > after && write.program == program) {
        if write.relation == "reaction_lease" {
            return;
        }
        assert_ne!(write.relation, "reaction_events", "{write:?}");
    }
}

/// Law 5, exactly. Panics if a mail was handed over more often than it was claimed, was claimed again after its result was
/// known, or has no result. Returns how many mails were handed over more than once.
#[track_caller]
pub(crate) fn each_mail_was_sent_as_often_as_claimed(
    postgres: &PostgresServer,
    sent: &BTreeMap<String, usize>,
) -> usize {
    let (mut claims, mut concluded) = (BTreeMap::<String, usize>::new(), BTreeSet::new());
    let mut before = BTreeMap::<String, String>::new();
    for write in all(postgres).into_iter().filter(|write| write.relation == "mails") {
        let (mail, state) = (write.row["effect"].as_str().unwrap().to_owned(), &write.row["state"]);
        let state = state.as_str().unwrap().to_owned();
        if state == "sending" {
            assert!(!concluded.contains(&mail), "it was sent already: {write:?}");
            *claims.entry(mail.clone()).or_default() += 1;
        }
        if state == "sent" {
            concluded.insert(mail.clone());
        }
        before.insert(mail, state);
    }
    for (mail, claims) in &claims {
        assert!(concluded.contains(mail), "{mail} has no result: {:?}", before.get(mail));
        let sent = sent.get(mail).copied().unwrap_or_default();
        assert!((1..=*claims).contains(&sent), "{mail} was claimed {claims} times and sent {sent} times");
    }
    claims.keys().filter(|mail| sent.get(*mail).is_some_and(|sent| *sent > 1)).count()
}
