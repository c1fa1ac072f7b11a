//! `loquet audit`.

mod moments;
mod proofs;
mod verify;
mod what_if;

use std::process::ExitCode;

use crate::cli::{AuditCommand, DataDirectory};

pub(crate) async fn run(directory: &DataDirectory, command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Key => proofs::key(directory)?,
        AuditCommand::Checkpoint => proofs::checkpoint(directory)?,
        AuditCommand::Verify(what) => return verify::run(directory, &what).await,
        AuditCommand::Prove { event } => proofs::prove(directory, &event).await?,
        AuditCommand::WhatIf(what) => what_if::run(directory, &what).await?,
        AuditCommand::CheckProof(what) => proofs::check(&what)?,
        AuditCommand::Consistency { from, to } => proofs::consistency(directory, from, to)?,
    }
    Ok(ExitCode::SUCCESS)
}
