//! The public events of companies: their sites, terminals, access rights, receipts, orders and take-overs.

use chrono::{DateTime, Utc};
use loquet_domain::access::{self, Where};
use loquet_domain::company::{self, CompanyName};
use loquet_domain::ids::{AccountId, SiteId, TerminalId};
use loquet_domain::order;
use loquet_domain::receipt;
use loquet_domain::takeover;
use loquet_domain::terminals;
use loquet_domain::values::address;
use loquet_domain::values::enterprise_number;
use loquet_domain::values::permission::Permission as DomainPermission;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::personal_fields::PersonalFields;
use crate::public_event::PublicEvent;

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

public_events! { Companies:
    /// A company became a customer.
    "loquet.company.registered.v1" CompanyRegistered "company-registered" {
        /// The company.
        company_id: Uuid,
        /// The order that registered it.
        order_id: String,
        /// Its country.
        country: Country,
    } personal {
        /// Its number in the register of its country: ten digits in Belgium, eight in the Netherlands.
        enterprise_number: String,
        /// Its name in the register.
        legal_name: String,
        /// Its trading name, if that differs from the legal name.
        trading_name: String,
        /// Its registered office.
        address: Address,
    },
    /// A company has new names.
    "loquet.company.renamed.v1" CompanyRenamed "company-renamed" {
        /// The company.
        company_id: Uuid,
    } personal {
        /// Its name in the register.
        legal_name: String,
        /// Its trading name, if that differs from the legal name.
        trading_name: String,
    },
    /// The registered office, invoicing address or correspondence address of a company changed or was removed.
    "loquet.company.address-changed.v1" CompanyAddressChanged "company-address-changed" {
        /// The company.
        company_id: Uuid,
        /// The purpose of the address.
        kind: AddressKind,
        /// Whether the company no longer has an address of this kind.
        removed: bool,
    } personal {
        /// The new address.
        address: Address,
    },
    /// A site was opened, because a terminal was ordered to an address where the company had none.
    "loquet.site.opened.v1" SiteOpened "site-opened" {
        /// The company.
        company_id: Uuid,
        /// The site.
        site_id: Uuid,
        /// The order that opened it.
        order_id: String,
    } personal {
        /// Its name: street and town, until somebody names it.
        name: String,
        /// Its address.
        address: Address,
    },
    /// A site has a new name.
    "loquet.site.named.v1" SiteNamed "site-named" {
        /// The company.
        company_id: Uuid,
        /// The site.
        site_id: Uuid,
    } personal {
        /// Its new name.
        name: String,
    },
    /// A site has a new address.
    "loquet.site.address-changed.v1" SiteAddressChanged "site-address-changed" {
        /// The company.
        company_id: Uuid,
        /// The site.
        site_id: Uuid,
    } personal {
        /// Its new address.
        address: Address,
    },
    /// Sites leave for another company. They belong to this company until `loquet.takeover.completed.v1`.
    "loquet.site.released.v1" SitesReleased "sites-released" {
        /// The company that gives the sites away.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gets them.
        to_company_id: Uuid,
        /// The sites.
        site_ids: Vec<Uuid>,
    },
    /// Sites come from another company. They belong to this company from `loquet.takeover.completed.v1` on.
    "loquet.site.received.v1" SitesReceived "sites-received" {
        /// The company that gets the sites.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gives them away.
        from_company_id: Uuid,
        /// The sites.
        sites: Vec<MovedSite>,
    },
    /// A terminal was ordered to a site.
    "loquet.terminal.added.v1" TerminalAdded "terminal-added" {
        /// The company.
        company_id: Uuid,
        /// The terminal.
        terminal_id: Uuid,
        /// Its model.
        model: String,
        /// Its site.
        site_id: Uuid,
        /// The order.
        order_id: String,
    } optional {
        /// Its serial number. Absent while it is unknown.
        serial: String,
    },
    /// A terminal was assigned to another site of its company.
    "loquet.terminal.assigned.v1" TerminalAssigned "terminal-assigned" {
        /// The company.
        company_id: Uuid,
        /// The terminal.
        terminal_id: Uuid,
        /// The site before.
        from_site_id: Uuid,
        /// The site now.
        to_site_id: Uuid,
    },
    /// The serial number of a terminal became known.
    "loquet.terminal.serial-noted.v1" TerminalSerialNoted "terminal-serial-noted" {
        /// The company.
        company_id: Uuid,
        /// The terminal.
        terminal_id: Uuid,
        /// Its serial number.
        serial: String,
    },
    /// Terminals leave with their sites. They belong to this company until `loquet.takeover.completed.v1`.
    "loquet.terminal.released.v1" TerminalsReleased "terminals-released" {
        /// The company that gives the terminals away.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gets them.
        to_company_id: Uuid,
        /// The terminals.
        terminal_ids: Vec<Uuid>,
    },
    /// Terminals come with their sites. They belong to this company from `loquet.takeover.completed.v1` on.
    "loquet.terminal.received.v1" TerminalsReceived "terminals-received" {
        /// The company that gets the terminals.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gives them away.
        from_company_id: Uuid,
        /// The terminals.
        terminals: Vec<MovedTerminal>,
    },
    /// An account has full access to a company.
    "loquet.access.administrator-added.v1" AdministratorAdded "administrator-admitted" {
        /// The company.
        company_id: Uuid,
        /// The account.
        account_id: Uuid,
    },
    /// An account no longer has full access to a company.
    "loquet.access.administrator-removed.v1" AdministratorRemoved "administrator-removed" {
        /// The company.
        company_id: Uuid,
        /// The account.
        account_id: Uuid,
    },
    /// A group was created. It has no members yet.
    "loquet.access.group-created.v1" GroupCreated "group-created" {
        /// The company.
        company_id: Uuid,
        /// The group.
        group_id: Uuid,
        /// What it allows its members to do.
        permissions: Vec<Permission>,
    },
    /// A group was changed. These are all its permissions now.
    "loquet.access.group-changed.v1" GroupChanged "group-changed" {
        /// The company.
        company_id: Uuid,
        /// The group.
        group_id: Uuid,
        /// What it allows its members to do.
        permissions: Vec<Permission>,
    },
    /// A group was deleted. It had no members any more.
    "loquet.access.group-deleted.v1" GroupDeleted "group-deleted" {
        /// The company.
        company_id: Uuid,
        /// The group.
        group_id: Uuid,
    },
    /// An account is a member of a group at these sites, and at no others.
    "loquet.access.member-added.v1" MemberAdded "member-added" {
        /// The company.
        company_id: Uuid,
        /// The group.
        group_id: Uuid,
        /// The account.
        account_id: Uuid,
    } optional {
        /// The sites. Absent if the permissions hold at every site of the company.
        site_ids: Vec<Uuid>,
    },
    /// An account is no longer a member of a group.
    "loquet.access.member-removed.v1" MemberRemoved "member-removed" {
        /// The company.
        company_id: Uuid,
        /// The group.
        group_id: Uuid,
        /// The account.
        account_id: Uuid,
    },
    /// Accounts moved to another company. Here they are in no group any more, and administer nothing.
    "loquet.access.accounts-left.v1" AccountsLeft "accounts-left" {
        /// The company that they left.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The accounts.
        account_ids: Vec<Uuid>,
    },
    /// Accounts came from another company. These groups give them the rights that they had at the sites that moved.
    "loquet.access.accounts-joined.v1" AccountsJoined "accounts-joined" {
        /// The company that they joined.
        company_id: Uuid,
        /// The take-over.
        takeover_id: Uuid,
        /// The company that they came from.
        from_company_id: Uuid,
        /// The groups.
        groups: Vec<JoinedGroup>,
    },
    /// The receipts of a site have a new layout. A terminal gets it when it next synchronises.
    "loquet.receipt.layout-saved.v1" ReceiptLayoutSaved "receipt-layout-saved" {
        /// The company.
        company_id: Uuid,
        /// The site.
        site_id: Uuid,
    },
    /// An order was accepted: its company and its contact's account exist, or support has been asked to decide.
    "loquet.order.accepted.v1" OrderAccepted "order-onboarded" {
        /// The company that ordered.
        company_id: Uuid,
        /// The order.
        order_id: String,
        /// The account that has the contact's address.
        account_id: Uuid,
        /// What the order led to for its contact.
        outcome: OrderOutcome,
    },
    /// The sites of an order were opened and its terminals added.
    "loquet.order.equipped.v1" OrderEquipped "order-equipped" {
        /// The company that ordered.
        company_id: Uuid,
        /// The order.
        order_id: String,
        /// The sites that it opened.
        opened_site_ids: Vec<Uuid>,
        /// How many terminals it added.
        added_terminals: u64,
        /// Serial numbers that belong to other companies' terminals. These terminals were not added.
        refused_serials: Vec<String>,
    },
    /// Support opened a take-over. Both companies are asked to agree.
    "loquet.takeover.opened.v1" TakeoverOpened "takeover-opened" {
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gives sites and accounts away.
        from_company_id: Uuid,
        /// The company that gets them.
        to_company_id: Uuid,
        /// The sites that will move, each with its terminals.
        site_ids: Vec<Uuid>,
        /// The accounts that will move.
        account_ids: Vec<Uuid>,
        /// When the take-over is expected to be complete.
        due_at: DateTime<Utc>,
    },
    /// A company agreed to a take-over.
    "loquet.takeover.confirmed.v1" TakeoverConfirmed "takeover-confirmed" {
        /// The take-over.
        takeover_id: Uuid,
        /// Which company.
        side: TakeoverSide,
    },
    /// Everything has moved. From now on it belongs to the acquiring company.
    "loquet.takeover.completed.v1" TakeoverCompleted "takeover-completed" {
        /// The take-over.
        takeover_id: Uuid,
        /// The company that gave sites and accounts away.
        from_company_id: Uuid,
        /// The company that got them.
        to_company_id: Uuid,
        /// The sites that moved.
        site_ids: Vec<Uuid>,
        /// The terminals that moved.
        terminal_ids: Vec<Uuid>,
        /// The accounts that moved.
        account_ids: Vec<Uuid>,
    },
    /// A take-over was cancelled. Nothing moves.
    "loquet.takeover.cancelled.v1" TakeoverCancelled "takeover-cancelled" {
        /// The take-over.
        takeover_id: Uuid,
    },
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

fn permissions(held: &std::collections::BTreeSet<DomainPermission>) -> Vec<Permission> {
    held.iter().map(|permission| (*permission).into()).collect()
}

fn site_ids_of(sites: &Where) -> Option<Vec<Uuid>> {
    match sites {
        Where::Everywhere => None,
        Where::Sites(sites) => Some(sites.iter().map(|site| site.0).collect()),
    }
}

fn site_ids(sites: &[SiteId]) -> Vec<Uuid> {
    sites.iter().map(|site| site.0).collect()
}

fn terminal_ids(terminals: &[TerminalId]) -> Vec<Uuid> {
    terminals.iter().map(|terminal| terminal.0).collect()
}

fn account_ids(accounts: &[AccountId]) -> Vec<Uuid> {
    accounts.iter().map(|account| account.0).collect()
}

/// The public event of a company's event. Returns `None` if the event is not public.
pub(crate) fn of_company(
    company_id: Uuid,
    event: &company::Event,
    personal: &PersonalFields,
) -> Option<PublicEvent> {
    use company::Event as E;
    let name = |field, name: &CompanyName| personal.text(field, || Some(name.as_str()));
    let address = |address: &address::Address| personal.value("address", || address.into());
    Some(match event {
        E::CompanyRegistered { order, registration } => PublicEvent::of(&CompanyRegistered {
            company_id,
            order_id: order.to_string(),
            country: registration.number.country().into(),
            enterprise_number: personal.text("enterprise_number", || Some(registration.number.digits())),
            legal_name: name("legal_name", &registration.legal_name),
            trading_name: registration.trading_name.as_ref().and_then(|held| name("trading_name", held)),
            address: address(&registration.registered_office),
        }),
        E::CompanyRenamed { legal_name, trading_name } => PublicEvent::of(&CompanyRenamed {
            company_id,
            legal_name: name("legal_name", legal_name),
            trading_name: trading_name.as_ref().and_then(|held| name("trading_name", held)),
        }),
        E::CompanyAddressChanged { kind, address: changed } => PublicEvent::of(&CompanyAddressChanged {
            company_id,
            kind: (*kind).into(),
            removed: changed.is_none(),
            address: changed.as_ref().and_then(address),
        }),
        E::SiteOpened { site, name, address: at, order } => PublicEvent::of(&SiteOpened {
            company_id,
            site_id: site.0,
            order_id: order.to_string(),
            name: personal.text("name", || Some(name.as_str())),
            address: address(at),
        }),
        E::SiteNamed { site, name } => PublicEvent::of(&SiteNamed {
            company_id,
            site_id: site.0,
            name: personal.text("name", || Some(name.as_str())),
        }),
        E::SiteAddressChanged { site, address: at } => {
            PublicEvent::of(&SiteAddressChanged { company_id, site_id: site.0, address: address(at) })
        }
        E::SitesReleased { takeover, to, sites } => PublicEvent::of(&SitesReleased {
            company_id,
            takeover_id: takeover.0,
            to_company_id: to.0,
            site_ids: site_ids(sites),
        }),
        E::SitesReceived { takeover, from, sites } => {
            let moved = |moved: &company::MovedSite| MovedSite {
                site_id: moved.site.0,
                name: personal.text("name", || Some(moved.name.as_str())),
                address: address(&moved.address),
            };
            PublicEvent::of(&SitesReceived {
                company_id,
                takeover_id: takeover.0,
                from_company_id: from.0,
                sites: sites.iter().map(moved).collect(),
            })
        }
        // An open take-over is published by its own events.
        E::SitesPromised { .. } | E::SitesKept { .. } => return None,
    })
}

/// The public event of an event of a company's terminals.
pub(crate) fn of_terminals(company_id: Uuid, event: &terminals::Event) -> PublicEvent {
    use terminals::Event as E;
    match event {
        E::TerminalAdded { terminal, model, serial, site, order } => PublicEvent::of(&TerminalAdded {
            company_id,
            terminal_id: terminal.0,
            model: model.as_str().to_owned(),
            serial: serial.as_ref().map(ToString::to_string),
            site_id: site.0,
            order_id: order.to_string(),
        }),
        E::TerminalAssigned { terminal, from, to } => PublicEvent::of(&TerminalAssigned {
            company_id,
            terminal_id: terminal.0,
            from_site_id: from.0,
            to_site_id: to.0,
        }),
        E::TerminalSerialNoted { terminal, serial } => PublicEvent::of(&TerminalSerialNoted {
            company_id,
            terminal_id: terminal.0,
            serial: serial.to_string(),
        }),
        E::TerminalsReleased { takeover, to, terminals, .. } => PublicEvent::of(&TerminalsReleased {
            company_id,
            takeover_id: takeover.0,
            to_company_id: to.0,
            terminal_ids: terminal_ids(terminals),
        }),
        E::TerminalsReceived { takeover, from, terminals, .. } => PublicEvent::of(&TerminalsReceived {
            company_id,
            takeover_id: takeover.0,
            from_company_id: from.0,
            terminals: terminals.iter().map(Into::into).collect(),
        }),
    }
}

/// The public event of an event of a company's access rights. Returns `None` if the event is not public.
pub(crate) fn of_access(company_id: Uuid, event: &access::Event) -> Option<PublicEvent> {
    use access::Event as E;
    Some(match event {
        E::AdministratorAdmitted { account } => {
            PublicEvent::of(&AdministratorAdded { company_id, account_id: account.0 })
        }
        E::AdministratorRemoved { account } => {
            PublicEvent::of(&AdministratorRemoved { company_id, account_id: account.0 })
        }
        E::GroupCreated { group, permissions: held, .. } => {
            PublicEvent::of(&GroupCreated { company_id, group_id: group.0, permissions: permissions(held) })
        }
        E::GroupChanged { group, permissions: held, .. } => {
            PublicEvent::of(&GroupChanged { company_id, group_id: group.0, permissions: permissions(held) })
        }
        E::GroupDeleted { group } => PublicEvent::of(&GroupDeleted { company_id, group_id: group.0 }),
        E::MemberAdded { group, account, sites } => PublicEvent::of(&MemberAdded {
            company_id,
            group_id: group.0,
            account_id: account.0,
            site_ids: site_ids_of(sites),
        }),
        E::MemberRemoved { group, account } => {
            PublicEvent::of(&MemberRemoved { company_id, group_id: group.0, account_id: account.0 })
        }
        E::AccountsLeft { takeover, accounts } => PublicEvent::of(&AccountsLeft {
            company_id,
            takeover_id: takeover.0,
            account_ids: account_ids(accounts),
        }),
        E::AccountsJoined { takeover, from, groups } => PublicEvent::of(&AccountsJoined {
            company_id,
            takeover_id: takeover.0,
            from_company_id: from.0,
            groups: groups.iter().map(Into::into).collect(),
        }),
        // An activation is published by the account's own event. The others prepare what `accounts-left` says.
        E::AdministratorActivated { .. } | E::AccountsLeaving { .. } | E::AccountsStayed { .. } => {
            return None;
        }
    })
}

/// The public event of an order's event, and the company that ordered. Returns `None` if the event is not public.
pub(crate) fn of_order(order_id: &str, event: &order::Event) -> Option<(Uuid, PublicEvent)> {
    let order_id = order_id.to_owned();
    Some(match event {
        order::Event::OrderOnboarded { company, account, outcome } => {
            let (account_id, outcome) = (account.0, (*outcome).into());
            let accepted = OrderAccepted { company_id: company.0, order_id, account_id, outcome };
            (company.0, PublicEvent::of(&accepted))
        }
        order::Event::OrderEquipped(done) => {
            let equipped = OrderEquipped {
                company_id: done.company.0,
                order_id,
                opened_site_ids: site_ids(&done.opened),
                added_terminals: u64::try_from(done.added).unwrap_or(u64::MAX),
                refused_serials: done.refused.iter().map(ToString::to_string).collect(),
            };
            (done.company.0, PublicEvent::of(&equipped))
        }
        // The content of an order belongs to whoever placed it. Support's decisions are its own.
        order::Event::OrderReceived { .. } | order::Event::OrderResolved { .. } => return None,
    })
}

/// The public event of a receipt layout's event, and the company of the site.
pub(crate) fn of_receipt(site_id: Uuid, event: &receipt::Event) -> (Uuid, PublicEvent) {
    let receipt::Event::ReceiptLayoutSaved { company, .. } = event;
    let saved = ReceiptLayoutSaved { company_id: company.0, site_id };
    (company.0, PublicEvent::of(&saved))
}

/// The public event of a take-over's event. Returns `None` if the event is not public.
pub(crate) fn of_takeover(takeover_id: Uuid, event: &takeover::Event) -> Option<PublicEvent> {
    use takeover::Event as E;
    Some(match event {
        E::TakeOverOpened { from, to, sites, accounts, due_at, .. } => PublicEvent::of(&TakeoverOpened {
            takeover_id,
            from_company_id: from.0,
            to_company_id: to.0,
            site_ids: site_ids(sites),
            account_ids: account_ids(accounts),
            due_at: *due_at,
        }),
        E::TakeOverConfirmed { side } => PublicEvent::of(&TakeoverConfirmed {
            takeover_id,
            side: match side {
                takeover::Side::Transferor => TakeoverSide::Transferor,
                takeover::Side::Acquirer => TakeoverSide::Acquirer,
            },
        }),
        E::TakeOverCompleted { from, to, sites, terminals, accounts } => {
            PublicEvent::of(&TakeoverCompleted {
                takeover_id,
                from_company_id: from.0,
                to_company_id: to.0,
                site_ids: site_ids(sites),
                terminal_ids: terminal_ids(terminals),
                account_ids: account_ids(accounts),
            })
        }
        E::TakeOverCancelled { .. } => PublicEvent::of(&TakeoverCancelled { takeover_id }),
        // It only says that the move has started.
        E::TakeOverBegun { .. } => return None,
    })
}
