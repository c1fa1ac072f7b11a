//! The rows beside the log, as other engines take them too.

use std::path::{Path, PathBuf};

use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::{MovableRows, MovedTable, StoreFailed};
use rusqlite::Connection;
use serde_json::Value;

use crate::answers;
use crate::database::Kind;
use crate::key_store::KEYS;
use crate::mail_journal::JOURNAL;
use crate::service_tokens::TOKENS;
use crate::webhooks::WEBHOOKS;

/// The files of a data directory.
pub struct SqliteRows {
    folder: PathBuf,
}

impl SqliteRows {
    /// Uses the files of this folder. A file that does not exist has no rows. It is made when rows are removed or added.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn run<'a, T: Send + 'a>(
        &'a self,
        table: MovedTable,
        work: impl FnOnce(&mut Connection, &Statements) -> rusqlite::Result<T> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreFailed>> {
        Box::pin(async move {
            let statements = statements(table);
            let opened = statements.kind.open(&self.folder.join(statements.file));
            let mut connection = opened.map_err(StoreFailed::new)?;
            work(&mut connection, statements).map_err(StoreFailed::new)
        })
    }
}

/// How a table is read and written.
struct Statements {
    kind: &'static Kind,
    file: &'static str,
    /// Takes the key of the last row and a limit. Gives rows as JSON.
    read: &'static str,
    clear: &'static str,
    /// Takes a JSON array of rows.
    put: &'static str,
}

impl MovableRows for SqliteRows {
    fn rows<'a>(
        &'a self,
        table: MovedTable,
        after: &'a str,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Value>, StoreFailed>> {
        Box::pin(async move {
            let statements = statements(table);
            let path = self.folder.join(statements.file);
            if !path.exists() {
                return Ok(Vec::new());
            }
            let connection = statements.kind.open_reader(&path).map_err(StoreFailed::new)?;
            let texts = read(&connection, statements.read, after, limit).map_err(StoreFailed::new)?;
            let parsed = texts.into_iter().map(|text| serde_json::from_str(&text));
            parsed.collect::<Result<_, _>>().map_err(StoreFailed::new)
        })
    }

    fn clear(&self, table: MovedTable) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.run(table, |connection, statements| connection.execute(statements.clear, ()).map(drop))
    }

    fn put<'a>(&'a self, table: MovedTable, rows: &'a [Value]) -> BoxFuture<'a, Result<(), StoreFailed>> {
        Box::pin(async move {
            let text = serde_json::to_string(rows).map_err(StoreFailed::new)?;
            self.run(table, move |connection, statements| {
                let transaction = connection.transaction()?;
                transaction.execute(statements.put, [text])?;
                transaction.commit()
            })
            .await
        })
    }
}

fn read(connection: &Connection, statement: &str, after: &str, limit: u32) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare(statement)?;
    let rows = select.query_map((after, limit), |row| row.get(0))?;
    rows.collect()
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
    kind: &KEYS,
    file: "keys.db",
    read: "SELECT json_object('key', printf('%020d', id), 'id', id, 'fingerprint', lower(hex(fingerprint)))
        FROM server WHERE printf('%020d', id) > ? ORDER BY id LIMIT ?",
    clear: "DELETE FROM server",
    put: "INSERT INTO server SELECT value->>'id', unhex(value->>'fingerprint') FROM json_each(?)",
};

const SECRETS: Statements = Statements {
    kind: &KEYS,
    file: "keys.db",
    read: "SELECT json_object('key', name, 'wrapped', lower(hex(wrapped)), 'generation', generation,
            'ends_at', ends_at)
        FROM secrets WHERE name > ? ORDER BY name LIMIT ?",
    clear: "DELETE FROM secrets",
    put: "INSERT INTO secrets (name, wrapped, generation, ends_at)
        SELECT value->>'key', unhex(value->>'wrapped'), value->>'generation', value->>'ends_at'
        FROM json_each(?)",
};

const ACCOUNT_KEYS: Statements = Statements {
    kind: &KEYS,
    file: "keys.db",
    read: "SELECT json_object('key', lower(hex(account)), 'wrapped', lower(hex(wrapped)),
            'erased', json(iif(wrapped IS NULL, 'true', 'false')), 'generation', generation)
        FROM keys WHERE account > unhex(?) OR ?1 = '' ORDER BY account LIMIT ?",
    clear: "DELETE FROM keys",
    put: "INSERT INTO keys (account, wrapped, generation)
        SELECT unhex(value->>'key'), iif(value->>'erased', NULL, unhex(value->>'wrapped')),
            value->>'generation'
        FROM json_each(?)",
};

const CHECKPOINTS: Statements = Statements {
    kind: &JOURNAL,
    file: "reactions.db",
    read: "SELECT json_object('key', reaction, 'position', position)
        FROM checkpoints WHERE reaction > ? ORDER BY reaction LIMIT ?",
    clear: "DELETE FROM checkpoints",
    put: "INSERT INTO checkpoints SELECT value->>'key', value->>'position' FROM json_each(?)",
};

const MAILS: Statements = Statements {
    kind: &JOURNAL,
    file: "reactions.db",
    read: "SELECT json_object('key', lower(hex(effect)), 'kind', kind, 'recipient', lower(hex(recipient)),
            'position', position, 'state', state, 'tries', tries, 'due_at', due_at, 'queued_at', queued_at,
            'ended_at', ended_at, 'why', why, 'since', since, 'note_at', iif(noted, NULL, note_at),
            'urgency', urgency, 'not_noted_why', unnoted_why, 'waited', waited, 'tried_at', tried_at,
            'verdict', verdict)
        FROM mails WHERE effect > unhex(?) OR ?1 = '' ORDER BY effect LIMIT ?",
    clear: "DELETE FROM mails",
    put:
        "INSERT INTO mails (effect, kind, recipient, position, state, tries, due_at, queued_at, ended_at, why,
            since, noted, urgency, note_at, unnoted_why, waited, tried_at, verdict)
        SELECT unhex(value->>'key'), value->>'kind', unhex(value->>'recipient'), value->>'position',
            value->>'state', value->>'tries', value->>'due_at', value->>'queued_at', value->>'ended_at',
            value->>'why', value->>'since', value->>'note_at' IS NULL, value->>'urgency',
            coalesce(value->>'note_at', 0), value->>'not_noted_why', value->>'waited', value->>'tried_at',
            value->>'verdict'
        FROM json_each(?)",
};

const MAIL_HOLD: Statements = Statements {
    kind: &JOURNAL,
    file: "reactions.db",
    read: "SELECT json_object('key', 'only', 'since', since, 'why', why, 'verdict', verdict)
        FROM held WHERE 'only' > ? LIMIT ?",
    clear: "DELETE FROM held",
    put: "INSERT INTO held SELECT 1, value->>'since', value->>'why', value->>'verdict' FROM json_each(?)",
};

const ENDPOINTS: Statements = Statements {
    kind: &WEBHOOKS,
    file: "webhooks.db",
    read: "SELECT json_object('key', lower(hex(id)), 'url', url, 'types', types, 'created_at', created_at,
            'secret', secret, 'older_secret_until', older_secret_until, 'position', position,
            'event_id', lower(hex(event_id)), 'stopped', stopped)
        FROM endpoints WHERE id > unhex(?) OR ?1 = '' ORDER BY id LIMIT ?",
    clear: "DELETE FROM endpoints",
    put: "INSERT INTO endpoints (id, url, types, created_at, secret, older_secret_until, position, event_id,
            stopped)
        SELECT unhex(value->>'key'), value->>'url', value->>'types', value->>'created_at', value->>'secret',
            value->>'older_secret_until', value->>'position', nullif(unhex(value->>'event_id'), x''),
            value->>'stopped'
        FROM json_each(?)",
};

const DELIVERIES: Statements = Statements {
    kind: &WEBHOOKS,
    file: "webhooks.db",
    read: "SELECT json_object('key', lower(hex(endpoint)) || printf('/%020d', position),
            'endpoint', lower(hex(endpoint)), 'position', position, 'tries', tries, 'due_at', due_at, 'why', why)
        FROM deliveries WHERE lower(hex(endpoint)) || printf('/%020d', position) > ?
        ORDER BY endpoint, position LIMIT ?",
    clear: "DELETE FROM deliveries",
    put: "INSERT INTO deliveries (endpoint, position, tries, due_at, why)
        SELECT unhex(value->>'endpoint'), value->>'position', value->>'tries', value->>'due_at', value->>'why'
        FROM json_each(?)",
};

const SERVICE_TOKENS: Statements = Statements {
    kind: &TOKENS,
    file: "tokens.db",
    read: "SELECT json_object('key', lower(hex(hash)), 'name', name, 'scopes', scopes, 'role', role,
            'family', lower(hex(family)), 'created_at', created_at, 'expires_at', expires_at,
            'revoked_at', revoked_at, 'last_used_at', last_used_at,
            'created_by', created_by, 'revoked_by', revoked_by)
        FROM tokens WHERE hash > unhex(?) OR ?1 = '' ORDER BY hash LIMIT ?",
    clear: "DELETE FROM tokens",
    put: "INSERT INTO tokens (hash, name, scopes, created_at, expires_at, last_used_at, revoked_at, family, role,
            created_by, revoked_by)
        SELECT unhex(value->>'key'), value->>'name', value->>'scopes', value->>'created_at',
            value->>'expires_at', value->>'last_used_at', value->>'revoked_at', unhex(value->>'family'),
            value->>'role', value->>'created_by', value->>'revoked_by'
        FROM json_each(?)",
};

const ANSWERS: Statements = Statements {
    kind: &answers::ANSWERS,
    file: "answers.db",
    read: "SELECT json_object('key', lower(hex(command)), 'contents', lower(hex(contents)),
            'begun_at', begun_at, 'answer', lower(hex(answer)))
        FROM answers WHERE command > unhex(?) OR ?1 = '' ORDER BY command LIMIT ?",
    clear: "DELETE FROM answers",
    put: "INSERT INTO answers (command, contents, begun_at, answer)
        SELECT unhex(value->>'key'), unhex(value->>'contents'), value->>'begun_at', unhex(value->>'answer')
        FROM json_each(?)",
};
