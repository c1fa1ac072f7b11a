//! Skips: said, counted, and refused where CI should have been able to run.

use std::process::Command;

/// Whether a program can be started; if not, the skip is said and written down for CI to count.
#[must_use]
pub fn unless_installed(test: &str, program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return true;
    }
    skipped(test, &format!("{program} is not installed"));
    false
}

/// Says why a test does not run here. In CI, where everything can be installed, that is a failure.
pub fn skipped(test: &str, why: &str) {
    println!("skipped: {test}: {why}");
    if let Some(list) = std::env::var_os("LOQUET_SKIP_LIST") {
        use std::io::Write;
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        writeln!(list, "{test}: {why}").unwrap();
    }
    assert!(std::env::var_os("CI").is_none(), "{test} must not be skipped in CI: {why}");
}

/// Whether this process may mount, trace and the like.
#[must_use]
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}
