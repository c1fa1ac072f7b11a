//! Commands that root runs, on the data of a server that runs as another user.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{binary, free_port, order};
use loquet_tests::{environment, skip};

/// The user of the server.
const USER: u32 = 65532;

/// A directory of that user, in a folder that every user can enter. The program is copied there for the same reason.
struct Place {
    folder: tempfile::TempDir,
    data: PathBuf,
    program: PathBuf,
}

impl Place {
    /// Skips the test if this is not root.
    fn new(test: &str) -> Option<Self> {
        if !skip::is_root() || !skip::unless_installed(test, "setpriv") {
            skip::skipped(test, "only root can make files of other users");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("loquet");
        std::fs::copy(binary(), &program).unwrap();
        let data = own(folder.path(), "data");
        Some(Self { folder, data, program })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, on the data directory.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(&self.data).args(words);
        self.without_settings(command)
    }

    /// A development server, which runs as the user.
    fn server(&self, port: u16) -> Command {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()]);
        command.arg(&self.program).arg("--data-dir").arg(&self.data).args(["serve", "--dev"]);
        command.arg(format!("--http-listen=127.0.0.1:{port}"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        self.without_settings(command)
    }

    fn without_settings(&self, mut command: Command) -> Command {
        environment::settings().for_each(|name| {
            command.env_remove(name);
        });
        command.current_dir(self.folder.path());
        command
    }
}

/// Makes a directory that belongs to the user.
fn own(folder: &Path, name: &str) -> PathBuf {
    let made = folder.join(name);
    std::fs::create_dir(&made).unwrap();
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o700)).unwrap();
    chown(&made, Some(USER), Some(USER)).unwrap();
    made
}

/// What a command says that succeeds.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Everything in a folder, with what is in its folders.
fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything_in(&path));
        }
        all.push(path);
    }
    all
}

#[track_caller]
fn belongs_to_the_user(folder: &Path, after: &str) {
    let all = everything_in(folder);
    assert!(!all.is_empty(), "nothing was made by {after}");
    for path in all {
        let held = std::fs::metadata(&path).unwrap();
        assert_eq!((held.uid(), held.gid()), (USER, USER), "{} after {after}", path.display());
    }
}

/// Waits until a server answers.
#[track_caller]
fn until_it_answers(place: &Place, server: &mut Child, port: u16) {
    let begun = Instant::now();
    let mut health = place.command(&["health", "--live"]);
    health.env("LOQUET_HTTP_LISTEN", format!("127.0.0.1:{port}"));
    while !health.output().unwrap().status.success() {
        assert!(server.try_wait().unwrap().is_none(), "the server has ended");
        assert!(begun.elapsed() < Duration::from_mins(1), "the server does not start");
    }
}

#[test]
fn what_root_makes_before_the_first_start_belongs_to_the_user_of_the_server() {
    let Some(place) = Place::new("what_root_makes_before_the_first_start_belongs_to_the_user_of_the_server")
    else {
        return;
    };
    std::fs::write(place.file("orders"), order(1, 1, "marie@example.be").to_string()).unwrap();
    let commands: [&[&str]; 7] = [
        &["keys", "create"],
        &["doctor", "--dev"],
        &["token", "create", "--name", "shop", "--scope", "orders:write"],
        &["order", "import", "orders"],
        &["webhook", "add", "https://example.com/loquet"],
        &["keys", "rotate"],
        &["backup", "copy"],
    ];
    for words in commands {
        said(&mut place.command(words));
        belongs_to_the_user(&place.data, &words.join(" "));
    }
    let port = free_port();
    let mut server = place.server(port).spawn().unwrap();
    until_it_answers(&place, &mut server, port);
    let pid = server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.wait().unwrap().success(), "it stops cleanly, and so it wrote what it keeps");
    // Root's commands find more files now.
    for words in [&["order", "import", "orders"][..], &["projections", "rebuild", "accounts"]] {
        said(&mut place.command(words));
        belongs_to_the_user(&place.data, &words.join(" "));
    }
    // Other commands fill an empty directory.
    let other = |name: &str| own(place.folder.path(), name);
    let restored = other("restored");
    said(place.command(&["restore", "copy"]).arg("--data-dir").arg(&restored));
    belongs_to_the_user(&restored, "restore");
    let sample = other("sample");
    said(place.command(&["demo", "--accounts", "100"]).arg("--data-dir").arg(&sample));
    belongs_to_the_user(&sample, "demo");
    // A directory that root makes in one of the user's directories.
    said(place.command(&["keys", "create"]).arg("--data-dir").arg(restored.join("within")));
    belongs_to_the_user(&restored, "keys create");
}

#[test]
fn what_a_copy_to_another_engine_makes_belongs_to_the_user_of_the_server() {
    let name = "what_a_copy_to_another_engine_makes_belongs_to_the_user_of_the_server";
    let Some(place) = Place::new(name) else { return };
    let Some(postgres) = PostgresServer::start(name) else { return };
    said(&mut place.command(&["keys", "create"]));
    std::fs::write(place.file("orders"), order(1, 1, "marie@example.be").to_string()).unwrap();
    said(&mut place.command(&["order", "import", "orders"]));
    let shared = format!("[store]\nengine = \"postgres\"\n[postgres]\nurl = \"{}\"\n", postgres.url());
    for (side, more) in [("data", ""), ("nodes", &shared), ("back", "")] {
        let folder = place.file(side);
        if side != "data" {
            own(place.folder.path(), side);
        }
        let text = format!("data_dir = \"{}\"\n{more}", folder.display());
        std::fs::write(place.file(side).with_extension("toml"), text).unwrap();
    }
    for (from, to) in [("data.toml", "nodes.toml"), ("nodes.toml", "back.toml")] {
        said(&mut place.command(&["log", "copy", "--from", from, "--to", to]));
        belongs_to_the_user(&place.file(to).with_extension(""), to);
    }
    belongs_to_the_user(&place.data, "a copy from it");
    // The question whether a server runs makes no lock file.
    let unused = own(place.folder.path(), "unused");
    let mut doctor = place.command(&["--config", "nodes.toml", "doctor", "--dev"]);
    drop(doctor.arg("--data-dir").arg(&unused).output().unwrap());
    assert!(everything_in(&unused).is_empty());
}

#[test]
fn a_file_of_another_user_is_named_with_the_command_that_helps() {
    let Some(place) = Place::new("a_file_of_another_user_is_named_with_the_command_that_helps") else {
        return;
    };
    said(&mut place.command(&["keys", "create"]));
    said(&mut place.command(&["token", "create", "--name", "shop", "--scope", "orders:write"]));
    let refused = || {
        let output = place.server(free_port()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for path in [place.data.join("tokens.db"), place.data.join("server.key"), place.data.clone()] {
        chown(&path, Some(0), Some(0)).unwrap();
        let why = refused();
        let remedy = format!("chown -R {USER} {}", place.data.display());
        for part in ["belongs to another user (number 0)", &remedy, &path.display().to_string()] {
            assert!(why.contains(part), "no '{part}' in {why}");
        }
        let doctor = place.command(&["doctor", "--dev"]).output().unwrap();
        let found = String::from_utf8(doctor.stdout).unwrap();
        if path != place.data {
            assert!(found.contains("FAILING") && found.contains("chown -R --reference="), "{found}");
            assert!(found.contains(&path.display().to_string()), "{found}");
        }
        chown(&path, Some(USER), Some(USER)).unwrap();
    }
    let doctor = said(&mut place.command(&["doctor", "--dev"]));
    assert!(!doctor.contains("FAILING"), "{doctor}");
}
