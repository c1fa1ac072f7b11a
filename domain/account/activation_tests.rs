//! Nobody can flood a mailbox with activation mails.

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::Moment;
use crate::fact::{Actor, Context, Fact};
use crate::ids::{AccountId, CompanyId, CorrelationId, EventId};
use crate::policies::Policies;
use crate::values::email_address::{EmailAddress, EmailHash};
use crate::values::erasable::Erasable;
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;
use crate::values::person::{Person, PersonName};

const COLLEAGUE: Actor = Actor::Account { account_id: AccountId(Uuid::from_u128(9)) };

fn at(second: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn after(account: Account, second: i64, actor: &Actor, event: Event) -> Account {
    let context = Context {
        at: at(second),
        actor: actor.clone(),
        correlation: CorrelationId(Uuid::nil()),
        causation: None,
        client: None,
        reason: None,
    };
    let id = EventId(Uuid::from_u128(u128::try_from(second).unwrap() + 1));
    evolve(account, &Fact { id, context, event })
}

fn created_by(actor: &Actor) -> Account {
    let name = |name| PersonName::parse(name).unwrap();
    let email = EmailAddress::parse("jan@elsewhere.example").unwrap();
    let created = Event::AccountCreated {
        company: CompanyId(Uuid::nil()),
        role: Role::User,
        language: Language::Nl,
        email_hash: EmailHash("hash".to_owned()),
        origin: Origin::Colleague { account_id: None },
        activation_expires_at: at(1_000_000),
        person: Erasable::Known(Person { email, given_name: name("Jan"), family_name: name("Peeters") }),
    };
    after(Account::default(), 0, actor, created)
}

/// Requests a mail as this actor. Returns the account after it, and when the next request is allowed if this one is
/// refused.
#[track_caller]
fn ask(account: Account, second: i64, actor: &Actor) -> (Account, Option<Moment>) {
    let request = Command::RequestActivation(Asker::of(actor));
    match decide(&account, &Policies::default(), at(second), request) {
        Ok(events) => {
            (events.into_iter().fold(account, |held, event| after(held, second, actor, event)), None)
        }
        Err(Refusal::EnoughActivationMails { again_at }) => (account, Some(again_at)),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn five_activation_mails_an_hour_and_then_the_newest_link_goes_on_working() {
    let mut account = created_by(&COLLEAGUE);
    for second in 1..5 {
        let (asked, refused) = ask(account, second, &COLLEAGUE);
        assert_eq!(refused, None);
        account = asked;
    }
    let before = account.clone();
    let (account, refused) = ask(account, 10, &COLLEAGUE);
    assert_eq!(refused, Some(at(3600)), "an hour after the first");
    assert_eq!(account, before);
    assert_eq!(ask(account.clone(), 3599, &COLLEAGUE).1, Some(at(3600)));
    let (account, refused) = ask(account, 3600, &COLLEAGUE);
    assert_eq!(refused, None);
    assert_eq!(ask(account, 3600, &COLLEAGUE).1, Some(at(3601)));
}

#[test]
fn whatever_a_company_asked_for_support_can_send_a_mail_and_the_other_way_round() {
    let staff = Actor::Staff { name: "Sofie".to_owned(), role: crate::fact::StaffRole::Support };
    let mut account = created_by(&COLLEAGUE);
    for second in 1..20 {
        account = ask(account, second, &COLLEAGUE).0;
    }
    for second in 20..25 {
        let (asked, refused) = ask(account, second, &staff);
        assert_eq!(refused, None);
        account = asked;
    }
    assert_eq!(ask(account, 25, &staff).1, Some(at(3620)), "their own number is bounded too");
}

#[test]
fn mails_that_were_sent_to_a_deleted_account_stay_known_for_an_hour() {
    let sent =
        || Event::MailSent { mail: Uuid::nil(), kind: MailKind::Activation, about: EventId(Uuid::nil()) };
    let account = after(created_by(&COLLEAGUE), 1, &COLLEAGUE, sent());
    let deleted = after(account, 2, &COLLEAGUE, Event::AccountDeleted { reason: Erasable::Erased });
    let account = after(deleted, 3, &COLLEAGUE, sent());
    let sent_at = |second| account.profile().unwrap().activations.sent_at(at(second)).count();
    assert_eq!((sent_at(3), sent_at(3601), sent_at(3603)), (2, 1, 0));
}

proptest! {
    #[test]
    fn in_no_hour_are_more_activation_mails_asked_for_than_allowed(
        pauses in prop::collection::vec((0_i64..1500, any::<bool>()), 1..60)
    ) {
        let (mut account, mut now) = (created_by(&COLLEAGUE), 0);
        let (mut company, mut supplier) = (vec![at(0)], Vec::new());
        for (pause, by_company) in pauses {
            now += pause;
            let actor = if by_company { COLLEAGUE } else { Actor::Operator };
            let (asked, again_at) = ask(account, now, &actor);
            account = asked;
            let own = if by_company { &mut company } else { &mut supplier };
            let lately = own.iter().filter(|moment| at(now) - **moment < TimeDelta::hours(1)).count();
            match again_at {
                None => {
                    prop_assert!(lately < 5);
                    own.push(at(now));
                }
                Some(again_at) => {
                    prop_assert_eq!(lately, 5);
                    prop_assert!(again_at > at(now), "a wait that is over");
                    let there = own.iter().filter(|moment| again_at - **moment < TimeDelta::hours(1)).count();
                    prop_assert!(there < 5, "it is true");
                }
            }
        }
    }
}
