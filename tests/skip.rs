//! Skipped tests. They are printed and counted. In CI, where everything can be installed, they fail, except those that
//! the machine itself can't run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::variable;

/// Returns whether a program can be started. If not, prints the skip and records it for CI to count.
#[must_use]
pub fn unless_installed(test: &str, program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    skipped(test, &format!("{program} is not installed"));
    false
}

/// Returns a program that `tests/install` installs beside the build. If it is missing, skips.
#[must_use]
#[track_caller]
pub fn unless_tool(test: &str, path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tool = root.join("target/test-tools").join(path);
    if tool.exists() {
        return Some(tool);
    }
    skipped(test, &format!("{path} is not installed: tests/install puts it there"));
    None
}

/// Returns the library that shows a program another time. If it is missing, skips.
#[must_use]
#[track_caller]
pub fn unless_faketime(test: &str) -> Option<&'static str> {
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ];
    let found = library.into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        skipped(test, "libfaketime is not installed");
    }
    found
}

/// Prints why a test does not run here. In CI, where everything can be installed, this is a failure.
#[track_caller]
pub fn skipped(test: &str, why: &str) {
    record("LOQUET_SKIP_LIST", test, why);
    assert!(variable("CI").is_none(), "{test} must not be skipped in CI: {why}");
}

/// Prints why no installation would let this machine run a test: a right or a part of the kernel is missing. CI counts
/// it, and it is no failure.
#[track_caller]
pub fn impossible(test: &str, why: &str) {
    record("LOQUET_IMPOSSIBLE_LIST", test, why);
}

/// Prints a skip. Adds it to the list that the variable names, if there is one.
#[track_caller]
fn record(list: &str, test: &str, why: &str) {
    println!("skipped: {test}: {why}");
    if let Some(list) = variable(list) {
        use std::io::Write;
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
}

/// Returns whether this process has the rights to mount, trace and similar.
#[must_use]
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}
