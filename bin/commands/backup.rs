//! `loquet backup` and `loquet restore`.

use anyhow::{Context, ensure};
use loquet_domain::administration::RestoreNotice;
use loquet_sqlite::backup::{self, Keys, Restored};
use serde_json::{Value, json};

use super::show::{moment, place_of};
use crate::administration::{note_restore, operator};
use crate::cli::{Backup, DataDirectory, Restore};
use crate::clock;
use crate::output::{note, outcome, result, shown};
use crate::system::VERSION;

/// Refuses what can only be done with files. A node's data directory holds nothing that its databases do not give it.
fn refuse_servers(directory: &DataDirectory) -> anyhow::Result<()> {
    ensure!(
        !directory.engine.is_shared(),
        "the stores are on servers: back them up and restore them with the tools of PostgreSQL or KurrentDB, as docs/operations.md says"
    );
    Ok(())
}

pub(crate) fn take(directory: &DataDirectory, wanted: &Backup) -> anyhow::Result<()> {
    refuse_servers(directory)?;
    let begin = |name: &str| note(format_args!("copying {name}"));
    let keys = if wanted.without_keys { Keys::Separate } else { Keys::Included };
    let taken = backup::take(&directory.data_dir, &wanted.to, keys, VERSION, clock::now(), begin)?;
    // The metrics say how old the last backup is. A directory that can't be written to is no reason to fail.
    if let Err(error) = directory.note_backup(clock::now()) {
        note(format_args!("the time of this backup can't be noted in the data directory: {error}"));
    }
    let (bytes, position, to) = (taken.bytes(), taken.position, place_of(&wanted.to));
    result(
        format_args!("{bytes} bytes up to position {position} are in {to}"),
        &json!({ "to": wanted.to, "bytes": bytes, "position": position, "has_keys": taken.has_keys() }),
    );
    let key = directory.server_key();
    let print = taken.server_key.as_ref().map(|print| format!(" ({print})")).unwrap_or_default();
    match taken.has_keys() {
        true => outcome(format_args!(
            "The backup contains the keys, wrapped by {}{print}: keep that file in another place.",
            place_of(&key)
        )),
        false => outcome(format_args!(
            "The backup does not contain the keys: keep copies of keys.db and {}{print} in another place.",
            place_of(&key)
        )),
    }
    Ok(())
}

pub(crate) fn restore(directory: &DataDirectory, wanted: &Restore) -> anyhow::Result<()> {
    if wanted.check {
        let whole = backup::check(&wanted.from)?;
        shown(format_args!("{} is whole: {}", place_of(&wanted.from), describe(&whole)), &described(&whole));
        return Ok(());
    }
    refuse_servers(directory)?;
    directory.make_folder()?;
    let key = directory.server_key();
    let restored = backup::restore(&wanted.from, &directory.data_dir, wanted.keys.as_deref(), &key);
    let Restored { manifest, server_key } = restored.context("nothing was restored")?;
    let noted = RestoreNotice {
        restored_at: clock::now(),
        restored_by: operator(),
        taken_at: manifest.taken_at,
        position: manifest.position,
        version: manifest.version.clone(),
    };
    note_restore(directory, noted).context("the restore can't be noted in the data directory")?;
    result(
        format_args!("restored into {}: {}", place_of(&directory.data_dir), describe(&manifest)),
        &described(&manifest),
    );
    if !manifest.has_keys() && wanted.keys.is_none() {
        outcome(
            "The backup does not contain the keys: copy keys.db into the data directory before you start the server.",
        );
    }
    if !key.exists() {
        let which = server_key.map(|print| format!(" {print}")).unwrap_or_default();
        outcome(format_args!(
            "Copy the server key{which} to {}: without it, the data can't be read.",
            place_of(&key)
        ));
    }
    outcome("The read models are built at the next start.");
    Ok(())
}

fn described(manifest: &backup::Manifest) -> Value {
    json!({
        "taken_at": manifest.taken_at, "version": manifest.version, "position": manifest.position,
        "has_keys": manifest.has_keys(),
    })
}

fn describe(manifest: &backup::Manifest) -> String {
    let (at, version) = (moment(manifest.taken_at), &manifest.version);
    format!("taken {at} by version {version}, up to position {}", manifest.position)
}
