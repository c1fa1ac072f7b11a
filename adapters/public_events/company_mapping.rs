//! Which public event each event of a company becomes, and which events are not public.

use loquet_domain::access;
use loquet_domain::company::{self, CompanyName, SiteName};
use loquet_domain::ids::SiteId;
use loquet_domain::order;
use loquet_domain::receipt;
use loquet_domain::takeover;
use loquet_domain::terminals;
use loquet_domain::values::address;
use uuid::Uuid;

use crate::companies::{
    AccountsJoined, AccountsLeft, AdministratorAdded, AdministratorRemoved, CompanyAddressChanged,
    CompanyErased, CompanyNumberChanged, CompanyRegistered, CompanyRenamed, GroupChanged, GroupCreated,
    GroupDeleted, MemberAdded, MemberRemoved, OrderAccepted, OrderEquipped, ReceiptLayoutSaved,
    SiteAddressChanged, SiteNamed, SiteOpened, SitesReceived, SitesReleased, TakeoverCancelled,
    TakeoverCompleted, TakeoverConfirmed, TakeoverOpened, TerminalAdded, TerminalAssigned, TerminalFreed,
    TerminalSerialNoted, TerminalsReceived, TerminalsReleased,
};
use crate::company_values::{
    MergedSite, MovedSite, TakeoverSide, account_ids, permissions, site_ids, site_ids_of, terminal_ids,
};
use crate::personal_fields::PersonalFields;
use crate::public_event::PublicEvent;

/// The public event of a company's event. Returns `None` if the event is not public.
pub(crate) fn of_company(
    company_id: Uuid,
    event: &company::Event,
    personal: &PersonalFields,
) -> Option<PublicEvent> {
    use company::Event as E;
    let name = |field, name: Option<&CompanyName>| personal.text(field, || name.map(CompanyName::as_str));
    let site_name = |name: Option<&SiteName>| personal.text("name", || name.map(SiteName::as_str));
    let address =
        |address: Option<&address::Address>| personal.value("address", || address.map(Into::into)).flatten();
    Some(match event {
        E::CompanyRegistered { order, country, registration } => {
            let known = registration.known();
            PublicEvent::of(&CompanyRegistered {
                company_id,
                order_id: order.to_string(),
                country: (*country).into(),
                enterprise_number: personal.text("enterprise_number", || Some(known?.number.digits())),
                legal_name: name("legal_name", known.map(|known| &known.legal_name)),
                trading_name: name("trading_name", known.and_then(|known| known.trading_name.as_ref())),
                address: address(known.map(|known| &known.registered_office)),
            })
        }
        E::CompanyNumberChanged { country, number } => PublicEvent::of(&CompanyNumberChanged {
            company_id,
            country: (*country).into(),
            enterprise_number: personal.text("enterprise_number", || Some(number.known()?.digits())),
        }),
        E::CompanyRenamed { legal_name, trading_name } => PublicEvent::of(&CompanyRenamed {
            company_id,
            legal_name: name("legal_name", legal_name.known()),
            trading_name: name("trading_name", trading_name.known().and_then(Option::as_ref)),
        }),
        E::CompanyAddressChanged { kind, removed, address: changed } => {
            PublicEvent::of(&CompanyAddressChanged {
                company_id,
                kind: (*kind).into(),
                removed: *removed,
                address: address(changed.known().and_then(Option::as_ref)),
            })
        }
        E::SiteOpened { site, name, address: at, order } => PublicEvent::of(&SiteOpened {
            company_id,
            site_id: site.0,
            order_id: order.to_string(),
            name: site_name(name.known()),
            address: address(at.known()),
        }),
        E::SiteNamed { site, name } => {
            PublicEvent::of(&SiteNamed { company_id, site_id: site.0, name: site_name(name.known()) })
        }
        E::SiteAddressChanged { site, address: at, name } => PublicEvent::of(&SiteAddressChanged {
            company_id,
            site_id: site.0,
            address: address(at.known()),
            name: site_name(name.known().and_then(Option::as_ref)),
        }),
        E::SitesReleased { takeover, to, sites } => PublicEvent::of(&SitesReleased {
            company_id,
            takeover_id: takeover.0,
            to_company_id: to.0,
            site_ids: site_ids(sites),
        }),
        E::SitesReceived { takeover, from, ids, sites, merged } => {
            let moved = |site: &SiteId| {
                let known = sites.known().and_then(|sites| sites.iter().find(|moved| moved.site == *site));
                MovedSite {
                    site_id: site.0,
                    name: site_name(known.map(|moved| &moved.name)),
                    address: address(known.map(|moved| &moved.address)),
                }
            };
            let own = ids.iter().filter(|site| company::MergedSite::now(merged, **site) == **site);
            PublicEvent::of(&SitesReceived {
                company_id,
                takeover_id: takeover.0,
                from_company_id: from.0,
                sites: own.map(moved).collect(),
            })
        }
        E::CompanyErased { .. } => PublicEvent::of(&CompanyErased { company_id }),
        // An open take-over is published by its own events.
        E::SitesPromised { .. } | E::SitesKept { .. } => return None,
        // The company that has the number says so by an event of its own.
        E::CompanyRedirected { .. } => return None,
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
        E::TerminalFreed { terminal, site, serial, cause, .. } => PublicEvent::of(&TerminalFreed {
            company_id,
            terminal_id: terminal.0,
            site_id: site.0,
            cause: (*cause).into(),
            serial: serial.as_ref().map(ToString::to_string),
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
        E::TakeOverCompleted { from, to, sites, terminals, accounts, merged } => {
            let merged = merged
                .iter()
                .map(|merged| MergedSite { site_id: merged.site.0, into_site_id: merged.into.0 });
            let merged: Vec<_> = merged.collect();
            PublicEvent::of(&TakeoverCompleted {
                takeover_id,
                from_company_id: from.0,
                to_company_id: to.0,
                site_ids: site_ids(sites),
                terminal_ids: terminal_ids(terminals),
                account_ids: account_ids(accounts),
                merged_sites: (!merged.is_empty()).then_some(merged),
            })
        }
        E::TakeOverCancelled { .. } => PublicEvent::of(&TakeoverCancelled { takeover_id }),
        // It only says that the move has started.
        E::TakeOverBegun { .. } => return None,
    })
}
