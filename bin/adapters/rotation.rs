//! A rotation of the server key, whatever engine holds the keys.

use anyhow::ensure;
use loquet_crypto::key_rotation::{Cause, RotationReport};
use loquet_crypto::server_key::KeyFile;
use loquet_domain::Moment;

use crate::cli::DataDirectory;
use crate::engine::Engine;

/// A running rotation. If it is dropped before its end, the next one continues it.
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

    /// Says what this rotation does.
    pub(crate) fn report(&self) -> RotationReport {
        match self {
            Self::Files(rotation) => rotation.report(),
            Self::Shared(rotation) => rotation.report(),
        }
    }

    /// Returns how many keys must still be wrapped again.
    pub(crate) async fn left(&self) -> anyhow::Result<u64> {
        Ok(match self {
            Self::Files(rotation) => rotation.left()?,
            Self::Shared(rotation) => rotation.left().await?,
        })
    }

    /// Wraps some more keys again. Returns how many; zero means that all are done.
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
