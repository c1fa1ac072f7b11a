//! The machine of whoever runs the tests: its variables and its clock. Read here alone.

use std::ffi::OsString;

use chrono::{DateTime, Utc};

/// A variable.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The cargo that runs the tests.
pub fn cargo() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The names of the variables that are settings of Loquet. A test removes them for the programs that it starts, so that
/// no setting of whoever runs the tests reaches them.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads variables")]
pub fn settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("LOQUET_"))
}

/// The clock that a program started by a test reads too.
#[expect(clippy::disallowed_methods, reason = "the one place of the tests that reads the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
