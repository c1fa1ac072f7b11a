//! The values in the public events of companies, and how each is made from the value of the domain.

use loquet_domain::access::{self, Where};
use loquet_domain::company;
use loquet_domain::ids::{AccountId, SiteId, TerminalId};
use loquet_domain::order;
use loquet_domain::terminals;
use loquet_domain::values::address;
use loquet_domain::values::enterprise_number;
use loquet_domain::values::permission::Permission as DomainPermission;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// A postal address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Address {
    /// Street, without the number.
    pub street: String,
    /// House number, letters included.
    pub number: String,
    /// Box, floor or suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#box: Option<String>,
    /// Postal code.
    pub postal_code: String,
    /// Town.
    pub town: String,
    /// Country, as an ISO 3166-1 alpha-2 code.
    pub country: String,
}

/// The country of a company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum Country {
    /// Belgium.
    #[serde(rename = "BE")]
    Belgium,
    /// The Netherlands.
    #[serde(rename = "NL")]
    Netherlands,
}

/// The purpose of a company's address that is not a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// The legal address.
    RegisteredOffice,
    /// The address for invoices.
    Invoicing,
    /// The address for letters.
    Correspondence,
}

/// What a group allows its members to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See payments.
    ViewTransactions,
    /// See invoices.
    ViewInvoices,
    /// Create users and grant them permissions.
    ManageUsers,
    /// Assign terminals to sites.
    ManageTerminals,
    /// Set the layout of receipts.
    ManageReceipts,
    /// Activate the terminal app.
    ActivateTerminalApp,
    /// Name sites and change the company's details.
    ManageCompany,
}

/// Why a terminal was released from its company.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// The company sent it back to the supplier.
    Returned,
    /// Another terminal took its place.
    Replaced,
    /// The company sold it on.
    SoldOn,
}

impl From<terminals::ReleaseCause> for ReleaseCause {
    fn from(cause: terminals::ReleaseCause) -> Self {
        match cause {
            terminals::ReleaseCause::Returned => Self::Returned,
            terminals::ReleaseCause::Replaced => Self::Replaced,
            terminals::ReleaseCause::SoldOn => Self::SoldOn,
        }
    }
}

/// A terminal that moved from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MovedTerminal {
    /// The terminal.
    pub terminal_id: Uuid,
    /// Its model.
    pub model: String,
    /// Its serial number. Absent while it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its site.
    pub site_id: Uuid,
}

/// A site that moved from one company to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MovedSite {
    /// The site.
    pub site_id: Uuid,
    /// Its name. Present if the operator publishes the field `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal-data" = true))]
    pub name: Option<String>,
    /// Its address. Present if the operator publishes the field `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-personal-data" = true))]
    pub address: Option<Address>,
}

/// A site that became one with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MergedSite {
    /// The site that moved. It exists no more.
    pub site_id: Uuid,
    /// The site that was at the same address. It has the terminals of both.
    pub into_site_id: Uuid,
}

/// A member of a group, and the sites where the permissions of the group hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    /// The account.
    pub account_id: Uuid,
    /// The sites. Absent if the permissions hold at every site of the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_ids: Option<Vec<Uuid>>,
}

/// A group that a take-over created, with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct JoinedGroup {
    /// The group.
    pub group_id: Uuid,
    /// Its permissions.
    pub permissions: Vec<Permission>,
    /// Its members.
    pub members: Vec<Member>,
}

/// What an order led to for its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// The company is new, and the contact became its administrator.
    FirstOrder,
    /// The contact became a temporary administrator.
    TemporaryAdministrator,
    /// The contact already has an account of this company.
    KnownContact,
    /// The contact has an account of another company. Support decides.
    AwaitingSupport,
}

/// One of the two companies of a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakeoverSide {
    /// The company that gives sites and accounts away.
    Transferor,
    /// The company that gets them.
    Acquirer,
}

impl From<&address::Address> for Address {
    fn from(address: &address::Address) -> Self {
        let address::Address { street, number, r#box, postal_code, town, country } = address.clone();
        Self { street, number, r#box, postal_code, town, country }
    }
}

impl From<enterprise_number::Country> for Country {
    fn from(country: enterprise_number::Country) -> Self {
        match country {
            enterprise_number::Country::Belgium => Self::Belgium,
            enterprise_number::Country::Netherlands => Self::Netherlands,
        }
    }
}

impl From<company::AddressKind> for AddressKind {
    fn from(kind: company::AddressKind) -> Self {
        match kind {
            company::AddressKind::RegisteredOffice => Self::RegisteredOffice,
            company::AddressKind::Invoicing => Self::Invoicing,
            company::AddressKind::Correspondence => Self::Correspondence,
        }
    }
}

impl From<DomainPermission> for Permission {
    fn from(permission: DomainPermission) -> Self {
        match permission {
            DomainPermission::ViewTransactions => Self::ViewTransactions,
            DomainPermission::ViewInvoices => Self::ViewInvoices,
            DomainPermission::ManageUsers => Self::ManageUsers,
            DomainPermission::ManageTerminals => Self::ManageTerminals,
            DomainPermission::ManageReceipts => Self::ManageReceipts,
            DomainPermission::ActivateTerminalApp => Self::ActivateTerminalApp,
            DomainPermission::ManageCompany => Self::ManageCompany,
        }
    }
}

impl From<order::Outcome> for OrderOutcome {
    fn from(outcome: order::Outcome) -> Self {
        match outcome {
            order::Outcome::FirstOrder => Self::FirstOrder,
            order::Outcome::TemporaryAdministrator => Self::TemporaryAdministrator,
            order::Outcome::KnownContact => Self::KnownContact,
            order::Outcome::AwaitingSupport => Self::AwaitingSupport,
        }
    }
}

impl From<&terminals::MovedTerminal> for MovedTerminal {
    fn from(moved: &terminals::MovedTerminal) -> Self {
        Self {
            terminal_id: moved.terminal.0,
            model: moved.model.as_str().to_owned(),
            serial: moved.serial.as_ref().map(ToString::to_string),
            site_id: moved.site.0,
        }
    }
}

impl From<&access::NewGroup> for JoinedGroup {
    fn from(group: &access::NewGroup) -> Self {
        let member = |(account, sites): (&AccountId, &Where)| Member {
            account_id: account.0,
            site_ids: site_ids_of(sites),
        };
        Self {
            group_id: group.group.0,
            permissions: permissions(&group.permissions),
            members: group.members.iter().map(member).collect(),
        }
    }
}

pub(crate) fn permissions(held: &std::collections::BTreeSet<DomainPermission>) -> Vec<Permission> {
    held.iter().map(|permission| (*permission).into()).collect()
}

pub(crate) fn site_ids_of(sites: &Where) -> Option<Vec<Uuid>> {
    match sites {
        Where::Everywhere => None,
        Where::Sites(sites) => Some(sites.iter().map(|site| site.0).collect()),
    }
}

pub(crate) fn site_ids(sites: &[SiteId]) -> Vec<Uuid> {
    sites.iter().map(|site| site.0).collect()
}

pub(crate) fn terminal_ids(terminals: &[TerminalId]) -> Vec<Uuid> {
    terminals.iter().map(|terminal| terminal.0).collect()
}

pub(crate) fn account_ids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| account.0).collect()
}
