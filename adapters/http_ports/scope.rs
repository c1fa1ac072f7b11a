//! What tokens allow. A program's token names its scopes. A person's token names a role, and the scopes
//! follow from the role.

use std::collections::BTreeSet;

use loquet_domain::fact::StaffRole;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a program's token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(parse_err_ty = UnknownScope, parse_err_fn = unknown)]
pub enum Scope {
    /// Deliver orders.
    #[strum(serialize = "orders:write")]
    OrdersWrite,
    /// See orders.
    #[strum(serialize = "orders:read")]
    OrdersRead,
    /// Decide what happens to orders that wait for support.
    #[strum(serialize = "orders:resolve")]
    OrdersResolve,
    /// See accounts, their lockouts and sessions.
    #[strum(serialize = "accounts:read")]
    AccountsRead,
    /// Create and convert accounts, send activation and reset mails, and end sessions.
    #[strum(serialize = "accounts:write")]
    AccountsWrite,
    /// Delete accounts, and forget people.
    #[strum(serialize = "accounts:delete")]
    AccountsDelete,
    /// End lockouts.
    #[strum(serialize = "lockouts:release")]
    LockoutsRelease,
    /// Read the history of accounts, and follow the event log.
    #[strum(serialize = "events:read")]
    EventsRead,
    /// Read the metrics.
    #[strum(serialize = "metrics:read")]
    MetricsRead,
    /// See companies, sites, terminals, groups, receipts and take-overs.
    #[strum(serialize = "companies:read")]
    CompaniesRead,
    /// Change companies, as their administrators can.
    #[strum(serialize = "companies:write")]
    CompaniesWrite,
    /// Ask which permissions a person has.
    #[strum(serialize = "permissions:read")]
    PermissionsRead,
    /// Open, confirm, complete and cancel take-overs.
    #[strum(serialize = "takeovers:write")]
    TakeOversWrite,
    /// Fetch receipt layouts: for terminals that synchronise.
    #[strum(serialize = "layouts:read")]
    LayoutsRead,
    /// Remove a second step that a person has lost.
    #[strum(serialize = "second-step:reset")]
    SecondStepReset,
    /// Search, and see why a person cannot log in.
    #[strum(serialize = "support:read")]
    SupportRead,
    /// Invite members of the supplier's staff, and see who they are.
    #[strum(serialize = "staff:write")]
    StaffWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A name that is not the name of a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope '{0}': there are orders:write, orders:read, orders:resolve, accounts:read, accounts:write, accounts:delete, lockouts:release, events:read, metrics:read, companies:read, companies:write, permissions:read, takeovers:write, layouts:read, second-step:reset, support:read, staff:write"
)]
pub struct UnknownScope(String);

fn unknown(name: &str) -> UnknownScope {
    UnknownScope(name.to_owned())
}

/// The scopes of an auditor. None of them can change anything.
const AUDITOR: [Scope; 6] = [
    Scope::AccountsRead,
    Scope::CompaniesRead,
    Scope::EventsRead,
    Scope::OrdersRead,
    Scope::PermissionsRead,
    Scope::SupportRead,
];
/// The further scopes of support. Support can't delete accounts or erase people.
const SUPPORT: [Scope; 6] = [
    Scope::AccountsWrite,
    Scope::CompaniesWrite,
    Scope::LockoutsRelease,
    Scope::OrdersResolve,
    Scope::SecondStepReset,
    Scope::TakeOversWrite,
];

/// Returns the scopes of a role. Tokens store the role and not its scopes, so a change here applies at once
/// to every person with the role.
#[must_use]
pub fn scopes_of(role: StaffRole) -> BTreeSet<Scope> {
    let support = AUDITOR.iter().chain(&SUPPORT);
    match role {
        StaffRole::Auditor => AUDITOR.into(),
        StaffRole::Support => support.copied().collect(),
        StaffRole::Supervisor => support.copied().chain([Scope::AccountsDelete]).collect(),
    }
}
