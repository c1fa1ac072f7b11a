//! A rotation of the server key, in files or on servers, and the state that the key file is in.

use anyhow::ensure;
use loquet_crypto::key_rotation::{Cause, RotationReport};
use loquet_crypto::server_key::{KeyFile, ServerKey};
use loquet_domain::Moment;
use loquet_postgres::moved_rows::PostgresRows;
use loquet_projections::ports::{MovableRows, MovedTable};
use loquet_sqlite::moved_rows::SqliteRows;

use crate::cli::DataDirectory;
use crate::engine::Engine;

/// The most server keys that a store has: the newest, and those of rotations that were interrupted.
const KEYS: u32 = 1000;

/// What the keys in the key file are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFileState {
    /// The file has one key.
    OneKey,
    /// The file has a new key, which the store does not know yet: `loquet keys prepare` wrote it, or a rotation that was
    /// interrupted at its very beginning.
    Prepared,
    /// A rotation is running, or was interrupted: the store needs the old key too.
    Rotating,
    /// The rotation is complete, and the store does not know the old key any more. The file still has it.
    OldKeyLeft,
}

impl KeyFileState {
    /// Compares the key file with the store of the data directory.
    pub(crate) async fn of(directory: &DataDirectory, file: &KeyFile) -> anyhow::Result<Self> {
        if !file.is_being_rotated() {
            return Ok(Self::OneKey);
        }
        let server_keys = MovedTable::ServerKeys;
        let stored = match &directory.engine {
            Engine::Sqlite => SqliteRows::of(&directory.data_dir).rows(server_keys, "", KEYS).await?,
            Engine::Shared(shared) => {
                let databases = shared.databases().await?;
                let rows = PostgresRows::of(databases.main.clone(), databases.keys.clone());
                rows.rows(server_keys, "", KEYS).await?
            }
        };
        let is_stored = |key: &ServerKey| {
            let fingerprint = base16ct::lower::encode_string(&key.fingerprint());
            stored.iter().any(|row| row["fingerprint"] == fingerprint.as_str())
        };
        Ok(if !is_stored(&file.newest) {
            Self::Prepared
        } else if file.older.iter().any(is_stored) {
            Self::Rotating
        } else {
            Self::OldKeyLeft
        })
    }
}

/// A running rotation. If it is dropped before its end, the next rotation continues it.
pub(crate) enum Rotation {
    Files(loquet_sqlite::key_store::Rotation),
    Shared(loquet_postgres::key_store::Rotation),
}

impl Rotation {
    /// Begins a rotation, or continues one that was interrupted.
    pub(crate) async fn begin(
        directory: &DataDirectory,
        file: KeyFile,
        now: Moment,
        cause: Cause,
    ) -> anyhow::Result<Self> {
        match &directory.engine {
            Engine::Sqlite => {
                let keys = directory.file("keys.db");
                ensure!(keys.exists(), "there are no keys in {}", directory.data_dir.display());
                Ok(Self::Files(loquet_sqlite::key_store::Rotation::begin(&keys, file, now, cause)?))
            }
            Engine::Shared(shared) => {
                let keys = &shared.databases().await?.keys;
                let begun = loquet_postgres::key_store::Rotation::begin(keys, &file, now, cause);
                Ok(Self::Shared(begun.await?))
            }
        }
    }

    /// Returns the number of the new server key, and whether this rotation continues an interrupted one.
    pub(crate) fn report(&self) -> RotationReport {
        match self {
            Self::Files(rotation) => rotation.report(),
            Self::Shared(rotation) => rotation.report(),
        }
    }

    /// Returns the number of keys that the new server key does not wrap yet.
    pub(crate) async fn left(&self) -> anyhow::Result<u64> {
        Ok(match self {
            Self::Files(rotation) => rotation.left()?,
            Self::Shared(rotation) => rotation.left().await?,
        })
    }

    /// Wraps some more keys with the new server key. Returns their number. Zero means that none is left.
    pub(crate) async fn step(&mut self) -> anyhow::Result<usize> {
        Ok(match self {
            Self::Files(rotation) => rotation.step()?,
            Self::Shared(rotation) => rotation.step().await?,
        })
    }

    /// Deletes the old key. Returns a second rotation if one must follow.
    pub(crate) async fn finish(self, now: Moment) -> anyhow::Result<Option<Self>> {
        Ok(match self {
            Self::Files(rotation) => rotation.finish(now)?.map(Self::Files),
            Self::Shared(rotation) => rotation.finish(now).await?.map(Self::Shared),
        })
    }
}
