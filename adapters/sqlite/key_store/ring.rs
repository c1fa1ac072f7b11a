//! Reads what the file of keys holds beside the account keys.

use std::collections::BTreeMap;

use loquet_crypto::key_ring::{Generation, Stored, StoredSecret};
use loquet_crypto::server_key::Fingerprint;
use loquet_domain::Moment;
use rusqlite::{Connection, Row};

/// Returns the fingerprint of the server key that a file of keys needs. Returns `None` if the file has no key
/// yet.
pub(crate) fn wrapped_by(keys: &Connection) -> rusqlite::Result<Option<Fingerprint>> {
    Ok(generations(keys)?.last_key_value().map(|(_, print)| Fingerprint::shown(print)))
}

/// Returns the generations that the file of keys knows, with their fingerprints.
pub(super) fn generations(connection: &Connection) -> rusqlite::Result<BTreeMap<Generation, Vec<u8>>> {
    let mut select = connection.prepare_cached("SELECT id, fingerprint FROM server")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Returns a number that changes whenever another connection has written to the file. Generations alone are
/// not enough: a rotation that ends, or that removes what the old key signed, makes no new generation, but
/// must be noticed.
pub(super) fn changes_by_others(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// Returns everything but the account keys.
pub(super) fn stored(connection: &Connection) -> rusqlite::Result<Stored> {
    // The number is read first. A change in between then counts as new at the next check.
    let changes = changes_by_others(connection)?;
    let mut select = connection.prepare_cached("SELECT name, wrapped, generation, ends_at FROM secrets")?;
    let secrets = select.query_map([], secret)?.collect::<rusqlite::Result<_>>()?;
    Ok(Stored { changes, generations: generations(connection)?, secrets })
}

fn secret(row: &Row<'_>) -> rusqlite::Result<StoredSecret> {
    let ends_at: Option<i64> = row.get(3)?;
    let ends_at = ends_at.map(|micros| Moment::from_timestamp_micros(micros).unwrap_or(Moment::MIN_UTC));
    Ok(StoredSecret { name: row.get(0)?, wrapped: row.get(1)?, generation: row.get(2)?, ends_at })
}
