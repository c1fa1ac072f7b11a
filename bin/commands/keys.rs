//! `loquet keys create`, `prepare` and `rotate`.

use anyhow::{Context, bail, ensure};
use loquet_crypto::key_rotation::{self, Cause};
use loquet_crypto::server_key::{KeyFile, ServerKey};

use serde_json::json;

use super::show::{place_of, progress};
use crate::adapters::{KeyFileState, Rotation};
use crate::administration::note_rotation;
use crate::cli::{DataDirectory, RotateKeys};
use crate::clock;
use crate::output::{agreed, note, outcome, result};

pub(crate) fn create(directory: &DataDirectory) -> anyhow::Result<()> {
    directory.make_folder()?;
    let path = directory.server_key();
    ensure!(
        !path.exists(),
        "{} exists: `loquet keys rotate` replaces the key, and `loquet doctor` says whether this one opens the data",
        place_of(&path)
    );
    // A new key would not open what is there, and it would stand in the place of the one that does.
    for held in ["keys.db", "log.db"].map(|name| directory.file(name)) {
        ensure!(
            !held.exists(),
            "{} exists, and only its own server key opens it: restore that key from your copy as {}",
            place_of(&held),
            place_of(&path)
        );
    }
    ServerKey::create(&path)?;
    result(
        format_args!(
            "Created {}. Keep a copy apart from the data: without it, sealed data can't be read.",
            place_of(&path)
        ),
        &json!({ "server_key_file": path }),
    );
    Ok(())
}

/// Adds the next server key to the file. Nothing uses it until the rotation begins. The store is asked only if the file has
/// two keys already: this command may run on a machine that does not reach the store.
pub(crate) async fn prepare(directory: &DataDirectory) -> anyhow::Result<()> {
    let path = directory.server_key();
    let (file, place) = (KeyFile::load(&path)?, place_of(&path));
    let state = KeyFileState::of(directory, &file).await;
    match state.with_context(|| format!("{place} has two keys, and the store can't say what they are for"))? {
        KeyFileState::OneKey | KeyFileState::Prepared => {}
        KeyFileState::Rotating => bail!(
            "{place} has two keys, because a rotation is running or was interrupted: complete it with `loquet keys rotate`, \
             and then prepare the next key"
        ),
        KeyFileState::OldKeyLeft => bail!(
            "{place} still has the old key of an earlier rotation: run `loquet keys rotate` with this file, which removes \
             the old key, and then prepare the next key"
        ),
    }
    key_rotation::prepare(&file)?;
    result(
        format_args!(
            "{place} has the next key too, above the present one. Copy the file to every node, and then run `loquet \
             keys rotate` on one of them."
        ),
        &json!({ "server_key_file": path, "prepared": true }),
    );
    Ok(())
}

/// Rotates the server key. A running server notices the new key by itself.
pub(crate) async fn rotate(directory: &DataDirectory, rotate: &RotateKeys) -> anyhow::Result<()> {
    let path = directory.server_key();
    let (file, place) = (KeyFile::load(&path)?, place_of(&path));
    if rotate.compromised {
        agreed(
            "This ends every session and every link that was mailed, and all people must log in again.",
            rotate.yes,
        )?;
    }
    let (cause, again) = match rotate.compromised {
        true => (
            Cause::Compromise,
            "nothing is lost: run `loquet keys rotate --compromised --yes` again to continue",
        ),
        false => (Cause::Routine, "nothing is lost: run `loquet keys rotate` again to continue"),
    };
    match KeyFileState::of(directory, &file).await? {
        KeyFileState::OneKey => {}
        KeyFileState::Prepared => outcome(format_args!("{place} has a prepared key: rotating to this key")),
        KeyFileState::Rotating => outcome("continuing a rotation that was interrupted"),
        KeyFileState::OldKeyLeft => {
            outcome(format_args!("{place} still has the old key of an earlier rotation: removing this key"));
        }
    }
    let mut next = Some(Rotation::begin(directory, file, clock::now(), cause).await.context(again)?);
    while let Some(rotation) = next {
        next = to_its_end(directory, rotation, cause).await.context(again)?;
    }
    outcome(format_args!(
        "Keep a copy of {place} apart from the data, and destroy all copies of the old key."
    ));
    if directory.engine.is_shared() {
        outcome(format_args!(
            "Copy {place} to every other node now, because it is the only file with just the new key. A node whose file has \
             only the old key is not ready, can't create accounts, can't read what is written with the new key, and does \
             not start again. A node whose file has both keys works, but keeps the old key, which you must destroy."
        ));
    }
    Ok(())
}

/// Runs a rotation to its end. Returns a second rotation if one must follow.
async fn to_its_end(
    directory: &DataDirectory,
    mut rotation: Rotation,
    cause: Cause,
) -> anyhow::Result<Option<Rotation>> {
    let report = rotation.report();
    // The rotation itself is recorded from the store, so it goes on without the note of who did it.
    if let Err(error) =
        note_rotation(directory, report.generation, clock::now(), matches!(cause, Cause::Compromise))
    {
        note(format_args!("who rotates the key can't be noted in the data directory: {error}"));
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
    result(
        format_args!(
            "{left} keys were wrapped with the new key; the server key is now number {}",
            report.generation
        ),
        &json!({ "generation": report.generation, "wrapped": left }),
    );
    if next.is_some() {
        outcome("others may also know the key that was in the file before: creating another one");
    }
    Ok(next)
}
