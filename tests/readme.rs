//! The documents: their commands are run as written, and what they name exists.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use loquet_tests::server::Server;
use loquet_tests::{environment, skip};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[track_caller]
fn document(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The shell commands of a document, in order.
#[track_caller]
fn commands(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_walk_through_works_as_written() {
    if !skip::unless_installed("the_walk_through_works_as_written", "curl") {
        return;
    }
    let server = Server::start().await;
    let script = format!("set -euo pipefail\n{}", commands(&document("README.md")));
    let mut shell = tokio::process::Command::new("bash");
    shell
        .arg("-c")
        .arg(script)
        .current_dir(root())
        .env("LOQUET", &server.url)
        .env("LOQUET_DATA_DIR", &server.folder);
    shell.kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_mins(2), shell.output()).await;
    let output = output.expect("the walk-through waits for something that never comes").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = said.as_str();
    for expected in [
        "\"outcome\":\"first_order\"",
        "At least one upper-case letter.",
        "\"session_token\"",
        "wrong-credentials",
        "HTTP/1.1 423 Locked",
        "retry-after: ",
        "\"locked_until\"",
        "\"session_token\"",
        "\"name\":\"Avenue Louise, Ixelles\"",
        "\"name\":\"Rue Neuve, Bruxelles\"",
        "\"kind\":\"assigned\"",
        "\"allowed\":true",
        "administrator",
        "account-created",
        "account-activated",
        "login-failed",
        "account-locked",
        "password-reset ",
        "login-succeeded",
        "\"type\":\"account-locked\"",
        "accounts: equals a replay",
    ] {
        let at = rest.find(expected).unwrap_or_else(|| panic!("'{expected}' does not come next in:\n{said}"));
        rest = &rest[at + expected.len()..];
    }
    assert_eq!(said.matches("wrong-credentials").count(), 7, "{said}");
}

/// The commands of the operator's and the auditor's documents, as they stand, beside a running server.
#[tokio::test]
async fn the_commands_of_the_other_documents_work_as_written() {
    let name = "the_commands_of_the_other_documents_work_as_written";
    if !skip::unless_installed(name, "sqlite3") {
        return;
    }
    let server = Server::start().await;
    server.active(1, "marie@example.be", "Boulange7!").await;
    let folder = tempfile::tempdir().unwrap();
    let program = loquet_tests::server::binary().parent().unwrap().display().to_string();
    let path = format!("{program}:{}", environment::variable("PATH").unwrap().display());
    for (document, expected) in [
        (
            "docs/auditor.md",
            vec!["account-created", "account-activated", "\"personal\"", "accounts: equals a replay"],
        ),
        (
            "docs/audit.md",
            vec![
                "The log is the one that was signed",
                "This event is in the log",
                "status               active",
                "account-created",
                "Policies were put in force",
                "This extract is of the log",
                "as it was",
            ],
        ),
        (
            "docs/operator.md",
            vec![
                "the configuration is valid",
                "lockout.attempts",
                "lqt_",
                "web shop",
                "is revoked",
                "Boulangerie 1 SRL",
                "Nothing prevents this person from logging in",
                "ordered by SO-1",
                "\nyes\n",
                "Everybody's password is",
                "a second; the new one serves",
                "activation",
                "0 mails are tried again",
                "whsec_",
                "the server key is now number 2",
                "last-backup is whole",
            ],
        ),
    ] {
        let script = format!("set -euo pipefail\n{}", commands(&self::document(document)));
        let mut shell = tokio::process::Command::new("bash");
        shell.arg("-c").arg(script).current_dir(folder.path());
        for name in environment::settings() {
            shell.env_remove(name);
        }
        shell.env("LOQUET_DATA_DIR", &server.folder).env("PATH", &path).kill_on_drop(true);
        let output = tokio::time::timeout(std::time::Duration::from_mins(2), shell.output()).await;
        let output = output.expect("a command waits for something that never comes").unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{document}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        for expected in expected {
            assert!(said.contains(expected), "{document}: no '{expected}' in\n{said}");
        }
    }
}

#[test]
fn the_first_screen_of_the_readme_says_how_to_run_and_test_it() {
    let readme = document("README.md");
    let screen: Vec<_> = readme.lines().take(12).collect();
    assert!(screen.iter().any(|line| line.contains("make run")));
    assert!(screen.iter().any(|line| line.contains("make test")));
    assert!(document(".ci/run").contains("make test"));
    assert!(!readme.contains("PERFORMANCE"), "a placeholder was left");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/operator.md",
        "docs/auditor.md",
        "docs/audit.md",
        "docs/events.md",
        "docs/security.md",
        "docs/performance.md",
    ];
    for name in documents {
        let folder = root().join(name).parent().unwrap().to_owned();
        for link in document(name).split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned())
        {
            let file = link.split('#').next().unwrap();
            assert!(link.starts_with("http") || folder.join(file).exists(), "{name} links to {link}");
        }
    }
}

/// The words of a text between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn what_contributors_are_told_to_run_is_what_ci_runs() {
    let (told, ci) = (document("CONTRIBUTING.md"), document(".ci/run"));
    let commands = commands(&told);
    assert!(commands.lines().count() > 1);
    for command in commands.lines() {
        assert!(command.is_empty() || ci.lines().any(|line| line == command), "CI does not run: {command}");
    }
    let binaries = document("tests/Cargo.toml");
    for test in told.split("--test ").skip(1).map(|rest| rest.split([' ', '\n', '`']).next().unwrap()) {
        assert!(binaries.contains(&format!("name = \"{test}\"")), "there are no tests {test}");
    }
    for package in told.split("-p ").skip(1).map(|rest| rest.split([' ', '\n', '`']).next().unwrap()) {
        let folder = package.strip_prefix("loquet-").unwrap().replace('-', "_");
        let exists = [folder.clone(), format!("adapters/{folder}")].iter().any(|at| root().join(at).is_dir());
        assert!(exists, "there is no package {package}");
    }
}

#[test]
fn every_file_that_contributors_are_told_to_touch_exists() {
    let told = document("CONTRIBUTING.md");
    let is_path = |word: &&str| {
        word.contains('/')
            && !word.contains([' ', '<', '"'])
            && !word.starts_with('/')
            && !word.starts_with("target/")
    };
    let paths: Vec<_> = code(&told).filter(is_path).collect();
    assert!(paths.len() > 20, "the files to touch are named");
    for path in paths {
        assert!(root().join(path).exists(), "CONTRIBUTING.md names {path}");
    }
}

#[test]
fn the_event_catalogue_lists_every_event_and_no_other() {
    let catalogue = document("docs/events.md");
    let listed: Vec<_> = catalogue
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(listed, loquet_domain::schema::names());
}

/// Every test that a document names, anywhere in the sources.
#[test]
fn every_test_that_a_document_names_exists() {
    let sources = Command::new("grep")
        .args(["-rhoE", "fn [a-z0-9_]+", "--include=*.rs"])
        .args(["domain", "projections", "adapters", "bin", "tests"])
        .current_dir(root())
        .output()
        .unwrap();
    let sources = String::from_utf8(sources.stdout).unwrap();
    let exists = |name: &str| sources.lines().any(|line| line == format!("fn {name}"));
    for (name, least) in [("docs/security.md", 11), ("ARCHITECTURE.md", 11), ("CONTRIBUTING.md", 1)] {
        let document = document(name);
        let named = code(&document).filter(|code| {
            code.matches('_').count() >= 4
                && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        });
        let named: Vec<_> = named.collect();
        assert!(named.len() >= least, "{name} names its tests");
        for test in named {
            assert!(exists(test), "{name} names the test {test}, which there is not");
        }
    }
}
