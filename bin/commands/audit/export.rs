//! `loquet audit export` and `check-export`.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, ensure};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::administration::ExportNotice;
use loquet_domain::ports::Identities;
use serde_json::json;

use super::proofs::given_key;
use crate::administration::{note_export, operator};
use crate::cli::{DataDirectory, ExportHistory};
use crate::clock;
use crate::extract::{Manifest, Source, Written};
use crate::moments::optional;
use crate::output::{note, place_of, result, shown};
use crate::proof::sign_now;
use crate::system::System;

pub(super) async fn run(directory: &DataDirectory, what: &ExportHistory) -> anyhow::Result<()> {
    let folder = &what.folder;
    ensure!(!folder.exists(), "{} exists: choose a new directory", place_of(folder));
    let system = System::open_to_read(directory).await?;
    let source = Source::of(&system, directory);
    let head = system.store.head().await?;
    if let Err(error) = sign_now(directory, head).await {
        note(format_args!("no checkpoint covers the newest events of this extract: {error:#}"));
    }
    let signing = source.signing()?;
    let (from, to) = (optional(what.from.as_ref(), "from")?, optional(what.to.as_ref(), "to")?);
    let made = DirBuilder::new().mode(0o700).create(folder);
    made.with_context(|| format!("can't make {}", place_of(folder)))?;
    let export = ExportNotice {
        id: RandomIdentities.fresh(),
        at: clock::now(),
        by: operator(),
        reason: what.reason.clone(),
        personal: what.personal,
        from,
        to,
        head: head.0,
    };
    // The look is noted before anything is written. A server records it in the log.
    note_export(directory, export.clone()).context("the extract can't be noted in the data directory")?;
    let id = export.id;
    let written = source.write(signing, export, what.states, folder, &|_| Ok(())).await?;
    let Written { events, first, last } = written;
    result(
        format_args!("{events} events are in {}, with a signed manifest", place_of(folder)),
        &json!({ "folder": folder, "events": events, "first": first, "last": last, "export_id": id }),
    );
    Ok(())
}

pub(super) fn check(folder: &Path, public_key: &str) -> anyhow::Result<()> {
    let (manifest, checkpoint) = Manifest::check(folder, &given_key(public_key)?)?;
    let Manifest { origin, export, events, first, last, covered, .. } = &manifest;
    let end = match covered {
        Some(covered) if covered >= last => "It covers all events of this extract.".to_owned(),
        Some(covered) => format!("It covers the events up to position {covered}."),
        None => "An extract of this age does not say up to which position.".to_owned(),
    };
    shown(
        format_args!(
            "This extract is of the log {origin}: {events} events, from position {first} to {last}, taken at {}. The log had \
             a signed checkpoint of {} events then. {end}",
            export.at, checkpoint.size
        ),
        &json!({
            "origin": origin, "events": events, "first": first, "last": last, "export": export,
            "checkpoint_size": checkpoint.size, "covered": covered,
        }),
    );
    Ok(())
}
