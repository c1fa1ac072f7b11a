//! The checks of a node whose stores are on servers.

use chrono::TimeDelta;
use loquet_domain::ports::Position;

use super::{Findings, server_key};
use crate::adapters;
use crate::cli::DataDirectory;
use crate::clock;
use crate::engine::{Databases, Shared};
use crate::system::System;

/// A clock that differs from the database's by more is told of.
const APART: TimeDelta = TimeDelta::seconds(2);
/// What is to be done when the database can't be used.
const REMEDY: &str =
    "Correct the settings under [postgres], or bring the database back: nodes recover by themselves.";

pub(super) async fn check(directory: &DataDirectory, shared: &Shared, findings: &mut Findings) {
    let databases = match shared.databases().await {
        Ok(databases) => databases,
        Err(error) => return findings.fail("database", format!("{error:#}"), REMEDY),
    };
    findings.well("database", "it has the tables of this version, and commits are durable");
    clocks(databases, findings).await;
    key(directory, findings).await;
    log(directory, findings).await;
}

async fn clocks(databases: &Databases, findings: &mut Findings) {
    match databases.main.time().await {
        Err(error) => findings.fail("clock", error, REMEDY),
        Ok(time) => {
            let apart = clock::now() - time;
            let found =
                format!("this machine's differs from the database's by {} ms", apart.num_milliseconds());
            if apart.abs() > APART {
                let remedy =
                    "Check its time synchronisation. Nodes use the database's time, so nothing is wrong yet.";
                findings.warn("clock", found, remedy);
            } else {
                findings.well("clock", found);
            }
        }
    }
}

async fn key(directory: &DataDirectory, findings: &mut Findings) {
    let Some(file) = server_key(directory, findings) else { return };
    match adapters::keys_to_read(directory, file).await {
        Ok(_) => findings.well("server key", "it opens the accounts' keys"),
        Err(error) => {
            let remedy = "Copy the newest server key to this node: all nodes need the same one.";
            findings.fail("server key", format!("{error:#}"), remedy);
        }
    }
}

async fn log(directory: &DataDirectory, findings: &mut Findings) {
    let server = match adapters::is_in_use(directory) {
        true => "a server is running on this data directory",
        false => "no server is running on this data directory",
    };
    findings.well("server", server);
    let remedy = "Restore the log from a backup, and keep the newest keys: docs/operations.md says how.";
    let system = match System::open_to_read(directory).await {
        Ok(system) => system,
        Err(error) => return findings.fail("log", format!("{error:#}"), remedy),
    };
    match (system.store.head().await, system.altered_after(Position::default()).await) {
        (Ok(head), Ok(None)) => {
            findings.well("log", format!("it ends at position {head}; no event is altered"));
        }
        (_, Ok(Some(altered))) => findings.fail("log", altered, remedy),
        (Err(error), _) => findings.fail("log", error, REMEDY),
        (_, Err(error)) => findings.fail("log", format!("{error:#}"), REMEDY),
    }
}
