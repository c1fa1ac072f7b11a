//! Accounts and lockouts on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use loquet_domain::account::Admission;
use loquet_projections::views::accounts::Status;

use super::companies::HowMany;
use super::{Remote, words};

#[derive(Subcommand)]
pub(crate) enum AccountCommand {
    /// List accounts, the newest first.
    List(ListAccounts),
    /// Show an account as it is now.
    Show(Which),
    /// Show every event of an account.
    History(Which),
    /// End a lockout early. The owner gets a mail. Check who the person is before you do it.
    Release(Helped),
    /// Send the activation mail again. Older links no longer work.
    SendActivation(Helped),
    /// Send a mail with a link to a new password.
    SendReset(Helped),
    /// Admit a temporary administrator.
    Convert(Convert),
    /// Turn off the second step of a person who has lost their phone. All their sessions end, and the owner gets a mail.
    ResetSecondStep(ResetSecondStep),
    /// Write everything that is held on a person to standard output (GDPR, articles 15 and 20). A running server does
    /// it, and records that it did.
    Export(Export),
    /// Erase a person: delete the account, and then the key of the personal data. This cannot be undone.
    Erase(Erase),
}

#[derive(Subcommand)]
pub(crate) enum LockoutCommand {
    /// List the accounts that are locked out now. `account release` ends a lockout.
    List(ListLockouts),
}

#[derive(Args)]
pub(crate) struct ListAccounts {
    /// Show only the accounts of this company: its id or enterprise number.
    #[arg(long, value_parser = words::company)]
    pub(crate) company: Option<String>,
    /// Show only accounts in this stage.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Status::ALL.map(Status::word)))]
    pub(crate) status: Option<String>,
    /// Show only temporary administrators, whom an administrator or support must admit.
    #[arg(long, conflicts_with_all = ["company", "status"])]
    pub(crate) awaiting_conversion: bool,
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct ListLockouts {
    #[command(flatten)]
    pub(crate) how: HowMany,
}

#[derive(Args)]
pub(crate) struct Which {
    /// The account's e-mail address or id.
    #[arg(value_parser = words::account)]
    pub(crate) account: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom support helps, and why.
#[derive(Args)]
pub(crate) struct Helped {
    /// The account's e-mail address or id.
    #[arg(value_parser = words::account)]
    pub(crate) account: String,
    /// The reason, in your own words. It is stored in the log, encrypted.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    pub(crate) whom: Helped,
    /// The role that the person gets.
    #[arg(long, value_parser = words::admissions())]
    pub(crate) to: Admission,
}

#[derive(Args)]
pub(crate) struct ResetSecondStep {
    #[command(flatten)]
    pub(crate) whom: Helped,
    /// How you checked that the person is the owner of the account. It is stored with the reason.
    #[arg(long, value_name = "TEXT", value_parser = words::remark)]
    pub(crate) identity_proof: String,
}

#[derive(Args)]
pub(crate) struct Export {
    /// The account's e-mail address or id.
    #[arg(value_parser = words::account)]
    pub(crate) account: String,
    /// The reason. It is stored in the log.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: String,
    /// Write text to read, in the account's language, instead of JSON.
    #[arg(long, conflicts_with = "json_result")]
    pub(crate) text: bool,
    /// The address of a running server, such as `http://127.0.0.1:8080`.
    #[arg(long, value_parser = words::server_url)]
    pub(crate) url: String,
    /// A file that contains a service token with the scopes accounts:read and accounts:write. With support:read, the
    /// file has the notes of support too.
    #[arg(long)]
    pub(crate) token_file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Erase {
    /// The account's e-mail address or id.
    #[arg(value_parser = words::account)]
    pub(crate) account: String,
    /// The reason. It is stored in the log.
    #[arg(long, value_parser = words::remark)]
    pub(crate) reason: String,
    /// Erase the person without a question. Without this flag, the command asks at a terminal, and fails elsewhere.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}
