//! The command line. Its settings are flags made from the table of settings, [`crate::config`].

use std::path::PathBuf;

use clap::{Arg, Args, CommandFactory, Parser, Subcommand};

use crate::config;

mod companies;

pub(crate) use companies::{
    AskPermission, CompanyCommand, ImportTerminals, ListCompanies, ListSites, ListTakeOvers,
    PermissionCommand, SiteCommand, TakeOverCommand, TerminalCommand, WhichCompany, WhichSite, WhichTakeOver,
    WhichTerminal,
};

/// Accounts, logins and lockouts of a customer portal, every decision kept as an event.
#[derive(Parser)]
#[command(name = "loquet", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The whole command line: the commands below, with every setting as a flag where it is used.
pub(crate) fn command() -> clap::Command {
    let file = Arg::new("config")
        .long("config")
        .env("LOQUET_CONFIG")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("The configuration file; ./loquet.toml or /etc/loquet/loquet.toml, where there is one, unless said");
    config::flags_everywhere(Cli::command().arg(file))
        .mut_subcommand("serve", config::flags)
        .mut_subcommand("doctor", config::flags)
        .mut_subcommand("config", |config| {
            config.mut_subcommand("check", config::flags).mut_subcommand("show", config::flags)
        })
}

/// Where the data is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The folder of the log, the keys and the read models.
    pub(crate) data_dir: PathBuf,
    /// The file of the server key; `server.key` in the data folder unless said.
    pub(crate) server_key_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Serve),
    /// The configuration: one file, overridden by variables, overridden by flags.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Orders.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Companies: who the customers are.
    #[command(subcommand)]
    Company(CompanyCommand),
    /// Sites: where terminals stand.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Terminals.
    #[command(subcommand)]
    Terminal(TerminalCommand),
    /// Who may do what where.
    #[command(subcommand)]
    Permission(PermissionCommand),
    /// Take-overs of one company by another.
    #[command(subcommand)]
    Takeover(TakeOverCommand),
    /// The log.
    #[command(subcommand)]
    Events(EventsCommand),
    /// The read models.
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// The e-mails: sent, waiting and given up.
    #[command(subcommand)]
    Mail(MailCommand),
    /// Tell why a person cannot log in now, and the one action that mends it.
    Diagnose(Diagnose),
    /// Find accounts, companies, sites and terminals by what somebody on the telephone knows.
    Find(Find),
    /// Tokens of programs and of the supplier's people.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The server key.
    #[command(subcommand, visible_alias = "key")]
    Keys(KeysCommand),
    /// Copy the data, consistently, beside a running server or without one.
    Backup(Backup),
    /// Put a backup, once it has proved whole, into a data folder that holds nothing but the server key.
    Restore(Restore),
    /// Fill an empty data folder with a sample world: merchants, people, sites, terminals and two years of history.
    Demo(Demo),
    /// Look for what is, or may soon be, wrong: disk, permissions, clock, keys, mail server, store.
    Doctor(Doctor),
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
    /// Print completions for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a folder.
    Man {
        /// The folder.
        #[arg(long)]
        to: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Development: makes a server key and a token with every scope if there are none, and puts mails
    /// into a folder, shown at /dev/mail. It listens on a loopback address alone and answers only to its own names.
    /// Never in production.
    #[arg(long)]
    pub(crate) dev: bool,
}

#[derive(Args)]
pub(crate) struct Diagnose {
    /// The e-mail address that they log in with.
    pub(crate) email: String,
    /// Print JSON, as the API gives it.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Find {
    /// A whole e-mail address; words of a person's, a company's or a site's name, or of a site's address, or their
    /// beginnings; an enterprise number; a terminal's serial number.
    pub(crate) text: String,
    /// How many of each kind.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell every fault at once, each with its file and line.
    Check(CheckConfig),
    /// Print what holds, and where it came from; secrets are hidden.
    Show(ShowConfig),
    /// Print an annotated file with every setting at its default.
    Sample,
}

#[derive(Args)]
pub(crate) struct CheckConfig {
    /// For `serve --dev`, which needs less.
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
    /// Deliver orders from a file, one JSON object a line, as POST /v1/orders takes them. Safe to
    /// repeat: what was delivered before changes nothing.
    Import(Import),
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) remote: Remote,
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
    /// Forget the person: delete the account, then the key of everything sealed for it. No way back.
    Erase(Erase),
}

#[derive(Args)]
pub(crate) struct Erase {
    /// Its e-mail address or its id.
    pub(crate) account: String,
    /// Why; it stands in the log.
    #[arg(long)]
    pub(crate) reason: String,
    /// Do it; without this, only say whom it would forget.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A running server that does the work, instead of this process.
#[derive(Args)]
pub(crate) struct Remote {
    /// The running server, such as `http://127.0.0.1:8080`; without it the data folder is opened.
    #[arg(long, requires = "token_file")]
    pub(crate) url: Option<String>,
    /// A file with a service token that has the scope.
    #[arg(long)]
    pub(crate) token_file: Option<PathBuf>,
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
pub(crate) enum ProjectionsCommand {
    /// How far each read model and reaction is, and what stopped it.
    List(Json),
    /// Build a read model anew from the log, beside the one that serves, then let it take over. A running
    /// server does it, else this process.
    Rebuild(Rebuild),
    /// Prove that read models are what the log says: build each again in a scratch file and compare.
    Verify(Verify),
}

#[derive(Args)]
pub(crate) struct Json {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// For whom something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Output {
    /// As `--json` says.
    pub(crate) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

#[derive(Args)]
pub(crate) struct Rebuild {
    /// Which, by the name that `projections list` gives it; `all` for every one.
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// Which; every one unless said.
    pub(crate) names: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum MailCommand {
    /// Mails, newest first: when, to which account, what became of them and why.
    List(ListMails),
    /// One mail.
    Show(WhichMail),
    /// Try mails again that were given up.
    Retry(RetryMails),
}

#[derive(Args)]
pub(crate) struct ListMails {
    /// Only those in this state.
    #[arg(long, value_parser = ["pending", "sending", "sent", "void", "dead"])]
    pub(crate) state: Option<String>,
    /// Only those to this account, by its e-mail address or id.
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Print JSON, one mail a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct WhichMail {
    /// Its id, as `mail list` prints it and its Message-ID begins.
    pub(crate) mail: uuid::Uuid,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct RetryMails {
    /// Their ids.
    #[arg(required_unless_present = "all_dead")]
    pub(crate) mails: Vec<uuid::Uuid>,
    /// Every mail that was given up.
    #[arg(long, conflicts_with = "mails")]
    pub(crate) all_dead: bool,
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is printed this once. Works beside a running server, as do the others.
    Create(CreateToken),
    /// Every token: name, role or scopes, when it was made, last used, and when it ends. Never the token itself.
    List(Json),
    /// Make a new token with the name and the scopes or role of another, which goes on for a while. It ends
    /// when the old one would have.
    Rotate(RotateToken),
    /// End a token at once.
    Revoke {
        /// Its id, as `token list` prints it.
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct RotateToken {
    /// The id of the old one, as `token list` prints it.
    pub(crate) id: String,
    /// For how many hours the old one still holds.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
    pub(crate) keep_hours: u16,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CreateToken {
    /// For which program: this name stands in the log beside what is done with the token.
    #[arg(long, required_unless_present = "staff", requires = "scopes")]
    pub(crate) name: Option<String>,
    /// What a program may do: orders:write, orders:read, orders:resolve, accounts:read, accounts:write,
    /// accounts:delete, lockouts:release, events:read, metrics:read, companies:read, companies:write,
    /// permissions:read, takeovers:write, layouts:read, second-step:reset, support:read. Repeatable.
    #[arg(id = "scopes", long = "scope", conflicts_with = "staff")]
    pub(crate) scopes: Vec<loquet_http_ports::scope::Scope>,
    /// For which of the supplier's people, by their own name: it stands in the log beside what they do.
    #[arg(long, conflicts_with = "name", requires = "role")]
    pub(crate) staff: Option<String>,
    /// As what they act: support, supervisor or auditor. What each may do is in the operator's guide.
    #[arg(long, requires = "staff")]
    pub(crate) role: Option<loquet_domain::fact::StaffRole>,
    /// For how many days it holds. A program's: for ever unless said. A person's: 90 unless said, 365 at most.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub(crate) days: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the server key, unless there is one.
    Create,
    /// Make a new server key and wrap every account's key anew with it, beside a running server or
    /// without one. Run again, it goes on where it was interrupted.
    Rotate(RotateKeys),
}

#[derive(Args)]
pub(crate) struct RotateKeys {
    /// The old key is known to somebody else: links and sessions made with it end at once. Without this
    /// they hold for as long as they say. A rotation that was interrupted is finished first, then a whole new one
    /// made.
    #[arg(long)]
    pub(crate) compromised: bool,
}

#[derive(Args)]
pub(crate) struct Backup {
    /// A folder that is not there yet, or is empty.
    pub(crate) to: PathBuf,
    /// Leave out the keys, which are better kept apart: a backup of them brings the erased back.
    #[arg(long)]
    pub(crate) without_keys: bool,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// A folder that `loquet backup` made.
    pub(crate) from: PathBuf,
    /// Take the keys from this file rather than from the backup: the newest there are, so that who was
    /// erased since stays so.
    #[arg(long)]
    pub(crate) keys: Option<PathBuf>,
    /// Only prove that the backup is whole.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Args)]
pub(crate) struct Demo {
    /// How many accounts; companies, sites and terminals as many as go with them.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(100..=5_000_000))]
    pub(crate) accounts: u32,
    /// Another number, another world.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The moment at which the history ends, such as 2026-11-24T09:30:00Z; the start of today (UTC) unless said.
    /// Whoever is locked out then is so for ten minutes more, or a little less.
    #[arg(long)]
    pub(crate) until: Option<loquet_domain::Moment>,
    /// Print what there is as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// For `serve --dev`, which needs less.
    #[arg(long)]
    pub(crate) dev: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
