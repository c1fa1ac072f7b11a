//! The variables and the clock of the machine that runs the tests. They are read only here.

use std::ffi::OsString;
use std::process::Command;

use chrono::{DateTime, Utc};

/// Returns a variable.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The cargo that runs the tests, as a command outside of them. Cargo tells a test which package it belongs to. Build scripts
/// ask for that too, and what depends on them would be built again for each package.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn cargo() -> Command {
    let mut cargo = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_MANIFEST") || name.starts_with("CARGO_PKG"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Returns the names of the variables that are settings of Loquet. A test removes them for the programs that
/// it starts, so that the settings of the developer's machine do not affect them.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("LOQUET_"))
}

/// Returns the time of the clock that a program started by a test reads too.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
