//! The public events of companies: their sites, terminals, access rights, receipts, orders and take-overs.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::company_values::{
    Address, AddressKind, Country, JoinedGroup, MergedSite, MovedSite, MovedTerminal, OrderOutcome,
    Permission, ReleaseCause, TakeoverSide,
};

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
    /// Support gave a company another enterprise number. The company keeps its id. Orders with its former numbers are
    /// still its own.
    "loquet.company.number-changed.v1" CompanyNumberChanged "company-number-changed" {
        /// The company.
        company_id: Uuid,
        /// The country of the register.
        country: Country,
    } personal {
        /// Its new number in the register of its country.
        enterprise_number: String,
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
    /// A company was erased. Forget its names, its number, its addresses, and those of its sites: they may be a person's.
    /// You may keep the id, and what the law obliges you to keep.
    "loquet.company.erased.v1" CompanyErased "company-erased" {
        /// The company.
        company_id: Uuid,
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
        /// Its new name. Absent if the name stays, because somebody chose it.
        name: String,
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
    /// Sites come from another company. They belong to this company from `loquet.takeover.completed.v1` on. Sites at an
    /// address where this company has a site already are not among them: that event names them.
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
    /// A terminal was released from its company: it was returned, replaced or sold on. Its serial number is free. If
    /// somebody orders the number again, a terminal with another id is added.
    "loquet.terminal.freed.v1" TerminalFreed "terminal-freed" {
        /// The company that had the terminal.
        company_id: Uuid,
        /// The terminal.
        terminal_id: Uuid,
        /// The site where it was.
        site_id: Uuid,
        /// Why.
        cause: ReleaseCause,
    } optional {
        /// Its serial number. Absent if it is unknown.
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
    } optional {
        /// The sites that became one with a site that the acquiring company had at the same address. They exist no more,
        /// and their terminals are at the other site. Absent if there is none.
        merged_sites: Vec<MergedSite>,
    },
    /// A take-over was cancelled. Nothing moves.
    "loquet.takeover.cancelled.v1" TakeoverCancelled "takeover-cancelled" {
        /// The take-over.
        takeover_id: Uuid,
    },
}
