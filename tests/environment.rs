//! The variables and the clock of the machine that runs the tests. They are read only here.

use std::ffi::OsString;

use chrono::{DateTime, Utc};

/// Returns a variable.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns the path of the cargo that runs the tests.
pub fn cargo() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
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
