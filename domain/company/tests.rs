//! The rules of companies and sites, as sentences.

use uuid::Uuid;

use super::*;
use crate::fact::Fact;
use crate::ids::{CompanyId, OrderId, SiteId, TakeOverId};
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use crate::values::erasable::Erasable;

fn address(street: &str, number: &str) -> Address {
    Address {
        street: street.to_owned(),
        number: number.to_owned(),
        r#box: None,
        postal_code: "1000".to_owned(),
        town: "Bruxelles".to_owned(),
        country: "BE".to_owned(),
    }
}

fn order(n: u32) -> OrderId {
    OrderId::parse(&format!("SO-{n}")).unwrap()
}

fn name(text: &str) -> CompanyName {
    CompanyName::parse(text).unwrap()
}

fn told(company: Company, event: &Event) -> Company {
    evolve(company, &Fact::told(event.clone()))
}

/// Decides a command and applies its events.
fn tell(company: &mut Company, command: Command) -> Result<Vec<Event>, Refusal> {
    let events = decide(company, command)?;
    *company = events.iter().fold(company.clone(), told);
    Ok(events)
}

fn customer() -> Company {
    let registration = Registration {
        number: EnterpriseNumber::parse(Country::Belgium, "0123456749").unwrap(),
        legal_name: name("Boulangerie Dupont SRL"),
        trading_name: None,
        registered_office: address("Rue Neuve", "12"),
    };
    let mut company = Company::default();
    tell(&mut company, Command::Register { order: order(1), registration }).unwrap();
    company
}

fn open(company: &mut Company, by: u32, addresses: &[Address]) -> Vec<SiteId> {
    let events =
        tell(company, Command::OpenSites { order: order(by), addresses: addresses.to_vec() }).unwrap();
    let opened = events.into_iter().filter_map(|event| match event {
        Event::SiteOpened { site, .. } => Some(site),
        _ => None,
    });
    opened.collect()
}

#[test]
fn nothing_is_done_with_a_company_that_is_no_customer() {
    let refused = decide(&Company::default(), Command::OpenSites { order: order(1), addresses: Vec::new() });
    assert_eq!(refused, Err(Refusal::NoSuchCompany));
}

#[test]
fn a_site_is_opened_where_the_company_has_none_yet_and_called_by_street_and_town() {
    let mut company = customer();
    let opened = open(&mut company, 1, &[address("Rue Neuve", "12"), address("rue neuve", "012")]);
    assert_eq!(opened.len(), 1, "two ways to write one address open one site");
    assert_eq!(company.sites.get(opened[0]).unwrap().name.as_str(), "Rue Neuve, Bruxelles");
    assert_eq!(open(&mut company, 2, &[address("R. Neuve", "12")]), []);
    assert_eq!(open(&mut company, 2, &[address("Rue Neuve", "14")]).len(), 1);
}

#[test]
fn an_order_delivered_again_opens_no_other_site_though_its_first_has_moved_since() {
    let mut company = customer();
    let [site] = open(&mut company, 1, &[address("Rue Neuve", "12")])[..] else { panic!("one site") };
    tell(&mut company, Command::MoveSite { site, address: address("Avenue Louise", "1") }).unwrap();
    assert_eq!(open(&mut company, 1, &[address("Rue Neuve", "12")]), []);
    assert_eq!(company.site_for(&order(1), &address("Rue Neuve", "12")), Some(site));
    assert_eq!(open(&mut company, 2, &[address("Rue Neuve", "12")]).len(), 1, "another order opens one");
}

#[test]
fn a_site_moves_to_where_no_other_is() {
    let mut company = customer();
    let sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("Rue Neuve", "14")]);
    let there = Command::MoveSite { site: sites[1], address: address("R. Neuve", "12") };
    assert_eq!(tell(&mut company, there), Err(Refusal::AddressInUse(sites[0])));
    let corrected = Command::MoveSite { site: sites[0], address: address("RUE NEUVE", "12") };
    assert_eq!(tell(&mut company, corrected).unwrap().len(), 1, "its own address may be written otherwise");
    let unknown = Command::NameSite { site: SiteId(Uuid::nil()), name: SiteName::parse("x").unwrap() };
    assert_eq!(tell(&mut company, unknown), Err(Refusal::NoSuchSite(SiteId(Uuid::nil()))));
}

#[test]
fn the_site_at_the_office_moves_with_it_unless_it_is_to_stay() {
    let new_office = |site_at_office| {
        let addresses = vec![(AddressKind::RegisteredOffice, Some(address("Avenue Louise", "1")))];
        Command::Describe(Description { addresses, site_at_office, ..Description::default() })
    };
    let mut company = customer();
    let [site] = open(&mut company, 1, &[address("Rue Neuve", "12")])[..] else { panic!("one site") };
    let mut other = company.clone();
    assert_eq!(tell(&mut company, new_office(SiteAtOffice::Moves)).unwrap().len(), 2);
    assert_eq!(company.sites.get(site).unwrap().address, address("Avenue Louise", "1"));
    assert_eq!(tell(&mut other, new_office(SiteAtOffice::Stays)).unwrap().len(), 1);
    assert_eq!(other.sites.get(site).unwrap().address, address("Rue Neuve", "12"));
    assert_eq!(tell(&mut other, new_office(SiteAtOffice::Moves)), Ok(Vec::new()), "nothing is otherwise");
}

#[test]
fn what_is_not_said_stays_and_an_office_is_never_taken_away() {
    let mut company = customer();
    let trading_name = Some(Some(name("Le Fournil")));
    let wanted = Description {
        trading_name,
        addresses: vec![(AddressKind::RegisteredOffice, None), (AddressKind::Invoicing, None)],
        ..Description::default()
    };
    let events = tell(&mut company, Command::Describe(wanted)).unwrap();
    let renamed = Event::CompanyRenamed {
        legal_name: Erasable::Known(name("Boulangerie Dupont SRL")),
        trading_name: Erasable::Known(Some(name("Le Fournil"))),
    };
    assert_eq!(events, [renamed]);
}

#[test]
fn sites_that_went_to_another_company_are_this_ones_no_more() {
    let (mut giving, mut taking) = (customer(), customer());
    let sites = open(&mut giving, 1, &[address("Rue Neuve", "12"), address("Rue Neuve", "14")]);
    let there = open(&mut taking, 2, &[address("R. Neuve", "14")]);
    let takeover = TakeOverId(Uuid::from_u128(9));
    let (from, to) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
    let release = Command::ReleaseSites { takeover, to, sites: sites.clone() };
    tell(&mut giving, release.clone()).unwrap();
    let moved = giving.moved_by(takeover).unwrap().to_vec();
    let receive = Command::ReceiveSites { takeover, from, sites: moved };
    tell(&mut taking, receive.clone()).unwrap();
    assert_eq!((giving.sites.len(), taking.sites.len()), (0, 2), "two sites at one address are one");
    assert_eq!(
        taking.site_at(&address("Rue Neuve", "14")),
        Some(there[0]),
        "who was there first stays found"
    );
    assert_eq!(tell(&mut taking, receive), Ok(Vec::new()), "asked again, nothing moves");
    assert_eq!(tell(&mut giving, release), Ok(Vec::new()));
    let promise =
        Command::PromiseSites { takeover: TakeOverId(Uuid::from_u128(10)), to, sites: sites.clone() };
    assert_eq!(tell(&mut giving, promise), Err(Refusal::NoSuchSite(sites[0])));
}

#[test]
fn a_site_is_promised_to_one_take_over_at_a_time() {
    let mut company = customer();
    let sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("Rue Neuve", "14")]);
    let to = CompanyId(Uuid::from_u128(2));
    let takeover = |n| TakeOverId(Uuid::from_u128(n));
    let promise =
        |n, sites: &[SiteId]| Command::PromiseSites { takeover: takeover(n), to, sites: sites.to_vec() };
    tell(&mut company, promise(1, &sites)).unwrap();
    assert!(company.is_taken_over_by(to));
    assert_eq!(tell(&mut company, promise(1, &sites)), Ok(Vec::new()), "asked again, it is promised already");
    assert_eq!(tell(&mut company, promise(2, &sites[1..])), Err(Refusal::SitePromised(sites[1])));
    tell(&mut company, Command::KeepSites { takeover: takeover(1) }).unwrap();
    assert!(!company.is_taken_over_by(to));
    tell(&mut company, promise(2, &sites[1..])).unwrap();
    let release = Command::ReleaseSites { takeover: takeover(2), to, sites: sites[1..].to_vec() };
    tell(&mut company, release).unwrap();
    assert!(!company.is_taken_over_by(to), "what is done is promised no more");
}

#[test]
fn an_order_whose_site_went_to_another_company_opens_another_and_never_one_id_twice() {
    let mut company = customer();
    let there = address("Rue Neuve", "12");
    let first = open(&mut company, 1, std::slice::from_ref(&there));
    let takeover = TakeOverId(Uuid::from_u128(9));
    let (from, to) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
    tell(&mut company, Command::ReleaseSites { takeover, to, sites: first.clone() }).unwrap();
    let second = open(&mut company, 1, std::slice::from_ref(&there));
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
    assert!(open(&mut company, 1, &[there]).is_empty(), "and no third");
    let back = company.moved_by(takeover).unwrap().to_vec();
    let takeover = TakeOverId(Uuid::from_u128(10));
    tell(&mut company, Command::ReceiveSites { takeover, from, sites: back }).unwrap();
    assert_eq!(company.merged_by(takeover), [MergedSite { site: first[0], into: second[0] }]);
    assert_eq!(company.sites.len(), 1, "what comes back becomes one with what is here");
}

fn names(company: &Company, sites: &[SiteId]) -> Vec<String> {
    sites.iter().map(|site| company.sites.get(*site).unwrap().name.as_str().to_owned()).collect()
}

#[test]
fn sites_in_one_street_have_names_that_differ() {
    let mut company = customer();
    let mut sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("rue neuve", "14")]);
    sites.extend(open(&mut company, 2, &[address("Rue Neuve", "16")]));
    let differ = ["Rue Neuve, Bruxelles", "rue neuve 14, Bruxelles", "Rue Neuve 16, Bruxelles"];
    assert_eq!(names(&company, &sites), differ);
}

#[test]
fn a_name_that_nobody_chose_follows_the_address() {
    let mut company = customer();
    let sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("Rue Haute", "7")]);
    let (moved, other) = (sites[0], sites[1]);
    let go = |site, street: &str, number: &str| Command::MoveSite { site, address: address(street, number) };
    tell(&mut company, go(moved, "Rue Basse", "1")).unwrap();
    assert_eq!(names(&company, &[moved]), ["Rue Basse, Bruxelles"]);
    tell(&mut company, go(moved, "Rue Haute", "9")).unwrap();
    assert_eq!(names(&company, &[moved]), ["Rue Haute 9, Bruxelles"], "the other site has the shorter name");
    let chosen = SiteName::parse("Rue Haute, Bruxelles").unwrap();
    let choose = Command::NameSite { site: other, name: chosen };
    assert_eq!(tell(&mut company, choose.clone()).unwrap().len(), 1, "now somebody chose it");
    assert_eq!(tell(&mut company, choose), Ok(Vec::new()));
    tell(&mut company, go(other, "Rue Basse", "1")).unwrap();
    assert_eq!(names(&company, &[other]), ["Rue Haute, Bruxelles"], "a chosen name stays");
}

#[test]
fn a_name_follows_the_address_at_the_next_company_too() {
    let mut giving = customer();
    let sites = open(&mut giving, 1, &[address("Rue Neuve", "12"), address("Rue Haute", "7")]);
    let chosen = SiteName::parse("Le Fournil").unwrap();
    tell(&mut giving, Command::NameSite { site: sites[0], name: chosen }).unwrap();
    let takeover = TakeOverId(Uuid::from_u128(9));
    let (from, to) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
    tell(&mut giving, Command::ReleaseSites { takeover, to, sites: sites.clone() }).unwrap();
    let mut taking = customer();
    let moved = giving.moved_by(takeover).unwrap().to_vec();
    tell(&mut taking, Command::ReceiveSites { takeover, from, sites: moved }).unwrap();
    for (site, number) in sites.iter().zip(["1", "2"]) {
        tell(&mut taking, Command::MoveSite { site: *site, address: address("Rue Basse", number) }).unwrap();
    }
    assert_eq!(names(&taking, &sites), ["Le Fournil", "Rue Basse, Bruxelles"]);
}

fn name_of(company: &Company, site: SiteId) -> String {
    company.sites.get(site).unwrap().name.as_str().to_owned()
}

#[test]
fn new_sites_whose_names_would_be_alike_are_told_apart() {
    let mut company = customer();
    let in_box = Address { r#box: Some("3".to_owned()), ..address("RUE NEUVE", "14") };
    let elsewhere = Address { postal_code: "1020".to_owned(), ..address("Rue Neuve", "14") };
    let addresses = [
        address("Rue Neuve", "12"),
        address("rue neuve", "14"),
        in_box,
        elsewhere,
        address("Rue Haute", "1"),
    ];
    let sites = open(&mut company, 1, &addresses);
    let names: Vec<String> = sites.iter().map(|site| name_of(&company, *site)).collect();
    assert_eq!(
        names,
        [
            "Rue Neuve, Bruxelles",
            "rue neuve 14, Bruxelles",
            "RUE NEUVE 14/3, Bruxelles",
            "Rue Neuve 14, 1020 Bruxelles",
            "Rue Haute, Bruxelles"
        ]
    );
    let alike: std::collections::BTreeSet<_> =
        sites.iter().map(|site| company.sites.get(*site).unwrap().name.alike()).collect();
    assert_eq!(alike.len(), sites.len());
}

#[test]
fn no_site_gets_the_name_of_another_and_a_change_is_made_whole_or_not_at_all() {
    let mut company = customer();
    let sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("Rue Haute", "14")]);
    let called = |site, text: &str| Command::NameSite { site, name: SiteName::parse(text).unwrap() };
    tell(&mut company, called(sites[0], "Café du Nord")).unwrap();
    for text in ["Café du Nord", "CAFE  DU NORD", "Cafe\u{301}\u{a0}du Nord"] {
        assert_eq!(
            tell(&mut company, called(sites[1], text)),
            Err(Refusal::SiteNameTaken(sites[0])),
            "{text:?}"
        );
    }
    assert_eq!(tell(&mut company, called(sites[0], "CAFÉ DU NORD")).unwrap().len(), 1, "its own name");
    tell(&mut company, called(sites[1], "Café du Sud")).unwrap();
    let change = |name: &str| Command::ChangeSite {
        site: sites[1],
        address: Some(address("Avenue Louise", "1")),
        name: Some(SiteName::parse(name).unwrap()),
    };
    assert_eq!(tell(&mut company, change("Café du Nord")), Err(Refusal::SiteNameTaken(sites[0])));
    assert_eq!(company.site_at(&address("Rue Haute", "14")), Some(sites[1]), "nothing was changed");
    assert_eq!(tell(&mut company, change("Café de l'Est")).unwrap().len(), 2);
}

/// The id of this site was made when addresses were compared in another way. No folding of today gives it.
#[test]
fn a_site_of_an_old_log_stays_one_when_addresses_are_compared_in_a_new_way() {
    let mut company = customer();
    let old = SiteId(Uuid::from_u128(42));
    let opened = Event::SiteOpened {
        site: old,
        name: Erasable::Known(SiteName::parse("Pl. Flagey, Elsene").unwrap()),
        address: Erasable::Known(Address {
            town: "Elsene".to_owned(),
            postal_code: "B-1050".to_owned(),
            ..address("Pl. Flagey", "18")
        }),
        order: order(1),
    };
    company = told(company, &opened);
    let written_anew = Address {
        town: "Ixelles".to_owned(),
        postal_code: "1050".to_owned(),
        ..address("Place Flagey", "18")
    };
    assert_eq!(
        open(&mut company, 2, std::slice::from_ref(&written_anew)),
        [],
        "another order finds the site"
    );
    assert_eq!(company.site_for(&order(2), &written_anew), Some(old));
    tell(&mut company, Command::MoveSite { site: old, address: address("Avenue Louise", "1") }).unwrap();
    assert_eq!(
        open(&mut company, 1, std::slice::from_ref(&written_anew)),
        [],
        "its own order opens no second one"
    );
    assert_eq!(company.opened_by(&order(1), &written_anew), Some(old));
}

#[test]
fn an_id_that_an_older_comparison_gave_to_another_address_is_not_given_again() {
    let mut company = customer();
    let wanted = address("Rue Neuve", "12");
    let taken = SiteId::of_order(&order(1), wanted.key(), 0);
    let opened = Event::SiteOpened {
        site: taken,
        name: Erasable::Known(SiteName::parse("x").unwrap()),
        address: Erasable::Known(address("Rue Haute", "99")),
        order: order(1),
    };
    company = told(company, &opened);
    let [new] = open(&mut company, 1, std::slice::from_ref(&wanted))[..] else { panic!("one site") };
    assert_ne!(new, taken);
    assert_eq!(company.site_for(&order(1), &wanted), Some(new));
    assert_eq!(company.site_for(&order(1), &address("Rue Haute", "99")), Some(taken));
}

fn moved(site: SiteId, called: &str, at: Address, follows_address: bool) -> MovedSite {
    MovedSite { site, name: SiteName::parse(called).unwrap(), address: at, follows_address }
}

fn receive(company: &mut Company, sites: Vec<MovedSite>) -> Vec<Event> {
    let (takeover, from) = (TakeOverId(Uuid::from_u128(7)), CompanyId(Uuid::from_u128(8)));
    tell(company, Command::ReceiveSites { takeover, from, sites }).unwrap()
}

#[test]
fn a_site_that_comes_to_an_address_of_a_site_becomes_one_with_it() {
    let mut company = customer();
    let here = open(&mut company, 1, &[address("Rue Neuve", "12")])[0];
    let (came, other) = (SiteId(Uuid::from_u128(1)), SiteId(Uuid::from_u128(2)));
    let sites = vec![
        moved(came, "La boutique", address("R. Neuve", "012"), false),
        moved(other, "Rue Haute, Bruxelles", address("Rue Haute", "1"), true),
    ];
    receive(&mut company, sites.clone());
    assert_eq!(company.sites.len(), 2);
    assert_eq!(company.sites.get(here).unwrap().name.as_str(), "La boutique", "the chosen name comes along");
    let merged = company.merged_by(TakeOverId(Uuid::from_u128(7)));
    assert_eq!(merged, [MergedSite { site: came, into: here }]);
    assert_eq!((MergedSite::now(merged, came), MergedSite::now(merged, other)), (here, other));
    assert_eq!(receive(&mut company, sites), [], "a second time, nothing changes");
    assert_eq!(open(&mut company, 2, &[address("Rue Neuve", "12")]), [], "an order finds the one site");
}

#[test]
fn a_name_that_somebody_chose_stays_when_another_site_becomes_one_with_it() {
    let mut company = customer();
    let here = open(&mut company, 1, &[address("Rue Neuve", "12")])[0];
    tell(&mut company, Command::NameSite { site: here, name: SiteName::parse("Chez nous").unwrap() })
        .unwrap();
    let site = moved(SiteId(Uuid::from_u128(1)), "La boutique", address("Rue Neuve", "12"), false);
    receive(&mut company, vec![site]);
    assert_eq!(company.sites.get(here).unwrap().name.as_str(), "Chez nous");
}

#[test]
fn names_that_are_alike_after_a_take_over_are_told_apart() {
    let mut company = customer();
    let here = open(&mut company, 1, &[address("Rue Neuve", "12")])[0];
    tell(&mut company, Command::NameSite { site: here, name: SiteName::parse("Boutique").unwrap() }).unwrap();
    open(&mut company, 2, &[address("Rue Haute", "3")]);
    let (chosen, follows) = (SiteId(Uuid::from_u128(1)), SiteId(Uuid::from_u128(2)));
    receive(
        &mut company,
        vec![
            moved(chosen, "boutique", address("Rue Basse", "5"), false),
            moved(follows, "Rue Haute, Bruxelles", address("Rue Haute", "9"), true),
        ],
    );
    let called = |site| company.sites.get(site).unwrap().name.as_str().to_owned();
    assert_eq!(called(here), "Boutique");
    assert_eq!(called(chosen), "boutique, Rue Basse 5");
    assert_eq!(called(follows), "Rue Haute 9, Bruxelles");
    assert_eq!(company.site_names().len(), company.sites.len(), "no two names are alike");
}

#[test]
fn an_erased_company_is_a_customer_no_more_and_what_was_begun_before_finds_nothing_to_do() {
    let mut company = customer();
    let sites = open(&mut company, 1, &[address("Rue Neuve", "12"), address("Rue Haute", "3")]);
    let (takeover, to) = (TakeOverId(Uuid::from_u128(7)), CompanyId(Uuid::from_u128(8)));
    let promise = Command::PromiseSites { takeover, to, sites: vec![sites[0]] };
    tell(&mut company, promise).unwrap();
    assert_eq!(tell(&mut company, Command::Erase), Err(Refusal::InUse(InUse::TakeOver)));
    tell(&mut company, Command::ReleaseSites { takeover, to, sites: vec![sites[0]] }).unwrap();
    let erased = tell(&mut company, Command::Erase).unwrap();
    assert_eq!(erased, [Event::CompanyErased { sites: vec![sites[1]], takeovers: vec![takeover] }]);
    assert_eq!(company, Company { erased: true, ..Company::default() }, "nothing of it is left");
    for nothing in [Command::Erase, Command::KeepSites { takeover }] {
        assert_eq!(tell(&mut company, nothing), Ok(Vec::new()));
    }
    let name = Command::NameSite { site: sites[1], name: SiteName::parse("x").unwrap() };
    assert_eq!(tell(&mut company, name), Err(Refusal::NoSuchCompany));
    let own = CompanyId(Uuid::from_u128(1));
    assert_eq!(company.elsewhere(own), Some(own.successor()), "its number is another company's by now");
}

/// A key that is deleted leaves the events, without what they said.
#[test]
fn a_history_whose_key_is_deleted_reads_as_one_of_nobody() {
    let site = SiteId(Uuid::from_u128(1));
    let events = [
        Event::CompanyRegistered {
            order: order(1),
            country: Country::Belgium,
            registration: Erasable::Erased,
        },
        Event::CompanyRenamed { legal_name: Erasable::Erased, trading_name: Erasable::Erased },
        Event::SiteOpened { site, name: Erasable::Erased, address: Erasable::Erased, order: order(1) },
        Event::SiteNamed { site, name: Erasable::Erased },
        Event::SiteAddressChanged { site, address: Erasable::Erased, name: Erasable::Erased },
    ];
    let read = events.iter().fold(Company::default(), told);
    assert!(read.registered.is_none() && read.sites.is_empty(), "{read:?}");
}
