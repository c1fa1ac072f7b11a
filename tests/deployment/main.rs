//! What is in `deploy/`: it is linted, and as much of it as can run on one machine is run.
#![cfg(test)]

mod containers;
mod debian;
mod documents;
mod health;
mod kubernetes;
mod systemd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use loquet_tests::server::binary;
use loquet_tests::{environment, skip};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn deploy(path: &str) -> PathBuf {
    root().join("deploy").join(path)
}

#[track_caller]
fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Runs a command that must succeed. Returns its standard output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {out}{}", String::from_utf8_lossy(&output.stderr));
    out
}

/// The program, with no settings but those that the test gives.
fn loquet() -> Command {
    without_settings(Command::new(binary()))
}

fn without_settings(mut command: Command) -> Command {
    for name in environment::settings() {
        command.env_remove(name);
    }
    command
}

/// The settings without which no server starts in production. No mail server is there, so mails wait.
const PRODUCTION: [(&str, &str); 3] = [
    ("LOQUET_PUBLIC_URL", "https://portal.example"),
    ("LOQUET_SMTP_HOST", "127.0.0.1"),
    ("LOQUET_SMTP_PORT", "1"),
];

/// A program that a test started. It is ended with the test.
struct Running(Child);

impl Running {
    /// Waits until a command succeeds, which asks the program whether it is ready.
    #[track_caller]
    fn wait_until(&mut self, mut ask: impl FnMut() -> Command) {
        let start = Instant::now();
        while !ask().output().unwrap().status.success() {
            assert!(self.0.try_wait().unwrap().is_none(), "it has ended");
            assert!(start.elapsed() < Duration::from_mins(1), "it does not become ready");
        }
    }

    /// Ends it as an init system does, and waits for a clean end.
    #[track_caller]
    fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every setting with its value.
fn shown_settings() -> serde_json::Value {
    serde_json::from_str(&run(loquet().args(["config", "show", "--json"]))).unwrap()
}

/// The variables of all settings.
fn settings() -> BTreeSet<String> {
    let shown = shown_settings();
    let variable = |key: &String| format!("LOQUET_{}", key.replace('.', "_").to_uppercase());
    shown.as_object().unwrap().keys().map(variable).collect()
}

/// Fails if a text names a variable that is no setting.
#[track_caller]
fn names_settings_only(name: &str, text: &str) {
    let settings = settings();
    let mut found = 0;
    for (at, _) in text.match_indices("LOQUET_") {
        let word: String = text[at..]
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
            .collect();
        assert!(settings.contains(&word), "{name} names {word}, which is no setting");
        found += 1;
    }
    assert!(found > 0, "{name} names no setting");
}

#[test]
fn the_yaml_is_tidy() {
    let Some(yamllint) = skip::unless_tool("the_yaml_is_tidy", "venv/bin/yamllint") else { return };
    let rules = "{extends: default, rules: {line-length: {max: 125}, document-start: disable, \
                 octal-values: {forbid-implicit-octal: false}}}";
    run(Command::new(yamllint).args(["--strict", "-d", rules]).arg(deploy("")));
}
