//! `loquet doctor`: finds problems, and problems that may come soon, and prints a remedy for each.

mod data_directory;
mod shared;

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use chrono::{Datelike, TimeDelta};
use loquet_crypto::server_key::KeyFile;
use loquet_domain::ports::Position;
use loquet_mail::smtp::Smtp;
use loquet_projections::causes::Causes;
use loquet_projections::mail::MailLedger;
use loquet_proof::tree_files::TreeReader;
use loquet_proof::verification::verify as compare_with_checkpoints;
use loquet_sqlite::backup;
use loquet_sqlite::write_ahead_log;
use serde::Serialize;

use super::show::moment;
use crate::adapters::{self, Access, KeyFileState};
use crate::cli::{DataDirectory, Doctor};
use crate::clock;
use crate::config::Config;
use crate::engine::Engine;
use crate::kafka::{self, Seen};
use crate::mode::Mode;
use crate::output::line;
use crate::proof::ProofFiles;
use crate::self_check::Checked;
use crate::settings::Settings;
use crate::system::System;

/// A read model that is this many events behind has more than a short delay.
const BEHIND: u64 = 10_000;

/// The state of what was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Well,
    Warning,
    Failing,
}

/// The result of a check.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, what: &'static str, found: impl ToString) {
        self.0.push(Finding { what, state: State::Well, found: found.to_string(), remedy: None });
    }

    /// Nothing is wrong, but the operator is in the middle of something.
    fn well_so_far(&mut self, what: &'static str, found: impl ToString, next: &str) {
        let remedy = Some(next.to_owned());
        self.0.push(Finding { what, state: State::Well, found: found.to_string(), remedy });
    }

    fn warn(&mut self, what: &'static str, found: impl ToString, remedy: &str) {
        let remedy = Some(remedy.to_owned());
        self.0.push(Finding { what, state: State::Warning, found: found.to_string(), remedy });
    }

    fn fail(&mut self, what: &'static str, found: impl ToString, remedy: &str) {
        let remedy = Some(remedy.to_owned());
        self.0.push(Finding { what, state: State::Failing, found: found.to_string(), remedy });
    }
}

/// Runs every check. Fails if one of them fails.
pub(crate) async fn run(mut config: Config, doctor: Doctor) -> anyhow::Result<ExitCode> {
    let directory = DataDirectory::of(&mut config);
    let mut findings = Findings::default();
    let settings = Settings::of(&mut config, Mode::of(doctor.dev));
    configuration(&directory, &config, doctor.dev, &mut findings);
    data_directory::folder(&directory, &mut findings);
    let strange = directory.strange_files();
    if !strange.is_empty() {
        // Every other check would open it, and wait for ever.
        let names: Vec<String> = strange.iter().map(|path| path.display().to_string()).collect();
        let found = format!("these are pipes, sockets or devices, and no files: {}", names.join(", "));
        let remedy = "Move them away, restore the files that they replaced, and run `loquet doctor` again: nothing else was checked.";
        findings.fail("data directory", found, remedy);
        return report(&findings, doctor.json);
    }
    data_directory::owners(&directory, &mut findings);
    data_directory::modes(&directory, &mut findings);
    data_directory::lost(&directory, &mut findings);
    // This must run before any of these files is opened.
    write_ahead_logs(&directory, &mut findings);
    data_directory::disk(&directory.data_dir, &mut findings);
    files(settings.as_ref(), &mut findings);
    match directory.engine.clone() {
        Engine::Sqlite => {
            keys(&directory, &mut findings).await;
            log(&directory, &mut findings).await;
        }
        Engine::Shared(shared) => shared::check(&directory, &shared, &mut findings).await,
    }
    soundness(&directory, &mut findings);
    read_models(&directory, &mut findings).await;
    verification(&directory, &mut findings);
    proof(&directory, &mut findings).await;
    mails(&directory, settings.as_ref(), &mut findings).await;
    kafka(&directory, settings.as_ref(), &mut findings).await;
    report(&findings, doctor.json)
}

/// Prints what was found. Returns the exit code.
fn report(findings: &Findings, json: bool) -> anyhow::Result<ExitCode> {
    let failing = findings.0.iter().any(|finding| finding.state == State::Failing);
    for finding in &findings.0 {
        if json {
            line(serde_json::to_string(finding)?);
            continue;
        }
        let mark = match finding.state {
            State::Well => "well   ",
            State::Warning => "WARNING",
            State::Failing => "FAILING",
        };
        line(format_args!("{mark}  {}: {}", finding.what, finding.found));
        if let Some(remedy) = &finding.remedy {
            line(format_args!("         {remedy}"));
        }
    }
    Ok(if failing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn configuration(directory: &DataDirectory, config: &Config, is_dev: bool, findings: &mut Findings) {
    for notice in &config.notices {
        findings.warn(
            "configuration",
            notice,
            "Rename it or remove it: it is no setting, and nothing reads it.",
        );
    }
    for open in &config.open_secrets {
        findings.fail(
            "configuration",
            open,
            "Let only the user of the server read the file, and then change the password.",
        );
    }
    for fault in &config.faults {
        findings.fail("configuration", fault, "Correct it: the server does not start with it.");
    }
    if config.faults.is_empty() {
        findings.well("configuration", "every setting is valid");
    } else if !is_dev && directory.file("dev-token").exists() {
        let found = "a development server ran on this data directory, and this checks for production";
        findings.well_so_far(
            "configuration",
            found,
            "To check a development server, run `loquet doctor --dev`.",
        );
    }
}

/// Checks the limit of file descriptors. Every connection and every SQLite file takes some.
fn files(settings: Option<&Settings>, findings: &mut Findings) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let needed = settings.map_or(0, |settings| u64::try_from(settings.connections.most).unwrap_or(0)) + 128;
    match limit {
        Some(limit) if limit < needed => findings.warn(
            "open files",
            format!("the limit is {limit}, but http.connections may need {needed}"),
            "Raise the limit (ulimit -n, LimitNOFILE=), or lower http.connections.",
        ),
        Some(limit) => findings.well("open files", format!("the limit is {limit}")),
        None => findings.well("open files", "no limit"),
    }
}

/// Reads the file of the server key. Returns `None` if it can't be read.
fn server_key(directory: &DataDirectory, findings: &mut Findings) -> Option<KeyFile> {
    let path = directory.server_key();
    let file = match KeyFile::load(&path) {
        Ok(file) => file,
        Err(error) => {
            let remedy = "Restore it from your copy, which you keep apart from the data.";
            findings.fail("server key", error, remedy);
            return None;
        }
    };
    let mode = std::fs::metadata(&path).map(|held| held.permissions().mode() & 0o077);
    if let Ok(mode) = mode
        && let Some(what) = data_directory::open_to(mode)
    {
        let found = format!("other users of this machine can {what} {}", path.display());
        findings.fail("server key", found, &format!("chmod 600 {}, then rotate the key.", path.display()));
    }
    Some(file)
}

/// Explains why the key file has two keys. Says nothing if it has one.
async fn second_key(directory: &DataDirectory, file: &KeyFile, findings: &mut Findings) {
    let (what, path) = ("server key", directory.server_key());
    let path = path.display();
    match KeyFileState::of(directory, file).await {
        Ok(KeyFileState::OneKey) => {}
        Ok(KeyFileState::Prepared) => findings.well_so_far(
            what,
            format!("the next key is prepared: {path} has it above the present key, and nothing uses it yet"),
            "Next, copy this file to every node, and then run `loquet keys rotate` on one node.",
        ),
        Ok(KeyFileState::Rotating) => findings.warn(
            what,
            format!("a rotation is running or was interrupted: {path} has two keys, and both are in use"),
            "If no `loquet keys rotate` is running, run it again: it continues the rotation.",
        ),
        Ok(KeyFileState::OldKeyLeft) => findings.warn(
            what,
            format!("the rotation is complete, but {path} still has the old key, which nothing needs"),
            "Copy the key file here from the node on which `loquet keys rotate` ran. On a single node, run `loquet keys \
             rotate` again: it removes the old key.",
        ),
        Err(error) => findings.fail(
            what,
            format!("{path} has two keys, and the store can't say what they are for: {error:#}"),
            "Make the store of the accounts' keys reachable, and run `loquet doctor` again.",
        ),
    }
}

async fn keys(directory: &DataDirectory, findings: &mut Findings) {
    let Some(file) = server_key(directory, findings) else { return };
    let store = directory.file("keys.db");
    if !store.exists() {
        // The check of the log says so if this is a loss.
        return findings.well("server key", "it is readable; no account has a key yet");
    }
    match adapters::keys_to_read(directory, file.clone()).await {
        Ok(_) => {
            findings.well("server key", "it opens keys.db");
            second_key(directory, &file, findings).await;
        }
        Err(error) => findings.fail("server key", error, "Restore the server key that belongs to this data."),
    }
}

async fn log(directory: &DataDirectory, findings: &mut Findings) {
    let path = directory.file("log.db");
    if let Some(lost) = adapters::lost_file(directory) {
        return findings.fail("log", lost, "The server does not start before that.");
    }
    if !path.exists() {
        return findings.well("log", "there is no log yet");
    }
    match adapters::is_in_use(directory) {
        true => findings.well("server", "a server is running on this data"),
        false => findings.well("server", "no server is running on this data"),
    }
    if let Err(error) = backup::check_log(&path) {
        let remedy = "Restore log.db and keys.db from a backup. If log.db was copied without its log.db-wal, copy both.";
        return findings.fail("log", error, remedy);
    }
    let store = match adapters::log_to_read(directory).await {
        Ok(store) => store,
        Err(error) => return findings.fail("log", error, "Restore log.db and keys.db from a backup."),
    };
    let head = store.head().await.unwrap_or_default();
    if let Some(altered) = altered(directory).await {
        return findings.fail("log", altered, "Restore log.db and keys.db from a backup.");
    }
    findings.well("log", format!("{head} events, none altered, no gaps; SQLite finds no damage"));
    clock_against(directory, head, findings).await;
}

/// Returns what is wrong with the sealed parts of events in the log. Returns `None` also if the keys can't be
/// opened, because another check reports that.
async fn altered(directory: &DataDirectory) -> Option<String> {
    let altered = System::open_to_read(directory).await.ok()?.altered_after(Position::default()).await;
    let log = directory.file("log.db");
    altered.ok()?.map(|altered| format!("{} is damaged: {altered}", log.display()))
}

/// Checks the files beside the log.
fn soundness(directory: &DataDirectory, findings: &mut Findings) {
    match backup::check_files(&directory.data_dir) {
        Ok(()) => findings.well("files", "SQLite finds no damage in the other files"),
        Err(error) => findings.fail(
            "files",
            error,
            "The server does not start with this file: do what the message says.",
        ),
    }
}

/// Checks the write-ahead logs. Each one grows as long as a program reads an old state of its file.
fn write_ahead_logs(directory: &DataDirectory, findings: &mut Findings) {
    let logs = write_ahead_log::look_from_beside(&directory.data_dir);
    let mebibytes = |bytes: u64| bytes / 1024 / 1024;
    let held = logs.iter().filter(|log| log.held > write_ahead_log::MUCH);
    for log in held.clone() {
        let readers: Vec<String> = log.readers.iter().map(ToString::to_string).collect();
        let who = match readers.is_empty() {
            true => "no program reads an old state of it now".to_owned(),
            false => format!("these read an old state of it: {}", readers.join(", ")),
        };
        findings.warn(
            "write-ahead logs",
            format!(
                "{}-wal has {} MiB; {} of them can't be copied into {}: {who}",
                log.file,
                mebibytes(log.size),
                mebibytes(log.held),
                log.file
            ),
            "End the transaction of that program, or the program: nothing is lost, but the file grows until the disk \
             is full. If no program reads it, look in the server's log for a failed sync, and restart the server.",
        );
    }
    if held.count() == 0 {
        let largest = logs.iter().map(|log| log.size).max().unwrap_or(0);
        findings.well("write-ahead logs", format!("the largest has {} MiB", mebibytes(largest)));
    }
}

/// Checks the clock against the log's last event. A clock that is behind it was put back, or was ahead
/// before.
async fn clock_against(directory: &DataDirectory, head: Position, findings: &mut Findings) {
    let now = clock::now();
    let wrong =
        "Set the clock, and keep it right with NTP: the end of lockouts, links and sessions depends on it.";
    if now.year() < 2025 {
        return findings.fail("clock", format!("it shows {now}"), wrong);
    }
    let Ok(system) = System::open_to_read(directory).await else { return };
    let last = loquet_projections::people::event_at(system.store.as_ref(), system.codec.as_ref(), head).await;
    match last.ok().flatten().map(|envelope| envelope.fact.context.at) {
        Some(last) if last > now + TimeDelta::seconds(5) => {
            findings.fail(
                "clock",
                format!("it shows {now}, but the log's last event has the time {last}"),
                wrong,
            );
        }
        _ => findings.well("clock", format!("it shows {now}, which is not before the log's last event")),
    }
}

/// Compares the log with its signed checkpoints.
async fn proof(directory: &DataDirectory, findings: &mut Findings) {
    let files = ProofFiles::of(directory);
    if !directory.engine.is_shared() && !directory.file("log.db").exists() {
        return;
    }
    if !files.checkpoints().exists() && !files.public_key().exists() {
        if directory.file("reactions.db").exists() {
            let found =
                "the proof of the log is missing: nobody can tell whether the log was changed before now";
            findings.warn(
                "proof",
                found,
                "A server that starts begins a new one. Keep old checkpoints: they still verify the log.",
            );
        }
        return;
    }
    let remedy =
        "Run `loquet audit verify`, and keep a copy of the data directory: docs/audit.md says what to do.";
    let compared = async {
        let (key, kept) = (files.verifier()?, files.kept()?);
        let (tree, store) = (TreeReader::open(&files.folder)?, adapters::log_to_read(directory).await?);
        let report = compare_with_checkpoints(store.as_ref(), Some(&tree), &kept, &key, |_| ()).await?;
        Ok::<_, anyhow::Error>((report, adapters::strange_parts_of_log(directory)?))
    };
    match compared.await {
        Ok((report, strange)) => match (report.findings.first(), strange.first()) {
            (Some(finding), _) => findings.fail("proof", finding, remedy),
            (None, Some(strange)) => findings.fail("proof", format!("log.db: {strange}"), remedy),
            (None, None) => findings
                .well("proof", format!("the log is the one that was signed, for {} events", report.covered)),
        },
        Err(error) => findings.fail("proof", format!("{error:#}"), remedy),
    }
}

/// The result of the last comparison beside a server.
fn verification(directory: &DataDirectory, findings: &mut Findings) {
    let Some(last) = Checked::last(directory) else { return };
    match last.fault() {
        Some(why) => findings.fail(
            "verification",
            why,
            "Find out who changed the files, run `loquet audit verify`, and rebuild the read models.",
        ),
        None => findings
            .well("verification", format!("the read models were what the log says at {}", moment(last.at))),
    }
}

async fn read_models(directory: &DataDirectory, findings: &mut Findings) {
    let path = directory.file("views.db");
    if !path.exists() {
        return findings.well("read models", "no read model was built yet");
    }
    let remedy = "Delete views.db, views.db-wal and views.db-shm: the server builds them again from the log.";
    let rows = match adapters::read_models(directory, Access::Read) {
        Ok(rows) => rows,
        Err(error) => return findings.fail("read models", error, remedy),
    };
    let builds = match rows.builds().await {
        Ok(builds) => builds,
        Err(error) => return findings.fail("read models", Causes(&error), remedy),
    };
    let head = match adapters::log_to_read(directory).await {
        Ok(store) => store.head().await.unwrap_or_default(),
        Err(_) => return,
    };
    let mut well = true;
    for state in builds {
        let (name, lag) = (state.build.view.name, head.0.saturating_sub(state.position.0));
        if let Some(failure) = state.failure.as_ref().filter(|_| !state.serving) {
            well = false;
            let remedy = "The old one still answers queries, and the server tries again. `loquet projections rebuild` starts a new build.";
            findings.warn("read models", format!("{name} can't be rebuilt: {failure}"), remedy);
        } else if let Some(failure) = &state.failure {
            well = false;
            let remedy = "The other read models go on. If the event has a newer version, install a newer Loquet. Otherwise report this error.";
            findings.fail("read models", format!("{name} has stopped: {failure}"), remedy);
        } else if state.position > head {
            well = false;
            let found = format!(
                "{name} has seen the log up to position {}, and the log ends at {head}: events at its end are lost",
                state.position
            );
            let remedy = "Restore log.db from a backup, or copy it again together with its log.db-wal. If you put an older log back on purpose, start the server: it builds the read models again.";
            findings.fail("read models", found, remedy);
        } else if state.serving && lag > BEHIND {
            well = false;
            let remedy = "A running server catches up; `loquet projections list` shows its progress.";
            findings.warn("read models", format!("{name} is {lag} events behind the log"), remedy);
        }
    }
    if well {
        findings.well("read models", "none has stopped, and none is far behind the log");
    }
}

/// Checks the connection to Kafka, the topics, and how far events are published.
async fn kafka(directory: &DataDirectory, settings: Option<&Settings>, findings: &mut Findings) {
    let Some(settings) = settings.and_then(|settings| settings.kafka.as_ref()) else { return };
    let Seen { published, dead_letters, warnings, troubles, .. } = kafka::look(settings).await;
    for trouble in &troubles {
        let remedy =
            "Do what the message says. Until then, events wait in the log, and everything else works.";
        findings.fail("kafka", trouble, remedy);
    }
    for warning in &warnings {
        findings.warn("kafka", warning, "Publishing works even so.");
    }
    if let Some(count) = dead_letters.filter(|count| *count > 0) {
        let remedy =
            "`loquet orders dead-letters list` says why; `loquet orders dead-letters retry` tries again.";
        findings.warn("kafka", format!("orders that could not be taken: {count}"), remedy);
    }
    if !troubles.is_empty() {
        return;
    }
    let head = match adapters::log_to_read(directory).await {
        Ok(store) => store.head().await.unwrap_or_default(),
        Err(_) => Position::default(),
    };
    match published {
        None => findings.well("kafka", "it can be used; nothing was published yet"),
        Some((position, _)) => {
            let lag = head.0.saturating_sub(position.0);
            let found =
                format!("events are published up to position {position}, {lag} events behind the log");
            match lag > BEHIND {
                true => {
                    findings.warn("kafka", found, "A running server catches up. /readyz says what keeps it.");
                }
                false => findings.well("kafka", found),
            }
        }
    }
}

/// Reports what the running server, or the last one, recorded about mails. What the mail server thinks of
/// them is known only after mails were sent.
async fn whether_mails_go(journal: &dyn MailLedger, findings: &mut Findings) {
    match journal.held().await {
        Ok(None) => {}
        Ok(Some(hold)) if hold.is_refusal() => findings.fail(
            "mail queue",
            format!("no mail has been sent since {}: {}", moment(hold.since), hold.trouble),
            "The mail server refuses Loquet, not a recipient. Check smtp.*, the account, quota and sender at the mail server, and SPF, DKIM and DMARC. No mail is given up meanwhile.",
        ),
        Ok(Some(hold)) => findings.warn(
            "mail queue",
            format!("no mail has been sent since {}: {}", moment(hold.since), hold.trouble),
            "Mails are sent automatically when the mail server is back. No mail is given up meanwhile.",
        ),
        Err(error) => findings.fail("mail queue", Causes(&error), "Restore reactions.db from a backup."),
    }
}

async fn mails(directory: &DataDirectory, settings: Option<&Settings>, findings: &mut Findings) {
    match adapters::mail_journal_if_there(directory).await {
        Ok(None) => {}
        Ok(Some(journal)) => {
            whether_mails_go(journal.as_ref(), findings).await;
            let counts = journal.counts().await.unwrap_or_default();
            let found = format!("{} waiting, {} given up", counts.pending, counts.dead);
            match counts.dead {
                0 => findings.well("mails", found),
                _ => findings.warn(
                    "mails",
                    found,
                    "`loquet mail list --state dead` shows why; `loquet mail retry` tries again.",
                ),
            }
        }
        Err(error) => findings.fail("mails", error, "Restore reactions.db from a backup."),
    }
    let Some(smtp) = settings.and_then(|settings| settings.smtp.as_ref()) else { return };
    let (host, port) = (&smtp.host, smtp.port);
    let greeted = match Smtp::new(smtp) {
        Ok(server) => server.greet().await.map_err(|verdict| verdict.to_string()),
        Err(error) => Err(Causes(&error).to_string()),
    };
    match greeted {
        Ok(()) => findings
            .well("mail server", format!("{host}:{port} accepts the login and the sender {}", smtp.from)),
        Err(why) => findings.fail(
            "mail server",
            format!("{host}:{port}: {why}"),
            "Correct smtp.*, or the network to the mail server. Until then mails wait; everything else works.",
        ),
    }
}
