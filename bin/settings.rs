//! The values of the configuration as types, and the checks that involve more than one value.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use ipnet::IpNet;
use loquet_credentials::password_blocklist::{BlocklistFile, PasswordBlocklist};
use loquet_credentials::password_hasher::Cost;
use loquet_domain::Moment;
use loquet_domain::policies::Policies;
use loquet_domain::policies::lockout::LockoutPolicy;
use loquet_domain::policies::password_policy::{
    Blocklisted, Composition, Context as ContextRule, PasswordPolicy,
};
use loquet_files::{give_as_its_directory, snapshot_file};
use loquet_http::{Branding, Connections, Limits, Rate};
use loquet_mail::smtp::{Security, SmtpSettings};
use loquet_projections::causes::Causes;
use loquet_projections::mail::Sending;
use loquet_proof::witness::Witness;
use loquet_public_events::{Contract, PersonalFields, Topic};
use loquet_webhooks::Guard;

use crate::cli::DataDirectory;
use crate::config::secret_files::{file, password};
use crate::config::{Config, Held, networks};
use crate::engine::Engine;
use crate::kafka::{self, Checkpoints, KafkaSettings};
use crate::mode::Mode;
use crate::protections;

/// The longest password that is accepted, in characters.
const MOST_CHARACTERS: usize = 1024;

/// The settings of the server.
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// The beginning of every link: scheme and host, without a trailing slash.
    pub(crate) public_url: String,
    pub(crate) brand: String,
    pub(crate) branding: Arc<Branding>,
    pub(crate) node: String,
    pub(crate) time_zone: chrono_tz::Tz,
    pub(crate) support_contact: Option<String>,
    /// Whether anybody can read the description of the API.
    pub(crate) docs: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) connections: Connections,
    pub(crate) limits: Limits,
    /// The most activation mails that the users of one company cause in an hour.
    pub(crate) mails_per_company: usize,
    pub(crate) policies: Policies,
    pub(crate) blocklist: PasswordBlocklist,
    pub(crate) cost: Cost,
    pub(crate) from: String,
    /// `None` with `--dev` if no mail server is configured.
    pub(crate) smtp: Option<SmtpSettings>,
    pub(crate) sending: Sending,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) contract: Contract,
    /// How far read models of a server that is ready may be behind the log, in positions.
    pub(crate) max_lag: u64,
    pub(crate) proof: ProofSettings,
    /// How often the read models are compared with the log. Zero: never.
    pub(crate) verify_every: Duration,
    /// The fewest events between two snapshots of the read models, and the most snapshots.
    pub(crate) snapshots: (u64, usize),
    /// Where webhooks may lead.
    pub(crate) guard: Guard,
    /// `None` if no broker is configured.
    pub(crate) kafka: Option<KafkaSettings>,
}

/// The settings of the program's log and traces.
pub(crate) struct Logging {
    pub(crate) json: bool,
    pub(crate) filter: String,
    /// The address that traces are sent to, and the share of requests that are traced.
    pub(crate) traces: Option<(String, f64)>,
}

/// The file that says when the last backup ended well.
const LAST_BACKUP: &str = "last-backup.json";

impl DataDirectory {
    /// Reads the paths from the configuration.
    pub(crate) fn of(config: &mut Config) -> Self {
        let engine = Engine::of(config);
        Self {
            engine,
            as_of: None,
            data_dir: config.text("data_dir").unwrap_or("var").into(),
            server_key_file: config.text("server_key_file").map(PathBuf::from),
        }
    }

    /// When the last backup of this directory ended well. `None`: none is known.
    pub(crate) fn last_backup(&self) -> Option<Moment> {
        snapshot_file::load::<Option<Moment>>(&self.file(LAST_BACKUP))
    }

    /// Notes that a backup of this directory ended well.
    pub(crate) fn note_backup(&self, at: Moment) -> std::io::Result<()> {
        snapshot_file::save(&self.file(LAST_BACKUP), &Some(at))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.server_key_file.clone().unwrap_or_else(|| self.file("server.key"))
    }

    /// Whether no server has run on these data yet, and no token was made for it.
    pub(crate) fn is_unused(&self) -> bool {
        let is_embedded = matches!(self.engine, Engine::Sqlite);
        is_embedded && !["log.db", "tokens.db"].iter().any(|name| self.file(name).exists())
    }

    /// Makes the data directory. Only its owner can read it.
    pub(crate) fn make_folder(&self) -> anyhow::Result<()> {
        let folder = &self.data_dir;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        if self.is_open_to_others() {
            tracing::warn!(folder = %folder.display(), "other users of this machine can read the data directory: chmod 700");
        }
        let is_new = !folder.exists();
        let made = builder.create(folder).and_then(|()| match is_new {
            // Root may make it for a server that runs as another user.
            true => give_as_its_directory(&File::open(folder)?, folder),
            false => Ok(()),
        });
        made.with_context(|| {
            format!("can't create the data directory {}: choose another with --data-dir", folder.display())
        })
    }

    /// Returns whether other users of this machine can read the data directory.
    pub(crate) fn is_open_to_others(&self) -> bool {
        let mode =
            |metadata: std::fs::Metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        std::fs::metadata(&self.data_dir).is_ok_and(|held| mode(held) & 0o077 != 0)
    }
}

impl Logging {
    pub(crate) fn of(config: &Config) -> Self {
        let share = config.parsed("tracing.share").unwrap_or(0.1);
        Self {
            json: config.text("log.format") == Some("json"),
            filter: config.text("log.filter").unwrap_or("info").to_owned(),
            traces: config.text("tracing.otlp_endpoint").map(|endpoint| (endpoint.to_owned(), share)),
        }
    }
}

impl Settings {
    /// Converts the configuration into types. Returns `None` if a setting is wrong; the configuration then
    /// holds all faults.
    pub(crate) fn of(config: &mut Config, mode: Mode) -> Option<Self> {
        let public_url = public_url(config, mode);
        let smtp = smtp(config, mode);
        let policies = policies(config);
        let blocklist = blocklist(config);
        let contract = contract(config);
        let branding = branding(config);
        let kafka = kafka::settings(config);
        let proof = proof_settings(config, kafka.as_ref());
        protections::check(config, mode);
        if !config.faults.is_empty() {
            return None;
        }
        let trusted_proxies = networks(config.text("http.trusted_proxies")?).ok()?;
        Some(Self {
            mode,
            public_url: public_url?,
            brand: config.text("brand")?.to_owned(),
            branding: Arc::new(branding?),
            node: config.text("node")?.to_owned(),
            time_zone: config.parsed("time_zone")?,
            support_contact: config.text("support_contact").map(ToOwned::to_owned),
            docs: mode == Mode::Development || config.text("http.docs") == Some("on"),
            listen: config.parsed("http.listen")?,
            trusted_proxies: trusted_proxies.clone(),
            connections: Connections {
                most: config.parsed("http.connections")?,
                most_per_address: config.parsed("http.connections_per_address")?,
                trusted_proxies,
                patience: Connections::PATIENCE,
            },
            limits: limits(config)?,
            mails_per_company: config.parsed("limits.activation_mails_per_company")?,
            policies: policies?,
            blocklist,
            cost: Cost {
                memory_kib: config.parsed("argon2.memory_kib")?,
                passes: config.parsed("argon2.passes")?,
                lanes: 1,
            },
            from: sender(config)?,
            smtp,
            sending: Sending {
                at_once: config.parsed("mail.connections")?,
                per_second: config.parsed("mail.per_second")?,
                give_up_after: time_delta(config, "mail.give_up_after")?,
            },
            metrics_listen: config.parsed("metrics.listen"),
            contract: contract?,
            max_lag: max_lag(config)?,
            proof: proof?,
            verify_every: config.duration("projections.verify_every")?,
            snapshots: (
                config.parsed("projections.snapshot_every")?,
                config.parsed("projections.snapshots")?,
            ),
            guard: guard(config)?,
            kafka,
        })
    }
}

/// The proof of the log, and the places outside the data directory that checkpoints are sent to.
#[derive(Clone)]
pub(crate) struct ProofSettings {
    /// How often a checkpoint of the log is signed.
    pub(crate) every: Duration,
    /// A file.
    pub(crate) copy_to: Option<PathBuf>,
    /// A mailbox, and how often it gets a mail.
    pub(crate) mail_to: Option<(String, TimeDelta)>,
    /// A topic.
    pub(crate) topic: Option<Checkpoints>,
    /// Witnesses, each as [`Witness::parse`] reads it.
    pub(crate) witnesses: Vec<String>,
}

fn proof_settings(config: &mut Config, kafka: Option<&KafkaSettings>) -> Option<ProofSettings> {
    let witnesses = config.text("proof.witnesses").unwrap_or_default().split(',');
    let witnesses: Vec<String> =
        witnesses.map(|witness| witness.trim().to_owned()).filter(|witness| !witness.is_empty()).collect();
    for witness in &witnesses {
        if let Err(why) = Witness::parse(witness) {
            config.fault("proof.witnesses", format!("'{witness}': {}", Causes(&why)));
        }
    }
    let topic = config.text("proof.topic").map(ToOwned::to_owned);
    if topic.is_some() && config.text("kafka.brokers").is_none() {
        config.fault("proof.topic", "it has no effect without Kafka: set kafka.brokers");
    }
    let every = time_delta(config, "proof.mail_every")?;
    Some(ProofSettings {
        every: config.duration("proof.every")?,
        copy_to: config.text("proof.copy_to").map(PathBuf::from),
        mail_to: config.text("proof.mail_to").map(|to| (to.to_owned(), every)),
        topic: topic.zip(kafka).map(|(topic, kafka)| Checkpoints::new(kafka, topic)),
        witnesses,
    })
}

/// Returns the sender of all mails. An address without a name gets the brand as its name.
fn sender(config: &Config) -> Option<String> {
    let from = config.text("smtp.from")?;
    if from.contains('<') {
        return Some(from.to_owned());
    }
    // A quoted string (RFC 5322, 3.2.4) keeps every character of a brand.
    let brand = config.text("brand")?.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("\"{brand}\" <{from}>"))
}

/// How far read models of a server that is ready may be behind. In KurrentDB, a position is a place in bytes.
fn max_lag(config: &Config) -> Option<u64> {
    const BYTES_OF_AN_EVENT: u64 = 1000;
    let positions: u64 = config.parsed("readiness.max_lag")?;
    let is_set = config.get("readiness.max_lag").is_some_and(Held::is_set);
    match config.text("store.engine") {
        Some("kurrentdb") if !is_set => Some(positions.saturating_mul(BYTES_OF_AN_EVENT)),
        _ => Some(positions),
    }
}

fn limits(config: &Config) -> Option<Limits> {
    let rate = |per_second, burst| {
        Some(Rate { per_second: config.parsed(per_second)?, burst: config.parsed(burst)? })
    };
    Some(Limits {
        requests: rate("limits.requests_per_second", "limits.requests_burst")?,
        anonymous: rate("limits.strangers_per_second", "limits.strangers_burst")?,
        all_anonymous: rate("limits.all_strangers_per_second", "limits.all_strangers_per_second")?,
        event_streams: config.parsed("limits.event_streams")?,
    })
}

/// Returns the policies in force. Returns `None` if one of them is wrong.
///
/// The settings table allows no value that a policy would refuse.
pub(crate) fn policies(config: &mut Config) -> Option<Policies> {
    let lockout =
        LockoutPolicy::new(config.parsed("lockout.attempts")?, time_delta(config, "lockout.duration")?);
    if let Err(why) = &lockout {
        config.fault("lockout.duration", why);
    }
    let lockout = match config.parsed("lockout.cap")? {
        0 => lockout.ok()?,
        cap => lockout.ok()?.with_cap(cap).map_err(|why| config.fault("lockout.cap", why)).ok()?,
    };
    let trusted = config.text("devices.trusted") == Some("on");
    let lifetime = time_delta(config, "devices.lifetime")?;
    Some(Policies {
        lockout,
        trusted_devices: trusted.then_some(lifetime),
        password: password_policy(config)?,
        activation_link: time_delta(config, "links.activation")?,
        activation_mails_per_hour: config.parsed("links.activation_mails_per_hour")?,
        reset_link: time_delta(config, "links.reset")?,
        resets_per_hour: config.parsed("links.resets_per_hour")?,
        challenge: time_delta(config, "second_step.challenge")?,
        enrolment: time_delta(config, "second_step.enrolment")?,
        session: time_delta(config, "sessions.lifetime")?,
        idle_session: time_delta(config, "sessions.idle")?,
        sessions_per_account: config.parsed("sessions.per_account")?,
    })
}

fn password_policy(config: &mut Config) -> Option<PasswordPolicy> {
    let composition = match config.text("password.composition")? {
        "free" => Composition::Free,
        "letters-and-digits" => Composition::LettersAndDigits,
        _ => Composition::Required,
    };
    let blocklist = match config.text("password.blocklist")? {
        "on" => Blocklisted::Refused,
        _ => Blocklisted::Allowed,
    };
    let context = match config.text("password.context")? {
        "on" => ContextRule::Refused { words: context_words(config)? },
        _ => ContextRule::Free,
    };
    let (least, history) = (config.parsed("password.min_length")?, config.parsed("password.history")?);
    let policy = PasswordPolicy::new(least, MOST_CHARACTERS, composition)
        .map_err(|why| config.fault("password.min_length", why))
        .ok()?;
    let policy = policy.with_history(history).map_err(|why| config.fault("password.history", why)).ok()?;
    Some(policy.with_blocklist(blocklist).with_context(context))
}

/// Returns the brand and the further context words that the operator lists.
fn context_words(config: &Config) -> Option<Vec<String>> {
    let listed = config.text("password.context_words").unwrap_or_default().split(',');
    let listed = listed.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
    Some(std::iter::once(config.text("brand")?.to_owned()).chain(listed).collect())
}

/// Returns the blocklist for new passwords. Opens the operator's list only if the blocklist is on.
fn blocklist(config: &mut Config) -> PasswordBlocklist {
    let is_on = config.text("password.blocklist") == Some("on");
    let path = config.text("password.blocklist_file").filter(|_| is_on).map(PathBuf::from);
    let opened = path.and_then(|path| {
        let opened = BlocklistFile::open(&path);
        opened.map_err(|why| config.fault("password.blocklist_file", why)).ok()
    });
    PasswordBlocklist::with_file(opened.map(Arc::new))
}

/// Returns the colour and the logo of the pages. Returns `None` if a setting is wrong.
fn branding(config: &mut Config) -> Option<Branding> {
    let mut branding = Branding::default();
    if let Some(colour) = config.text("brand_colour") {
        let coloured = colour.parse().and_then(|colour| branding.with_colour(colour));
        branding = coloured.map_err(|why| config.fault("brand_colour", why.to_string())).ok()?;
    }
    if config.text("brand_logo_file").is_some() {
        let drawn = branding.with_logo(file(config, "brand_logo_file")?);
        branding = drawn.map_err(|why| config.fault("brand_logo_file", why.to_string())).ok()?;
    }
    Some(branding)
}

/// Returns the contract of the public events. Returns `None` if a setting names an unknown field.
pub(crate) fn contract(config: &mut Config) -> Option<Contract> {
    let mut fields = |key, topic| {
        let parsed = PersonalFields::parse(topic, config.text(key).unwrap_or_default());
        parsed.map_err(|why| config.fault(key, why)).ok()
    };
    let of_accounts = fields("events.accounts_personal_fields", Topic::Accounts);
    let of_companies = fields("events.companies_personal_fields", Topic::Companies);
    let source = config.text("events.source")?.to_owned();
    Some(Contract { source, of_accounts: of_accounts?, of_companies: of_companies? })
}

/// Returns where webhooks may lead. Returns `None` if the setting is wrong.
pub(crate) fn guard(config: &Config) -> Option<Guard> {
    Some(Guard::new(networks(config.text("webhooks.allowed_networks").unwrap_or_default()).ok()?))
}

fn time_delta(config: &Config, key: &'static str) -> Option<TimeDelta> {
    TimeDelta::from_std(config.duration(key)?).ok()
}

fn public_url(config: &mut Config, mode: Mode) -> Option<String> {
    let listen: Option<SocketAddr> = config.parsed("http.listen");
    let Some(url) = config.text("public_url").map(|url| url.trim_end_matches('/').to_owned()) else {
        if mode == Mode::Production {
            let why = "links in mails need the public address of the server: set LOQUET_PUBLIC_URL, such as https://portal.example";
            config.fault("public_url", why);
        }
        return listen.filter(|_| mode == Mode::Development).map(|listen| format!("http://{listen}"));
    };
    if mode == Mode::Production && !url.starts_with("https://") {
        config.fault("public_url", format!("'{url}': it must begin with https://"));
    }
    Some(url)
}

/// Returns the mail server with its files read. Returns `None` if there is no mail server.
fn smtp(config: &mut Config, mode: Mode) -> Option<SmtpSettings> {
    let Some(host) = config.text("smtp.host").map(ToOwned::to_owned) else {
        if mode == Mode::Production {
            let why = "mails need a mail server: set LOQUET_SMTP_HOST (or run with --dev, which writes mails into a directory)";
            config.fault("smtp.host", why);
        }
        return None;
    };
    let (security, usual) = match config.text("smtp.security") {
        Some("tls") => (Security::Tls, 465),
        Some("none") => (Security::None, 25),
        _ => (Security::StartTls, 587),
    };
    let settings = SmtpSettings {
        host,
        port: config.parsed("smtp.port").unwrap_or(usual),
        security,
        credentials: credentials(config),
        from: sender(config)?,
        extra_ca: file(config, "smtp.ca_file"),
        timeout: config.duration("smtp.timeout").unwrap_or(Duration::from_mins(5)),
        connections: config.parsed("mail.connections").unwrap_or(4),
    };
    protections::password_in_the_clear(config, &settings);
    if let Err(why) = settings.check() {
        config.fault(if settings.extra_ca.is_some() { "smtp.ca_file" } else { "smtp.host" }, Causes(&why));
    }
    Some(settings)
}

fn credentials(config: &mut Config) -> Option<(String, String)> {
    let user = config.text("smtp.user").map(ToOwned::to_owned);
    match (user, password(config, "smtp.password", "smtp.password_file")) {
        (Some(user), Some(password)) => Some((user, password)),
        (Some(_), None) if !config.is_faulty("smtp.password_file") => {
            config.fault("smtp.user", "it requires smtp.password_file (or smtp.password)");
            None
        }
        (None, Some(_)) => {
            config.fault("smtp.user", "there is a password, but no user name");
            None
        }
        _ => None,
    }
}

/// Reads a secret from a file, without the line end.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the secret in {}", path.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
