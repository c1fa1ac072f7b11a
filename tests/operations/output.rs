//! Every command, with outputs that nobody reads, that are full or that are closed: none panics, each does what it was
//! asked to do, and the exit code says what was lost.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, free_port, order};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// The exit code of a command that did its work and whose output was lost.
const LOST: i32 = 74;

/// Where standard output and standard error lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outputs {
    /// Both are read.
    Read,
    /// The reader of standard output has gone.
    ReaderGone,
    /// The readers of both have gone.
    ReadersGone,
    /// The reader of standard error has gone.
    ErrorsReaderGone,
    /// Standard output is a file on a full disk.
    Full,
    /// Both are.
    BothFull,
    /// Neither is open at all.
    Closed,
}

impl Outputs {
    const BROKEN: [Self; 6] = [
        Self::ReaderGone,
        Self::ReadersGone,
        Self::ErrorsReaderGone,
        Self::Full,
        Self::BothFull,
        Self::Closed,
    ];

    fn standard_output(self) -> Stdio {
        match self {
            Self::ReaderGone | Self::ReadersGone => without_reader(),
            Self::Full | Self::BothFull => full(),
            Self::Read | Self::ErrorsReaderGone | Self::Closed => Stdio::piped(),
        }
    }

    fn standard_error(self) -> Stdio {
        match self {
            Self::ReadersGone | Self::ErrorsReaderGone => without_reader(),
            Self::BothFull => full(),
            Self::Read | Self::ReaderGone | Self::Full | Self::Closed => Stdio::piped(),
        }
    }
}

fn without_reader() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

/// A command of the program with these outputs and an empty environment.
fn program(arguments: &[OsString], outputs: Outputs) -> Command {
    let binary = loquet_tests::server::binary();
    let mut command = match outputs {
        Outputs::Closed => {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec \"$@\" >&- 2>&-", "sh"]).arg(binary);
            shell
        }
        _ => Command::new(binary),
    };
    command.env_clear().args(arguments).stdin(Stdio::null());
    command.stdout(outputs.standard_output()).stderr(outputs.standard_error());
    command
}

/// Runs it to its end. A panic is a failure of the test, whatever came of it.
#[track_caller]
fn run(arguments: &[OsString], outputs: Outputs) -> Ended {
    ended(&mut program(arguments, outputs), &format!("{arguments:?} with {outputs:?}"))
}

#[track_caller]
fn ended(command: &mut Command, what: &str) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended { code: output.status.code(), out: text(&output.stdout), errors: text(&output.stderr) };
    let panicked = ended.code == Some(101) || ended.errors.contains("panicked");
    assert!(!panicked && ended.code.is_some(), "{what}: {ended:?}");
    ended
}

fn words(text: &[&str]) -> Vec<OsString> {
    text.iter().map(OsString::from).collect()
}

fn over(data: &Path, arguments: &[&str]) -> Vec<OsString> {
    let mut all = vec!["--data-dir".into(), data.as_os_str().to_owned()];
    all.extend(words(arguments));
    all
}

/// What a command says that succeeds.
#[track_caller]
fn said(data: &Path, arguments: &[&str]) -> String {
    let ended = run(&over(data, arguments), Outputs::Read);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.out
}

/// Every command of the command line, and whether there are others below it. The manual pages are made from the command
/// line's own description, so that a new command is among them.
fn every_command() -> BTreeMap<Vec<String>, bool> {
    let folder = tempfile::tempdir().unwrap();
    said(folder.path(), &["man", "--to", folder.path().to_str().unwrap()]);
    let mut pages: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".1").map(ToOwned::to_owned))
        .collect();
    pages.sort();
    let mut commands: BTreeMap<Vec<String>, bool> = BTreeMap::new();
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for page in pages {
        // `loquet-order-import` is below `loquet-order`, which comes first.
        let above = named
            .iter()
            .filter(|(above, _)| page.starts_with(&format!("{above}-")))
            .max_by_key(|(n, _)| n.len());
        let mut command = Vec::new();
        if let Some((above, path)) = above {
            command.clone_from(path);
            command.push(page[above.len() + 1..].to_owned());
            commands.insert(path.clone(), true);
        }
        commands.insert(command.clone(), false);
        named.insert(page, command);
    }
    assert!(commands.len() > 40, "{commands:?}");
    commands
}

/// A data directory with something of everything, and what is in it.
struct World {
    _folder: TempDir,
    data: PathBuf,
    email: String,
    account: String,
    company: String,
    site: String,
    terminal: String,
    takeover: String,
    mail: String,
    token: String,
    webhook: String,
    backup: String,
    order: String,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("var");
        let told: Value =
            serde_json::from_str(&said(&data, &["demo", "--accounts", "100", "--json"])).unwrap();
        let user = &told["states"]["user"]["examples"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (email, account) = (text(&user["email"]), text(&user["account_id"]));
        said(&data, &["projections", "rebuild", "all"]);
        said(&data, &["token", "create", "--name", "kept", "--scope", "orders:read"]);
        let one = |arguments: &[&str], name: &str| {
            let out = said(&data, arguments);
            text(&serde_json::from_str::<Value>(out.lines().next().unwrap()).unwrap()[name])
        };
        let token = one(&["token", "list", "--json"], "id");
        let takeover = one(&["takeover", "list", "--json"], "takeover_id");
        let company = one(&["company", "list", "--json"], "company_id");
        let site = one(&["site", "list", &company, "--json"], "site_id");
        let shown: Value = serde_json::from_str(&said(&data, &["site", "show", &site, "--json"])).unwrap();
        let terminal = text(&shown["terminals"][0]["terminal_id"]);
        let mail = given_up(&data, &account);
        let webhook = failing_webhook(&data);
        let backup = folder.path().join("backup").to_str().unwrap().to_owned();
        said(&data, &["backup", &backup]);
        let placed = order(1, 1, "marie@example.be");
        let order = folder.path().join("orders.jsonl").to_str().unwrap().to_owned();
        std::fs::write(&order, format!("{placed}\n")).unwrap();
        Self {
            _folder: folder,
            data,
            email,
            account,
            company,
            site,
            terminal,
            takeover,
            mail,
            token,
            webhook,
            backup,
            order,
        }
    }
}

/// Puts a mail to an account into the journal that was given up.
#[track_caller]
fn given_up(data: &Path, account: &str) -> String {
    let journal = Connection::open(data.join("reactions.db")).unwrap();
    let (mail, account) = (Uuid::from_u128(7), account.parse::<Uuid>().unwrap());
    let row = "INSERT INTO mails (effect, kind, recipient, position, state, tries, due_at, queued_at, ended_at, why,
        since, noted, urgency, note_at, waited)
        VALUES (?, 'activation', ?, 1, 'dead', 3, 0, 0, 0, 'refused', 0, 1, 1, 0, 0)";
    journal.execute(row, (mail.as_bytes(), account.as_bytes())).unwrap();
    mail.to_string()
}

/// Adds a webhook with a dead letter.
#[track_caller]
fn failing_webhook(data: &Path) -> String {
    let added: Value =
        serde_json::from_str(&said(data, &["webhook", "add", "https://example.com/", "--json"])).unwrap();
    let id = added["webhook_id"].as_str().unwrap().to_owned();
    let store = Connection::open(data.join("webhooks.db")).unwrap();
    let row = "INSERT INTO deliveries (endpoint, position, tries, due_at, why) VALUES (?, 5, 10, NULL, 'it answered 500')";
    store.execute(row, [id.parse::<Uuid>().unwrap().as_bytes()]).unwrap();
    id
}

/// A folder of its own for one run of a command that changes something.
struct Scene {
    _folder: TempDir,
    data: PathBuf,
    beside: String,
}

impl Scene {
    #[track_caller]
    fn of(world: &World, begins: Begins) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("var");
        if begins == Begins::WithTheWorld {
            let copied = Command::new("cp").arg("-a").args([&world.data, &data]).status().unwrap();
            assert!(copied.success());
        }
        let beside = folder.path().join("beside").to_str().unwrap().to_owned();
        Self { _folder: folder, data, beside }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begins {
    Empty,
    WithTheWorld,
}

/// What a command is there for.
enum Task {
    /// It shows something.
    Shows,
    /// It changes something: how one sees that it is done, and what it says of it.
    Does(fn(&Scene, &World) -> bool, &'static str, Begins),
    /// It makes a secret and hands it over.
    HandsOver(fn(&Scene, &World) -> bool),
    /// It needs a server: in a test of its own below.
    Elsewhere,
}

#[track_caller]
fn tokens(scene: &Scene) -> Vec<Value> {
    let list = said(&scene.data, &["token", "list", "--json"]);
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn webhooks(scene: &Scene) -> Vec<Value> {
    let list = said(&scene.data, &["webhook", "list", "--json"]);
    list.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn number_of_the_secret(scene: &Scene) -> u32 {
    let store = Connection::open(scene.data.join("webhooks.db")).unwrap();
    store.query_row("SELECT secret FROM endpoints", [], |row| row.get(0)).unwrap()
}

/// How a command is run, in one way or in several. `BESIDE` is a path that is free. A command that is new has no row yet.
#[expect(clippy::too_many_lines, reason = "a table: a row for each command")]
#[track_caller]
fn how(world: &World, command: &str) -> Option<Vec<(String, Task)>> {
    let World {
        email, account, company, site, terminal, takeover, mail, token, webhook, backup, order, ..
    } = world;
    let shows = |ways: &[&str]| Some(ways.iter().map(|way| ((*way).to_owned(), Task::Shows)).collect());
    let does = |way: &str, done: fn(&Scene, &World) -> bool, says: &'static str| {
        Some(vec![(way.to_owned(), Task::Does(done, says, Begins::WithTheWorld))])
    };
    match command {
        "config check" => shows(&["--dev", ""]),
        "config show" => shows(&["", "--json"]),
        "config sample" | "openapi" | "asyncapi" => shows(&[""]),
        "schema" => Some(vec![
            (String::new(), Task::Shows),
            ("loquet.account.locked.v1".to_owned(), Task::Shows),
            (
                "--to BESIDE".to_owned(),
                Task::Does(
                    |scene, _| Path::new(&scene.beside).join("loquet.account.locked.v1.json").exists(),
                    "",
                    Begins::Empty,
                ),
            ),
        ]),
        "completions" => shows(&["bash", "elvish", "fish", "powershell", "zsh"]),
        "account list" => shows(&[
            "",
            "--json",
            &format!("--company {company} --status active"),
            "--awaiting-conversion --json",
        ]),
        // Nobody is locked out here: tests/operations/helping.rs reads the JSON of somebody who is.
        "lockout list" => shows(&[""]),
        // What a person can be helped with depends on the person: tests/operations/helping.rs runs these.
        "account release"
        | "account send-activation"
        | "account send-reset"
        | "account convert"
        | "account reset-second-step" => Some(vec![(String::new(), Task::Elsewhere)]),
        "account show" | "account history" => shows(&[account, &format!("{email} --json")]),
        "company list" | "takeover list" | "mail list" | "projections list" | "token list"
        | "webhook list" => shows(&["", "--json"]),
        "events tail" => shows(&["", "--after 0 --json"]),
        "company show" => shows(&[company, &format!("{company} --json")]),
        "site list" => shows(&[company, &format!("{company} --json")]),
        "site show" => shows(&[site, &format!("{site} --json")]),
        "terminal show" => shows(&[terminal, &format!("{terminal} --json")]),
        "takeover show" => shows(&[takeover, &format!("{takeover} --json")]),
        "mail show" => shows(&[mail, &format!("{mail} --json")]),
        "permission ask" => {
            let asked = format!("--account {email} --site {site} --permission manage_terminals");
            shows(&[&asked, &format!("{asked} --json")])
        }
        "audit account" => {
            shows(&[account, &format!("{email} --json"), &format!("{account} --as-of 900 --json")])
        }
        "audit company" => shows(&[company, &format!("{company} --json")]),
        "audit site" => shows(&[site, &format!("{site} --json")]),
        "audit terminal" => shows(&[terminal, &format!("{terminal} --json")]),
        "audit permissions" => shows(&[&format!("{email} {site}"), &format!("{account} {site} --json")]),
        "audit timeline" => {
            shows(&[account, &format!("{company} --language fr"), &format!("{email} --json")])
        }
        "audit diff" => {
            shows(&[&format!("{account} --from 2000-01-01"), &format!("{account} --to 2999-01-01 --json")])
        }
        "audit what-if" => shows(&["--attempts 5", "--policy profile=pci,devices=off --json"]),
        // These need a proof, which a server makes: tests/operations/proof.rs runs them.
        "audit key"
        | "audit checkpoint"
        | "audit verify"
        | "audit prove"
        | "audit check-proof"
        | "audit consistency"
        | "audit check-consistency"
        | "audit export"
        | "audit check-export" => Some(vec![(String::new(), Task::Elsewhere)]),
        "find" => shows(&["bou", "bou --json"]),
        "diagnose" => shows(&[email, "nobody@example.be"]),
        "doctor" => shows(&["--dev", "--json"]),
        "projections verify" => shows(&["", "accounts"]),
        "man" => Some(vec![
            (String::new(), Task::Shows),
            (
                "--to BESIDE".to_owned(),
                Task::Does(|scene, _| Path::new(&scene.beside).join("loquet.1").exists(), "", Begins::Empty),
            ),
        ]),
        "staff invite" => does(
            "sofie@supplier.example --role auditor --given-name Sofie --family-name Maes",
            |scene, _| said(&scene.data, &["events", "tail", "--json"]).contains("\"role\":\"auditor\""),
            "is invited",
        ),
        "account erase" => does(
            &format!("{account} --reason asked --yes"),
            |scene, world| said(&scene.data, &["account", "show", &world.account]).contains("erased"),
            "is erased",
        ),
        "terminal release" => does(
            &format!("{terminal} --cause returned --reason asked --yes"),
            |scene, _| said(&scene.data, &["events", "tail", "--json"]).contains("terminal-freed"),
            "is released",
        ),
        "order import" => does(
            order,
            |scene, _| said(&scene.data, &["events", "tail", "--json"]).contains("order-SO-1\""),
            "1 new, 0 delivered before, 0 refused",
        ),
        "mail retry" => does(
            mail,
            |scene, _| said(&scene.data, &["mail", "list", "--state", "pending"]).contains("activation"),
            "is tried again",
        ),
        "projections rebuild" => does(
            "accounts",
            |scene, _| {
                let views = Connection::open(scene.data.join("views.db")).unwrap();
                let fresh =
                    "SELECT count(*) FROM builds WHERE view = 'accounts' AND serving = 1 AND generation > 1";
                views.query_row(fresh, [], |row| row.get::<_, i64>(0)).unwrap() == 1
            },
            "the new one serves",
        ),
        "keys rotate" => does(
            "",
            |scene, world| {
                let key = |data: &Path| std::fs::read_to_string(data.join("server.key")).unwrap();
                key(&scene.data) != key(&world.data)
            },
            "the server key is now number 2",
        ),
        "keys prepare" => does(
            "",
            |scene, _| {
                let file = std::fs::read_to_string(scene.data.join("server.key")).unwrap();
                file.lines().filter(|line| !line.is_empty()).count() == 2
            },
            "Copy the file to every node",
        ),
        "keys create" => Some(vec![(
            String::new(),
            Task::Does(|scene, _| scene.data.join("server.key").exists(), "Keep a copy apart", Begins::Empty),
        )]),
        "backup" => does(
            "BESIDE",
            |scene, _| said(&scene.data, &["restore", "--check", &scene.beside]).contains("is whole"),
            "bytes up to position",
        ),
        "restore" => Some(vec![
            (format!("{backup} --check"), Task::Shows),
            (
                backup.clone(),
                Task::Does(|scene, _| scene.data.join("log.db").exists(), "restored into", Begins::Empty),
            ),
        ]),
        "demo" => Some(vec![(
            "--accounts 100".to_owned(),
            Task::Does(
                |scene, _| said(&scene.data, &["events", "tail", "--after", "0"]).lines().count() > 1000,
                " companies, ",
                Begins::Empty,
            ),
        )]),
        "token revoke" => does(
            &format!("{token} --yes"),
            |scene, _| tokens(scene)[0]["state"] == "revoked",
            "is revoked: it is no longer accepted",
        ),
        "token create" => {
            let made = |scene: &Scene, _: &World| tokens(scene).iter().any(|token| token["name"] == "made");
            let way = "--name made --scope orders:read";
            Some(vec![
                (way.to_owned(), Task::HandsOver(made)),
                (format!("{way} --json"), Task::HandsOver(made)),
            ])
        }
        "token rotate" => {
            let made = |scene: &Scene, _: &World| tokens(scene).len() == 2;
            Some(vec![
                (token.clone(), Task::HandsOver(made)),
                (format!("{token} --json"), Task::HandsOver(made)),
            ])
        }
        "webhook add" => {
            let made = |scene: &Scene, _: &World| webhooks(scene).len() == 2;
            let way = "https://example.com/made";
            Some(vec![
                (way.to_owned(), Task::HandsOver(made)),
                (format!("{way} --type loquet.account.locked.v1 --after 0 --json"), Task::HandsOver(made)),
            ])
        }
        "webhook rotate" => {
            let rotated = |scene: &Scene, _: &World| number_of_the_secret(scene) == 2;
            Some(vec![
                (webhook.clone(), Task::HandsOver(rotated)),
                (format!("{webhook} --json"), Task::HandsOver(rotated)),
            ])
        }
        "webhook failing" => shows(&[webhook, &format!("{webhook} --json")]),
        "webhook retry" => {
            does(webhook, |scene, _| webhooks(scene)[0]["dead"] == 0, "deliveries that are sent again now: 1")
        }
        "webhook set-position" => does(
            &format!("{webhook} 3 --yes"),
            |scene, _| webhooks(scene)[0]["position"] == 3,
            "events after position 3 are sent next",
        ),
        "webhook remove" => {
            does(&format!("{webhook} --yes"), |scene, _| webhooks(scene).is_empty(), "is removed")
        }
        // These need a running server, or two engines: tests/deployment, tests/nodes and
        // tests/companies run them.
        "health" | "log copy" | "account export" | "company erase" => {
            Some(vec![(String::new(), Task::Elsewhere)])
        }
        // These need a broker: tests/kafka runs them.
        "kafka status"
        | "kafka set-position"
        | "publish"
        | "order dead-letters list"
        | "order dead-letters show"
        | "order dead-letters retry"
        | "order dead-letters discard" => Some(vec![(String::new(), Task::Elsewhere)]),
        "serve" | "terminal import" => Some(vec![(String::new(), Task::Elsewhere)]),
        _ => None,
    }
}

/// Which commands a test looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Shows,
    Changes,
}

#[track_caller]
fn try_all(which: Which) {
    let world = World::new();
    let commands = every_command();
    for command in commands.iter().filter(|(_, has_others)| !**has_others).map(|(command, _)| command) {
        let command = command.join(" ");
        let ways = how(&world, &command);
        let ways = ways.unwrap_or_else(|| panic!("`loquet {command}` is new: say in `how` how it is run"));
        for (way, task) in ways {
            let changes = matches!(task, Task::Does(..) | Task::HandsOver(_));
            if !matches!(task, Task::Elsewhere) && changes == (which == Which::Changes) {
                try_one(&world, &format!("{command} {way}"), &task);
            }
        }
    }
}

#[track_caller]
fn try_one(world: &World, line: &str, task: &Task) {
    let scene = || match task {
        Task::Does(_, _, begins) => Some(Scene::of(world, *begins)),
        Task::HandsOver(_) => Some(Scene::of(world, Begins::WithTheWorld)),
        Task::Shows | Task::Elsewhere => None,
    };
    let arguments = |scene: Option<&Scene>| {
        let beside = scene.map_or("", |scene| scene.beside.as_str());
        let arguments: Vec<_> =
            line.split_whitespace().map(|word| if word == "BESIDE" { beside } else { word }).collect();
        over(scene.map_or(&world.data, |scene| &scene.data), &arguments)
    };
    let healthy = scene();
    let usual = run(&arguments(healthy.as_ref()), Outputs::Read);
    let shows_nothing = matches!(task, Task::Shows) && usual.out.is_empty();
    assert!(!shows_nothing, "`{line}` is run in a way that shows nothing: {usual:?}");
    for outputs in Outputs::BROKEN {
        let scene = scene();
        let ended = run(&arguments(scene.as_ref()), outputs);
        let lost = match outputs {
            Outputs::Full | Outputs::BothFull => !usual.out.is_empty(),
            Outputs::ReaderGone | Outputs::ReadersGone => matches!(task, Task::HandsOver(_)),
            Outputs::Read | Outputs::ErrorsReaderGone | Outputs::Closed => false,
        };
        let expected = if lost && usual.code == Some(0) { Some(LOST) } else { usual.code };
        assert_eq!(ended.code, expected, "`{line}` with {outputs:?}: {ended:?}, usually {usual:?}");
        let why = "standard output could not be written: No space left on device";
        if outputs == Outputs::Full && !usual.out.is_empty() {
            assert!(ended.errors.contains(why), "`{line}`: {ended:?}");
        }
        let is_told = matches!(outputs, Outputs::Full | Outputs::ReaderGone);
        match (task, &scene) {
            (Task::Does(done, says, _), Some(scene)) => {
                assert_eq!(usual.code, Some(0), "`{line}`: {usual:?}");
                assert!(done(scene, world), "`{line}` was not done with {outputs:?}: {ended:?}");
                assert!(!is_told || ended.errors.contains(says), "`{line}` with {outputs:?}: {ended:?}");
            }
            (Task::HandsOver(done), Some(scene)) => {
                assert!(done(scene, world), "`{line}` was not done with {outputs:?}: {ended:?}");
                if is_told {
                    // It says what to do about what was lost, and that works.
                    let (_, rest) = ended.errors.split_once("`loquet ").unwrap();
                    let remedy: Vec<&str> = rest.split('`').next().unwrap().split(' ').collect();
                    said(&scene.data, &remedy);
                }
            }
            // Quietly: a reader that has read enough is no news.
            _ if outputs == Outputs::ReaderGone => assert_eq!(ended.errors, usual.errors, "`{line}`"),
            _ => {}
        }
    }
}

#[test]
fn what_a_command_shows_is_shown_or_lost_without_a_panic_wherever_its_outputs_lead() {
    try_all(Which::Shows);
}

#[test]
fn what_a_command_changes_is_done_and_told_wherever_its_outputs_lead() {
    try_all(Which::Changes);
}

#[test]
fn help_and_faults_of_the_command_line_are_shown_or_lost_without_a_panic_wherever_they_lead() {
    for command in every_command().into_keys() {
        let asked = |more: &str| {
            let mut arguments: Vec<OsString> = command.iter().map(OsString::from).collect();
            arguments.push(more.into());
            arguments
        };
        for outputs in Outputs::BROKEN {
            let is_full = matches!(outputs, Outputs::Full | Outputs::BothFull);
            let help = run(&asked("--help"), outputs);
            assert_eq!(
                help.code,
                Some(if is_full { LOST } else { 0 }),
                "{command:?} with {outputs:?}: {help:?}"
            );
            let fault = run(&asked("--no-such-flag"), outputs);
            assert_eq!(fault.code, Some(2), "{command:?} with {outputs:?}: {fault:?}");
        }
    }
    assert_eq!(run(&words(&["--version"]), Outputs::Full).code, Some(LOST));
}

/// An environment in which nothing is as usual.
#[test]
fn no_argument_variable_or_folder_makes_a_command_panic() {
    let world = World::new();
    let not_utf_8 = || OsString::from_vec(vec![b'x', 0xff, 0xfe]);
    let environments: [&[(OsString, OsString)]; 3] = [
        &[
            ("COLUMNS".into(), "0".into()),
            ("TERM".into(), "dumb".into()),
            ("LANG".into(), not_utf_8()),
            ("TZ".into(), not_utf_8()),
            (not_utf_8(), not_utf_8()),
            ("TMPDIR".into(), "/nowhere".into()),
        ],
        &[("COLUMNS".into(), "1".into()), ("LOQUET_BRAND".into(), not_utf_8())],
        &[("LOQUET_CONFIG".into(), not_utf_8()), ("LOQUET_DATA_DIR".into(), not_utf_8())],
    ];
    for command in
        every_command().into_iter().filter(|(_, has_others)| !has_others).map(|(command, _)| command)
    {
        let line = command.join(" ");
        let arguments: Vec<OsString> = command.iter().map(OsString::from).collect();
        let mut odd = arguments.clone();
        odd.push(not_utf_8());
        run(&odd, Outputs::Read);
        let mut first = over(&world.data, &[]);
        first.push(not_utf_8());
        first.extend(arguments);
        run(&first, Outputs::Read);
        // What changes nothing, so that it may be run again and again.
        for (way, task) in how(&world, &line).unwrap() {
            if !matches!(task, Task::Shows) {
                continue;
            }
            let words: Vec<_> = command.iter().map(String::as_str).chain(way.split_whitespace()).collect();
            let nowhere = tempfile::tempdir().unwrap();
            let mut elsewhere = program(&over(&world.data, &words), Outputs::Read);
            elsewhere.current_dir("/proc").env("LOQUET_DATA_DIR", nowhere.path().join("none"));
            ended(&mut elsewhere, &format!("{words:?} where nothing can be written"));
            for environment in environments {
                let mut command = program(&over(&world.data, &words), Outputs::Read);
                command.envs(environment.iter().map(|(name, value)| (name, value)));
                ended(&mut command, &format!("{words:?} with {environment:?}"));
            }
        }
    }
}

#[test]
fn a_data_folder_may_have_any_name_and_a_file_of_orders_any_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a b", "-q'uo\"te", "é☃%s%n", "file:x?mode=ro#y"] {
        let data = folder.path().join(name);
        for command in ["demo", "projections rebuild all", "projections verify", "keys rotate", "events tail"]
        {
            said(&data, &command.split(' ').collect::<Vec<_>>());
        }
        let backup = format!("{}-backup", data.to_str().unwrap());
        said(&data, &["backup", &backup]);
        said(&data, &["restore", "--check", &backup]);
    }
    let refused = run(&over(&folder.path().join("two\nlines"), &["demo"]), Outputs::Read);
    assert!(refused.code == Some(1) && refused.errors.contains("it must be one line"), "{refused:?}");
    let mut unreadable = vec!["--data-dir".into(), folder.path().join("none").into_os_string()];
    unreadable.extend([OsString::from_vec(vec![0xff]), "demo".into()]);
    assert_eq!(run(&unreadable, Outputs::Read).code, Some(2));
    // Not text, not JSON, no order, too long, and what a terminal would take for a command.
    let lines: [&[u8]; 6] = [
        b"\xff\x00\xfe",
        b"{\"order_id\": 1e999999}",
        b"{\"\x1b[2J\": 1}",
        b"{\"a\\u001b[2J\\u009b\": 1}",
        &b"[".repeat(200_000),
        &b"x".repeat(2_000_000),
    ];
    let file = folder.path().join("orders");
    std::fs::write(&file, lines.join(&b'\n')).unwrap();
    let data = folder.path().join("a b");
    for json in [&[][..], &["--json"]] {
        let arguments = [&["order", "import", file.to_str().unwrap()], json].concat();
        let refused = run(&over(&data, &arguments), Outputs::Read);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        let is_command = |c: char| c.is_control() && c != '\n';
        assert!(!refused.out.contains(is_command) && refused.out.contains('6'), "{}", refused.out);
    }
    let no_file = run(&over(&data, &["order", "import", "/proc"]), Outputs::Read);
    assert!(no_file.code == Some(1) && no_file.errors.contains("stopped after line 0"), "{no_file:?}");
}

/// A file of assignments, by a running server, whose answer nobody takes.
#[tokio::test]
async fn terminals_are_assigned_and_the_report_told_wherever_the_outputs_lead() {
    let server = Server::start().await;
    let mut placed = order(1, 1, "marie@example.be");
    let mut other = placed["lines"][0].clone();
    other["delivery_address"]["number"] = "13".into();
    other["quantity"] = 1.into();
    placed["lines"].as_array_mut().unwrap().push(other);
    let placed = server.service_post("/v1/orders", placed).await.expect(201);
    let company = placed.json()["company_id"].as_str().unwrap().to_owned();
    let start = Instant::now();
    let sites = loop {
        let list = server.service_get(&format!("/v1/sites?company={company}")).await.expect(200).json();
        let sites: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|site| site["site_id"].clone()).collect();
        if sites.len() == 2 {
            break sites;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{list}");
        tokio::task::yield_now().await;
    };
    let list = format!("/v1/terminals?company={company}&site={}", sites[1].as_str().unwrap());
    let start = Instant::now();
    let terminal = loop {
        let list = server.service_get(&list).await.expect(200).json();
        if let Some(terminal) = list["items"][0]["terminal_id"].as_str() {
            break terminal.to_owned();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{list}");
        tokio::task::yield_now().await;
    };
    let file = server.folder.join("moves.csv");
    let token = server.folder.join("dev-token");
    let (file, token) = (file.to_str().unwrap().to_owned(), token.to_str().unwrap().to_owned());
    for (turn, outputs) in Outputs::BROKEN.into_iter().enumerate() {
        let to = &sites[turn % 2];
        std::fs::write(&file, format!("terminal,site\n{terminal},{}\n", to.as_str().unwrap())).unwrap();
        let url = server.url.clone();
        let arguments = over(
            &server.folder,
            &["terminal", "import", &file, "--company", &company, "--url", &url, "--token-file", &token],
        );
        let ended = tokio::task::spawn_blocking(move || run(&arguments, outputs)).await.unwrap();
        let is_full = matches!(outputs, Outputs::Full | Outputs::BothFull);
        assert_eq!(ended.code, Some(if is_full { LOST } else { 0 }), "{outputs:?}: {ended:?}");
        if matches!(outputs, Outputs::Full | Outputs::ReaderGone) {
            assert!(ended.errors.contains("1 moved, 0 are already at their site"), "{outputs:?}: {ended:?}");
        }
        let start = Instant::now();
        let path = format!("/v1/terminals/{terminal}");
        while server.service_get(&path).await.expect(200).json()["site_id"] != *to {
            assert!(start.elapsed() < Duration::from_secs(30), "nothing was assigned with {outputs:?}");
            tokio::task::yield_now().await;
        }
    }
}

/// A server outlives whoever read its greeting and its log, and the disk on which its log was kept.
#[tokio::test]
async fn a_server_goes_on_serving_wherever_its_outputs_lead() {
    let client = reqwest::Client::new();
    for outputs in Outputs::BROKEN {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{}", free_port());
        // A line of the log for each request.
        let more = ["serve", "--dev", "--listen", &listen, "--log-filter", "debug"];
        let mut server = program(&over(&folder.path().join("var"), &more), outputs).spawn().unwrap();
        let start = Instant::now();
        for path in ["/healthz", "/readyz", "/", "/v1/accounts", "/dev/mail", "/nowhere"] {
            loop {
                match client.get(format!("http://{listen}{path}")).send().await {
                    Ok(answer) if answer.status() != 503 => {
                        assert!(answer.status().as_u16() < 500, "{path} with {outputs:?}: {answer:?}");
                        break;
                    }
                    _ => {}
                }
                assert!(server.try_wait().unwrap().is_none(), "the server ended with {outputs:?} at {path}");
                assert!(start.elapsed() < Duration::from_mins(1), "{path} with {outputs:?}");
                tokio::task::yield_now().await;
            }
        }
        let pid = server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let ended = tokio::task::spawn_blocking(move || server.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(0), "with {outputs:?}");
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(!errors.contains("panicked"), "with {outputs:?}: {errors}");
        let told = "Loquet is listening on";
        let is_read = matches!(outputs, Outputs::Full | Outputs::ReaderGone);
        assert!(!is_read || errors.contains(told), "with {outputs:?}: {errors}");
    }
}

/// Standard output is one JSON value for each result, and nothing else. Remarks go to standard error.
#[test]
fn commands_that_do_something_print_their_result_as_json_when_asked() {
    let world = World::new();
    let World { account, terminal, mail, token, webhook, backup, .. } = &world;
    let beside = format!("{}/beside", world.data.parent().unwrap().display());
    let ways = [
        ("config check --dev", "valid"),
        (&*format!("backup {beside}"), "position"),
        (&*format!("restore {backup} --check"), "taken_at"),
        ("keys prepare", "server_key_file"),
        ("keys rotate", "generation"),
        ("projections rebuild accounts", "views"),
        ("projections verify accounts sites", "equal"),
        (&*format!("terminal release {terminal} --cause returned --reason asked --yes"), "released"),
        (&*format!("mail retry {mail}"), "retried"),
        (&*format!("webhook set-position {webhook} 1 --yes"), "position"),
        (&*format!("webhook retry {webhook}"), "retried"),
        (&*format!("webhook remove {webhook} --yes"), "removed"),
        (&*format!("token revoke {token} --yes"), "revoked"),
        (&*format!("account erase {account} --reason asked --yes"), "erased"),
    ];
    for (way, field) in ways {
        let mut arguments: Vec<&str> = way.split(' ').collect();
        arguments.push("--json");
        let out = said(&world.data, &arguments);
        let values: Vec<Value> = out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{way}: {e}: {out}")))
            .collect();
        assert!(!values.is_empty() && values.iter().all(|value| !value[field].is_null()), "{way}: {out}");
    }
}
