//! `loquet audit verify`.

use std::process::ExitCode;

use anyhow::ensure;
use loquet_proof::note::Note;
use loquet_proof::tree_files::TreeReader;
use loquet_proof::verification::{Report, verify};
use serde_json::json;

use super::proofs::given_key;
use crate::adapters;
use crate::cli::{DataDirectory, VerifyLog};
use crate::commands::show::{place_of, progress};
use crate::output::{note, shown};
use crate::proof::{ProofFiles, read_checkpoints};

/// Compares the log with its checkpoints. Fails if something does not fit.
pub(super) async fn run(directory: &DataDirectory, what: &VerifyLog) -> anyhow::Result<ExitCode> {
    let files = ProofFiles::of(directory);
    let key = match &what.public_key {
        Some(given) => given_key(given)?,
        None => {
            note("the public key in the data directory is used; --public-key takes one that you kept apart");
            files.verifier()?
        }
    };
    let witness = what.witness.as_deref().map(given_key).transpose()?;
    let own = if witness.is_some() { files.cosigned() } else { files.checkpoints() };
    let path = what.checkpoints.clone().unwrap_or(own);
    let mut kept = read_checkpoints(&path)?;
    if let Some(witness) = witness {
        kept.retain(|kept| Note::parse(&kept.note).is_ok_and(|note| note.check(&witness).is_ok()));
        ensure!(!kept.is_empty(), "no checkpoint in {} was signed by the witness {witness}", place_of(&path));
    }
    ensure!(!kept.is_empty(), "there are no checkpoints in {}", place_of(&path));
    let tree = TreeReader::open(&files.folder)?;
    let store = adapters::log_to_read(directory).await?;
    let bar = progress(store.head().await?.0, "events compared")?;
    let report =
        verify(store.as_ref(), Some(&tree), &kept, &key, |position| bar.set_position(position.0)).await?;
    bar.finish_and_clear();
    ensure!(
        report.checkpoints > 0,
        "no checkpoint in {} was signed by {key}: is this the key of this log, and a file of its checkpoints?",
        place_of(&path)
    );
    let strange = adapters::strange_parts_of_log(directory)?;
    show(&report, &strange);
    Ok(if report.holds() && strange.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(report: &Report, strange: &[String]) {
    let Report { events, head, checkpoints, covered, findings, more, tree_is_damaged } = report;
    let mut lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.extend(strange.iter().map(|strange| format!("log.db: {strange}")));
    let holds = report.holds() && strange.is_empty();
    if *more > 0 {
        lines.push(format!("and {more} more"));
    }
    if *tree_is_damaged {
        lines.push(
            "The tree beside the log is not the one that was signed. A server that starts builds it again from the log."
                .to_owned(),
        );
    }
    let later = events.saturating_sub(*covered);
    lines.push(match holds {
        true => format!(
            "The log is the one that was signed: {covered} events, {checkpoints} checkpoints. {later} later events are not signed yet."
        ),
        false => format!("THE LOG IS NOT THE ONE THAT WAS SIGNED: {events} events were compared with {checkpoints} checkpoints. Keep the \
             data directory as it is, and compare with checkpoints that you kept elsewhere."),
    });
    let value = json!({
        "holds": holds, "strange": strange, "events": events, "position": head, "checkpoints": checkpoints, "covered": covered,
        "tree_is_damaged": tree_is_damaged, "findings": findings.iter().map(ToString::to_string).collect::<Vec<_>>(), "more": more,
    });
    shown(lines.join("\n"), &value);
}
