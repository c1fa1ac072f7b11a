//! `loquet audit`.

mod differences;
mod export;
mod permissions;
mod proofs;
mod timeline;
mod verify;
mod what_if;

use std::process::ExitCode;

use crate::cli::{AuditCommand, DataDirectory};

pub(crate) async fn run(directory: &DataDirectory, command: AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Key => proofs::key(directory)?,
        AuditCommand::Checkpoint { now } => proofs::checkpoint(directory, now).await?,
        AuditCommand::Verify(what) => return verify::run(directory, &what).await,
        AuditCommand::Prove { event } => proofs::prove(directory, &event).await?,
        AuditCommand::Account(which) => super::account::show(directory, which).await?,
        AuditCommand::Company(which) => super::company::show_one(directory, &which).await?,
        AuditCommand::Site(which) => super::site::show_one(directory, &which).await?,
        AuditCommand::Terminal(which) => super::terminal::show(directory, &which).await?,
        AuditCommand::Permissions(which) => permissions::run(directory, &which).await?,
        AuditCommand::Timeline(what) => timeline::run(directory, &what).await?,
        AuditCommand::Diff(what) => differences::run(directory, &what).await?,
        AuditCommand::Export(what) => export::run(directory, &what).await?,
        AuditCommand::CheckExport { folder, public_key } => export::check(&folder, &public_key)?,
        AuditCommand::WhatIf(what) => what_if::run(directory, &what).await?,
        AuditCommand::CheckProof(what) => proofs::check(&what)?,
        AuditCommand::CheckConsistency(what) => proofs::check_consistency(&what)?,
        AuditCommand::Consistency { from, to } => proofs::consistency(directory, from, to)?,
    }
    Ok(ExitCode::SUCCESS)
}
