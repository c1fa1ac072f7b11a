//! Wrong and right connections: each wrong one is told in words.

use std::process::Command;
use std::time::Duration;

use loquet_postgres::{Connection, Database, Identity, Part, Protection, Tls};
use loquet_projections::causes::Causes;
use loquet_tests::postgres_server::PostgresServer;
use loquet_tests::server::free_port;
use zeroize::Zeroizing;

async fn said(connection: &Connection) -> String {
    if let Err(error) = connection.check() {
        return Causes(&error).to_string();
    }
    match Database::new(connection).unwrap().prepare(Part::Main).await {
        Ok(()) => "it works".to_owned(),
        Err(error) => Causes(&error).to_string(),
    }
}

#[tokio::test]
async fn a_connection_that_can_not_work_is_told_in_words() {
    let name = "a_connection_that_can_not_work_is_told_in_words";
    let Some(server) = PostgresServer::start(name) else { return };
    server.sql("CREATE ROLE portal LOGIN PASSWORD 'right'");
    server.require_passwords();
    let port = server.port;
    let of = |url: String, password: Option<&str>| Connection {
        url,
        password: password.map(|password| Zeroizing::new(password.to_owned())),
        statement_timeout: Duration::from_secs(3),
        ..server.connection()
    };
    let at = |rest: &str| format!("postgresql://portal@127.0.0.1:{port}{rest}");
    let dead = free_port();
    for (connection, expected) in [
        (of("mysql://root@localhost/loquet".to_owned(), None), "is not a connection URI of PostgreSQL"),
        (of(at(""), None), "names no database"),
        (of(format!("postgresql://portal:secret@127.0.0.1:{port}/loquet"), None), "postgres.password_file"),
        (of(at("/loquet?no_such=1"), None), "no_such"),
        (of(at("/loquet"), None), "password"),
        (of(at("/loquet"), Some("wrong")), "password authentication failed"),
        (of(at("/nowhere"), Some("right")), "database \"nowhere\" does not exist"),
        (of(format!("postgresql://portal@127.0.0.1:{dead}/loquet"), Some("right")), "Connection refused"),
        // No name server is asked for a name with two dots in a row.
        (of("postgresql://portal@no..where/loquet".to_owned(), Some("right")), "lookup"),
        (of(at("/loquet"), Some("right")), "permission denied"),
    ] {
        let said = said(&connection).await;
        assert!(said.contains(expected), "{connection:?}: {said}");
        assert!(!said.contains("secret"), "the password is shown: {said}");
    }
}

/// With several hosts, the one that takes writes is used. So a new primary is found after a fail-over.
#[tokio::test]
async fn of_several_hosts_the_one_that_takes_writes_is_used() {
    let name = "of_several_hosts_the_one_that_takes_writes_is_used";
    let Some(primary) = PostgresServer::start(name) else { return };
    let Some(standby) = PostgresServer::start_with(name, "default_transaction_read_only = on") else {
        return;
    };
    let (dead, standby, primary_port) = (free_port(), standby.port, primary.port);
    let url = format!(
        "postgresql://postgres@127.0.0.1:{dead},127.0.0.1:{standby},127.0.0.1:{primary_port}/loquet?target_session_attrs=read-write"
    );
    let connection = Connection { url, ..primary.connection() };
    assert_eq!(said(&connection).await, "it works");
    assert_eq!(primary.sql("SELECT to_regclass('loquet.events') IS NOT NULL"), "t");
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// Makes an authority, a certificate for 127.0.0.1, and a client's certificate.
    fn make() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca");
        for (name, subject) in [("server", "/CN=127.0.0.1"), ("client", "/CN=postgres")] {
            files.run(&format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj {subject}"
            ));
            std::fs::write(files.folder.path().join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
            files.run(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out {name}.pem -extfile ext"
            ));
        }
        files
    }

    #[track_caller]
    fn run(&self, arguments: &str) {
        let ran =
            Command::new("openssl").args(arguments.split(' ')).current_dir(&self.folder).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }
}

#[tokio::test]
async fn tls_checks_the_server_and_shows_the_client() {
    let name = "tls_checks_the_server_and_shows_the_client";
    if !loquet_tests::skip::unless_installed(name, "openssl") {
        return;
    }
    let Some(server) = PostgresServer::start(name) else { return };
    let files = Files::make();
    server.require_certificates(&files.read("server.pem"), &files.read("server.key"), &files.read("ca.pem"));
    let identity =
        Identity { certificate: files.read("client.pem"), key: Zeroizing::new(files.read("client.key")) };
    let authorities = Some(files.read("ca.pem"));
    let with = |tls: Tls| Connection { protection: Protection::Tls(tls), ..server.connection() };
    let own = with(Tls { authorities: authorities.clone(), identity: Some(identity.clone()) });
    assert_eq!(said(&own).await, "it works");
    // The name in the certificate is not that of the host.
    let other = Connection { url: own.url.replace("127.0.0.1", "localhost"), ..own.clone() };
    for (connection, expected) in [
        (with(Tls { authorities: None, identity: Some(identity) }), "UnknownIssuer"),
        (with(Tls { authorities, identity: None }), "certificate"),
        (other, "localhost"),
        (with(Tls { authorities: Some(b"no certificate".to_vec()), identity: None }), "no certificate in it"),
        (server.connection(), "pg_hba.conf"),
    ] {
        let said = said(&connection).await;
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
