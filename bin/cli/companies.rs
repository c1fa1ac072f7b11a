//! Companies, their sites, terminals, permissions and take-overs on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use loquet_domain::terminals::ReleaseCause;
use loquet_domain::values::permission::Permission;

use super::{Remote, words};

#[derive(Subcommand)]
pub(crate) enum CompanyCommand {
    /// List companies, the newest first. With `--name`, the list is sorted by name.
    List(ListCompanies),
    /// Show one company.
    Show(WhichCompany),
    /// Erase the names and addresses of a company that bears a person's name. This can't be undone.
    Erase(EraseCompany),
}

#[derive(Args)]
pub(crate) struct EraseCompany {
    /// The company's enterprise number or id.
    #[arg(value_parser = words::company)]
    pub(crate) company: String,
    /// The reason. It is sent to the server.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: String,
    /// Erase the company without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The address of a running server, such as `http://127.0.0.1:8080`.
    #[arg(long, value_parser = words::server_url)]
    pub(crate) url: String,
    /// A file that contains a service token with the scopes accounts:delete and companies:read.
    #[arg(long)]
    pub(crate) token_file: PathBuf,
}

#[derive(Args)]
pub(crate) struct ListCompanies {
    /// Show only companies whose legal or trading name begins with this text. Case does not matter.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) name: Option<String>,
    /// Show only companies that have no administrator.
    #[arg(long)]
    pub(crate) without_administrator: bool,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

/// How many rows a list prints, and in which format.
#[derive(Args)]
pub(crate) struct HowMany {
    /// The maximum number of rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Print JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct WhichCompany {
    /// The company's id or enterprise number.
    #[arg(value_parser = words::company)]
    pub(crate) company: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum SiteCommand {
    /// List a company's sites, sorted by name.
    List(ListSites),
    /// Show one site and its terminals.
    Show(WhichSite),
}

#[derive(Args)]
pub(crate) struct ListSites {
    /// The company's id or enterprise number.
    #[arg(value_parser = words::company)]
    pub(crate) company: String,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct WhichSite {
    /// The site's id.
    #[arg(value_parser = words::id::<loquet_domain::ids::SiteId>)]
    pub(crate) site: loquet_domain::ids::SiteId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum TerminalCommand {
    /// Show one terminal: its model, its site, and its former sites.
    Show(WhichTerminal),
    /// Release a terminal from its company: it was returned, replaced or sold on. Then another company's order can
    /// name its serial number.
    Release(ReleaseTerminal),
    /// Assign many terminals to sites of their company. The running server does the work. If one line of the file
    /// has a fault, nothing is assigned.
    Import(ImportTerminals),
}

#[derive(Args)]
pub(crate) struct WhichTerminal {
    /// The terminal's serial number or id.
    #[arg(value_parser = words::terminal)]
    pub(crate) terminal: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ReleaseTerminal {
    /// The terminal's serial number or id.
    #[arg(value_parser = words::terminal)]
    pub(crate) terminal: String,
    /// What became of it.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(ReleaseCause::ALL.map(ReleaseCause::name)))]
    pub(crate) cause: String,
    /// The reason, in your own words. It is stored in the log, encrypted.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: String,
    /// Release it without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
    #[arg(long)]
    pub(crate) yes: bool,
    /// The running server that does the work. The token needs the scope companies:write.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Args)]
pub(crate) struct ImportTerminals {
    /// A CSV file, as Excel saves it, with the columns `terminal` (serial number or id) and `site` (id or name). `-`
    /// reads standard input.
    pub(crate) file: PathBuf,
    /// The company that has the terminals: its id or its enterprise number.
    #[arg(long, value_parser = words::company)]
    pub(crate) company: String,
    /// The reason. It is stored in the log. A token of the supplier's staff needs one.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: Option<String>,
    /// Print what would be done, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The address of the running server, such as `http://127.0.0.1:8080`.
    #[arg(long, value_parser = words::server_url)]
    pub(crate) url: String,
    /// A file that contains a service token with the scope companies:write, and companies:read to find a number.
    #[arg(long)]
    pub(crate) token_file: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum PermissionCommand {
    /// Tell whether an account has a permission at a site. The exit code is 0 for yes and 3 for no.
    Ask(AskPermission),
}

#[derive(Args)]
pub(crate) struct AskPermission {
    /// The account's e-mail address or id.
    #[arg(long, value_parser = words::account)]
    pub(crate) account: String,
    /// The permission.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Permission::ALL.map(Permission::name)))]
    pub(crate) permission: String,
    /// The site's id.
    #[arg(long)]
    pub(crate) site: loquet_domain::ids::SiteId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum TakeOverCommand {
    /// List take-overs, the newest first.
    List(ListTakeOvers),
    /// Show one take-over: what it waits for, and what moves.
    Show(WhichTakeOver),
}

#[derive(Args)]
pub(crate) struct ListTakeOvers {
    /// Show only take-overs with this status.
    #[arg(long, value_parser = ["open", "completing", "completed", "cancelled"])]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct WhichTakeOver {
    /// The take-over's id.
    #[arg(value_parser = words::id::<loquet_domain::ids::TakeOverId>)]
    pub(crate) takeover: loquet_domain::ids::TakeOverId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
