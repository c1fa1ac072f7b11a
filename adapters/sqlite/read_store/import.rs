//! Copies a view from another file of read models.

use std::path::Path;

use loquet_domain::ports::Position;
use loquet_projections::ports::StoreFailed;
use loquet_projections::view::{Build, ViewId};
use rusqlite::{Connection, OptionalExtension};

use super::{SqliteReadStore, VIEWS, begin, failed, key, table, table_of};
use crate::database::{FileError, explain};

impl SqliteReadStore {
    /// Copies the serving build of a view from another file, to which nobody writes. Returns the build and the position up
    /// to which it has seen the log. Returns `None` if the file has no such build, or one that has stopped.
    ///
    /// # Errors
    /// [`StoreFailed`] if one of the files can't be used.
    pub async fn import(&self, view: ViewId, from: &Path) -> Result<Option<(Build, Position)>, StoreFailed> {
        let (store, from) = (self.clone(), from.to_owned());
        let imported = tokio::task::spawn_blocking(move || {
            let path = from.to_str().ok_or_else(|| StoreFailed::new("the path is not UTF-8".to_owned()))?;
            let other = VIEWS.open_reader(&from).map_err(StoreFailed::new)?;
            let Some((source, position)) = serving_at(&other, view).map_err(failed)? else { return Ok(None) };
            drop(other);
            let mut connection = store.writer();
            // This is done before the other file is attached: a name that is not in this file would be taken from that one.
            let transaction = connection.transaction().map_err(failed)?;
            let build = begin(&transaction, view).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            connection.execute("ATTACH ? AS other", [path]).map_err(failed)?;
            let copied = copy(&mut connection, &source, build, position);
            connection.execute_batch("DETACH other").map_err(failed)?;
            copied.map_err(failed)?;
            Ok(Some((build, position)))
        });
        imported.await.map_err(StoreFailed::new)?
    }

    /// Makes a file of read models that nobody has open complete in itself: without a write-ahead log beside it, and on the
    /// disk.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn complete(path: &Path) -> Result<(), FileError> {
        let unusable = |why: String| FileError::Unusable { path: path.to_owned(), why };
        let connection = VIEWS.open(path)?;
        let mode = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0));
        match mode.map_err(|error| unusable(explain(&error)))?.as_str() {
            "delete" => {}
            other => return Err(unusable(format!("its journal is still of the kind '{other}'"))),
        }
        drop(connection);
        std::fs::File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|error| unusable(error.to_string()))
    }
}

/// The table of the serving build of a view, and the position up to which it has seen the log.
fn serving_at(connection: &Connection, view: ViewId) -> rusqlite::Result<Option<(String, Position)>> {
    let serving = "SELECT generation, position FROM builds
        WHERE view = ? AND version = ? AND serving = 1 AND failure IS NULL";
    let found = connection.query_row(serving, (view.name, view.version), |row| {
        Ok((table_of(view.name, view.version, row.get(0)?), Position(row.get(1)?)))
    });
    found.optional()
}

/// Copies the rows of a table in the file `other` into an empty build.
fn copy(connection: &mut Connection, source: &str, build: Build, position: Position) -> rusqlite::Result<()> {
    let target = table(build);
    let transaction = connection.transaction()?;
    transaction.execute_batch(&format!(
        "INSERT INTO main.{target} SELECT * FROM other.{source};
         INSERT INTO main.{target}_index SELECT * FROM other.{source}_index;"
    ))?;
    let reached = "UPDATE main.builds SET position = ? WHERE view = ? AND version = ? AND generation = ?";
    let (view, version, generation) = key(build);
    transaction.execute(reached, (position.0, view, version, generation))?;
    transaction.commit()
}
