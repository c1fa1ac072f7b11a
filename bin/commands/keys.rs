//! `loquet keys create` and `rotate`.

use anyhow::Context;
use loquet_crypto::server_key::{KeyFile, ServerKey};
use loquet_sqlite::key_store::{Cause, Rotation};

use super::show::{place_of, progress};
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

/// Rotates the server key. A running server notices the new key by itself.
pub(crate) fn rotate(directory: &DataDirectory, rotate: &RotateKeys) -> anyhow::Result<()> {
    let path = directory.server_key();
    let file = KeyFile::load(&path)?;
    let keys = directory.file("keys.db");
    anyhow::ensure!(keys.exists(), "there are no keys in {}", place_of(&directory.data_dir));
    let (cause, again) = match rotate.compromised {
        true => {
            (Cause::Compromise, "nothing is lost: run `loquet keys rotate --compromised` again to continue")
        }
        false => (Cause::Routine, "nothing is lost: run `loquet keys rotate` again to continue"),
    };
    let mut next = Some(Rotation::begin(&keys, file, clock::now(), cause).context(again)?);
    while let Some(rotation) = next {
        next = to_its_end(rotation).context(again)?;
    }
    outcome(format_args!(
        "Keep a copy of {} apart from the data, and destroy all copies of the old key.",
        place_of(&path)
    ));
    Ok(())
}

/// Runs a rotation to its end. Returns a second rotation if one must follow.
fn to_its_end(mut rotation: Rotation) -> anyhow::Result<Option<Rotation>> {
    let report = rotation.report();
    if report.resumed {
        outcome("continuing a rotation that was interrupted");
    }
    let left = rotation.left()?;
    let bar = progress(left, "keys wrapped")?;
    loop {
        match rotation.step()? {
            0 => break,
            wrapped => bar.inc(u64::try_from(wrapped)?),
        }
    }
    bar.finish_and_clear();
    let next = rotation.finish(clock::now())?;
    outcome(format_args!(
        "{left} keys were wrapped with the new key; the server key is now number {}",
        report.generation
    ));
    if next.is_some() {
        outcome("the key of the interrupted rotation may be known too: creating another");
    }
    Ok(next)
}
