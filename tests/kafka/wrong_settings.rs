//! Settings of the connection that are wrong in every way. Each is told in words that say what to do.

use std::net::TcpListener;
use std::time::Duration;

use futures_util::StreamExt;
use loquet_domain::ports::Position;
use loquet_kafka::{
    Connection, Identity, Mechanism, MissingTopics, Protection, Publishing, Sasl, Tls, set_position,
};
use loquet_memory::event_store::MemoryStore;
use loquet_public_events::Mode;
use loquet_tests::kafka_broker::{Broker, Extra};
use loquet_tests::server::free_port;

use crate::certificates::Certificates;

const USER: &str = "loquet";
const PASSWORD: &str = "right";
/// How many connections are tried at once.
const AT_ONCE: usize = 12;

/// A broker with every kind of listener.
struct World {
    broker: Broker,
    certificates: Certificates,
    tls: u16,
    mutual: u16,
    login: u16,
    tls_login: u16,
    elsewhere: u16,
    /// A port that accepts connections and never answers.
    silent: TcpListener,
}

impl World {
    fn start(test: &str) -> Option<Self> {
        let certificates = Certificates::make();
        let [tls, mutual, login, tls_login, elsewhere] = [(); 5].map(|()| free_port());
        let store = |listener: &str, name: &str| {
            let file = certificates.file(&format!("{name}-store.pem"));
            vec![
                format!("listener.name.{listener}.ssl.keystore.type=PEM"),
                format!("listener.name.{listener}.ssl.keystore.location={}", file.display()),
            ]
        };
        let mut lines = [
            store("tls", "server"),
            store("mtls", "server"),
            store("tlslogin", "server"),
            store("elsewhere", "elsewhere"),
        ]
        .concat();
        lines.extend([
            "listener.name.mtls.ssl.client.auth=required".to_owned(),
            "listener.name.mtls.ssl.truststore.type=PEM".to_owned(),
            format!("listener.name.mtls.ssl.truststore.location={}", certificates.file("ca.pem").display()),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512".to_owned(),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
            // The tests' own tools come without a login. Users of the listeners have what they are allowed.
            "super.users=User:ANONYMOUS;User:CN=client".to_owned(),
        ]);
        for listener in ["login", "tlslogin"] {
            lines.push(format!(
                "listener.name.{listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\" user_nobody=\"{PASSWORD}\" user_reader=\"{PASSWORD}\" user_topics=\"{PASSWORD}\";"
            ));
            lines.push(format!("listener.name.{listener}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"));
        }
        let at = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
        let extra = Extra {
            listeners: vec![
                at("TLS", tls),
                at("MTLS", mutual),
                at("LOGIN", login),
                at("TLSLOGIN", tls_login),
                at("ELSEWHERE", elsewhere),
            ],
            lines,
            format: vec![
                "--add-scram".to_owned(),
                format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]"),
            ],
        };
        let broker = Broker::start_with(test, &extra)?;
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        Some(Self { broker, certificates, tls, mutual, login, tls_login, elsewhere, silent })
    }

    fn tls(&self) -> Protection {
        Protection::Tls(Tls { authorities: Some(self.certificates.text("ca.pem")), identity: None })
    }

    fn tls_of(&self, authority: Option<&str>, identity: Option<(&str, &str)>) -> Protection {
        let identity = identity.map(|(certificate, key)| Identity {
            certificate: self.certificates.text(certificate),
            key: self.certificates.text(key),
            key_password: None,
        });
        Protection::Tls(Tls { authorities: authority.map(|name| self.certificates.text(name)), identity })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a connection takes it so")]
fn login(mechanism: Mechanism, user: &str, password: &str) -> Option<Sasl> {
    Some(Sasl { mechanism, user: user.to_owned(), password: password.to_owned() })
}

fn connect(port: u16, protection: Protection, sasl: Option<Sasl>) -> Connection {
    to(format!("127.0.0.1:{port}"), protection, sasl)
}

fn to(brokers: String, protection: Protection, sasl: Option<Sasl>) -> Connection {
    Connection { brokers, protection, sasl, client_id: "loquet-test".to_owned() }
}

fn publishing(missing: MissingTopics) -> Publishing {
    Publishing {
        accounts_topic: "loquet.accounts.v1".to_owned(),
        companies_topic: "loquet.companies.v1".to_owned(),
        positions_topic: "loquet.positions.v1".to_owned(),
        transactional_id: "loquet-publisher".to_owned(),
        missing,
        compression: "lz4".to_owned(),
        mode: Mode::Binary,
        batch: 100,
        interval: Duration::ZERO,
    }
}

/// Does everything that a publisher does, and returns what it says.
async fn try_it(connection: &Connection) -> Result<(), String> {
    let publishing = publishing(MissingTopics::Create { partitions: 1, replication: None });
    let store = MemoryStore::default();
    connection.check()?;
    set_position(&store, connection, &publishing, Position(0)).await.map_err(|trouble| trouble.to_string())
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a list of what can be wrong")]
async fn a_hundred_wrong_connections_are_each_told_in_words_that_say_what_to_do() {
    let name = "a_hundred_wrong_connections_are_each_told_in_words_that_say_what_to_do";
    let Some(world) = World::start(name) else { return };
    let (plain, scram) = (Mechanism::Plain, Mechanism::ScramSha512);
    let right = |mechanism| login(mechanism, USER, PASSWORD);
    let all = [
        "topic:loquet.accounts.v1",
        "topic:loquet.companies.v1",
        "topic:loquet.positions.v1",
        "transactional_id:loquet-publisher",
    ];
    let may = |operations: &[&str]| -> Vec<String> {
        all.iter()
            .flat_map(|of| operations.iter().map(move |operation| format!("{of}:{operation}")))
            .collect()
    };
    let allow = |user: &str, rules: Vec<String>| {
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        world.broker.admin(&[&["allow", user], rules.as_slice()].concat());
    };
    allow(USER, may(&["describe", "write"]));
    allow(
        USER,
        all[..3].iter().flat_map(|of| [format!("{of}:describe_configs"), format!("{of}:read")]).collect(),
    );
    allow(USER, vec!["broker:kafka-cluster:create".to_owned()]);
    // What is right works. So what follows fails for its own reason.
    let with_certificate = world.tls_of(Some("ca.pem"), Some(("client.pem", "client.key")));
    for (what, connection) in [
        ("plain", connect(world.broker.port, Protection::Plaintext, None)),
        ("TLS with a certificate", connect(world.mutual, with_certificate.clone(), None)),
        ("PLAIN", connect(world.login, Protection::Plaintext, right(plain))),
        ("SCRAM", connect(world.login, Protection::Plaintext, right(scram))),
        ("SCRAM over TLS", connect(world.tls_login, world.tls(), right(scram))),
        ("PLAIN over TLS", connect(world.tls_login, world.tls(), right(plain))),
    ] {
        assert_eq!(try_it(&connection).await, Ok(()), "{what}");
    }
    // A user who may see the topics, but not write. One who may write, but not under this transactional id.
    allow(
        "reader",
        all[..3].iter().flat_map(|of| [format!("{of}:describe"), format!("{of}:describe_configs")]).collect(),
    );
    allow(
        "topics",
        all[..3]
            .iter()
            .flat_map(|of| {
                ["describe", "describe_configs", "write", "read"].map(|operation| format!("{of}:{operation}"))
            })
            .collect(),
    );
    let mut wrong: Vec<(String, Connection, &str)> = Vec::new();
    let listeners = [
        ("plaintext", world.broker.port, Protection::Plaintext, None),
        ("TLS", world.tls, world.tls(), None),
        ("mutual TLS", world.mutual, with_certificate.clone(), None),
        ("PLAIN", world.login, Protection::Plaintext, right(plain)),
        ("SCRAM", world.login, Protection::Plaintext, right(scram)),
        ("PLAIN over TLS", world.tls_login, world.tls(), right(plain)),
        ("SCRAM over TLS", world.tls_login, world.tls(), right(scram)),
    ];
    for (kind, _, protection, sasl) in &listeners {
        let mut add = |what: &str, brokers: String, words| {
            wrong.push((format!("{kind}: {what}"), to(brokers, protection.clone(), sasl.clone()), words));
        };
        // No name server is asked for a name with two dots in a row.
        add("unknown host", "no..such..host:9092".to_owned(), "The host name in kafka.brokers");
        add("two unknown hosts", "a..b:1,c..d:2".to_owned(), "The host name in kafka.brokers");
        add("closed port", format!("127.0.0.1:{}", free_port()), "No broker listens there");
        add("closed port of ::1", format!("[::1]:{}", free_port()), "No broker listens there");
        add("silence", world.silent.local_addr().unwrap().to_string(), "does not answer");
    }
    let mut add =
        |what: &str, connection: Connection, words| wrong.push((what.to_owned(), connection, words));
    for (kind, port, protection, sasl) in &listeners {
        match protection {
            Protection::Tls(_) => {
                add(&format!("{kind}: no TLS"), connect(*port, Protection::Plaintext, sasl.clone()), "TLS");
                let unknown = world.tls_of(Some("other-ca.pem"), None);
                add(
                    &format!("{kind}: another authority"),
                    connect(*port, unknown, sasl.clone()),
                    "is not trusted, or is for another name",
                );
                let system = world.tls_of(None, None);
                add(
                    &format!("{kind}: the system's authorities"),
                    connect(*port, system, sasl.clone()),
                    "is not trusted, or is for another name",
                );
            }
            Protection::Plaintext => {
                add(&format!("{kind}: TLS"), connect(*port, world.tls(), sasl.clone()), "does not speak TLS");
                let client = with_certificate.clone();
                add(
                    &format!("{kind}: TLS with a certificate"),
                    connect(*port, client, sasl.clone()),
                    "does not speak TLS",
                );
            }
        }
        let Some(Sasl { mechanism, .. }) = sasl else {
            for mechanism in [plain, scram] {
                add(
                    &format!("{kind}: a login where none is"),
                    connect(*port, protection.clone(), right(mechanism)),
                    "kafka.sasl",
                );
            }
            continue;
        };
        for (user, password) in
            [(USER, "wrong"), (USER, "Right"), ("unknown", PASSWORD), ("Loquet", PASSWORD), (PASSWORD, USER)]
        {
            let sasl = login(*mechanism, user, password);
            add(
                &format!("{kind}: {user}/{password}"),
                connect(*port, protection.clone(), sasl),
                "refuses the login",
            );
        }
        add(&format!("{kind}: no login"), connect(*port, protection.clone(), None), "kafka.sasl");
        let other = login(Mechanism::ScramSha256, USER, PASSWORD);
        add(
            &format!("{kind}: a mechanism that is not offered"),
            connect(*port, protection.clone(), other),
            "does not offer this login",
        );
    }
    add(
        "mutual TLS: no certificate",
        connect(world.mutual, world.tls(), None),
        "does not accept this client's certificate",
    );
    let foreign = world.tls_of(Some("ca.pem"), Some(("foreign.pem", "foreign.key")));
    add(
        "mutual TLS: a certificate of another authority",
        connect(world.mutual, foreign, None),
        "does not accept this client's certificate",
    );
    add(
        "TLS: another name",
        connect(world.elsewhere, world.tls(), None),
        "is not trusted, or is for another name",
    );
    let mixed = world.tls_of(Some("ca.pem"), Some(("client.pem", "foreign.key")));
    add("a key of another certificate", connect(world.mutual, mixed, None), "ssl.key.pem");
    let no_authority =
        Protection::Tls(Tls { authorities: Some("no certificate".to_owned()), identity: None });
    add("an authority that is none", connect(world.tls, no_authority, None), "ssl.ca.pem");
    for (what, key, key_password) in [
        ("no key at all", "no key".to_owned(), None),
        ("a locked key without password", world.certificates.text("locked.key"), None),
        (
            "a locked key with a wrong password",
            world.certificates.text("locked.key"),
            Some("wrong".to_owned()),
        ),
    ] {
        let identity =
            Some(Identity { certificate: world.certificates.text("client.pem"), key, key_password });
        let tls = Protection::Tls(Tls { authorities: Some(world.certificates.text("ca.pem")), identity });
        add(what, connect(world.mutual, tls, None), "ssl.key.pem");
    }
    for (user, words) in
        [("nobody", "allow Describe"), ("reader", "may not use"), ("topics", "kafka.transactional_id")]
    {
        for (kind, port, protection) in
            [("PLAIN", world.login, Protection::Plaintext), ("PLAIN over TLS", world.tls_login, world.tls())]
        {
            add(
                &format!("{kind}: what {user} may do"),
                connect(port, protection, login(plain, user, PASSWORD)),
                words,
            );
        }
    }
    let count = wrong.len();
    // A hundred clients at once would make the broker too slow to say what is wrong.
    let tried = futures_util::stream::iter(wrong).map(|(what, connection, words)| async move {
        match try_it(&connection).await {
            Ok(()) => Some(format!("{what}: it works")),
            Err(said) => {
                let tells_a_secret = said.contains(PASSWORD) && !said.contains("right name");
                let fits = said.contains(words) && !tells_a_secret;
                (!fits).then(|| format!("{what}: '{words}' is not in: {said}"))
            }
        }
    });
    let lacking: Vec<String> = tried.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    assert!(count >= 100, "only {count}");
    assert!(lacking.is_empty(), "{} of {count}:\n{}", lacking.len(), lacking.join("\n"));
}
