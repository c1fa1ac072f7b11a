//! The Debian package: it is built from the program that the tests use, installed into a directory, and started.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use loquet_tests::server::{binary, free_port};
use loquet_tests::skip;

use super::systemd::values;
use super::{PRODUCTION, Running, deploy, loquet, root, run, text, without_settings};

/// Builds the package.
fn package(folder: &Path) -> PathBuf {
    // It takes the program from there.
    assert!(binary().ends_with("debug/loquet"));
    let mut build = Command::new(deploy("debian/package"));
    build.env("CARGO_TARGET_DIR", binary().parent().unwrap().parent().unwrap());
    run(build.args(["--profile", "dev"]).arg(folder));
    let mut made = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    made.find(|path| path.extension().is_some_and(|extension| extension == "deb")).unwrap()
}

/// Installs the package into a directory. Its scripts run, and create the user there. Nothing outside is changed: the
/// scripts do not find the systemd of this machine.
fn install(package: &Path, to: &Path) {
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "var/log"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
    }
    std::fs::write(to.join("var/lib/dpkg/status"), "").unwrap();
    std::fs::write(to.join("var/lib/dpkg/available"), "").unwrap();
    let script = "! [ -d /run/systemd ] || mount -t tmpfs tmpfs /run/systemd
        dpkg --root=\"$1\" --force-depends --force-script-chrootless --install \"$2\"";
    run(Command::new("unshare").args(["--mount", "sh", "-ec", script, "sh"]).arg(to).arg(package));
}

#[test]
fn the_package_is_installed_and_its_service_starts() {
    let name = "the_package_is_installed_and_its_service_starts";
    if skip::unless_tool(name, "cargo/bin/cargo-deb").is_none()
        || !skip::unless_installed(name, "dpkg-shlibdeps")
    {
        return;
    }
    if !skip::is_root() || !skip::unless_installed(name, "systemd-sysusers") {
        return skip::skipped(name, "only root can install a package");
    }
    let folder = tempfile::tempdir().unwrap();
    // The service runs as another user, who must get to its files.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let package = package(&folder.path().join("built"));
    let installed = folder.path().join("installed");
    install(&package, &installed);

    let told = run(Command::new("dpkg-deb").arg("--field").arg(&package));
    for field in ["Package: loquet\n", "Depends: ", "libc6 (>= ", "ca-certificates", "Maintainer: "] {
        assert!(told.contains(field), "{field} in {told}");
    }
    let status = text(installed.join("var/lib/dpkg/status"));
    assert!(
        status.contains("Status: install ok installed") && status.contains(" /etc/loquet/loquet.toml "),
        "{status}"
    );
    assert_eq!(text(installed.join("etc/loquet/loquet.toml")), text(root().join("docs/loquet.toml")));
    for file in [
        "usr/share/man/man1/loquet.1.gz",
        "usr/share/man/man1/loquet-serve.1.gz",
        "usr/share/bash-completion/completions/loquet",
        "usr/share/zsh/vendor-completions/_loquet",
        "usr/share/fish/vendor_completions.d/loquet.fish",
        "usr/share/doc/loquet/copyright",
        "usr/share/doc/loquet/operations.md",
    ] {
        assert!(installed.join(file).exists(), "{file}");
    }
    let users = text(installed.join("etc/passwd"));
    let user = users.lines().find(|line| line.starts_with("loquet:")).unwrap();
    let ids: Vec<u32> = user.split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
    assert!(
        (1..1000).contains(&ids[0]) && user.ends_with("nologin"),
        "a system user without a shell: {user}"
    );

    // What systemd does for the unit: the folder, the credentials, the variables, the user, the command.
    let unit = text(installed.join("usr/lib/systemd/system/loquet.service"));
    assert_eq!(unit, text(deploy("systemd/loquet.service")));
    let (state, credentials) = (installed.join("var/lib/loquet"), installed.join("run/credentials"));
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(ids[0]), Some(ids[1])).unwrap();
    for path in [&state, &credentials] {
        std::fs::create_dir_all(path).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
        own(path);
    }
    let key = installed.join("etc/loquet/server.key");
    run(loquet()
        .arg("--server-key-file")
        .arg(&key)
        .arg("--data-dir")
        .arg(folder.path().join("other"))
        .args(["keys", "create"]));
    // An administrator may run this before the service has ever started.
    let token = ["token", "create", "--name", "web shop", "--scope", "orders:write"];
    run(loquet().arg("--data-dir").arg(&state).args(token));
    let held = credentials.join("server.key");
    std::fs::copy(&key, &held).unwrap();
    own(&held);

    let within = |path: &str| installed.join(path.trim_start_matches('/'));
    let starts = values(&unit, "ExecStart").remove(0);
    let mut words = starts.split(' ');
    let program = within(words.next().unwrap());
    let mut command = without_settings(Command::new(&program));
    for word in words {
        match word.starts_with('/') {
            true => command.arg(within(word)),
            false => command.arg(word),
        };
    }
    for variable in values(&unit, "Environment") {
        let (name, value) = variable.split_once('=').unwrap();
        match value.strip_prefix("%d") {
            Some(file) => command.env(name, format!("{}{file}", credentials.display())),
            None => command.env(name, within(value)),
        };
    }
    let listen = format!("127.0.0.1:{}", free_port());
    command.env("LOQUET_HTTP_LISTEN", &listen).envs(PRODUCTION);
    command.current_dir(&state).uid(ids[0]).gid(ids[1]).stdout(Stdio::null());
    let mut server = Running(command.spawn().unwrap());
    server.wait_until(|| {
        let mut health = without_settings(Command::new(&program));
        health.arg("health").env("LOQUET_HTTP_LISTEN", &listen);
        health
    });
    let log = std::fs::metadata(state.join("log.db")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&log), ids[0]);
    assert_eq!(log.permissions().mode() & 0o077, 0, "nobody else can read the log");
    server.stop();
}
