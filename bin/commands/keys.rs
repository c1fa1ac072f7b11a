//! `loquet keys create`, `prepare` and `rotate`.

use anyhow::Context;
use loquet_crypto::key_rotation::{self, Cause};
use loquet_crypto::server_key::{KeyFile, ServerKey};

use super::show::{place_of, progress};
use crate::adapters::Rotation;
use crate::cli::{DataDirectory, RotateKeys};
use crate::clock;
use crate::output::outcome;

pub(crate) fn create(directory: &DataDirectory) -> anyhow::Result<()> {
    directory.make_folder()?;
    let path = directory.server_key();
    ServerKey::create(&path)?;
    outcome(format_args!(
        "Created {}. Keep a copy apart from the data: without it, sealed data can't be read.",
        place_of(&path)
    ));
    Ok(())
}

/// Adds the next server key to the file. Nothing uses it until the rotation begins.
pub(crate) fn prepare(directory: &DataDirectory) -> anyhow::Result<()> {
    let path = directory.server_key();
    key_rotation::prepare(&KeyFile::load(&path)?)?;
    outcome(format_args!(
        "{} holds the next key too. Copy the file to every node, and then run `loquet keys rotate` on one of them.",
        place_of(&path)
    ));
    Ok(())
}

/// Rotates the server key. A running server notices the new key by itself.
pub(crate) async fn rotate(directory: &DataDirectory, rotate: &RotateKeys) -> anyhow::Result<()> {
    let path = directory.server_key();
    let file = KeyFile::load(&path)?;
    let (cause, again) = match rotate.compromised {
        true => {
            (Cause::Compromise, "nothing is lost: run `loquet keys rotate --compromised` again to continue")
        }
        false => (Cause::Routine, "nothing is lost: run `loquet keys rotate` again to continue"),
    };
    let mut next = Some(Rotation::begin(directory, file, clock::now(), cause).await.context(again)?);
    while let Some(rotation) = next {
        next = to_its_end(rotation).await.context(again)?;
    }
    outcome(format_args!(
        "Keep a copy of {} apart from the data, and destroy all copies of the old key.",
        place_of(&path)
    ));
    if directory.engine.is_shared() {
        outcome("Copy the file to every other node now: there, it still holds the old key.");
    }
    Ok(())
}

/// Runs a rotation to its end. Returns a second rotation if one must follow.
async fn to_its_end(mut rotation: Rotation) -> anyhow::Result<Option<Rotation>> {
    let report = rotation.report();
    if report.resumed {
        outcome("continuing a rotation that was interrupted");
    }
    let left = rotation.left().await?;
    let bar = progress(left, "keys wrapped")?;
    loop {
        match rotation.step().await? {
            0 => break,
            wrapped => bar.inc(u64::try_from(wrapped)?),
        }
    }
    bar.finish_and_clear();
    let next = rotation.finish(clock::now()).await?;
    outcome(format_args!(
        "{left} keys were wrapped with the new key; the server key is now number {}",
        report.generation
    ));
    if next.is_some() {
        outcome("the key of the interrupted rotation may be known too: creating another");
    }
    Ok(next)
}
