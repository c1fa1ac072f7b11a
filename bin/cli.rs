//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Accounts, logins and lockouts of a customer portal, every decision kept as an event.
#[derive(Parser)]
#[command(name = "loquet", version, about)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where the data is.
#[derive(Args)]
pub(crate) struct Place {
    /// The folder of the log, the keys and the read models.
    #[arg(long, env = "LOQUET_DATA_DIR", default_value = "var", global = true)]
    pub(crate) data_dir: PathBuf,
    /// The file of the server key; `server.key` in the data folder unless said.
    #[arg(long, env = "LOQUET_SERVER_KEY_FILE", global = true)]
    pub(crate) server_key_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Box<Serve>),
    /// Orders.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// The log.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Tokens of programs.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The server key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Development: makes a server key and a token with every scope if there are none, and puts mails
    /// into a folder, shown at /dev/mail. Never in production.
    #[arg(long)]
    pub(crate) dev: bool,
    /// The address to listen on.
    #[arg(long, env = "LOQUET_HTTP_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Where links in mails lead, such as `https://portal.example`. Required without --dev.
    #[arg(long, env = "LOQUET_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// The name of the customer account.
    #[arg(long, env = "LOQUET_BRAND", default_value = "MyCCV")]
    pub(crate) brand: String,
    /// This machine's name in the log.
    #[arg(long, env = "LOQUET_NODE", default_value = "node-1")]
    pub(crate) node: String,
    /// The time zone in which mails tell the time.
    #[arg(long, env = "LOQUET_TIME_ZONE", default_value = "Europe/Brussels")]
    pub(crate) time_zone: chrono_tz::Tz,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) smtp: SmtpArgs,
}

#[derive(Args)]
pub(crate) struct Rules {
    /// Wrong logins in a row that lock an account: 1 to 100.
    #[arg(long, env = "LOQUET_LOCKOUT_ATTEMPTS", default_value_t = 7)]
    pub(crate) lockout_attempts: u32,
    /// How long a lockout lasts, in seconds: 1 to 2592000.
    #[arg(long, env = "LOQUET_LOCKOUT_SECONDS", default_value_t = 900)]
    pub(crate) lockout_seconds: u32,
    /// How many characters a new password has at least: 8 or more.
    #[arg(long, env = "LOQUET_PASSWORD_MIN", default_value_t = 8)]
    pub(crate) password_min: u16,
    /// Whether a new password must have an upper-case and a lower-case letter, a digit and a special
    /// character.
    #[arg(long, env = "LOQUET_PASSWORD_COMPOSITION", default_value = "required")]
    pub(crate) password_composition: PasswordComposition,
    /// Memory of one password hash in KiB (OWASP: 19456).
    #[arg(long, env = "LOQUET_ARGON2_MEMORY_KIB", default_value_t = 19_456,
        value_parser = clap::value_parser!(u32).range(7168..=1_048_576))]
    pub(crate) argon2_memory_kib: u32,
    /// Passes of one password hash (OWASP: 2 with 19 MiB).
    #[arg(long, env = "LOQUET_ARGON2_PASSES", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) argon2_passes: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PasswordComposition {
    /// It must.
    Required,
    /// Length alone counts, as NIST SP 800-63B asks.
    Free,
}

#[derive(Args)]
pub(crate) struct SmtpArgs {
    /// The mail server. Required without --dev; with --dev, mails go to a folder unless it is given.
    #[arg(long, env = "LOQUET_SMTP_HOST")]
    pub(crate) smtp_host: Option<String>,
    /// Its port; 587 with starttls, 465 with tls, 25 with none.
    #[arg(long, env = "LOQUET_SMTP_PORT")]
    pub(crate) smtp_port: Option<u16>,
    /// How the connection is kept private; `none` only for a relay on this machine.
    #[arg(long, env = "LOQUET_SMTP_SECURITY", default_value = "starttls")]
    pub(crate) smtp_security: SmtpSecurity,
    /// The user name, where the server asks for one.
    #[arg(long, env = "LOQUET_SMTP_USER", requires = "smtp_password_file")]
    pub(crate) smtp_user: Option<String>,
    /// A file with the password.
    #[arg(long, env = "LOQUET_SMTP_PASSWORD_FILE")]
    pub(crate) smtp_password_file: Option<PathBuf>,
    /// The sender: `Name <address>`.
    #[arg(long, env = "LOQUET_SMTP_FROM", default_value = "MyCCV <no-reply@localhost.localdomain>")]
    pub(crate) smtp_from: String,
    /// A certificate authority to trust besides the usual ones, PEM.
    #[arg(long, env = "LOQUET_SMTP_CA_FILE")]
    pub(crate) smtp_ca_file: Option<PathBuf>,
    /// How long one SMTP command may take, in seconds.
    #[arg(long, env = "LOQUET_SMTP_TIMEOUT", default_value_t = 30)]
    pub(crate) smtp_timeout: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, and nothing without it.
    Starttls,
    /// In the clear.
    None,
}

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Deliver orders from a file, one JSON object a line, as POST /v1/orders takes them. Safe to
    /// repeat: what was delivered before changes nothing.
    Import(Import),
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Deliver to a running server, such as `http://127.0.0.1:8080`, instead of into the data folder.
    #[arg(long, requires = "token_file")]
    pub(crate) url: Option<String>,
    /// A file with a service token of scope orders:write.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// What an account is now.
    Show(Which),
    /// Everything that happened to it.
    History(Which),
}

#[derive(Args)]
pub(crate) struct Which {
    /// Its e-mail address or its id.
    pub(crate) account: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events as they stand in the log.
    Tail(Tail),
}

#[derive(Args)]
pub(crate) struct Tail {
    /// Only events after this position; the last 20 unless said.
    #[arg(long)]
    pub(crate) after: Option<u64>,
    /// Wait for more, until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print JSON, one event a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is printed this once. Works beside a running server.
    Create(CreateToken),
}

#[derive(Args)]
pub(crate) struct CreateToken {
    /// For whom: this name stands in the log beside what is done with the token.
    #[arg(long)]
    pub(crate) name: String,
    /// What it may do: orders:write, orders:read, accounts:read, accounts:write, lockouts:release,
    /// events:read. Repeatable.
    #[arg(long = "scope", required = true)]
    pub(crate) scopes: Vec<loquet_adapters::service_tokens::Scope>,
    /// For how many days it holds; for ever unless said.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make the server key, unless there is one.
    Create,
}
