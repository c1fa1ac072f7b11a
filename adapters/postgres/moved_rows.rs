//! Copies the rows beside the log to another engine, or from one. Each row is a JSON object that every engine can read.

use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::{MovableRows, MovedTable, StoreFailed};
use serde_json::Value;

use crate::database::Database;
use crate::error::PostgresError;

/// The tables of the databases that nodes share.
pub struct PostgresRows {
    main: Database,
    keys: Database,
}

impl PostgresRows {
    /// Uses the tables of these databases, which must have been prepared.
    #[must_use]
    pub fn of(main: Database, keys: Database) -> Self {
        Self { main, keys }
    }

    fn database(&self, table: MovedTable) -> &Database {
        match table {
            MovedTable::ServerKeys | MovedTable::Secrets | MovedTable::AccountKeys => &self.keys,
            _ => &self.main,
        }
    }
}

/// The statements that read and write a table.
struct Statements {
    /// Returns rows as JSON. Its parameters are the key of the last row before them, and a limit.
    read: &'static str,
    clear: &'static str,
    /// Its parameter is a JSON array of rows.
    put: &'static str,
}

impl MovableRows for PostgresRows {
    fn rows<'a>(
        &'a self,
        table: MovedTable,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Value>, StoreFailed>> {
        Box::pin(async move {
            let limit = i64::from(limit);
            let rows = self.database(table).rows(statements(table).read, &[&after, &limit]).await?;
            let parsed = rows.iter().map(|row| {
                let text: String = row.try_get(0).map_err(PostgresError::from)?;
                serde_json::from_str(&text).map_err(StoreFailed::new)
            });
            parsed.collect()
        })
    }

    fn clear(&self, table: MovedTable) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(async move {
            self.database(table).change(statements(table).clear, &[]).await?;
            Ok(())
        })
    }

    fn put<'a>(&'a self, table: MovedTable, rows: &'a [Value]) -> BoxFuture<'a, Result<(), StoreFailed>> {
        Box::pin(async move {
            let text = serde_json::to_string(rows).map_err(StoreFailed::new)?;
            self.database(table).change(statements(table).put, &[&text]).await?;
            Ok(())
        })
    }
}

/// Converts a column to microseconds since 1970.
macro_rules! micros {
    ($column:literal) => {
        concat!("(extract(epoch FROM ", $column, ") * 1000000)::bigint")
    };
}

/// Converts a field of a row from microseconds since 1970.
macro_rules! moment {
    ($field:literal) => {
        concat!("timestamptz 'epoch' + (row->>'", $field, "')::bigint * interval '1 microsecond'")
    };
}

/// Joins the parts of a statement, and adds the rows from its parameter.
macro_rules! put {
    ($($part:expr),* $(,)?) => {
        concat!($($part,)* " FROM json_array_elements($1::text::json) AS rows (row)")
    };
}

fn statements(table: MovedTable) -> &'static Statements {
    match table {
        MovedTable::ServerKeys => &SERVER_KEYS,
        MovedTable::Secrets => &SECRETS,
        MovedTable::AccountKeys => &ACCOUNT_KEYS,
        MovedTable::Checkpoints => &CHECKPOINTS,
        MovedTable::Mails => &MAILS,
        MovedTable::MailHold => &MAIL_HOLD,
        MovedTable::Endpoints => &ENDPOINTS,
        MovedTable::Deliveries => &DELIVERIES,
        MovedTable::ServiceTokens => &SERVICE_TOKENS,
        MovedTable::Answers => &ANSWERS,
    }
}

const SERVER_KEYS: Statements = Statements {
    read: "SELECT json_build_object('key', lpad(generation::text, 20, '0'), 'id', generation,
            'fingerprint', encode(fingerprint, 'hex'))::text
        FROM loquet.server_keys WHERE lpad(generation::text, 20, '0') > $1 ORDER BY generation LIMIT $2",
    clear: "DELETE FROM loquet.server_keys",
    put: put!("INSERT INTO loquet.server_keys SELECT (row->>'id')::int, decode(row->>'fingerprint', 'hex')"),
};

const SECRETS: Statements =
    Statements {
        read: concat!(
        "SELECT json_build_object('key', name, 'wrapped', encode(wrapped, 'hex'), 'generation', generation,
            'ends_at', ", micros!("ends_at"), ")::text
        FROM loquet.key_secrets WHERE name > $1 ORDER BY name LIMIT $2"
    ),
        clear: "DELETE FROM loquet.key_secrets",
        put: put!(
            "INSERT INTO loquet.key_secrets (name, wrapped, generation, ends_at)
        SELECT row->>'key', decode(row->>'wrapped', 'hex'), (row->>'generation')::int, ",
            moment!("ends_at")
        ),
    };

const ACCOUNT_KEYS: Statements = Statements {
    read: "SELECT json_build_object('key', replace(account::text, '-', ''),
            'wrapped', coalesce(encode(wrapped, 'hex'), ''), 'erased', wrapped IS NULL,
            'generation', coalesce(generation, (SELECT max(generation) FROM loquet.server_keys)))::text
        FROM loquet.account_keys WHERE $1 = '' OR account > nullif($1, '')::uuid ORDER BY account LIMIT $2",
    clear: "DELETE FROM loquet.account_keys",
    put: put!(
        "INSERT INTO loquet.account_keys (account, wrapped, generation, erasure)
        SELECT (row->>'key')::uuid,
            CASE WHEN NOT (row->>'erased')::boolean THEN decode(row->>'wrapped', 'hex') END,
            CASE WHEN NOT (row->>'erased')::boolean THEN (row->>'generation')::int END,
            CASE WHEN (row->>'erased')::boolean THEN 0 END"
    ),
};

const CHECKPOINTS: Statements = Statements {
    read: "SELECT json_build_object('key', reaction, 'position', position)::text
        FROM loquet.reaction_checkpoints WHERE reaction > $1 ORDER BY reaction LIMIT $2",
    clear: "DELETE FROM loquet.reaction_checkpoints",
    put: put!("INSERT INTO loquet.reaction_checkpoints SELECT row->>'key', (row->>'position')::bigint"),
};

const MAILS: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', replace(effect::text, '-', ''), 'kind', kind,
            'recipient', replace(recipient::text, '-', ''), 'position', position, 'state', state,
            'tries', tries, 'due_at', ",
        micros!("due_at"),
        ", 'queued_at', ",
        micros!("queued_at"),
        ",
            'ended_at', ",
        micros!("ended_at"),
        ", 'why', why, 'since', ",
        micros!("since"),
        ",
            'note_at', ",
        micros!("note_at"),
        ", 'urgency', urgency, 'not_noted_why', not_noted_why,
            'waited', waited_microseconds, 'tried_at', ",
        micros!("tried_at"),
        ", 'verdict', verdict)::text
        FROM loquet.mails WHERE $1 = '' OR effect > nullif($1, '')::uuid ORDER BY effect LIMIT $2"
    ),
    clear: "DELETE FROM loquet.mails",
    put: put!(
        "INSERT INTO loquet.mails (effect, kind, recipient, position, state, tries, due_at, queued_at,
            ended_at, why, since, note_at, urgency, not_noted_why, waited_microseconds, tried_at, verdict)
        SELECT (row->>'key')::uuid, row->>'kind', (row->>'recipient')::uuid, (row->>'position')::bigint,
            row->>'state', (row->>'tries')::int, ",
        moment!("due_at"),
        ", ",
        moment!("queued_at"),
        ",
            ",
        moment!("ended_at"),
        ", row->>'why', ",
        moment!("since"),
        ", ",
        moment!("note_at"),
        ",
            (row->>'urgency')::smallint, row->>'not_noted_why', (row->>'waited')::bigint,
            ",
        moment!("tried_at"),
        ", row->>'verdict'"
    ),
};

const MAIL_HOLD: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', 'only', 'since', ",
        micros!("since"),
        ", 'why', why,
            'verdict', verdict)::text
        FROM loquet.mail_hold WHERE 'only' > $1 LIMIT $2"
    ),
    clear: "DELETE FROM loquet.mail_hold",
    put: put!(
        "INSERT INTO loquet.mail_hold (since, why, verdict)
        SELECT ",
        moment!("since"),
        ", row->>'why', row->>'verdict'"
    ),
};

const ENDPOINTS: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', replace(id::text, '-', ''), 'url', url,
            'types', array_to_string(types, ' '), 'created_at', ",
        micros!("created_at"),
        ",
            'secret', secret, 'older_secret_until', ",
        micros!("older_secret_until"),
        ",
            'position', position, 'event_id', coalesce(replace(event_id::text, '-', ''), ''),
            'stopped', stopped)::text
        FROM loquet.webhook_endpoints WHERE $1 = '' OR id > nullif($1, '')::uuid ORDER BY id LIMIT $2"
    ),
    clear: "DELETE FROM loquet.webhook_endpoints",
    put: put!(
        "INSERT INTO loquet.webhook_endpoints (id, url, types, created_at, secret, older_secret_until,
            position, event_id, stopped)
        SELECT (row->>'key')::uuid, row->>'url', string_to_array(row->>'types', ' '),
            ",
        moment!("created_at"),
        ", (row->>'secret')::int, ",
        moment!("older_secret_until"),
        ",
            (row->>'position')::bigint, nullif(row->>'event_id', '')::uuid, row->>'stopped'"
    ),
};

const DELIVERIES: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', replace(endpoint::text, '-', '') || '/' || lpad(position::text, 20, '0'),
            'endpoint', replace(endpoint::text, '-', ''), 'position', position, 'tries', tries,
            'due_at', ", micros!("due_at"), ", 'why', why)::text
        FROM loquet.webhook_deliveries
        WHERE (replace(endpoint::text, '-', '') || '/' || lpad(position::text, 20, '0')) COLLATE \"C\" > $1
        ORDER BY endpoint, position LIMIT $2"
    ),
    clear: "DELETE FROM loquet.webhook_deliveries",
    put: put!(
        "INSERT INTO loquet.webhook_deliveries (endpoint, position, tries, due_at, why)
        SELECT (row->>'endpoint')::uuid, (row->>'position')::bigint, (row->>'tries')::int,
            ", moment!("due_at"), ", row->>'why'"
    ),
};

const SERVICE_TOKENS: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', encode(hash, 'hex'), 'name', name, 'scopes', scopes, 'role', role,
            'family', encode(family, 'hex'), 'created_at', ",
        micros!("created_at"),
        ",
            'expires_at', ",
        micros!("expires_at"),
        ", 'revoked_at', ",
        micros!("revoked_at"),
        ",
            'last_used_at', ",
        micros!("last_used_at"),
        ", 'created_by', created_by, 'revoked_by', revoked_by)::text
        FROM loquet.service_tokens WHERE hash > decode($1, 'hex') ORDER BY hash LIMIT $2"
    ),
    clear: "DELETE FROM loquet.service_tokens",
    put: put!(
        "INSERT INTO loquet.service_tokens (hash, name, scopes, role, family, created_at, expires_at,
            revoked_at, last_used_at, created_by, revoked_by)
        SELECT decode(row->>'key', 'hex'), row->>'name', row->>'scopes', row->>'role',
            decode(row->>'family', 'hex'), ",
        moment!("created_at"),
        ", ",
        moment!("expires_at"),
        ",
            ",
        moment!("revoked_at"),
        ", ",
        moment!("last_used_at"),
        ", row->>'created_by', row->>'revoked_by'"
    ),
};

const ANSWERS: Statements = Statements {
    read: concat!(
        "SELECT json_build_object('key', encode(command, 'hex'), 'contents', encode(contents, 'hex'),
            'begun_at', ",
        micros!("begun_at"),
        ", 'answer', encode(answer, 'hex'))::text
        FROM loquet.answers WHERE answer IS NOT NULL AND command > decode($1, 'hex')
        ORDER BY command LIMIT $2"
    ),
    clear: "DELETE FROM loquet.answers",
    put: put!(
        "INSERT INTO loquet.answers (command, contents, begun_at, answer)
        SELECT decode(row->>'key', 'hex'), decode(row->>'contents', 'hex'), ",
        moment!("begun_at"),
        ",
            decode(row->>'answer', 'hex')"
    ),
};
