//! TLS, user certificates, and users with passwords.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loquet_domain::ports::{EventStore, Revision};
use loquet_event_store_server::{Options, Tls, User};
use loquet_kurrentdb::{Connection, KurrentStore};
use loquet_tests::kurrentdb_server::KurrentServer;
use loquet_tests::skip;

use crate::world::{event, open, stream};

/// An authority, and a certificate that it issued for 127.0.0.1.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn make(test: &str) -> Option<Self> {
        if !skip::unless_installed(test, "openssl") {
            return None;
        }
        let made = Self { folder: tempfile::tempdir().unwrap() };
        made.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
        made.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=admin -keyout one.key -out one.csr");
        std::fs::write(made.file("extensions"), "subjectAltName=IP:127.0.0.1").unwrap();
        made.openssl(
            "x509 -req -in one.csr -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out one.pem",
        );
        Some(made)
    }

    #[track_caller]
    fn openssl(&self, arguments: &str) {
        let ran =
            Command::new("openssl").args(arguments.split(' ')).current_dir(&self.folder).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn tls(&self, clients: bool) -> Tls {
        let clients_authority = clients.then(|| self.text("ca.pem"));
        Tls { certificate: self.text("one.pem"), key: self.text("one.key"), clients_authority }
    }
}

async fn refusal(connection: &Connection) -> String {
    let hasty = Connection { deadline: Duration::from_millis(500), ..connection.clone() };
    KurrentStore::open(&hasty).await.map(drop).unwrap_err().to_string()
}

fn password(text: &str) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked_and_a_wrong_setting_is_named() {
    let test = "kurrentdb_tls";
    let Some(certificates) = Certificates::make(test) else { return };
    let options = Options { ports: vec![0; 3], tls: Some(certificates.tls(false)), ..Options::default() };
    let Some(mut server) = KurrentServer::start(test, options) else { return };
    let trusting = Connection { ca_file: Some(certificates.file("ca.pem")), ..server.connection() };
    let store = open(&trusting).await;
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    server.ours().elect(1);
    store.append(&stream("a"), Revision(1), vec![event(2)]).await.unwrap();
    let untrusting = refusal(&server.connection()).await;
    assert!(untrusting.contains("can't be reached"), "{untrusting}");
    let one = format!("esdb://127.0.0.1:{}", server.ours().port(0));
    let untrusting = refusal(&Connection::to(&one)).await;
    assert!(untrusting.contains("not trusted"), "{untrusting}");
    let plain = refusal(&Connection::to(&format!("{one}?tls=false"))).await;
    assert!(plain.contains("take tls=false out"), "{plain}");
    let nobody = refusal(&Connection::to("esdb://127.0.0.1:1?tls=false")).await;
    assert!(nobody.contains("127.0.0.1:1: Connection refused"), "{nobody}");
    let broken = Connection { ca_file: Some(certificates.file("one.csr")), ..server.connection() };
    assert!(refusal(&broken).await.contains("one.csr"));
    let missing = Connection { ca_file: Some(Path::new("/nowhere.pem").to_owned()), ..server.connection() };
    assert!(refusal(&missing).await.contains("/nowhere.pem"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_certificate_lets_in_where_the_server_asks_for_one() {
    let test = "kurrentdb_user_certificate";
    let Some(certificates) = Certificates::make(test) else { return };
    let options = Options { tls: Some(certificates.tls(true)), ..Options::default() };
    let Some(server) = KurrentServer::start(test, options) else { return };
    let without = Connection { ca_file: Some(certificates.file("ca.pem")), ..server.connection() };
    let with = Connection {
        certificate_file: Some(certificates.file("one.pem")),
        key_file: Some(certificates.file("one.key")),
        ..without.clone()
    };
    let store = open(&with).await;
    store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    refusal(&without).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_in_however_it_is_written_and_is_shown_nowhere() {
    let test = "kurrentdb_users";
    let secret = "p@ss:w/örd%?";
    let users = vec![User { name: "loquet".to_owned(), password: secret.to_owned() }];
    let Some(mut server) = KurrentServer::start(test, Options { users, ..Options::default() }) else {
        return;
    };
    let port = server.ours().port(0);
    let set = Connection {
        user: Some("loquet".to_owned()),
        password: Some(password(secret)),
        ..server.connection()
    };
    let in_url = "p%40ss%3Aw%2F%C3%B6rd%25%3F";
    let in_url = Connection::to(&format!("esdb://loquet:{in_url}@127.0.0.1:{port}?tls=false"));
    for (n, connection) in (0..).zip([set.clone(), in_url]) {
        let store = open(&connection).await;
        store.append(&stream("a"), Revision(n), vec![event(u128::from(n) + 1)]).await.unwrap();
        store.decoy().await.unwrap();
    }
    for wrong in [server.connection(), Connection { password: Some(password("guess")), ..set }] {
        let refused = refusal(&wrong).await;
        assert!(refused.contains("Check user and password") && !refused.contains("guess"), "{refused}");
    }
}
