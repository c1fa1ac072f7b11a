//! Companies, their sites, terminals, permissions and take-overs on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use loquet_domain::values::permission::Permission;

#[derive(Subcommand)]
pub(crate) enum CompanyCommand {
    /// Companies by name, or the newest first.
    List(ListCompanies),
    /// One company.
    Show(WhichCompany),
}

#[derive(Args)]
pub(crate) struct ListCompanies {
    /// Only those whose legal or trading name begins so, whatever the case.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) name: Option<String>,
    /// Only those that have no administrator.
    #[arg(long)]
    pub(crate) without_administrator: bool,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

/// How much of a list is printed, and for whom.
#[derive(Args)]
pub(crate) struct HowMany {
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Print JSON, one a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct WhichCompany {
    /// Its id or its enterprise number.
    pub(crate) company: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum SiteCommand {
    /// A company's sites, by name.
    List(ListSites),
    /// One site, with its terminals.
    Show(WhichSite),
}

#[derive(Args)]
pub(crate) struct ListSites {
    /// The company's id or its enterprise number.
    pub(crate) company: String,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct WhichSite {
    /// Its id.
    pub(crate) site: loquet_domain::ids::SiteId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum TerminalCommand {
    /// One terminal: what it is, where it stands, and where it stood.
    Show(WhichTerminal),
    /// Assign many terminals to sites of their company, by the running server: all of a file or, where a line of it
    /// has a fault, nothing.
    Import(ImportTerminals),
}

#[derive(Args)]
pub(crate) struct WhichTerminal {
    /// Its serial number or its id.
    pub(crate) terminal: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ImportTerminals {
    /// A CSV file with the columns `terminal` (serial number or id) and `site` (id or name); `-` is standard input.
    pub(crate) file: PathBuf,
    /// The company whose terminals they are, by its id.
    #[arg(long)]
    pub(crate) company: loquet_domain::ids::CompanyId,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The running server, such as `http://127.0.0.1:8080`.
    #[arg(long)]
    pub(crate) url: String,
    /// A file with a service token of scope companies:write.
    #[arg(long)]
    pub(crate) token_file: PathBuf,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum PermissionCommand {
    /// May this account do that at this site? Yes is exit code 0, no is 2.
    Ask(AskPermission),
}

#[derive(Args)]
pub(crate) struct AskPermission {
    /// The account's e-mail address or id.
    #[arg(long)]
    pub(crate) account: String,
    /// What it would do.
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
    /// Take-overs, the newest first.
    List(ListTakeOvers),
    /// One take-over: who waits for what, and what moves.
    Show(WhichTakeOver),
}

#[derive(Args)]
pub(crate) struct ListTakeOvers {
    /// Only those in this state.
    #[arg(long, value_parser = ["open", "completing", "completed", "cancelled"])]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct WhichTakeOver {
    /// Its id.
    pub(crate) takeover: loquet_domain::ids::TakeOverId,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
