//! The table of all settings.

use clap::{Arg, Command};

use super::Kind;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file, with the section before the dot.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// `None` when the setting has no default.
    pub(crate) default: Option<&'static str>,
    /// The value that the sample shows when there is no default.
    pub(crate) example: &'static str,
    pub(crate) help: &'static str,
}

impl Setting {
    /// Returns the variable's name: `LOQUET_LOCKOUT_ATTEMPTS` for `lockout.attempts`.
    pub(crate) fn variable(&self) -> String {
        format!("LOQUET_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// Returns the flag's name: `--lockout-attempts` for `lockout.attempts`.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.key.replace(['.', '_'], "-"))
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// The settings that every command has as flags, because they say where the data is.
const EVERYWHERE: [&str; 2] = ["data_dir", "server_key_file"];

/// Adds the flags of a command that uses all settings. A secret has no flag: other users of the machine can see the
/// command line.
pub(crate) fn flags(command: Command) -> Command {
    let own = |setting: &&Setting| !setting.is_secret() && !EVERYWHERE.contains(&setting.key);
    SETTINGS.iter().filter(own).fold(command, |command, setting| command.arg(argument(setting)))
}

/// Adds the flags that every command has.
pub(crate) fn flags_everywhere(command: Command) -> Command {
    let everywhere = SETTINGS.iter().filter(|setting| EVERYWHERE.contains(&setting.key));
    everywhere.fold(command, |command, setting| command.arg(argument(setting).global(true)))
}

fn argument(setting: &'static Setting) -> Arg {
    let heading = match setting.key.split_once('.') {
        Some((section, _)) => format!("Settings: {section}"),
        None => "Settings".to_owned(),
    };
    let default = setting.default.map(|text| format!(" [default: {text}]")).unwrap_or_default();
    let help = format!("{} ({}) [{}]{default}", setting.help, setting.kind.range(), setting.variable());
    let flag = setting.flag();
    let argument = Arg::new(setting.key)
        .long(flag.trim_start_matches('-').to_owned())
        .value_name("VALUE")
        .allow_hyphen_values(true)
        // If a flag is given twice, the last one wins. So a script can override a flag of another script.
        .overrides_with(setting.key)
        .help(help)
        .help_heading(heading);
    match setting.key {
        "http.listen" => argument.visible_alias("listen"),
        _ => argument,
    }
}

const fn setting(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), example: "", help }
}

const fn unset(key: &'static str, kind: Kind, example: &'static str, help: &'static str) -> Setting {
    Setting { key, kind, default: None, example, help }
}

/// `default` has the rules that this program was made for. The others follow a standard.
const PROFILES: [&str; 3] = ["default", "nist", "pci"];
const SWITCH: Kind = Kind::Choice(&["on", "off"]);

/// The table. Within its bounds, no setting switches a protection off.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "data_dir",
        Kind::Path,
        "var",
        "The data directory: it contains the log, the keys and the read models",
    ),
    unset(
        "server_key_file",
        Kind::Path,
        "/etc/loquet/server.key",
        "The file of the server key. Default: server.key in the data directory",
    ),
    unset(
        "public_url",
        Kind::Url,
        "https://portal.example",
        "The public address of the server, to which links in mails lead. Required, except with --dev",
    ),
    setting("brand", Kind::Text, "MyCCV", "The product name that mails and pages show"),
    unset(
        "brand_colour",
        Kind::Colour,
        "#003366",
        "The colour of links, buttons and marks on the pages. On dark pages they have a lighter shade of it",
    ),
    unset(
        "brand_logo_file",
        Kind::Path,
        "/etc/loquet/logo.svg",
        "A PNG or SVG picture of at most 60,000 bytes, which every page shows at its top",
    ),
    setting("node", Kind::Text, "node-1", "The name of this machine in the log"),
    setting("time_zone", Kind::Zone, "Europe/Brussels", "The time zone of times in mails and answers"),
    unset(
        "support_contact",
        Kind::Text,
        "+32 2 555 01 23",
        "Where people reach support, as the pages say it: a telephone number, an e-mail address or a web address",
    ),
    setting(
        "store.engine",
        Kind::Choice(&["sqlite", "postgres", "kurrentdb"]),
        "sqlite",
        "Where the log is. sqlite: in the data directory of one machine. postgres: in PostgreSQL, with everything else that several nodes share. kurrentdb: in KurrentDB or EventStoreDB, with the rest in PostgreSQL",
    ),
    setting(
        "readiness.max_lag",
        Kind::Number(1, 1_000_000_000),
        "10000",
        "How many positions read models may be behind the log. A server whose read models are further behind is not ready. In KurrentDB a position is a byte of the log, and the default there is 10000000",
    ),
    unset(
        "postgres.url",
        Kind::Text,
        "postgresql://loquet@db-1.example,db-2.example/loquet?target_session_attrs=read-write",
        "The URI of the database, without a password. List all hosts: nodes use the first one that takes writes, and so find the new primary after a fail-over. Required, except with store.engine sqlite",
    ),
    unset(
        "postgres.keys_url",
        Kind::Text,
        "postgresql://loquet@keys.example/loquet_keys",
        "The connection URI of another database for the accounts' keys, so that its backups can be kept for a shorter time. Default: the database of postgres.url. The password and TLS settings are the same",
    ),
    unset(
        "postgres.password",
        Kind::Secret,
        "",
        "The password for the database. postgres.password_file is safer",
    ),
    unset(
        "postgres.password_file",
        Kind::Path,
        "/run/secrets/postgres",
        "A file that contains the password for the database",
    ),
    setting(
        "postgres.security",
        Kind::Choice(&["plaintext", "tls"]),
        "plaintext",
        "How connections to the database are protected. plaintext is for a server on this machine, or for a network that encrypts by itself",
    ),
    unset(
        "postgres.ca_file",
        Kind::Path,
        "/etc/loquet/postgres-ca.pem",
        "A PEM file with a certificate authority to trust for the database, in addition to those that browsers trust",
    ),
    unset(
        "postgres.certificate_file",
        Kind::Path,
        "/etc/loquet/postgres-client.pem",
        "A PEM file with the client certificate and its chain, for servers that ask for one",
    ),
    unset(
        "postgres.key_file",
        Kind::Path,
        "/run/secrets/postgres-client-key.pem",
        "A PEM file with the private key of postgres.certificate_file",
    ),
    setting(
        "postgres.connections",
        Kind::Number(4, 1000),
        "20",
        "The greatest number of connections that this node has open to each database",
    ),
    setting(
        "postgres.statement_timeout",
        Kind::Duration("1s", "5m"),
        "10s",
        "The longest time that a statement may take. A transaction that is idle for so long is ended too, so that a node that hangs does not block the others",
    ),
    unset(
        "kurrentdb.url",
        Kind::Text,
        "kurrentdb+discover://log.example:2113",
        "The connection string of KurrentDB or EventStoreDB, without a password. Required with store.engine kurrentdb",
    ),
    unset("kurrentdb.user", Kind::Text, "loquet", "The user name, if KurrentDB asks for one"),
    unset(
        "kurrentdb.password",
        Kind::Secret,
        "",
        "The password for KurrentDB. kurrentdb.password_file is safer",
    ),
    unset(
        "kurrentdb.password_file",
        Kind::Path,
        "/run/secrets/kurrentdb",
        "A file that contains the password for KurrentDB",
    ),
    unset(
        "kurrentdb.ca_file",
        Kind::Path,
        "/etc/loquet/kurrentdb-ca.pem",
        "A PEM file with the certificate authority that KurrentDB's certificates come from. Default: the system's authorities",
    ),
    unset(
        "kurrentdb.certificate_file",
        Kind::Path,
        "/etc/loquet/kurrentdb-client.pem",
        "A PEM file with the user certificate, for servers that ask for one",
    ),
    unset(
        "kurrentdb.key_file",
        Kind::Path,
        "/run/secrets/kurrentdb-client-key.pem",
        "A PEM file with the private key of kurrentdb.certificate_file",
    ),
    setting(
        "kurrentdb.stream_prefix",
        Kind::Text,
        "loquet-",
        "The beginning of the names of all streams of Loquet: 2 to 100 letters, digits, '.', '_' or '-', with '-' at the end. Two installations on one cluster need two prefixes. Never change it for a log that is in use",
    ),
    setting(
        "kurrentdb.deadline",
        Kind::Duration("500ms", "1m"),
        "5s",
        "How long an append, or the read of a stream, may take. After it, the request fails",
    ),
    setting(
        "http.listen",
        Kind::Listen,
        "127.0.0.1:8080",
        "The address and port on which the server listens",
    ),
    setting(
        "http.trusted_proxies",
        Kind::Networks,
        "",
        "Proxies whose X-Forwarded-For header is trusted. The header is ignored in requests from any other address",
    ),
    setting(
        "http.docs",
        SWITCH,
        "off",
        "Whether anybody can read and try the API at /docs, and its description at /openapi.json. Always on with --dev",
    ),
    setting(
        "http.connections",
        Kind::Number(16, 65_536),
        "4096",
        "The maximum number of open connections. Further connections wait",
    ),
    setting(
        "http.connections_per_address",
        Kind::Number(8, 65_536),
        "256",
        "The maximum number of open connections from one client address. Further connections are closed. Trusted proxies have no such limit. In IPv6, a /64 network counts as one address; a /48 network may have eight times as many connections, but at most half of http.connections",
    ),
    setting(
        "limits.requests_per_second",
        Kind::Number(1, 1_000_000),
        "200",
        "The number of requests that one client address may make in a second",
    ),
    setting(
        "limits.requests_burst",
        Kind::Number(1, 1_000_000),
        "400",
        "The number of requests that one client address may make at once after a pause",
    ),
    setting(
        "limits.strangers_per_second",
        Kind::Number(1, 100_000),
        "5",
        "The number of requests without a token (logins, password resets, links) that one client address may make in a second",
    ),
    setting(
        "limits.strangers_burst",
        Kind::Number(1, 100_000),
        "60",
        "The number of requests without a token that one client address may make at once after a pause",
    ),
    setting(
        "limits.all_strangers_per_second",
        Kind::Number(1, 1_000_000),
        "500",
        "The number of requests without a token (logins, password resets, links) in a second, from all client addresses together",
    ),
    setting(
        "limits.activation_mails_per_company",
        Kind::Number(5, 100_000),
        "100",
        "The number of activation mails per hour that the users of one company can cause on this node, by creating accounts or by sending the mail again. Mails that the supplier's staff, programs or orders cause are not counted",
    ),
    setting(
        "limits.event_streams",
        Kind::Number(1, 4096),
        "64",
        "The maximum number of open event streams. One token may have a quarter of them",
    ),
    setting(
        "lockout.profile",
        Kind::Choice(&PROFILES),
        "default",
        "Default values for this section's settings: default, nist or pci. A setting that is given explicitly wins. docs/profiles.md says which standard asks for what",
    ),
    setting(
        "lockout.attempts",
        Kind::Number(1, 100),
        "7",
        "The number of wrong logins in a row that locks an account. Profile pci: 10",
    ),
    setting(
        "lockout.duration",
        Kind::Duration("1s", "30d"),
        "15m",
        "The duration of a lockout. It must be at least 30s for each of lockout.attempts. Profile pci: 30m",
    ),
    setting(
        "lockout.cap",
        Kind::Number(0, 100),
        "0",
        "The number of wrong logins in a row, counted across lockouts, after which the lockout ends only with a new password or by support. 0 switches this off. Profile nist: 100",
    ),
    setting(
        "devices.trusted",
        Kind::Choice(&["on", "off"]),
        "on",
        "Trust browsers in which the owner has completed a login before: they can log in during a lockout that others caused. After lockout.attempts wrong logins in a row, such a browser is locked too",
    ),
    setting(
        "devices.lifetime",
        Kind::Duration("1d", "365d"),
        "180d",
        "How long a browser is trusted after a login",
    ),
    setting(
        "password.profile",
        Kind::Choice(&PROFILES),
        "default",
        "Default values for this section's settings: default, nist or pci. A setting that is given explicitly wins. docs/profiles.md says which standard asks for what",
    ),
    setting(
        "password.min_length",
        Kind::Number(8, 128),
        "8",
        "The minimum number of characters of a new password. Profile nist: 15, pci: 12",
    ),
    setting(
        "password.composition",
        Kind::Choice(&["required", "letters-and-digits", "free"]),
        "required",
        "The characters that a new password must contain. required: an upper-case letter, a lower-case letter, a digit and a special character. letters-and-digits: a letter and a digit. free: any characters. Profile nist: free, pci: letters-and-digits",
    ),
    setting(
        "password.history",
        Kind::Number(0, 10),
        "0",
        "The number of last passwords, the present one included, that an account can't choose again. Each one costs a hash when a password is changed. Profile pci: 4",
    ),
    setting(
        "password.blocklist",
        SWITCH,
        "off",
        "Refuse common passwords and passwords known from a breach: those in the built-in list and in password.blocklist_file. Profile nist: on",
    ),
    unset(
        "password.blocklist_file",
        Kind::Path,
        "/var/lib/loquet/breached.txt",
        "An additional list of refused passwords, of any size. Each line is a password, or a SHA-1 hash in the format of Have I Been Pwned. Sort the file with LC_ALL=C sort -f",
    ),
    setting(
        "password.context",
        SWITCH,
        "off",
        "Refuse a password that is little more than the person's name or e-mail address, the company's name, the brand or one of password.context_words. Profile nist: on",
    ),
    unset(
        "password.context_words",
        Kind::Text,
        "payment terminal, helpdesk",
        "Additional words for password.context, separated by commas",
    ),
    setting(
        "argon2.memory_kib",
        Kind::Number(7168, 1_048_576),
        "19456",
        "The memory of one password hash, in KiB. OWASP recommends 19456",
    ),
    setting(
        "argon2.passes",
        Kind::Number(1, 100),
        "2",
        "The number of passes of one password hash. The minimum follows OWASP: 1 with 47104 KiB of memory, 2 with 19456, 3 with 12288, 4 with 9216, 5 with 7168. With --dev there is no minimum",
    ),
    setting("links.activation", Kind::Duration("1h", "365d"), "90d", "How long an activation link is valid"),
    setting(
        "links.activation_mails_per_hour",
        Kind::Number(1, 100),
        "5",
        "The number of activation mails that the users of a company can request per hour for one account. Further requests are refused. The supplier's staff have a separate limit of the same size. One e-mail address is sent at most this number of activation mails per hour, from all its accounts together; further mails wait",
    ),
    setting("links.reset", Kind::Duration("5m", "1d"), "1h", "How long a password reset link is valid"),
    setting(
        "links.resets_per_hour",
        Kind::Number(1, 100),
        "5",
        "The number of password reset mails that can be requested per hour for one account. Further requests get the same answer, but no mail is sent. Mails that the supplier's staff send do not count",
    ),
    setting(
        "second_step.challenge",
        Kind::Duration("1m", "15m"),
        "5m",
        "After a right password, the time in which the second step must follow",
    ),
    setting(
        "second_step.enrolment",
        Kind::Duration("2m", "1h"),
        "15m",
        "After the secret of a second step was shown, the time in which a code must confirm it",
    ),
    setting("sessions.lifetime", Kind::Duration("5m", "30d"), "12h", "The maximum duration of a session"),
    setting(
        "sessions.idle",
        Kind::Duration("1m", "30d"),
        "2h",
        "A session ends when it was not used for this long",
    ),
    setting(
        "sessions.per_account",
        Kind::Number(1, 1000),
        "100",
        "The maximum number of sessions of an account. A further login ends the oldest session",
    ),
    unset(
        "smtp.host",
        Kind::Text,
        "mail.example",
        "The host name of the mail server. Required, except with --dev",
    ),
    unset(
        "smtp.port",
        Kind::Number(1, 65_535),
        "587",
        "The port of the mail server. Default: 587 with starttls, 465 with tls, 25 with none",
    ),
    setting(
        "smtp.security",
        Kind::Choice(&["starttls", "tls", "none"]),
        "starttls",
        "How the connection to the mail server is encrypted. Use none only for a mail server on this machine. A password is never sent to another machine unencrypted",
    ),
    unset("smtp.user", Kind::Text, "loquet", "The user name, if the mail server requires one"),
    unset("smtp.password", Kind::Secret, "", "The password for the mail server. smtp.password_file is safer"),
    unset(
        "smtp.password_file",
        Kind::Path,
        "/run/secrets/smtp",
        "A file that contains the password for the mail server",
    ),
    setting(
        "smtp.from",
        Kind::Mailbox,
        "no-reply@localhost.localdomain",
        "The sender of all mails. An address without a name gets the brand as its name",
    ),
    unset(
        "smtp.ca_file",
        Kind::Path,
        "/etc/loquet/ca.pem",
        "A PEM file with a certificate authority to trust for the mail server, in addition to the usual ones",
    ),
    setting(
        "smtp.timeout",
        Kind::Duration("1s", "10m"),
        "5m",
        "The time limit of one SMTP command. The greeting, and each 16 KiB of a message, count as one command. The answer to a whole message may always take 10m (RFC 5321, 4.5.3.2)",
    ),
    setting(
        "mail.connections",
        Kind::Number(1, 64),
        "4",
        "The number of connections to the mail server, each of which sends one mail at a time",
    ),
    setting(
        "mail.per_second",
        Kind::Number(1, 10_000),
        "20",
        "The maximum number of mails that are sent in a second",
    ),
    setting(
        "mail.give_up_after",
        Kind::Duration("1h", "30d"),
        "3d",
        "How long a refused mail is tried again before it is given up. The time in which the mail server accepts no mail at all does not count",
    ),
    setting(
        "events.source",
        Kind::Text,
        "/loquet",
        "The name of this installation in public events: the attribute source of CloudEvents, a URI reference. Every node needs the same value",
    ),
    unset(
        "events.accounts_personal_fields",
        Kind::Text,
        "email, given_name, family_name",
        "Personal data of accounts that is published in Kafka, in webhooks and in GET /v1/events?format=public. Field names, separated by commas. Without this setting, none is published",
    ),
    unset(
        "events.companies_personal_fields",
        Kind::Text,
        "enterprise_number, legal_name, trading_name, name, address",
        "Data of companies that can identify a person, such as a sole trader, and is published in Kafka, in webhooks and in GET /v1/events?format=public. Field names, separated by commas. Without this setting, none is published",
    ),
    unset(
        "kafka.brokers",
        Kind::Text,
        "kafka-1.example:9092, kafka-2.example:9092",
        "Addresses of some Kafka brokers, separated by commas. The client finds the others. Public events are published there. Without this setting, Kafka is not used",
    ),
    setting(
        "kafka.security",
        Kind::Choice(&["plaintext", "tls"]),
        "plaintext",
        "How connections to the brokers are protected. plaintext is for a broker on this machine, or for a network that encrypts by itself",
    ),
    unset(
        "kafka.ca_file",
        Kind::Path,
        "/etc/loquet/kafka-ca.pem",
        "A PEM file with the certificate authorities that brokers' certificates must come from. Without this setting, the system's authorities are trusted",
    ),
    unset(
        "kafka.certificate_file",
        Kind::Path,
        "/etc/loquet/kafka-client.pem",
        "A PEM file with the client certificate and its chain, for brokers that ask for one",
    ),
    unset(
        "kafka.key_file",
        Kind::Path,
        "/run/secrets/kafka-client-key.pem",
        "A PEM file with the private key of kafka.certificate_file",
    ),
    unset(
        "kafka.key_password_file",
        Kind::Path,
        "/run/secrets/kafka-client-key-password",
        "A file that contains the password of kafka.key_file, if the key is encrypted",
    ),
    setting(
        "kafka.sasl",
        Kind::Choice(&["none", "plain", "scram-sha-256", "scram-sha-512"]),
        "none",
        "How Loquet logs in to the brokers. plain shows the password to the broker, so it requires kafka.security tls, except for a broker on this machine",
    ),
    unset("kafka.user", Kind::Text, "loquet", "The user name for kafka.sasl"),
    unset("kafka.password", Kind::Secret, "", "The password for kafka.sasl. kafka.password_file is safer"),
    unset(
        "kafka.password_file",
        Kind::Path,
        "/run/secrets/kafka",
        "A file that contains the password for kafka.sasl",
    ),
    setting(
        "kafka.accounts_topic",
        Kind::Text,
        "loquet.accounts.v1",
        "The topic for the events of accounts. Its key is the id of the account",
    ),
    setting(
        "kafka.companies_topic",
        Kind::Text,
        "loquet.companies.v1",
        "The topic for the events of companies. Its key is the id of the company, or of the take-over",
    ),
    setting(
        "kafka.positions_topic",
        Kind::Text,
        "loquet.positions.v1",
        "The compacted topic in which publishers write how far they are. It has one partition",
    ),
    setting(
        "kafka.topics",
        Kind::Choice(&["create", "check"]),
        "create",
        "What to do with topics that do not exist. create: create them. check: stop, and say which are missing",
    ),
    setting(
        "kafka.partitions",
        Kind::Number(1, 1000),
        "12",
        "The number of partitions of a topic of events that Loquet creates. More partitions allow more consumers at once. Never change the number of a topic that is in use",
    ),
    unset(
        "kafka.replication",
        Kind::Number(1, 15),
        "3",
        "The number of copies of a topic that Loquet creates. Default: the cluster's own default",
    ),
    setting(
        "kafka.transactional_id",
        Kind::Text,
        "loquet-publisher",
        "The name under which events are published. Every node of one installation has the same name, so that one of them publishes at a time. Two installations need two names",
    ),
    setting(
        "kafka.compression",
        Kind::Choice(&["none", "gzip", "snappy", "lz4", "zstd"]),
        "lz4",
        "How records are compressed",
    ),
    setting(
        "kafka.format",
        Kind::Choice(&["binary", "structured"]),
        "binary",
        "How a CloudEvent is written in a record. binary: its attributes are headers, and its data is the value. structured: the value is a JSON object with all attributes",
    ),
    setting(
        "kafka.batch",
        Kind::Number(1, 10_000),
        "1000",
        "The number of events in one transaction, while many wait",
    ),
    setting(
        "kafka.interval",
        Kind::Duration("0s", "10s"),
        "10ms",
        "The shortest time between the beginnings of two transactions. Events of this time go together, which costs less. After a quiet time, an event does not wait",
    ),
    unset(
        "kafka.orders_topic",
        Kind::Text,
        "loquet.orders.v1",
        "The topic from which orders are taken. Each record is an order, in the format of POST /v1/orders. Use the company's number as key, so that its orders are taken one after the other. Without this setting, no orders are taken from Kafka",
    ),
    setting("kafka.orders_group", Kind::Text, "loquet-orders", "The consumer group that takes orders"),
    setting(
        "kafka.dead_letters_topic",
        Kind::Text,
        "loquet.orders.dead-letters.v1",
        "The compacted topic of orders that can't be taken. It contains the original orders with their personal data",
    ),
    unset(
        "webhooks.allowed_networks",
        Kind::Networks,
        "10.1.0.0/16",
        "Networks of your own to which webhooks may lead, also over http. Without this setting, events are sent over https to public addresses only",
    ),
    setting(
        "proof.every",
        Kind::Duration("10s", "1d"),
        "5m",
        "How often a checkpoint of the log is signed, if there are new events",
    ),
    unset(
        "proof.copy_to",
        Kind::Path,
        "/mnt/audit/checkpoints.jsonl",
        "A file on another machine's disk to which each checkpoint is added too. Who changes the log later can't change this copy. Without this setting, checkpoints are in the data directory alone",
    ),
    unset(
        "proof.mail_to",
        Kind::Mailbox,
        "audit@example.com",
        "A mailbox that gets the newest checkpoint at intervals. Whoever keeps the mails can tell later whether the log was changed. Without this setting, no checkpoints are mailed",
    ),
    setting(
        "proof.mail_every",
        Kind::Duration("1m", "90d"),
        "1d",
        "How often proof.mail_to gets a mail, if there are new events",
    ),
    unset(
        "proof.topic",
        Kind::Text,
        "loquet.checkpoints.v1",
        "A Kafka topic to which each checkpoint is written. It takes kafka.brokers. Without this setting, no checkpoints are written to Kafka",
    ),
    unset(
        "proof.witnesses",
        Kind::Text,
        "witness.example+a50367b6+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY https://witness.example/prefix",
        "Witnesses that sign checkpoints too (C2SP tlog-witness), separated by commas: the public key of each, a space, and its URL. A witness signs only a log that still begins with what it saw before. Without this setting, no witness is asked",
    ),
    setting(
        "projections.verify_every",
        Kind::Duration("0s", "90d"),
        "1d",
        "How often the read models are compared with the log beside the server, which reads the whole log. 0s means never",
    ),
    setting(
        "projections.snapshot_every",
        Kind::Number(0, 1_000_000_000),
        "250000",
        "A snapshot of the read models is kept after so many events, so that questions about the past are answered sooner. 0 means no snapshots",
    ),
    setting(
        "projections.snapshots",
        Kind::Number(1, 1000),
        "10",
        "The most snapshots of the read models that are kept. Each takes about as much space as views.db. On a long log they are further apart",
    ),
    setting("log.format", Kind::Choice(&["text", "json"]), "text", "The format of the program's own log"),
    setting("log.filter", Kind::Filter, "info", "The levels of the program's own log that are written"),
    unset(
        "metrics.listen",
        Kind::Listen,
        "127.0.0.1:9464",
        "An address and port that serve /metrics without a token to anybody who can connect. Without this setting, /metrics is served on http.listen and requires a token",
    ),
    unset(
        "tracing.otlp_endpoint",
        Kind::Url,
        "http://127.0.0.1:4318/v1/traces",
        "The URL to which OpenTelemetry traces are sent, over OTLP/HTTP. Without this setting, no traces are sent",
    ),
    setting("tracing.share", Kind::Share, "0.1", "The share of requests that are traced: 0.1 is one in ten"),
];
