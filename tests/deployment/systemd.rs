//! The unit of systemd: how tight its sandbox is, and whether the program fits into it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use loquet_tests::server::{binary, free_port};
use loquet_tests::skip;

use super::{PRODUCTION, Running, deploy, loquet, run, shown_settings, text, without_settings};

/// The values of a setting of the unit. A line without a value empties the list.
pub(crate) fn values(unit: &str, setting: &str) -> Vec<String> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix(setting)?.strip_prefix('='));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_unit_is_exposed_less_than_two_of_ten() {
    if !skip::unless_installed("the_unit_is_exposed_less_than_two_of_ten", "systemd-analyze") {
        return;
    }
    // In tenths. It fails above it.
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold=19"]);
    let said = run(analyze.arg(deploy("systemd/loquet.service")));
    println!("{}", said.lines().last().unwrap());
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    if !skip::unless_installed("systemd_understands_every_line_of_the_unit", "systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = text(deploy("systemd/loquet.service"));
    let here = folder.path().join("loquet.service");
    std::fs::write(
        &here,
        unit.replace("ExecStart=/usr/bin/loquet", &format!("ExecStart={}", binary().display())),
    )
    .unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(here).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("loquet.service"), "{said}");
}

#[test]
fn the_unit_says_what_the_program_does() {
    let unit = text(deploy("systemd/loquet.service"));
    assert_eq!(values(&unit, "Type"), ["exec"], "the program sends no notification");
    assert!(values(&unit, "WatchdogSec").is_empty() && values(&unit, "NotifyAccess").is_empty());
    let most: u64 = values(&unit, "LimitNOFILE")[0].parse().unwrap();
    let connections = &shown_settings()["http.connections"]["value"];
    let connections: u64 =
        connections.as_str().map_or_else(|| connections.as_u64(), |text| text.parse().ok()).unwrap();
    assert!(most >= connections + 128, "`loquet doctor` warns of fewer");
}

/// Every system call that a filter of the unit names, with the calls of its groups.
#[track_caller]
fn calls(filter: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for name in filter.split_whitespace() {
        if !name.starts_with('@') {
            calls.insert(name.to_owned());
            continue;
        }
        let listed = run(Command::new("systemd-analyze").args(["--no-pager", "syscall-filter", name]));
        for line in
            listed.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            calls.extend(match line.starts_with('@') {
                true => self::calls(line),
                false => BTreeSet::from([line.to_owned()]),
            });
        }
    }
    calls
}

/// The program is run under strace, as the unit starts it: a start, requests that hash and write, a stop.
#[test]
fn the_program_needs_nothing_that_the_unit_forbids() {
    let name = "the_program_needs_nothing_that_the_unit_forbids";
    if !skip::unless_installed(name, "systemd-analyze") || !skip::unless_installed(name, "strace") {
        return;
    }
    let unit = text(deploy("systemd/loquet.service"));
    let filters = values(&unit, "SystemCallFilter");
    let mut allowed = BTreeSet::new();
    for filter in &filters {
        match filter.strip_prefix('~') {
            Some(forbidden) => allowed.retain(|call| !calls(forbidden).contains(call)),
            None => allowed.extend(calls(filter)),
        }
    }
    assert!(allowed.contains("fdatasync") && !allowed.contains("mount") && !allowed.contains("chown"));

    // Another user than root, because SQLite does more as root. That user must get to the program.
    let folder = tempfile::tempdir().unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    let [trace, data, program] = ["trace", "data", "loquet"].map(|name| folder.path().join(name));
    std::fs::copy(binary(), &program).unwrap();
    let as_another = ["--reuid=65532", "--regid=65532", "--clear-groups"];
    let another = |program: &str| {
        if !skip::is_root() {
            return without_settings(Command::new(program));
        }
        let mut command = without_settings(Command::new("setpriv"));
        command.args(as_another).arg(program);
        command
    };
    let program = program.to_str().unwrap();
    run(another(program).arg("--data-dir").arg(&data).args(["keys", "create"]));
    let listen = format!("127.0.0.1:{}", free_port());
    let mut traced = another("strace");
    traced.args(["-f", "-q", "-o"]).arg(&trace).args([program, "serve"]);
    traced.env("LOQUET_DATA_DIR", &data).env("LOQUET_HTTP_LISTEN", &listen).envs(PRODUCTION);
    // strace ends with the exit code of the program.
    let mut server = Running(traced.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let health = || {
        let mut health = loquet();
        health.arg("health").env("LOQUET_HTTP_LISTEN", &listen);
        health
    };
    server.wait_until(health);
    let login = r#"{"email":"nobody@example.be","password":"Boulange7!"}"#;
    let url = format!("http://{listen}/v1/logins");
    run(Command::new("curl").args(["-s", "-H", "content-type: application/json", "-d", login, &url]));
    let strace = server.0.id();
    let program = text(format!("/proc/{strace}/task/{strace}/children"));
    run(Command::new("kill").args(["-TERM", program.trim()]));
    assert!(server.0.wait().unwrap().success());

    let traced = text(&trace);
    let mut made = BTreeSet::new();
    for line in traced.lines() {
        let Some((call, arguments)) =
            line.split_once(' ').and_then(|(_, rest)| rest.trim_start().split_once('('))
        else {
            continue;
        };
        if !call.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            continue;
        }
        made.insert(call.to_owned());
        assert!(
            !(arguments.contains("PROT_WRITE") && arguments.contains("PROT_EXEC")),
            "MemoryDenyWriteExecute= forbids {line}"
        );
        if call == "socket" {
            let families = values(&unit, "RestrictAddressFamilies");
            let family = arguments.split(',').next().unwrap();
            assert!(families[0].split(' ').any(|may| may == family), "{line}");
        }
    }
    assert!(made.len() > 30 && made.contains("fdatasync"), "{made:?}");
    let forbidden: Vec<_> = made.difference(&allowed).collect();
    assert!(forbidden.is_empty(), "the unit forbids {forbidden:?}");
}
