use super::*;
use crate::Moment;
use crate::company::{CompanyName, Registration};
use crate::ids::OrderId;
use crate::values::address::Address;
use crate::values::email_address::{EmailAddress, EmailHash};
use crate::values::enterprise_number::{Country, EnterpriseNumber};
use crate::values::language::Language;
use crate::values::person::PersonName;
use uuid::Uuid;

const CONTACT: AccountId = AccountId(Uuid::from_u128(1));
const OTHER: AccountId = AccountId(Uuid::from_u128(2));
const COMPANY: CompanyId = CompanyId(Uuid::from_u128(3));

fn received() -> Event {
    let office = Address {
        street: "Rue Neuve".to_owned(),
        number: "12".to_owned(),
        r#box: None,
        postal_code: "1000".to_owned(),
        town: "Bruxelles".to_owned(),
        country: "BE".to_owned(),
    };
    let content = Content {
        id: OrderId::parse("SO-1").unwrap(),
        channel: Channel::Online,
        placed_at: Moment::UNIX_EPOCH,
        company: Erasable::Known(Registration {
            number: EnterpriseNumber::parse(Country::Belgium, "0123456749").unwrap(),
            legal_name: CompanyName::parse("Boulangerie").unwrap(),
            trading_name: None,
            registered_office: office,
        }),
        language: Language::Fr,
        email_hash: EmailHash("ab".to_owned()),
        lines: Vec::new(),
    };
    let person = Erasable::Known(Person {
        email: EmailAddress::parse("marie@example.be").unwrap(),
        given_name: PersonName::parse("Marie").unwrap(),
        family_name: PersonName::parse("Dupont").unwrap(),
    });
    Event::OrderReceived { content: Box::new(content), company: COMPANY, account: CONTACT, person }
}

fn onboarded(outcome: Outcome) -> Event {
    Event::OrderOnboarded { company: COMPANY, account: CONTACT, outcome }
}

fn equipped(refused: &[&str]) -> Event {
    let refused = refused.iter().map(|serial| SerialNumber::parse(serial).unwrap()).collect();
    let (opened, present) = (Vec::new(), Vec::new());
    Event::OrderEquipped(Equipped { company: COMPANY, opened, added: 0, refused, present })
}

fn given(events: &[Event]) -> Order {
    events.iter().fold(Order::Absent, |order, event| evolve(order, &Fact::told(event.clone())))
}

fn resolve(events: &[Event], resolution: Resolution) -> Result<Vec<Event>, Refusal> {
    decide(&given(events), Command::Resolve(resolution))
}

const NAMED: Resolution = Resolution::ContactNamed { account_id: OTHER };

#[test]
fn an_order_that_awaits_support_is_moved_on_once_and_the_same_again_changes_nothing() {
    let waiting = [received(), onboarded(Outcome::AwaitingSupport), equipped(&[])];
    let named = Event::OrderResolved { resolution: NAMED, about: Some(OTHER) };
    let nobody = Event::OrderResolved { resolution: Resolution::NobodyAdded, about: Some(CONTACT) };
    assert_eq!(resolve(&waiting, NAMED), Ok(vec![named.clone()]));
    assert_eq!(resolve(&waiting, Resolution::NobodyAdded), Ok(vec![nobody]));
    let decided: Vec<_> = waiting.into_iter().chain([named]).collect();
    assert_eq!(resolve(&decided, NAMED), Ok(Vec::new()));
    assert_eq!(resolve(&decided, Resolution::NobodyAdded), Err(Refusal::Resolved));
}

#[test]
fn an_order_that_awaits_nobody_is_not_resolved() {
    assert_eq!(resolve(&[], NAMED), Err(Refusal::NoSuchOrder));
    assert_eq!(resolve(&[received()], NAMED), Err(Refusal::NotAwaiting));
    for outcome in [Outcome::FirstOrder, Outcome::TemporaryAdministrator, Outcome::KnownContact] {
        let fine = [received(), onboarded(outcome), equipped(&[])];
        assert_eq!(resolve(&fine, NAMED), Err(Refusal::NotAwaiting));
        assert_eq!(resolve(&fine, Resolution::NobodyAdded), Err(Refusal::NotAwaiting));
        let serials = [received(), onboarded(outcome), equipped(&["S-1"])];
        assert_eq!(resolve(&serials, NAMED), Err(Refusal::NotAwaiting), "its contact is known");
        assert!(resolve(&serials, Resolution::NobodyAdded).is_ok());
    }
}

#[test]
fn of_an_erased_contact_the_decision_is_kept_and_nothing_is_sealed() {
    let Event::OrderReceived { content, account, .. } = received() else { return };
    let erased = Event::OrderReceived { content, company: COMPANY, account, person: Erasable::Erased };
    let waiting = [erased, onboarded(Outcome::AwaitingSupport), equipped(&[])];
    let nobody = Event::OrderResolved { resolution: Resolution::NobodyAdded, about: None };
    assert_eq!(resolve(&waiting, Resolution::NobodyAdded), Ok(vec![nobody]));
}

#[test]
fn an_order_is_the_same_one_although_its_company_was_erased_since() {
    let Event::OrderReceived { content, account, person, .. } = received() else { return };
    let mut held = (*content).clone();
    held.company = Erasable::Erased;
    let erased =
        Event::OrderReceived { content: Box::new(held), company: COMPANY, account, person: person.clone() };
    let order = evolve(Order::Absent, &Fact::told(erased));
    let person = person.known().unwrap().clone();
    let again = |content| Command::Receive { content, company: COMPANY, account, person: person.clone() };
    assert_eq!(decide(&order, again(content.clone())), Ok(Vec::new()));
    let other = Content { channel: Channel::Offline, ..*content };
    assert_eq!(decide(&order, again(Box::new(other))), Err(Refusal::Differs));
}

#[test]
fn the_same_names_with_accents_composed_otherwise_are_the_same_order() {
    let Event::OrderReceived { content, company, account, person: Erasable::Known(person) } = received()
    else {
        return;
    };
    let named = |given: &str, legal: &str| {
        let mut content = content.clone();
        if let Erasable::Known(registration) = &mut content.company {
            registration.legal_name = CompanyName::parse(legal).unwrap();
        }
        let given_name = PersonName::parse(given).unwrap();
        let person = Person { given_name, ..person.clone() };
        Command::Receive { content, company, account, person }
    };
    let order = given(&decide(&Order::Absent, named("Zoé", "Café Zoé")).unwrap());
    assert_eq!(decide(&order, named("Zoe\u{301}", "Cafe\u{301} Zoe\u{301}")), Ok(Vec::new()));
    assert_eq!(decide(&order, named("Zoe", "Café Zoé")), Err(Refusal::Differs));
}
