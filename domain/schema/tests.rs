//! The storage format is frozen. `golden/` holds one file for every version of every event that was ever written. A
//! file may be added but never changed, because existing logs contain such events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::Moment;
use crate::access::{Event as G, GroupName, GroupText, NewGroup, Where};
use crate::account::{
    Admission, Counts, DeviceCount, DeviceEnd, DeviceOrigin, Event as A, Origin, Role, Rows, SessionEnd,
};
use crate::administration::{Event as M, ExportNotice, RestoreNotice, ServerKeyNotice};
use crate::company::{AddressKind, CompanyName, Event as C, MovedSite, Registration, SiteName};
use crate::email_claim::Event as E;
use crate::fact::StaffRole;
use crate::ids::{
    CompanyId, DeviceId, EventId, GroupId, LogoId, OrderId, SessionId, SiteId, TakeOverId, TerminalId,
};
use crate::logo::{Event as L, Logo};
use crate::order::{Channel, Content, Equipped, Event as O, Line, Outcome, Resolution};
use crate::policies::Policies;
use crate::policies::in_force::PoliciesInForce;
use crate::policies::lockout::LockEnd;
use crate::receipt::{Event as R, Layout, ReceiptText};
use crate::serial_claim::Event as S;
use crate::takeover::{Cancellation, Event as T, Side};
use crate::terminals::{Event as F, MovedTerminal, ReleaseCause};
use crate::values::address::Address;
use crate::values::email_address::EmailHash;
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::permission::Permission;
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn moment() -> Moment {
    "2026-11-23T09:30:00.123456Z".parse().unwrap()
}

fn marie() -> Erasable<Person> {
    Erasable::Known(Person {
        email: EmailAddress::stored("marie@boulangerie.example".to_owned()),
        given_name: PersonName::stored("Marie".to_owned()),
        family_name: PersonName::stored("Dupont".to_owned()),
    })
}

fn address() -> Address {
    Address {
        street: "Rue Neuve".to_owned(),
        number: "12".to_owned(),
        r#box: Some("3".to_owned()),
        postal_code: "1000".to_owned(),
        town: "Bruxelles".to_owned(),
        country: "BE".to_owned(),
    }
}

fn registration() -> Registration {
    Registration {
        number: EnterpriseNumber::stored(Country::Belgium, "0123456749".to_owned()),
        legal_name: CompanyName::parse("Boulangerie Dupont SRL").unwrap(),
        trading_name: Some(CompanyName::parse("Le Fournil").unwrap()),
        registered_office: address(),
    }
}

/// One example of every event, in the shape that is written today.
fn examples() -> Vec<DomainEvent> {
    let order = OrderId::parse("SO-2026-000123").unwrap();
    let hash =
        || Erasable::Known(PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned()));
    let reason = || Erasable::Known("called from the number on file".to_owned());
    let recovery = || Erasable::Known(vec![RecoveryHash::new("recovery-hash".to_owned())]);
    let (link, session, device) = (EventId(id(3)), SessionId(id(4)), Some(DeviceId(id(17))));
    let rows = Rows::Both(DeviceId(id(17)));
    let counts = |count| Counts {
        account: Some(count),
        device: Some(DeviceCount { device: DeviceId(id(17)), count: count - 1 }),
    };
    let accounts = [
        A::AccountCreated {
            company: CompanyId(id(1)),
            role: Role::TemporaryAdministrator,
            language: Language::Nl,
            email_hash: EmailHash("ab12".to_owned()),
            origin: Origin::Order { order_id: order.clone() },
            activation_expires_at: moment(),
            person: marie(),
        },
        A::ActivationRequested { expires_at: moment() },
        A::AccountActivated { link, hash: hash() },
        A::AccountConverted { to: Admission::Administrator },
        A::RoleChanged { to: Admission::User },
        A::ProfileChanged { language: Language::En, person: marie() },
        A::DataExported,
        A::AccountMoved { takeover: TakeOverId(id(13)), company: CompanyId(id(1)), role: Role::User },
        A::LoginSucceeded { session, session_expires_at: moment(), cleared: rows, on: device },
        A::LoginFailed { failures: counts(6) },
        A::LoginAwaitedConversion,
        A::SecondStepAsked { expires_at: moment(), device },
        A::SecondStepFailed { failures: counts(2), codes: counts(7) },
        A::DeviceTrusted { device: DeviceId(id(17)), expires_at: moment(), by: DeviceOrigin::FirstLogin },
        A::DeviceForgotten { device: DeviceId(id(17)), reason: DeviceEnd::Displaced },
        A::CodeAccepted { step: 59_000_000 },
        A::RecoveryCodeUsed { number: 3 },
        A::SecondStepProposed {
            expires_at: moment(),
            secret: Erasable::Known(TotpSecret::new((0..20).collect())),
        },
        A::SecondStepEnabled { proposal: link, step: 59_000_000, recovery: recovery() },
        A::RecoveryCodesReplaced { recovery: recovery() },
        A::SecondStepDisabled,
        A::SecondStepReset { reason: reason() },
        A::AccountLocked { failures: 7, until: LockEnd::AtReset, rows },
        A::LockoutReleased { reason: reason() },
        A::PasswordResetRequested { expires_at: moment() },
        A::PasswordReset { link, hash: hash() },
        A::PasswordChanged { hash: hash() },
        A::PasswordRehashed { hash: hash() },
        A::SessionEnded { session, reason: SessionEnd::LoggedOut },
        A::SessionsEnded,
        A::MailSent { mail: id(5), kind: MailKind::Activation, about: link },
        A::MailGivenUp {
            mail: id(5),
            kind: MailKind::AwaitingConversion,
            about: link,
            why: "the mail server said 550".to_owned(),
        },
        A::AccountDeleted { reason: reason() },
        A::AccountErased,
    ];
    accounts.map(DomainEvent::Account).into_iter().chain(of_orders(order)).chain(of_companies()).collect()
}

/// The examples of orders, and of what a first order begins.
fn of_orders(order: OrderId) -> [DomainEvent; 7] {
    let account = AccountId(id(2));
    let content = Content {
        id: order.clone(),
        channel: Channel::Online,
        placed_at: moment(),
        company: Erasable::Known(registration()),
        language: Language::Fr,
        email_hash: EmailHash("ab12".to_owned()),
        lines: vec![Line {
            model: "PAX A920 Mobile".to_owned(),
            quantity: 1,
            serials: vec![SerialNumber::parse("1234567890").unwrap()],
            delivery_address: Erasable::Known(address()),
        }],
    };
    [
        DomainEvent::EmailClaim(E::EmailClaimed { account }),
        DomainEvent::EmailClaim(E::EmailReleased { account }),
        DomainEvent::Company(C::CompanyRegistered {
            order,
            country: Country::Belgium,
            registration: Erasable::Known(registration()),
        }),
        DomainEvent::Order(O::OrderReceived {
            content: Box::new(content),
            company: CompanyId(id(1)),
            account,
            person: marie(),
        }),
        DomainEvent::Order(O::OrderOnboarded {
            company: CompanyId(id(1)),
            account,
            outcome: Outcome::AwaitingSupport,
        }),
        DomainEvent::Order(O::OrderEquipped(Equipped {
            company: CompanyId(id(1)),
            opened: vec![SiteId(id(10))],
            added: 3,
            refused: vec![serial()],
            present: Vec::new(),
        })),
        DomainEvent::Order(O::OrderResolved {
            resolution: Resolution::ContactNamed { account_id: account },
            about: Some(account),
        }),
    ]
}

fn serial() -> SerialNumber {
    SerialNumber::parse("1234567890").unwrap()
}

/// The examples of receipts.
fn of_receipts(company: CompanyId) -> [DomainEvent; 2] {
    let logo = Logo { png: "iVBORw0KGgo=".to_owned(), width: 64, height: 32 };
    let text = |text: &str| ReceiptText::parse(text).unwrap();
    let layout = Layout {
        header: text("Le Fournil"),
        middle: text(""),
        footer: text("Merci\nà bientôt"),
        trading_name: Some(CompanyName::parse("Le Fournil").unwrap()),
        logo: Some(LogoId::of(&logo)),
    };
    let layout = Erasable::Known(Box::new(layout));
    let receipt = R::ReceiptLayoutSaved { company, layout, held: None };
    [
        DomainEvent::Receipt(receipt),
        DomainEvent::Logo(L::LogoKept { site: Some(SiteId(id(10))), logo: Erasable::Known(logo) }),
    ]
}

/// The examples of serial numbers.
fn of_serials(terminal: TerminalId, order: &OrderId) -> [DomainEvent; 3] {
    let claims = [
        S::SerialClaimed { terminal, order: Some(order.clone()) },
        S::SerialReleased { terminal },
        S::SerialAwaited { order: order.clone() },
    ];
    claims.map(DomainEvent::SerialClaim)
}

/// The examples of acts of administration.
fn of_administration() -> [DomainEvent; 7] {
    let by = || Some("anna".to_owned());
    let [token, first, name] = ["0a1b2c3d4e5f", "5f4e3d2c1b0a", "web shop"].map(ToOwned::to_owned);
    let acts = [
        M::TokenCreated {
            token: token.clone(),
            name: name.clone(),
            role: Some(StaffRole::Support),
            scopes: vec!["orders:write".to_owned()],
            created_at: moment(),
            expires_at: Some(moment()),
            by: by(),
        },
        M::TokenRotated {
            token: token.clone(),
            first,
            name: name.clone(),
            created_at: moment(),
            expires_at: None,
            by: by(),
        },
        M::TokenRevoked { token, name, revoked_at: moment(), by: by() },
        M::ServerKeyPutInUse {
            key: ServerKeyNotice {
                generation: 2,
                fingerprint: "00112233445566aa".to_owned(),
                compromised: Some(false),
                rotated_at: Some(moment()),
                rotated_by: by(),
            },
        },
        M::BackupRestored {
            restore: RestoreNotice {
                restored_at: moment(),
                restored_by: by(),
                taken_at: moment(),
                position: 1042,
                version: "1.0.0".to_owned(),
            },
        },
        M::PoliciesPutInForce {
            node: "node-1".to_owned(),
            policies: PoliciesInForce::of(&Policies::default()),
        },
        M::HistoryExported {
            export: ExportNotice {
                id: id(18),
                at: moment(),
                by: by(),
                reason: Some("yearly audit".to_owned()),
                personal: true,
                from: Some(moment()),
                to: None,
                head: 1042,
            },
        },
    ];
    acts.map(DomainEvent::Administration)
}

/// The examples of take-overs.
fn of_takeovers(
    company: CompanyId,
    site: SiteId,
    terminal: TerminalId,
    account: AccountId,
) -> impl Iterator<Item = DomainEvent> {
    let takeovers = [
        T::TakeOverOpened {
            from: company,
            to: CompanyId(id(15)),
            sites: vec![site],
            accounts: vec![account],
            reference: "T-2026-7".to_owned(),
            due_at: moment(),
        },
        T::TakeOverConfirmed { side: Side::Transferor },
        T::TakeOverBegun { accounts: vec![account] },
        T::TakeOverCompleted {
            from: company,
            to: CompanyId(id(15)),
            sites: vec![site],
            terminals: vec![terminal],
            accounts: vec![account],
            merged: Vec::new(),
        },
        T::TakeOverCancelled { reason: Cancellation::Withdrawn },
    ];
    takeovers.map(DomainEvent::TakeOver).into_iter()
}

/// The examples of companies, terminals and groups, and those that follow.
fn of_companies() -> Vec<DomainEvent> {
    let order = || OrderId::parse("SO-2026-000123").unwrap();
    let (site, terminal, group, takeover) =
        (SiteId(id(10)), TerminalId(id(11)), GroupId(id(12)), TakeOverId(id(13)));
    let (account, company) = (AccountId(id(2)), CompanyId(id(1)));
    let name = SiteName::parse("Rue Neuve, Bruxelles").unwrap();
    let model = TerminalModel::parse("PAX A920 Mobile").unwrap();
    let group_name = GroupName::parse("Comptables").unwrap();
    let description = GroupText::parse("Voient les factures").unwrap();
    let permissions: BTreeSet<Permission> = Permission::ALL.into();
    let moved = MovedTerminal { terminal, model: model.clone(), serial: Some(serial()), site };
    let moved_site = MovedSite { site, name: name.clone(), address: address(), follows_address: false };
    let called = Erasable::Known(name);
    let companies = [
        C::CompanyRenamed {
            legal_name: Erasable::Known(CompanyName::parse("Dupont et Fils SRL").unwrap()),
            trading_name: Erasable::Known(None),
        },
        C::CompanyAddressChanged {
            kind: AddressKind::Correspondence,
            removed: false,
            address: Erasable::Known(Some(address())),
        },
        C::CompanyNumberChanged {
            country: Country::Belgium,
            number: Erasable::Known(EnterpriseNumber::stored(Country::Belgium, "0987654394".to_owned())),
        },
        C::CompanyRedirected { to: company },
        C::SiteOpened { site, name: called.clone(), address: Erasable::Known(address()), order: order() },
        C::SiteNamed { site, name: called },
        C::SiteAddressChanged { site, address: Erasable::Known(address()), name: Erasable::Known(None) },
        C::SitesPromised { takeover, to: company, sites: vec![site] },
        C::SitesKept { takeover },
        C::SitesReleased { takeover, to: company, sites: vec![site] },
        C::SitesReceived {
            takeover,
            from: company,
            ids: vec![site],
            sites: Erasable::Known(vec![moved_site]),
            merged: Vec::new(),
        },
        C::CompanyErased { sites: vec![site], takeovers: vec![takeover] },
    ];
    let terminals = [
        F::TerminalAdded { terminal, model, serial: Some(serial()), site, order: order() },
        F::TerminalAssigned { terminal, from: site, to: SiteId(id(14)) },
        F::TerminalSerialNoted { terminal, serial: serial() },
        F::TerminalFreed {
            terminal,
            site,
            serial: Some(serial()),
            cause: ReleaseCause::SoldOn,
            about: Some(account),
        },
        F::TerminalsReleased { takeover, to: company, sites: vec![site], terminals: vec![terminal] },
        F::TerminalsReceived { takeover, from: company, sites: vec![site], terminals: vec![moved] },
    ];
    let joined = NewGroup {
        group,
        name: group_name.clone(),
        description: GroupText::default(),
        permissions: permissions.clone(),
        members: [(account, Where::Sites([site].into()))].into(),
    };
    let access = [
        G::AdministratorAdmitted { account },
        G::AdministratorActivated { account },
        G::AdministratorRemoved { account },
        G::GroupCreated {
            group,
            name: group_name.clone(),
            description: description.clone(),
            permissions: permissions.clone(),
        },
        G::GroupChanged { group, name: group_name, description, permissions },
        G::GroupDeleted { group },
        G::MemberAdded { group, account, sites: Where::Everywhere },
        G::MemberRemoved { group, account },
        G::AccountsLeaving { takeover, accounts: vec![account] },
        G::AccountsStayed { takeover },
        G::AccountsLeft { takeover, accounts: vec![account] },
        G::AccountsJoined { takeover, from: company, groups: vec![joined] },
    ];
    companies
        .map(DomainEvent::Company)
        .into_iter()
        .chain(terminals.map(DomainEvent::Terminals))
        .chain(access.map(DomainEvent::Access))
        .chain(of_takeovers(company, site, terminal, account))
        .chain(of_administration())
        .chain(of_receipts(company))
        .chain(of_serials(terminal, &order()))
        .collect()
}

fn golden() -> BTreeMap<(String, u16), Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schema/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let (name, version) = stem.rsplit_once(".v").unwrap();
            let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            ((name.to_owned(), version.parse().unwrap()), value)
        })
        .collect()
}

fn written(event: &DomainEvent) -> ((String, u16), Value) {
    let stored = write(event);
    let mut value = json!({ "data": stored.data, "private": stored.private });
    if let Some((company, of_company)) = stored.of_company {
        value["of_company"] = json!({ "company_id": company, "private": of_company });
    }
    ((stored.name.to_owned(), stored.version), value)
}

#[track_caller]
fn read_back(name: &str, version: u16, value: &Value, erased: bool) -> DomainEvent {
    let private: Private = serde_json::from_value(value["private"].clone()).unwrap();
    let private = match value.get("of_company") {
        Some(part) => private.with_company(serde_json::from_value(part["private"].clone()).unwrap()),
        None => private,
    };
    let private = if erased { Erasable::Erased } else { Erasable::Known(private) };
    read(name, version, &value["data"], private).unwrap_or_else(|e| panic!("{e}"))
}

/// Writes a file for each event that has none yet. Never overwrites a file.
fn bless(golden: &BTreeMap<(String, u16), Value>) {
    for event in examples() {
        let (key, value) = written(&event);
        if !golden.contains_key(&key) {
            let name = format!("schema/golden/{}.v{}.json", key.0, key.1);
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
            std::fs::write(path, serde_json::to_string_pretty(&value).unwrap() + "\n").unwrap();
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever adds an event asks for its golden file so")]
fn every_event_is_written_as_it_was_frozen() {
    if std::env::var_os("LOQUET_FREEZE_NEW_EVENTS").is_some() {
        bless(&golden());
    }
    let golden = golden();
    for event in examples() {
        let (key, value) = written(&event);
        let frozen = golden.get(&key).unwrap_or_else(|| panic!("{key:?} was never frozen"));
        assert_eq!(frozen, &value, "{key:?} is written differently: give it a new version instead");
    }
}

/// The versions that stored in the open what is encrypted today. An erasure does not reach them.
const OPEN_ONCE: [(&str, u16); 12] = [
    ("company-registered", 1),
    ("company-renamed", 1),
    ("company-number-changed", 1),
    ("company-address-changed", 1),
    ("site-opened", 1),
    ("site-named", 1),
    ("site-address-changed", 1),
    ("sites-received", 1),
    ("order-received", 1),
    ("logo-kept", 1),
    ("receipt-layout-saved", 1),
    ("receipt-layout-saved", 2),
];

#[test]
fn every_version_ever_written_can_be_read() {
    let newest: BTreeMap<String, DomainEvent> =
        examples().into_iter().map(|event| (write(&event).name.to_owned(), event)).collect();
    for ((name, version), value) in golden() {
        let event = read_back(&name, version, &value, false);
        let erased = read_back(&name, version, &value, true);
        assert_eq!(write(&event).name, name);
        assert_eq!(write(&erased).name, name, "an erased event is the same event");
        let Stored { private, of_company, .. } = write(&erased);
        let rest = of_company.map(|(_, private)| private).unwrap_or_default();
        let forgotten = private.is_empty() && rest.is_empty();
        let open_then = OPEN_ONCE.contains(&(name.as_str(), version));
        assert_eq!(forgotten, !open_then, "{name} v{version} still knows what was erased, or is not listed");
        if write(&event).version == version {
            assert_eq!(Some(&event), newest.get(&name), "{name} v{version} reads back as something else");
        }
    }
}

#[test]
fn every_stored_name_has_an_example_and_every_example_a_stored_name() {
    let mut listed = names();
    let mut shown: Vec<_> = examples().iter().map(|event| write(event).name).collect();
    listed.sort_unstable();
    shown.sort_unstable();
    assert_eq!(listed, shown);
}

#[test]
fn an_account_created_before_languages_were_recorded_is_french() {
    let golden = golden();
    let old = &golden[&("account-created".to_owned(), 1)];
    assert!(old["data"].get("language").is_none());
    let DomainEvent::Account(A::AccountCreated { language, person, .. }) =
        read_back("account-created", 1, old, false)
    else {
        panic!("upcast to something else");
    };
    assert_eq!(language, Language::Fr);
    assert_eq!(person, marie());
}

#[test]
fn a_lockout_of_before_there_was_a_cap_ends_by_itself() {
    let golden = golden();
    let old = &golden[&("account-locked".to_owned(), 1)];
    let read = read_back("account-locked", 1, old, false);
    assert_eq!(
        read,
        DomainEvent::Account(A::AccountLocked { failures: 7, until: moment().into(), rows: Rows::Account })
    );
}

#[test]
fn of_a_wrong_code_of_before_they_were_counted_apart_no_fewer_are_counted() {
    let golden = golden();
    let old = &golden[&("second-step-failed".to_owned(), 1)];
    let read = read_back("second-step-failed", 1, old, false);
    let two = Counts { account: Some(2), device: None };
    let counted = A::SecondStepFailed { failures: two, codes: two };
    assert_eq!(read, DomainEvent::Account(counted));
}

/// In these older versions a guess from a trusted device counted on that device alone.
#[test]
fn what_a_trusted_device_did_before_every_guess_counted_on_the_account_is_read_as_it_was_meant() {
    let golden = golden();
    let device = DeviceId(id(17));
    let old = |name: &str, version| {
        let held = &golden[&(name.to_owned(), version)];
        match read_back(name, version, held, false) {
            DomainEvent::Account(event) => event,
            other => panic!("{other:?}"),
        }
    };
    let on_device = |count| Counts { account: None, device: Some(DeviceCount { device, count }) };
    assert_eq!(old("login-failed", 2), A::LoginFailed { failures: on_device(6) });
    assert!(
        matches!(old("login-succeeded", 2), A::LoginSucceeded { cleared: Rows::Device(of), .. } if of == device)
    );
    assert!(
        matches!(old("account-locked", 3), A::AccountLocked { rows: Rows::Device(of), .. } if of == device)
    );
    let codes = Counts::default();
    assert_eq!(old("second-step-failed", 3), A::SecondStepFailed { failures: on_device(2), codes });
}

#[test]
fn an_unknown_event_stops_the_reader_and_says_which() {
    for (name, version) in [("account-teleported", 1), ("login-failed", 4), ("account-created", 3), ("", 0)] {
        let unknown = read(name, version, &json!({}), Erasable::Erased).unwrap_err();
        assert!(
            unknown.to_string().contains(&format!("unknown event {name} version {version}")),
            "{unknown}"
        );
    }
    let malformed = read("login-failed", 1, &json!({ "failures": -1 }), Erasable::Erased).unwrap_err();
    assert!(malformed.to_string().contains("malformed event login-failed version 1"), "{malformed}");
}

#[test]
fn nothing_secret_or_personal_is_in_the_open_part() {
    for event in examples() {
        let open = serde_json::to_string(&write(&event).data).unwrap();
        for secret in [
            "marie",
            "Marie\"",
            "\"Dupont\"",
            "argon2",
            "called",
            "recovery-hash",
            "000102",
            "Dupont",
            "Fournil",
            "Rue Neuve",
            "0123456749",
            "0987654394",
            "iVBORw0KGgo",
        ] {
            assert!(!open.contains(secret), "{open}");
        }
    }
}

#[test]
fn nothing_private_prints() {
    let debug = format!("{:?}{:?}", examples(), examples().iter().map(write).collect::<Vec<_>>());
    for secret in ["marie@", "argon2id"] {
        assert!(!debug.contains(secret));
    }
}

#[test]
fn a_layout_that_holds_its_logo_reads_as_one_that_names_it_and_the_picture_is_not_lost() {
    let old = &golden()[&("receipt-layout-saved".to_owned(), 1)];
    let DomainEvent::Receipt(R::ReceiptLayoutSaved { layout, held, .. }) =
        read_back("receipt-layout-saved", 1, old, false)
    else {
        panic!("another event")
    };
    let logo = Logo { png: "iVBORw0KGgo=".to_owned(), width: 64, height: 32 };
    assert_eq!((layout.known().unwrap().logo, held), (Some(LogoId::of(&logo)), Some(logo)));
}
