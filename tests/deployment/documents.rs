//! docs/operations.md: its commands are run, and what it names exists.

use std::path::Path;
use std::process::Command;

use loquet_tests::server::{Server, binary};
use loquet_tests::{environment, skip};

use super::{names_settings_only, root, run, text};

fn document() -> String {
    text(root().join("docs/operations.md"))
}

#[tokio::test]
async fn the_commands_of_the_document_work_as_written() {
    let name = "the_commands_of_the_document_work_as_written";
    if !skip::unless_installed(name, "curl") {
        return;
    }
    let server = Server::start().await;
    server.active(1, "marie@example.be", "Boulange7!").await;
    let folder = tempfile::tempdir().unwrap();
    let document = document();
    let blocks = document.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let script = format!("set -euo pipefail\n{}", blocks.collect::<Vec<_>>().join("\n"));
    let program = binary().parent().unwrap().display().to_string();
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).current_dir(folder.path());
    for name in environment::settings() {
        shell.env_remove(name);
    }
    shell.env("LOQUET_DATA_DIR", &server.folder).env("LOQUET", &server.url);
    shell.env("LOQUET_HTTP_LISTEN", format!("127.0.0.1:{}", server.port));
    shell.env("PATH", format!("{program}:{}", environment::variable("PATH").unwrap().display()));
    let said = run(&mut shell);
    for expected in ["the server is ready", "is whole", "loquet_view_lag", "equals a replay"] {
        assert!(said.contains(expected), "no '{expected}' in\n{said}");
    }
}

#[test]
fn every_link_path_and_setting_of_the_document_exists() {
    let document = document();
    let docs = root().join("docs");
    for link in document.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        let (file, part) = link.split_once('#').unwrap_or((link, ""));
        assert!(link.starts_with("http") || file.is_empty() || docs.join(file).exists(), "{link}");
        if !part.is_empty() && !link.starts_with("http") {
            let other = if file.is_empty() { document.clone() } else { text(docs.join(file)) };
            let heading =
                |line: &&str| line.starts_with('#') && slug(line.trim_start_matches('#').trim()) == part;
            assert!(other.lines().any(|line| heading(&line)), "{link}");
        }
    }
    for word in document.split(|c: char| c.is_whitespace() || "`(),|\\".contains(c)) {
        let path = word.trim_end_matches(['.', ':', ';']);
        if path.starts_with("deploy/") && path != "deploy/secrets" && !path.starts_with("deploy/secrets/") {
            assert!(root().join(path).exists(), "the document names {path}");
        }
    }
    names_settings_only("docs/operations.md", &document);
}

/// Every message in the document's tables is one that the program says.
#[test]
fn the_program_says_every_message_that_the_operators_document_explains() {
    let document = text(root().join("docs/operator.md"));
    let section =
        document.split("\n### ").find(|it| it.starts_with("Messages about PostgreSQL and KurrentDB"));
    let mut sources = String::new();
    for folder in ["adapters", "bin", "projections"] {
        add_sources(&root().join(folder), &mut sources);
    }
    let mut found = 0;
    for row in section.unwrap().lines().filter(|line| line.starts_with("| `")) {
        let cell = row.trim_start_matches('|').split(" | ").next().unwrap();
        for message in cell.split('`').skip(1).step_by(2) {
            assert!(sources.contains(message), "the program never says: {message}");
            found += 1;
        }
    }
    assert!(found > 20, "the table has its messages");
}

/// Adds the text of every source file in a folder. A string that goes on in the next line becomes one line.
fn add_sources(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = text(&path);
            let mut parts = text.split("\\\n");
            *sources += parts.next().unwrap();
            parts.for_each(|part| *sources += part.trim_start());
        }
    }
}

/// The part of a link that leads to a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The figures of the document are those of docs/performance.md: none is made up.
#[test]
fn every_figure_about_speed_was_measured() {
    let (document, measured) = (document(), text(root().join("docs/performance.md")));
    let sizing = document.split("\n## ").find(|section| section.starts_with("Sizing")).unwrap();
    let table = sizing.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What"));
    let mut found = 0;
    for row in table {
        let cell = row.split('|').nth(2).unwrap();
        for figure in
            cell.split(|c: char| !(c.is_ascii_digit() || c == ',' || c == '.')).filter(|f| f.len() > 1)
        {
            let figure = figure.trim_end_matches(['.', ',']);
            assert!(measured.contains(figure), "{figure} is not in docs/performance.md: {row}");
            found += 1;
        }
    }
    assert!(found >= 8, "the table cites measurements");
}
