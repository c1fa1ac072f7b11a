//! The command line. The flags of the settings are made from the table of settings, [`crate::config`].

use std::path::PathBuf;

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};

use crate::config;
use crate::engine::Engine;

pub(crate) mod accounts;
mod audit;
mod companies;
mod downstream;
mod examples;
pub(crate) mod json_results;
mod output;
pub(crate) mod past;
mod words;

pub(crate) use accounts::{AccountCommand, Erase, Export, LockoutCommand, Which};
pub(crate) use audit::{
    AuditCommand, AuditPermissions, CheckProof, ExportHistory, Timeline, VerifyLog, WhatIf,
};
pub(crate) use companies::{
    AskPermission, CompanyCommand, EraseCompany, ImportTerminals, ListCompanies, ListSites, ListTakeOvers,
    PermissionCommand, ReleaseTerminal, SiteCommand, TakeOverCommand, TerminalCommand, WhichCompany,
    WhichSite, WhichTakeOver, WhichTerminal,
};
pub(crate) use downstream::{AddWebhook, RotateWebhook, Schema, WebhookCommand};
#[cfg(feature = "kafka")]
pub(crate) use downstream::{DeadLettersCommand, KafkaCommand, Publish};
pub(crate) use output::{Json, Output};

/// Accounts, logins and lockouts of a customer portal. Every decision is stored as an event.
#[derive(Parser)]
#[command(name = "loquet", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The whole command line: the commands below. A command that uses a setting has a flag for it.
pub(crate) fn command() -> clap::Command {
    let command = without_kafka_flags();
    #[cfg(feature = "kafka")]
    let command = command
        .mut_subcommand("kafka", |kafka| {
            kafka.mut_subcommand("status", config::flags).mut_subcommand("set-position", config::flags)
        })
        .mut_subcommand("publish", config::flags);
    examples::with_examples(past::with_past(json_results::with_json(command)))
}

fn without_kafka_flags() -> clap::Command {
    let file = Arg::new("config")
        .long("config")
        .env("LOQUET_CONFIG")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("The configuration file. Without this flag, ./loquet.toml is read if it exists, otherwise /etc/loquet/loquet.toml");
    config::flags_everywhere(Cli::command().arg(file))
        .mut_subcommand("serve", config::flags)
        .mut_subcommand("doctor", config::flags)
        .mut_subcommand("webhook", |webhook| webhook.mut_subcommand("add", config::flags))
        .mut_subcommand("config", |config| {
            config.mut_subcommand("check", config::flags).mut_subcommand("show", config::flags)
        })
}

/// The data directory and the server key.
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory {
    /// The directory of the log, the keys and the read models.
    pub(crate) data_dir: PathBuf,
    /// The file of the server key. Default: `server.key` in the data directory.
    pub(crate) server_key_file: Option<PathBuf>,
    /// Where the log and what nodes share are. With servers, the directory holds the node's own read models.
    pub(crate) engine: Engine,
    /// The moment or the position as of which everything is read. `None`: now.
    pub(crate) as_of: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Serve),
    /// Check or print the configuration. A flag overrides an environment variable, and a variable overrides the file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Import orders, or show and retry orders from Kafka that could not be taken.
    #[command(subcommand, visible_alias = "orders")]
    Order(OrderCommand),
    /// List and show accounts, help a person who can't log in, or erase one.
    #[command(subcommand)]
    Account(AccountCommand),
    /// List the accounts that are locked out.
    #[command(subcommand)]
    Lockout(LockoutCommand),
    /// Invite members of the supplier's staff.
    #[command(subcommand)]
    Staff(StaffCommand),
    /// Show companies, or erase one.
    #[command(subcommand)]
    Company(CompanyCommand),
    /// Show sites and their terminals.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Show or release a terminal, or assign terminals to sites from a file.
    #[command(subcommand)]
    Terminal(TerminalCommand),
    /// Tell whether an account may do something at a site.
    #[command(subcommand)]
    Permission(PermissionCommand),
    /// Show take-overs of one company by another.
    #[command(subcommand)]
    Takeover(TakeOverCommand),
    /// Print events of the log.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Move everything to another engine: from one machine to several nodes, or back.
    #[command(subcommand)]
    Log(LogCommand),
    /// List, rebuild or verify the read models.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Show e-mails (sent, waiting or given up), or send them again.
    #[command(subcommand)]
    Mail(MailCommand),
    /// Explain why a person cannot log in now, and name the one action that helps.
    Diagnose(Diagnose),
    /// Find accounts, companies, sites and terminals by name, address or number.
    Find(Find),
    /// Add, list, rotate or remove webhooks: receivers of events by HTTP. Retry deliveries that failed.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Create, list, rotate or revoke the API tokens of programs and of the supplier's staff.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Create or rotate the server key.
    #[command(subcommand, visible_alias = "key")]
    Keys(KeysCommand),
    /// Prove what the log says, and verify it.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make a consistent copy of the data. The server may be running.
    Backup(Backup),
    /// Check a backup and copy it into a data directory. The directory must not contain data of a server, except the
    /// server key.
    Restore(Restore),
    /// Fill an empty data directory with sample data: merchants, people, sites, terminals and two years of history.
    Demo(Demo),
    /// Check disk, file permissions, clock, keys, mail server and data, and report problems with their remedy.
    Doctor(Doctor),
    /// Ask a running server whether it is ready. The exit code is 0 if it is, and 1 if not. It is the health check of a
    /// container.
    Health(Health),
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Check Kafka and the topics, or set the position of the publisher.
    #[cfg(feature = "kafka")]
    #[command(subcommand)]
    Kafka(KafkaCommand),
    /// Publish the history again, into a Kafka topic of its own for a new consumer. The command goes on where it was
    /// interrupted. The server may be running.
    #[cfg(feature = "kafka")]
    Publish(Publish),
    /// Print the description of the event topics (AsyncAPI 3.0).
    Asyncapi,
    /// Print the JSON Schemas of the public events, or write a file for each type into a directory.
    Schema(Schema),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write a page for each command into a directory.
    Man {
        /// The directory.
        #[arg(long)]
        to: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Run a development server. It creates a server key and a token with every scope if they do not exist, and
    /// writes mails into a directory, which /dev/mail shows. It listens on a loopback address only, and answers only
    /// requests for its own host names. Never use this in production.
    #[arg(long)]
    pub(crate) dev: bool,
}

#[derive(Args)]
pub(crate) struct Diagnose {
    /// The e-mail address with which the person logs in.
    pub(crate) email: String,
    /// Print JSON, in the same format as the API.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Find {
    /// One of: a whole e-mail address; words, or beginnings of words, of a person's name, a company's name, a site's
    /// name or a site's address; an enterprise number; a terminal's serial number.
    pub(crate) text: String,
    /// The maximum number of results of each kind.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every fault of the configuration, each with its file and line.
    Check(CheckConfig),
    /// Print the value of each setting, and where the value comes from. Secrets are hidden.
    Show(ShowConfig),
    /// Print a sample file that explains every setting and shows its default.
    Sample,
}

#[derive(Args)]
pub(crate) struct CheckConfig {
    /// Check for `serve --dev`, which requires fewer settings.
    #[arg(long)]
    pub(crate) dev: bool,
}

#[derive(Args)]
pub(crate) struct ShowConfig {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Deliver orders from a file. Each line is one JSON object, in the format of POST /v1/orders. The import is safe
    /// to repeat: an order that was delivered before changes nothing.
    Import(Import),
    /// Show or retry orders from Kafka that could not be taken.
    #[cfg(feature = "kafka")]
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file. `-` reads standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum StaffCommand {
    /// Invite a member of the supplier's staff. The person gets an activation mail, and logs in as people do. Tokens are
    /// for programs.
    Invite(InviteStaff),
}

#[derive(Args)]
pub(crate) struct InviteStaff {
    /// The person's e-mail address.
    pub(crate) email: String,
    /// What the person may do: support helps customers, a supervisor also deletes and erases accounts, an auditor reads
    /// history.
    #[arg(long, value_parser = words::roles())]
    pub(crate) role: loquet_domain::fact::StaffRole,
    #[arg(long)]
    pub(crate) given_name: String,
    #[arg(long)]
    pub(crate) family_name: String,
    /// The language of the person's pages and mails.
    #[arg(long, value_parser = ["fr", "nl", "en"], default_value = "fr")]
    pub(crate) language: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A running server that does the work instead of this process.
#[derive(Args)]
pub(crate) struct Remote {
    /// The address of a running server, such as `http://127.0.0.1:8080`. Without this flag, the command opens the
    /// data directory itself.
    #[arg(long, requires = "token_file", value_parser = words::server_url)]
    pub(crate) url: Option<String>,
    /// A file that contains a service token with the required scope.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// Print events in the order of the log.
    Tail(Tail),
}

#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Copy the log, the keys and everything else that is not made from the log to another engine. Continues where an
    /// earlier copy was interrupted, and compares both sides at the end.
    Copy(LogCopy),
}

#[derive(Args)]
pub(crate) struct LogCopy {
    /// The configuration file of the source, which must be stopped. The command changes none of its data.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// The configuration file of the target. Its log must be empty, or contain the beginning of an interrupted copy.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Args)]
pub(crate) struct Tail {
    /// Print events after this position. Without this flag, the last 20 events are printed.
    #[arg(long)]
    pub(crate) after: Option<u64>,
    /// Wait for further events until interrupted.
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print JSON, one event per line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// Show the position of each read model and reaction, and the error that stopped it.
    List(Json),
    /// Rebuild a read model from the log in the background. The old one answers queries until the new one is complete.
    /// A running server does the work; without one, this process does.
    Rebuild(Rebuild),
    /// Verify the read models against the log: build each again in a temporary file, and compare.
    Verify(Verify),
}

#[derive(Args)]
pub(crate) struct Rebuild {
    /// The read model's name, as `projections list` prints it, or `all`.
    #[arg(value_parser = words::read_models_or_all())]
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The names of read models. Without a name, all are verified.
    #[arg(value_parser = words::read_models())]
    pub(crate) names: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum MailCommand {
    /// List mails, the newest first, with their account, state and error.
    List(ListMails),
    /// Show one mail.
    Show(WhichMail),
    /// Try to send mails again that were given up.
    Retry(RetryMails),
}

#[derive(Args)]
pub(crate) struct ListMails {
    /// Show only mails in this state. `void`: no longer valid, so not sent. `dead`: given up.
    #[arg(long, value_parser = ["pending", "sending", "sent", "void", "dead"])]
    pub(crate) state: Option<String>,
    /// Show only mails to this account: its e-mail address or id.
    #[arg(long, value_parser = words::account)]
    pub(crate) account: Option<String>,
    /// The maximum number of rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Print JSON, one mail per line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct WhichMail {
    /// The mail's id. `mail list` prints it, and the Message-ID of the mail begins with it.
    #[arg(value_parser = words::id::<uuid::Uuid>)]
    pub(crate) mail: uuid::Uuid,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RetryMails {
    /// The ids of the mails.
    #[arg(required_unless_present = "all_dead")]
    pub(crate) mails: Vec<uuid::Uuid>,
    /// Try every mail again that was given up.
    #[arg(long, conflicts_with = "mails")]
    pub(crate) all_dead: bool,
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token, and print it once. The token commands work while the server runs.
    Create(CreateToken),
    /// List all tokens: name, role or scopes, creation, last use and expiry. The token itself is never shown.
    List(Json),
    /// Create a new token with the name, the scopes or role, and the expiry of an old one. The old token stays valid
    /// for some hours.
    Rotate(RotateToken),
    /// Revoke a token immediately.
    Revoke {
        /// The token's id, as `token list` prints it.
        id: String,
        /// Revoke it without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(crate) struct RotateToken {
    /// The id of the old token, as `token list` prints it.
    pub(crate) id: String,
    /// The number of hours for which the old token stays valid.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
    pub(crate) keep_hours: u16,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CreateToken {
    /// The name of the program that uses the token. The log shows it with every action of the token.
    #[arg(long, required_unless_present = "staff", requires = "scopes")]
    pub(crate) name: Option<String>,
    /// A scope of the token, which says what the program may do. Repeatable.
    #[arg(id = "scopes", long = "scope", conflicts_with = "staff", value_parser = words::scopes())]
    pub(crate) scopes: Vec<loquet_http_ports::scope::Scope>,
    /// The name of the member of the supplier's staff who uses the token. The log shows it with every action.
    #[arg(long, conflicts_with = "name", requires = "role")]
    pub(crate) staff: Option<String>,
    /// The role of the member of staff. docs/operator.md lists what each role may do.
    #[arg(long, requires = "staff", value_parser = words::roles())]
    pub(crate) role: Option<loquet_domain::fact::StaffRole>,
    /// The number of days for which the token is valid. A program's token does not expire by default. A person's token
    /// is valid for 90 days by default, and for 365 at most.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Create the server key, unless it exists.
    Create,
    /// Add the next server key to the file, above the present one, which stays in use. Several nodes need it before the
    /// rotation: copy the file to every node, then run `loquet keys rotate` on one of them.
    Prepare,
    /// Create a new server key, and wrap every account's key again with it. The server may be running. If the command
    /// is interrupted, run it again: it continues.
    Rotate(RotateKeys),
}

#[derive(Args)]
pub(crate) struct RotateKeys {
    /// Somebody else may know the old key: end all links and sessions that were made with it. Without this flag, they
    /// stay valid until they expire. If an earlier rotation was interrupted, it is completed first, and then a second
    /// rotation follows.
    #[arg(long)]
    pub(crate) compromised: bool,
    /// With `--compromised`: end them without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Backup {
    /// A directory that does not exist yet, or is empty.
    pub(crate) to: PathBuf,
    /// Leave out the keys. Keep them in another place: if you restore old keys, the data of persons who were erased
    /// since can be read again.
    #[arg(long)]
    pub(crate) without_keys: bool,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// A directory that `loquet backup` made.
    pub(crate) from: PathBuf,
    /// Take the keys from this file instead of the backup. Use the newest copy of keys.db: then persons who were
    /// erased since the backup stay erased.
    #[arg(long)]
    pub(crate) keys: Option<PathBuf>,
    /// Only check that the backup is complete and undamaged.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// The number of accounts, from 100 to 5,000,000. The number of companies, sites and terminals follows from it.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(100..=5_000_000))]
    pub(crate) accounts: u32,
    /// The seed of the random numbers. The same seed gives the same data.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The moment at which the history ends, such as 2026-11-24T09:30:00Z. Default: the start of today (UTC).
    /// Accounts that are locked at that moment stay locked for about ten minutes after it.
    #[arg(long)]
    pub(crate) until: Option<loquet_domain::Moment>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// Check for `serve --dev`, which requires fewer settings.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Health {
    /// The address of the server. Default: `http.listen`, on this machine.
    #[arg(long, value_parser = words::server_url)]
    pub(crate) url: Option<String>,
    /// Only ask whether the process runs. A process that runs may still wait for a database, or read the log.
    #[arg(long)]
    pub(crate) live: bool,
    /// The number of seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) timeout: u64,
}
