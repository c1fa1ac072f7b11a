//! Every setting there is.

use clap::{Arg, Command};

use super::Kind;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in the file, the section before the dot.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    /// None where there is no usual value.
    pub(crate) default: Option<&'static str>,
    /// What stands in the sample where there is no default.
    pub(crate) example: &'static str,
    pub(crate) help: &'static str,
}

impl Setting {
    /// `lockout.attempts` is `LOQUET_LOCKOUT_ATTEMPTS`.
    pub(crate) fn variable(&self) -> String {
        format!("LOQUET_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// `lockout.attempts` is `--lockout-attempts`.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.key.replace(['.', '_'], "-"))
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// Settings that every command has as a flag: where the data is.
const EVERYWHERE: [&str; 2] = ["data_dir", "server_key_file"];

/// Adds the flags of a command that is run with all settings. Secrets have none: other users of the
/// machine see a command line.
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
        // The last one wins: a script may add to what another says.
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

/// `default` is what this program was made for; the others serve a standard.
const PROFILES: [&str; 3] = ["default", "nist", "pci"];
const SWITCH: Kind = Kind::Choice(&["on", "off"]);

/// The table. The bounds are such that no setting switches a protection off.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("data_dir", Kind::Path, "var", "The folder of the log, the keys and the read models"),
    unset(
        "server_key_file",
        Kind::Path,
        "/etc/loquet/server.key",
        "The file of the server key; server.key in the data folder unless said",
    ),
    unset(
        "public_url",
        Kind::Url,
        "https://portal.example",
        "Where links in mails lead. Required, but with --dev",
    ),
    setting("brand", Kind::Text, "MyCCV", "The name of the customer account"),
    setting("node", Kind::Text, "node-1", "This machine's name in the log"),
    setting("time_zone", Kind::Zone, "Europe/Brussels", "The time zone in which mails tell the time"),
    setting("http.listen", Kind::Listen, "127.0.0.1:8080", "The address to listen on"),
    setting(
        "http.trusted_proxies",
        Kind::Networks,
        "",
        "Proxies whose X-Forwarded-For is believed; nobody's otherwise",
    ),
    setting(
        "http.connections",
        Kind::Number(16, 65_536),
        "4096",
        "How many connections are served at once; further ones wait",
    ),
    setting(
        "http.connections_per_address",
        Kind::Number(8, 65_536),
        "256",
        "How many of these connections one client address may have, trusted proxies excepted; further ones are closed. In IPv6, a /64 counts as one address, and a /48 may have eight times as many, but at most half of all connections",
    ),
    setting(
        "limits.requests_per_second",
        Kind::Number(1, 1_000_000),
        "200",
        "Requests that one client address may make in a second",
    ),
    setting(
        "limits.requests_burst",
        Kind::Number(1, 1_000_000),
        "400",
        "How many of them may come at once after a pause",
    ),
    setting(
        "limits.strangers_per_second",
        Kind::Number(1, 100_000),
        "5",
        "Logins, reset requests and links that one client address may try in a second",
    ),
    setting(
        "limits.strangers_burst",
        Kind::Number(1, 100_000),
        "60",
        "How many of them may come at once after a pause",
    ),
    setting(
        "limits.all_strangers_per_second",
        Kind::Number(1, 1_000_000),
        "500",
        "Logins, reset requests and links in a second, from everywhere together",
    ),
    setting(
        "limits.activation_mails_per_company",
        Kind::Number(5, 100_000),
        "100",
        "How many activation mails the people of one company can cause in an hour on this node, by creating accounts or by having the mail sent again. The supplier's staff, programs and orders are not counted",
    ),
    setting(
        "limits.event_streams",
        Kind::Number(1, 4096),
        "64",
        "How many event streams may be open at once; one token may hold a quarter of them",
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
        "Wrong logins in a row that lock an account; 10 with pci",
    ),
    setting(
        "lockout.duration",
        Kind::Duration("1s", "30d"),
        "15m",
        "How long a lockout lasts, at least 30s for each of lockout.attempts; 30m with pci",
    ),
    setting(
        "lockout.cap",
        Kind::Number(0, 100),
        "0",
        "Wrong logins across lockouts after which only a new password or support opens the account, 0 for no such end; 100 with nist",
    ),
    setting(
        "devices.trusted",
        Kind::Choice(&["on", "off"]),
        "on",
        "Whether a device on which a login was completed before is exempt from lockouts that others cause. Seven wrong logins in a row from the device lock it too",
    ),
    setting(
        "devices.lifetime",
        Kind::Duration("1d", "365d"),
        "180d",
        "How long a device is trusted after a login from it",
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
        "How many characters a new password has at least; 15 with nist, 12 with pci",
    ),
    setting(
        "password.composition",
        Kind::Choice(&["required", "letters-and-digits", "free"]),
        "required",
        "required: upper and lower case, a digit and a special character; letters-and-digits: one of each, as with pci; free: length alone, as with nist",
    ),
    setting(
        "password.history",
        Kind::Number(0, 10),
        "0",
        "How many of an account's last passwords can't be chosen again, the present one counted; each costs a hash; 4 with pci",
    ),
    setting(
        "password.blocklist",
        SWITCH,
        "off",
        "Whether a password is refused that is used most or known from a breach: one of the list that comes with the program, or of password.blocklist_file; on with nist",
    ),
    unset(
        "password.blocklist_file",
        Kind::Path,
        "/var/lib/loquet/breached.txt",
        "A further list, of any size: passwords, or their SHA-1 as Have I Been Pwned gives them, one a line, sorted with LC_ALL=C sort -f",
    ),
    setting(
        "password.context",
        SWITCH,
        "off",
        "Whether a password is refused that is little more than the person's name or address, their company's name, the brand or one of password.context_words; on with nist",
    ),
    unset(
        "password.context_words",
        Kind::Text,
        "payment terminal, helpdesk",
        "Further words of that kind, separated by commas",
    ),
    setting(
        "argon2.memory_kib",
        Kind::Number(7168, 1_048_576),
        "19456",
        "Memory of one password hash in KiB (OWASP: 19456)",
    ),
    setting(
        "argon2.passes",
        Kind::Number(1, 100),
        "2",
        "Passes of one password hash; at least as OWASP says: 1 with 47104 KiB, 2 with 19456, 3 with 12288, 4 with 9216, 5 with 7168 (--dev takes fewer)",
    ),
    setting("links.activation", Kind::Duration("1h", "365d"), "90d", "How long an activation link works"),
    setting(
        "links.activation_mails_per_hour",
        Kind::Number(1, 100),
        "5",
        "How many activation mails a company's people can ask for in an hour for one account; more are refused. One address gets the same number from all accounts together; more wait. The supplier has the same number of its own for each account",
    ),
    setting("links.reset", Kind::Duration("5m", "1d"), "1h", "How long a reset link works"),
    setting(
        "links.resets_per_hour",
        Kind::Number(1, 100),
        "5",
        "How many reset mails one account is sent in an hour; further requests are answered as ever and send none",
    ),
    setting(
        "second_step.challenge",
        Kind::Duration("1m", "15m"),
        "5m",
        "How long a right password may be followed by its second step",
    ),
    setting(
        "second_step.enrolment",
        Kind::Duration("2m", "1h"),
        "15m",
        "How long a secret that was shown may be confirmed by a code",
    ),
    setting("sessions.lifetime", Kind::Duration("5m", "30d"), "12h", "How long a session lasts at most"),
    setting(
        "sessions.idle",
        Kind::Duration("1m", "30d"),
        "2h",
        "How long a session may go unused before it ends",
    ),
    setting(
        "sessions.per_account",
        Kind::Number(1, 1000),
        "100",
        "How many sessions an account has at most; a further login ends the oldest",
    ),
    unset("smtp.host", Kind::Text, "mail.example", "The mail server. Required, but with --dev"),
    unset(
        "smtp.port",
        Kind::Number(1, 65_535),
        "587",
        "Its port; 587 with starttls, 465 with tls, 25 with none, unless said",
    ),
    setting(
        "smtp.security",
        Kind::Choice(&["starttls", "tls", "none"]),
        "starttls",
        "How the connection is kept private; none only for a relay on this machine, and with a password to no other",
    ),
    unset("smtp.user", Kind::Text, "loquet", "The user name, where the server asks for one"),
    unset("smtp.password", Kind::Secret, "", "Its password; a file is better"),
    unset("smtp.password_file", Kind::Path, "/run/secrets/smtp", "A file with the password"),
    setting("smtp.from", Kind::Mailbox, "MyCCV <no-reply@localhost.localdomain>", "The sender"),
    unset(
        "smtp.ca_file",
        Kind::Path,
        "/etc/loquet/ca.pem",
        "A certificate authority to trust besides the usual ones, PEM",
    ),
    setting(
        "smtp.timeout",
        Kind::Duration("1s", "10m"),
        "5m",
        "How long one SMTP command may take. The greeting, and each 16 KiB of a message, count as one command. The answer to a whole message may always take 10m (RFC 5321, 4.5.3.2)",
    ),
    setting("mail.connections", Kind::Number(1, 64), "4", "How many mails are handed over at once"),
    setting(
        "mail.per_second",
        Kind::Number(1, 10_000),
        "20",
        "How many mails the server is given in a second",
    ),
    setting(
        "mail.give_up_after",
        Kind::Duration("1h", "30d"),
        "3d",
        "How long a refused mail is tried again before it becomes a dead letter. The time in which the mail server takes no mail at all does not count",
    ),
    setting("log.format", Kind::Choice(&["text", "json"]), "text", "How the program's own log is written"),
    setting("log.filter", Kind::Filter, "info", "What of it is written"),
    unset(
        "metrics.listen",
        Kind::Listen,
        "127.0.0.1:9464",
        "An address that serves /metrics to anybody who reaches it; without one, /metrics asks for a token",
    ),
    unset(
        "tracing.otlp_endpoint",
        Kind::Url,
        "http://127.0.0.1:4318/v1/traces",
        "Where OpenTelemetry traces are sent, over OTLP/HTTP; nowhere unless said",
    ),
    setting("tracing.share", Kind::Share, "0.1", "The share of requests that are traced"),
];
