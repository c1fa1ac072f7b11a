//! The image, the compose files, and the balancer between them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::{Server, binary, free_port};
use loquet_tests::skip;
use serde_json::Value;

use super::{PRODUCTION, Running, deploy, names_settings_only, run, text, without_settings};

/// Each shape: its compose files, and how many nodes it has.
const SHAPES: [(&[&str], usize); 4] = [
    (&["compose.yaml"], 1),
    (&["compose.yaml", "compose.postgres.yaml"], 3),
    (&["compose.yaml", "compose.postgres.yaml", "compose.kurrentdb.yaml"], 3),
    (&["compose.yaml", "compose.postgres.yaml", "compose.kafka.yaml"], 3),
];

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let name = "hadolint_finds_nothing_in_the_dockerfile";
    let Some(hadolint) = skip::unless_tool(name, "venv/bin/hadolint") else { return };
    run(Command::new(hadolint).args(["--failure-threshold", "style"]).arg(deploy("Dockerfile")));
}

/// What a line of the Dockerfile says after its instruction, with the lines that continue it. The last one counts.
#[track_caller]
fn instruction(name: &str) -> String {
    let dockerfile = text(deploy("Dockerfile")).replace("\\\n", "");
    let found = dockerfile.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in the Dockerfile")).to_owned()
}

#[track_caller]
fn list(name: &str) -> Vec<String> {
    serde_json::from_str(&instruction(name)).unwrap()
}

/// There is no Docker here. So the root of the image is laid out as the Dockerfile does it, made read-only, and the
/// program is started in it as Docker starts it: the same user, variables and command, and no capability.
#[test]
fn the_program_runs_in_a_read_only_root_without_a_shell() {
    let name = "the_program_runs_in_a_read_only_root_without_a_shell";
    if !skip::is_root() {
        return skip::skipped(name, "only root can make a root directory");
    }
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    run(Command::new(deploy("image-root")).arg(binary()).arg(&image));
    for absent in ["bin", "usr/bin/sh", "usr/bin/env", "sbin"] {
        assert!(!image.join(absent).exists(), "{absent}");
    }
    let user = instruction("USER");
    let volumes = list("VOLUME");
    for volume in &volumes {
        let path = image.join(volume.trim_start_matches('/'));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        run(Command::new("chown").arg(&user).arg(&path));
    }
    let environment = instruction("ENV");
    let variables: Vec<_> =
        environment.split_whitespace().map(|pair| pair.split_once('=').unwrap()).collect();
    let listen = format!("127.0.0.1:{}", free_port());

    // `sh` is the shell of this machine. What it starts has none.
    let within = |command: &[String]| {
        let script = format!(
            "mount --bind \"$1\" \"$1\"
            for volume in {}; do mount --bind \"$1$volume\" \"$1$volume\"; done
            mount -o remount,bind,ro \"$1\"
            shift
            exec \"$@\"",
            volumes.join(" ")
        );
        let mut started = without_settings(Command::new("unshare"));
        started.args(["--mount", "sh", "-ec", &script, "sh"]).arg(&image).arg("setpriv");
        // What `chroot` needs. It is lost with the change of the user.
        started.args([
            "--bounding-set=-all,+sys_chroot,+setuid,+setgid",
            "--inh-caps=-all",
            "--no-new-privs",
            "chroot",
        ]);
        started.arg(format!("--userspec={user}")).arg(&image).args(command);
        started.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        started.envs(variables.clone()).envs(PRODUCTION).env("LOQUET_HTTP_LISTEN", &listen);
        started.stdout(Stdio::null());
        started
    };
    let entrypoint = list("ENTRYPOINT");
    let program = |arguments: &[&str]| {
        let command: Vec<_> =
            entrypoint.iter().cloned().chain(arguments.iter().map(|&word| word.into())).collect();
        within(&command)
    };
    run(&mut program(&["keys", "create"]));
    let mut server = Running(within(&[entrypoint.clone(), list("CMD")].concat()).spawn().unwrap());
    let check = instruction("HEALTHCHECK");
    let (_, check) = check.split_once("CMD ").unwrap();
    let check: Vec<String> = serde_json::from_str(check).unwrap();
    server.wait_until(|| within(&check));
    assert!(
        image.join("var/lib/loquet/log.db").exists() && image.join("var/lib/loquet-key/server.key").exists()
    );
    assert_eq!(instruction("STOPSIGNAL"), "SIGTERM");
    server.stop();
    assert!(!within(&check).output().unwrap().status.success(), "a server that has ended is not healthy");
}

/// Reads YAML as JSON.
#[track_caller]
pub(super) fn yaml(python: &Path, text: &str) -> Vec<Value> {
    use std::io::Write;
    let program = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)";
    let mut reader = Command::new(python);
    reader.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut reader = reader.spawn().unwrap();
    reader.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_compose_files_follow_the_specification_and_name_settings_only() {
    let name = "the_compose_files_follow_the_specification_and_name_settings_only";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    let read = "import sys, yaml; from compose_spec import PyCompose
for file in sys.argv[1:]: PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(open(file))))";
    let files = ["compose.yaml", "compose.postgres.yaml", "compose.kurrentdb.yaml", "compose.kafka.yaml"];
    run(Command::new(&python).args(["-c", read]).args(files.map(deploy)));
    for file in files {
        names_settings_only(file, &text(deploy(file)));
    }
}

/// Docker's own program puts the files of a shape together, without Docker.
#[test]
fn each_shape_has_its_nodes_and_every_container_is_confined() {
    let name = "each_shape_has_its_nodes_and_every_container_is_confined";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    if !skip::unless_installed(name, "docker-compose") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (shape, nodes) in SHAPES {
        let mut compose = Command::new("docker-compose");
        for file in shape {
            // Debian's docker-compose is older than the name of a project.
            std::fs::write(here.join(file), text(deploy(file)).replace("name: loquet\n", "")).unwrap();
            compose.arg("--file").arg(here.join(file));
        }
        let put_together = run(compose.arg("config"));
        let services = yaml(&python, &put_together).remove(0)["services"].take();
        let services = services.as_object().unwrap();
        let is_node = |name: &str| name.starts_with("loquet-");
        assert_eq!(services.keys().filter(|name| is_node(name)).count(), nodes, "{shape:?}");
        for (name, service) in services {
            let image = service["image"].as_str().unwrap();
            let tag = image.split_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag.contains('.') && tag != "latest"), "{image} is not pinned");
            assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
            assert!(service["mem_limit"].is_string() && service["restart"] == "unless-stopped", "{name}");
            let ports = service["ports"].as_array().into_iter().flatten();
            for port in ports {
                assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} is open to others: {port}");
            }
            if !is_node(name) {
                continue;
            }
            assert_eq!(tag, Some(env!("CARGO_PKG_VERSION")));
            assert_eq!(service["environment"]["LOQUET_NODE"], Value::from(name.as_str()));
            assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
            assert_eq!(service["read_only"], true, "{name}");
            let mounts: Vec<_> =
                service["volumes"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            let number = name.trim_start_matches("loquet-");
            let own = format!("data-{number}:/var/lib/loquet:rw");
            assert_eq!(
                mounts,
                [own.as_str(), "server-key:/var/lib/loquet-key:rw"],
                "one key, and data of its own"
            );
            // No secret is in a variable: they can be read with `docker inspect`.
            for (variable, value) in service["environment"].as_object().unwrap() {
                let is_secret = variable.ends_with("PASSWORD") || value.to_string().contains("://loquet:");
                assert!(!is_secret, "{variable} is a secret");
            }
        }
    }
}

/// The files for a move name what the nodes open, and move it: from the embedded store to PostgreSQL, and on to KurrentDB.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_for_a_move_move_the_data_from_shape_to_shape() {
    let name = "the_files_for_a_move_move_the_data_from_shape_to_shape";
    let Some(postgres) = PostgresServer::start(name) else { return };
    let options = loquet_event_store_server::Options::default();
    let kurrentdb = loquet_event_store_server::Server::start(options).unwrap();
    postgres.sql("CREATE DATABASE loquet_kurrentdb");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = Server::stopped(data.clone(), Vec::new());
    server.restart().await;
    server.active(1, "marie@example.be", "Boulange7!").await;
    server.stop();
    let password = folder.path().join("postgres");
    std::fs::write(&password, "not asked for\n").unwrap();
    // Here, the volume and the servers are elsewhere.
    for shape in ["embedded", "postgres", "kurrentdb"] {
        let file = text(deploy("move").join(shape).with_extension("toml"));
        let here = file
            .replace("/var/lib/loquet", data.to_str().unwrap())
            .replace("/run/secrets/postgres", password.to_str().unwrap())
            .replace("kurrentdb://kurrentdb:2113?tls=false", &kurrentdb.url())
            .replace("loquet@postgres/", &format!("postgres@127.0.0.1:{}/", postgres.port));
        std::fs::write(folder.path().join(shape), here).unwrap();
        // Each node of the shape has this data directory.
        let directory = file.lines().find_map(|line| line.strip_prefix("data_dir = ")).unwrap();
        let named = directory.trim_matches('"');
        let expected = match shape {
            "embedded" => instruction("ENV").replace('=', ": "),
            _ => text(deploy(&format!("compose.{shape}.yaml"))),
        };
        let setting = format!("LOQUET_DATA_DIR: {named}");
        let ends = |rest: &str| rest.starts_with(char::is_whitespace);
        assert!(expected.split(&setting).skip(1).any(ends), "{shape}: {named}");
    }
    for (from, to) in [("embedded", "postgres"), ("postgres", "kurrentdb")] {
        let mut copy = server.command();
        copy.args(["log", "copy", "--from"]).arg(folder.path().join(from));
        let said = run(copy.arg("--to").arg(folder.path().join(to)));
        assert!(said.contains("Both sides were read again, and are equal"), "{from} to {to}: {said}");
    }
    // The account's and the company's.
    let keys = "SELECT count(*) FROM loquet.account_keys";
    assert_eq!(postgres.sql(keys), "2");
}

/// Makes the secrets of the compose files, and changes the balancer's configuration so that it runs on this machine.
fn balancer(folder: &Path, listen: u16, nodes: [u16; 3]) -> std::path::PathBuf {
    run(Command::new(deploy("make-secrets")).arg(folder.join("secrets")));
    let mut configuration = text(deploy("balancer/haproxy.cfg"))
        .replace("/run/secrets", folder.join("secrets").to_str().unwrap())
        .replace("bind :8443", &format!("bind 127.0.0.1:{listen}"));
    for (number, port) in (1..).zip(nodes) {
        let (from, to) = (format!("loquet-{number}:8080"), format!("127.0.0.1:{port}"));
        assert!(configuration.contains(&from));
        configuration = configuration.replace(&from, &to);
    }
    let path = folder.join("haproxy.cfg");
    std::fs::write(&path, configuration).unwrap();
    path
}

#[tokio::test]
async fn the_balancer_asks_ready_nodes_only_and_tells_them_the_clients_address() {
    let name = "the_balancer_asks_ready_nodes_only_and_tells_them_the_clients_address";
    if !skip::unless_installed(name, "haproxy") || !skip::unless_installed(name, "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The limit of anonymous callers shows which address the node counts.
    let proxies = ["--http-trusted-proxies", "127.0.0.1", "--limits-strangers-burst", "3"];
    let mut server =
        Server::start_with(&[&proxies[..], &["--limits-strangers-per-second", "1"]].concat()).await;
    let (listen, nowhere) = (free_port(), free_port());
    let configuration = balancer(folder.path(), listen, [nowhere, server.port, nowhere]);
    let checked = Command::new("haproxy").args(["-c", "-f"]).arg(&configuration).output().unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success() && !said.contains("WARNING"), "{said}");
    let mut haproxy = Command::new("haproxy");
    haproxy.arg("-db").arg("-f").arg(&configuration).stdout(Stdio::null()).stderr(Stdio::null());
    let _balancer = Running(haproxy.spawn().unwrap());

    let certificate = std::fs::read(folder.path().join("secrets/tls.crt")).unwrap();
    let certificate = reqwest::Certificate::from_pem(&certificate).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).no_proxy().build().unwrap();
    let url = format!("https://localhost:{listen}");
    let status =
        async |path: &str| client.get(format!("{url}{path}")).send().await.map(|a| a.status().as_u16());
    let becomes = async |expected: u16| {
        for _ in 0..200 {
            if status("/favicon.ico").await.is_ok_and(|status| status == expected) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the balancer does not answer {expected}: {:?}", status("/favicon.ico").await);
    };
    becomes(200).await;
    for of_monitoring in ["/metrics", "/readyz", "/healthz"] {
        assert_eq!(status(of_monitoring).await.unwrap(), 404, "{of_monitoring}");
    }
    // A client that makes up addresses is still counted under its own.
    let login = async |n: u8| {
        let login = client.post(format!("{url}/v1/logins")).header("content-type", "application/json");
        let login = login.header("x-forwarded-for", format!("203.0.113.{n}"));
        let answer = login.body(r#"{"email":"nobody@example.be","password":"Boulange7!"}"#).send().await;
        answer.unwrap().status().as_u16()
    };
    let answers = futures_util::future::join_all((0..12).map(login)).await;
    assert!(answers.contains(&429), "a client that says it is twelve has the limits of twelve: {answers:?}");
    server.stop();
    becomes(503).await;
}

#[test]
fn secrets_that_exist_stay_and_only_their_owner_reaches_them() {
    let name = "secrets_that_exist_stay_and_only_their_owner_reaches_them";
    if !skip::unless_installed(name, "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    let make = || run(Command::new(deploy("make-secrets")).arg(&secrets));
    make();
    let mode = std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let (password, certificate) = (text(secrets.join("postgres")), text(secrets.join("tls.pem")));
    assert!(password.trim().len() == 48 && certificate.contains("PRIVATE KEY"));
    make();
    assert_eq!((text(secrets.join("postgres")), text(secrets.join("tls.pem"))), (password, certificate));
    assert_eq!(text(deploy(".gitignore")), "/secrets\n");
}
