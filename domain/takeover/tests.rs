//! The rules of a take-over, as sentences.

use uuid::Uuid;

use super::*;
use crate::Moment;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, SiteId};

const FROM: CompanyId = CompanyId(Uuid::from_u128(1));
const TO: CompanyId = CompanyId(Uuid::from_u128(2));
const SITE: SiteId = SiteId(Uuid::from_u128(3));
const MARIE: AccountId = AccountId(Uuid::from_u128(4));

fn tell(takeover: &mut TakeOver, command: Command) -> Result<Vec<Event>, Refusal> {
    let events = decide(takeover, Moment::UNIX_EPOCH, command)?;
    for event in &events {
        *takeover = evolve(takeover.take(), &Fact::told(event.clone()));
    }
    Ok(events)
}

fn open(to: CompanyId, sites: Vec<SiteId>) -> Command {
    Command::Open { from: FROM, to, sites, accounts: Vec::new(), reference: "T-1".to_owned() }
}

fn opened() -> TakeOver {
    let mut takeover = TakeOver::default();
    tell(&mut takeover, open(TO, vec![SITE])).unwrap();
    takeover
}

fn begin() -> Command {
    Command::Begin { accounts: vec![MARIE] }
}

#[test]
fn a_take_over_is_due_in_28_days_and_waits_for_both_companies() {
    let takeover = opened().unwrap();
    assert_eq!(takeover.due_at, Moment::UNIX_EPOCH + EXPECTED);
    assert_eq!(takeover.waits_for().collect::<Vec<_>>(), [Side::Transferor, Side::Acquirer]);
}

#[test]
fn a_company_takes_over_neither_itself_nor_nothing() {
    let mut none = TakeOver::default();
    assert_eq!(tell(&mut none, open(FROM, vec![SITE])), Err(Refusal::SameCompany));
    assert_eq!(tell(&mut none, open(TO, Vec::new())), Err(Refusal::Nothing));
    assert_eq!(tell(&mut none, begin()), Err(Refusal::NoSuchTakeOver));
}

#[test]
fn it_is_completed_once_both_have_agreed() {
    let mut takeover = opened();
    assert_eq!(tell(&mut takeover, begin()), Err(Refusal::NotConfirmed(Side::Transferor)));
    tell(&mut takeover, Command::Confirm { side: Side::Transferor }).unwrap();
    assert_eq!(tell(&mut takeover, Command::Confirm { side: Side::Transferor }), Ok(Vec::new()));
    assert_eq!(tell(&mut takeover, begin()), Err(Refusal::NotConfirmed(Side::Acquirer)));
    tell(&mut takeover, Command::Confirm { side: Side::Acquirer }).unwrap();
    tell(&mut takeover, begin()).unwrap();
    assert_eq!(tell(&mut takeover, begin()), Ok(Vec::new()), "asked again after a crash, it goes on");
    let finished =
        tell(&mut takeover, Command::Finish { terminals: Vec::new(), merged: Vec::new() }).unwrap();
    let completed = Event::TakeOverCompleted {
        from: FROM,
        to: TO,
        sites: vec![SITE],
        terminals: Vec::new(),
        accounts: vec![MARIE],
        merged: Vec::new(),
    };
    assert_eq!(finished, [completed]);
    let cancel = Command::Cancel { reason: Cancellation::Withdrawn };
    assert_eq!(tell(&mut takeover, cancel), Err(Refusal::Completed));
}

#[test]
fn what_is_cancelled_is_over() {
    let mut takeover = opened();
    tell(&mut takeover, Command::Cancel { reason: Cancellation::Refused }).unwrap();
    assert_eq!(takeover.as_ref().unwrap().waits_for().count(), 0);
    assert_eq!(tell(&mut takeover, Command::Confirm { side: Side::Acquirer }), Err(Refusal::Cancelled));
    assert_eq!(tell(&mut takeover, begin()), Err(Refusal::Cancelled));
    assert_eq!(tell(&mut takeover, Command::Cancel { reason: Cancellation::Mistake }), Ok(Vec::new()));
}
