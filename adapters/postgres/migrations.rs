//! The tables, and how they change from one version of the program to the next.
//!
//! Nodes of two versions run side by side during an upgrade. So a change first adds what the new version needs
//! (*expand*), and only a later version takes away what no running version needs (*contract*). Each step says the oldest
//! schema whose programs can work with the tables after it.

use deadpool_postgres::Object;

use crate::error::PostgresError;

/// A group of tables. The keys can have a database of their own, with backups of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything but the accounts' keys.
    Main,
    /// The accounts' keys.
    Keys,
}

/// A step from one schema to the next. Its number is its place in the list, counted from 1.
struct Step {
    sql: &'static str,
    /// The oldest schema whose programs can work with the tables after this step.
    oldest: i32,
}

const MAIN: &[Step] = &[
    Step { sql: include_str!("migrations/main/0001_event_log.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0002_mail_journal.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0003_webhooks.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0004_guesses_and_sessions.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0005_service_tokens.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0006_answers.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0007_quicker_append.sql"), oldest: 1 },
    Step { sql: include_str!("migrations/main/0008_who_changed_tokens.sql"), oldest: 1 },
];
const KEYS: &[Step] = &[Step { sql: include_str!("migrations/keys/0001_account_keys.sql"), oldest: 1 }];

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Keys => "keys",
        }
    }

    fn steps(self) -> &'static [Step] {
        match self {
            Self::Main => MAIN,
            Self::Keys => KEYS,
        }
    }
}

/// One node at a time changes tables. The number is this program's own.
const LOCK: i64 = 0x6c6f_7175_6574_0001;

/// The tables of this module itself.
const OWN: &str = "
    CREATE SCHEMA IF NOT EXISTS loquet;
    CREATE TABLE IF NOT EXISTS loquet.schema_versions (
        part text NOT NULL,
        version int NOT NULL,
        oldest int NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (part, version)
    )";

/// Brings the tables of a part to the newest schema that this program knows.
pub(crate) async fn migrate(client: &mut Object, part: Part) -> Result<(), PostgresError> {
    let known = i32::try_from(part.steps().len()).unwrap_or(i32::MAX);
    if up_to_date(client, part, known).await? {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    // A step may take longer than a statement of everyday.
    transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'").await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    transaction.batch_execute(OWN).await?;
    let (found, oldest) = newest(&transaction, part).await?;
    refuse_newer(found, oldest, known)?;
    for (number, step) in (1..).zip(part.steps()) {
        if number > found {
            transaction.batch_execute(step.sql).await?;
            let record = "INSERT INTO loquet.schema_versions (part, version, oldest) VALUES ($1, $2, $3)";
            transaction.execute(record, &[&part.name(), &number, &step.oldest]).await?;
            tracing::info!(
                part = part.name(),
                version = number,
                "the tables in PostgreSQL were brought up to date"
            );
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Whether the tables of a part are there, in the newest schema that this program knows.
pub(crate) async fn is_current(client: &Object, part: Part) -> Result<bool, PostgresError> {
    up_to_date(client, part, i32::try_from(part.steps().len()).unwrap_or(i32::MAX)).await
}

/// Whether nothing is to be done. Then a user without the right to make tables is enough.
async fn up_to_date(client: &Object, part: Part, known: i32) -> Result<bool, PostgresError> {
    let there = client.query_one("SELECT to_regclass('loquet.schema_versions') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(false);
    }
    let (found, oldest) = newest(client, part).await?;
    refuse_newer(found, oldest, known)?;
    Ok(found >= known)
}

/// The newest schema of a part, and the oldest one whose programs can work with it.
async fn newest<C: deadpool_postgres::GenericClient + Sync>(
    client: &C,
    part: Part,
) -> Result<(i32, i32), PostgresError> {
    let query = "SELECT coalesce(max(version), 0), coalesce(max(oldest), 0) FROM loquet.schema_versions WHERE part = $1";
    let row = client.query_one(query, &[&part.name()]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn refuse_newer(found: i32, oldest: i32, known: i32) -> Result<(), PostgresError> {
    if known < oldest { Err(PostgresError::TooNew { found, oldest, known }) } else { Ok(()) }
}
