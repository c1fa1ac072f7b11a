//! The checks of a node whose stores are in PostgreSQL or KurrentDB.

use chrono::TimeDelta;
use loquet_domain::ports::Position;

use super::{Findings, second_key, server_key};
use crate::adapters;
use crate::cli::DataDirectory;
use crate::clock;
use crate::engine::{Databases, Shared};
use crate::system::System;

/// A larger difference between this machine's clock and the database's clock is a warning.
const LARGEST_DIFFERENCE: TimeDelta = TimeDelta::seconds(2);
/// The remedy if the database does not answer.
const DATABASE_REMEDY: &str = "Correct the settings under [postgres], or start the database. Running nodes then continue without a restart.";
/// The remedy if the log does not answer.
const STORE_REMEDY: &str = "Correct the settings under [postgres] and [kurrentdb], or start the server. Running nodes then continue without a restart.";

pub(super) async fn check(directory: &DataDirectory, shared: &Shared, findings: &mut Findings) {
    let databases = match shared.databases().await {
        Ok(databases) => databases,
        Err(error) => return findings.fail("database", format!("{error:#}"), DATABASE_REMEDY),
    };
    findings.well("database", "it has the tables of this version, and writes every commit to disk");
    clocks(databases, findings).await;
    key(directory, findings).await;
    log(directory, findings).await;
}

async fn clocks(databases: &Databases, findings: &mut Findings) {
    match databases.main.time().await {
        Err(error) => findings.fail("clock", error, DATABASE_REMEDY),
        Ok(time) => {
            let difference = clock::now() - time;
            let found = format!(
                "the clocks of this machine and of the database differ by {} ms",
                difference.num_milliseconds().abs()
            );
            if difference.abs() > LARGEST_DIFFERENCE {
                let remedy = "Check the time synchronisation (NTP) of both machines. Nodes use the time of the database, so this machine's clock has no effect on lockouts.";
                findings.warn("clock", found, remedy);
            } else {
                findings.well("clock", found);
            }
        }
    }
}

async fn key(directory: &DataDirectory, findings: &mut Findings) {
    let Some(file) = server_key(directory, findings) else { return };
    match adapters::keys_to_read(directory, file.clone()).await {
        Ok(_) => {
            findings.well("server key", "it opens the accounts' keys");
            second_key(directory, &file, findings).await;
        }
        Err(error) => {
            let remedy = "Copy the newest server key to this node. All nodes need the same server key.";
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
    let remedy = "Restore the log from a backup, and leave the database of the keys as it is: docs/operations.md describes the steps.";
    let system = match System::open_to_read(directory).await {
        Ok(system) => system,
        Err(error) => return findings.fail("log", format!("{error:#}"), remedy),
    };
    match (system.store.head().await, system.altered_after(Position::default()).await) {
        (Ok(head), Ok(None)) => {
            findings.well("log", format!("it ends at position {head}, and no event was altered"));
        }
        (_, Ok(Some(altered))) => findings.fail("log", altered, remedy),
        (Err(error), _) => findings.fail("log", error, STORE_REMEDY),
        (_, Err(error)) => findings.fail("log", format!("{error:#}"), STORE_REMEDY),
    }
}
