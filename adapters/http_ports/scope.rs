//! What tokens may do: a program's names its scopes, a person's the role from which they follow.

use std::collections::BTreeSet;
use std::str::FromStr;

use loquet_domain::fact::StaffRole;

/// What a program may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Deliver orders.
    OrdersWrite,
    /// See orders.
    OrdersRead,
    /// Decide what becomes of orders that wait for support.
    OrdersResolve,
    /// See accounts, their lockouts and sessions.
    AccountsRead,
    /// Create and convert accounts; have activation and reset mails sent; end sessions.
    AccountsWrite,
    /// Delete accounts, and forget people.
    AccountsDelete,
    /// End lockouts.
    LockoutsRelease,
    /// Read the history of accounts, and follow the log.
    EventsRead,
    /// Read the metrics.
    MetricsRead,
    /// See companies, sites, terminals, groups, receipts and take-overs.
    CompaniesRead,
    /// Change them, as their administrators can.
    CompaniesWrite,
    /// Ask who may do what.
    PermissionsRead,
    /// Open, confirm, complete and cancel take-overs.
    TakeOversWrite,
    /// Fetch receipt layouts: for terminals that synchronise.
    LayoutsRead,
    /// Take a lost second step away.
    SecondStepReset,
    /// Search, and see why a person cannot log in.
    SupportRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 16] = [
        Self::OrdersWrite,
        Self::OrdersRead,
        Self::OrdersResolve,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::AccountsDelete,
        Self::LockoutsRelease,
        Self::EventsRead,
        Self::MetricsRead,
        Self::CompaniesRead,
        Self::CompaniesWrite,
        Self::PermissionsRead,
        Self::TakeOversWrite,
        Self::LayoutsRead,
        Self::SecondStepReset,
        Self::SupportRead,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrdersWrite => "orders:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersResolve => "orders:resolve",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::AccountsDelete => "accounts:delete",
            Self::LockoutsRelease => "lockouts:release",
            Self::EventsRead => "events:read",
            Self::MetricsRead => "metrics:read",
            Self::CompaniesRead => "companies:read",
            Self::CompaniesWrite => "companies:write",
            Self::PermissionsRead => "permissions:read",
            Self::TakeOversWrite => "takeovers:write",
            Self::LayoutsRead => "layouts:read",
            Self::SecondStepReset => "second-step:reset",
            Self::SupportRead => "support:read",
        }
    }
}

/// A name that is no scope's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope '{0}': there are orders:write, orders:read, orders:resolve, accounts:read, accounts:write, accounts:delete, lockouts:release, events:read, metrics:read, companies:read, companies:write, permissions:read, takeovers:write, layouts:read, second-step:reset, support:read"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

/// What an auditor sees. Nothing here changes anything.
const AUDITOR: [Scope; 6] = [
    Scope::AccountsRead,
    Scope::CompaniesRead,
    Scope::EventsRead,
    Scope::OrdersRead,
    Scope::PermissionsRead,
    Scope::SupportRead,
];
/// What support does besides: all but delete and erase.
const SUPPORT: [Scope; 6] = [
    Scope::AccountsWrite,
    Scope::CompaniesWrite,
    Scope::LockoutsRelease,
    Scope::OrdersResolve,
    Scope::SecondStepReset,
    Scope::TakeOversWrite,
];

/// What a role may do. It is asked at each use of a token and noted in none: a change here holds at once for
/// everybody who has the role.
#[must_use]
pub fn scopes_of(role: StaffRole) -> BTreeSet<Scope> {
    let support = AUDITOR.iter().chain(&SUPPORT);
    match role {
        StaffRole::Auditor => AUDITOR.into(),
        StaffRole::Support => support.copied().collect(),
        StaffRole::Supervisor => support.copied().chain([Scope::AccountsDelete]).collect(),
    }
}
