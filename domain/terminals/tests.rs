//! The rules of terminals, as sentences.

use uuid::Uuid;

use super::*;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, OrderId, SiteId, TakeOverId, TerminalId};
use crate::values::serial_number::SerialNumber;
use crate::values::terminal_model::TerminalModel;

const HERE: SiteId = SiteId(Uuid::from_u128(1));
const THERE: SiteId = SiteId(Uuid::from_u128(2));

fn order(n: u32) -> OrderId {
    OrderId::parse(&format!("SO-{n}")).unwrap()
}

fn unit(n: u32) -> Unit {
    let model = TerminalModel::parse("PAX A920 Mobile").unwrap();
    Unit { terminal: TerminalId::of_order(&order(1), 0, n), model, serial: None, site: HERE }
}

fn tell(state: &mut Terminals, command: Command) -> Result<Vec<Event>, Refusal> {
    let events = decide(state, command)?;
    for event in &events {
        *state = evolve(state.clone(), &Fact::told(event.clone()));
    }
    Ok(events)
}

fn three() -> Terminals {
    let mut state = Terminals::default();
    let units = vec![unit(0), unit(1), unit(2)];
    tell(&mut state, Command::Add { order: order(1), units }).unwrap();
    state
}

fn to(n: u32, to: SiteId) -> Assignment {
    Assignment { terminal: unit(n).terminal, to }
}

#[test]
fn what_was_ordered_is_added_once_however_often_it_is_delivered() {
    let mut state = three();
    let again = Command::Add { order: order(1), units: vec![unit(2), unit(3), unit(3)] };
    assert_eq!(tell(&mut state, again).unwrap().len(), 1);
    assert_eq!(state.held.len(), 4);
}

#[test]
fn a_terminal_stands_at_one_site_at_a_time() {
    let mut state = three();
    let events = tell(&mut state, Command::Assign(vec![to(0, THERE), to(1, HERE)])).unwrap();
    let moved = Event::TerminalAssigned { terminal: unit(0).terminal, from: HERE, to: THERE };
    assert_eq!(events, [moved], "one that is there already does not move");
    assert_eq!((state.at(HERE).count(), state.at(THERE).count()), (2, 1));
}

#[test]
fn nothing_is_added_at_a_site_that_went_to_another_company() {
    let mut state = three();
    let takeover = TakeOverId(Uuid::from_u128(9));
    let to = CompanyId(Uuid::from_u128(2));
    tell(&mut state, Command::Release { takeover, to, sites: vec![HERE] }).unwrap();
    let add = |units| Command::Add { order: order(1), units };
    assert_eq!(tell(&mut state, add(vec![unit(2), unit(3)])), Err(Refusal::SiteGone(HERE)));
    assert_eq!(tell(&mut state, add(vec![unit(2)])), Ok(Vec::new()), "what went along is there, not here");
    let elsewhere = Unit { site: THERE, ..unit(3) };
    assert_eq!(tell(&mut state, add(vec![elsewhere])).unwrap().len(), 1);
}

#[test]
fn a_list_of_assignments_is_done_whole_or_not_at_all() {
    let state = three();
    let unknown = decide(&state, Command::Assign(vec![to(0, THERE), to(7, THERE)]));
    assert_eq!(unknown, Err(Refusal::NoSuchTerminal(unit(7).terminal)));
    let twice = decide(&state, Command::Assign(vec![to(0, THERE), to(0, HERE)]));
    assert_eq!(twice, Err(Refusal::Twice(unit(0).terminal)));
}

#[test]
fn a_serial_number_is_noted_once() {
    let mut state = three();
    let serial = |text: &str| SerialNumber::parse(text).unwrap();
    let note = |text| Command::NoteSerial { terminal: unit(0).terminal, serial: serial(text) };
    assert_eq!(tell(&mut state, note("a-1")).unwrap().len(), 1);
    assert_eq!(tell(&mut state, note("A-1")), Ok(Vec::new()));
    assert_eq!(tell(&mut state, note("A-2")), Err(Refusal::OtherSerial));
}

#[test]
fn terminals_go_with_their_site_and_nothing_is_assigned_there_any_more() {
    let (mut giving, mut taking) = (three(), Terminals::default());
    tell(&mut giving, Command::Assign(vec![to(0, THERE)])).unwrap();
    let takeover = TakeOverId(Uuid::from_u128(9));
    let (from, to_company) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
    let release = Command::Release { takeover, to: to_company, sites: vec![HERE] };
    tell(&mut giving, release.clone()).unwrap();
    assert_eq!(giving.held.len(), 1);
    assert_eq!(decide(&giving, Command::Assign(vec![to(0, HERE)])), Err(Refusal::SiteGone(HERE)));
    let terminals = giving.moved_by(takeover).unwrap().to_vec();
    let receive = Command::Receive { takeover, from, sites: vec![HERE], terminals };
    tell(&mut taking, receive.clone()).unwrap();
    assert_eq!(taking.at(HERE).count(), 2);
    assert_eq!(tell(&mut giving, release), Ok(Vec::new()), "asked again, nothing moves");
    assert_eq!(tell(&mut taking, receive), Ok(Vec::new()));
    let late = Command::Add { order: order(1), units: vec![unit(1)] };
    assert_eq!(tell(&mut giving, late), Ok(Vec::new()), "an order delivered again brings none of them back");
}

fn free(n: u32) -> Command {
    let about = Some(AccountId(Uuid::from_u128(5)));
    Command::Free { terminal: unit(n).terminal, cause: ReleaseCause::SoldOn, about }
}

#[test]
fn a_terminal_that_was_released_is_at_no_site_and_never_comes_back_under_its_id() {
    let mut state = three();
    let serial = SerialNumber::parse("A-1").unwrap();
    tell(&mut state, Command::NoteSerial { terminal: unit(0).terminal, serial: serial.clone() }).unwrap();
    let events = tell(&mut state, free(0)).unwrap();
    let about = Some(AccountId(Uuid::from_u128(5)));
    let freed = Event::TerminalFreed {
        terminal: unit(0).terminal,
        site: HERE,
        serial: Some(serial.clone()),
        cause: ReleaseCause::SoldOn,
        about,
    };
    assert_eq!(events, [freed]);
    assert_eq!(state.freed(unit(0).terminal), Some(Some(&serial)));
    assert_eq!(state.at(HERE).count(), 2);
    assert_eq!(tell(&mut state, free(0)), Ok(Vec::new()), "asked again, nothing changes");
    let late = Command::Add { order: order(1), units: vec![unit(0)] };
    assert_eq!(tell(&mut state, late), Ok(Vec::new()), "an order delivered again does not bring it back");
    let gone = Err(Refusal::NoSuchTerminal(unit(0).terminal));
    assert_eq!(decide(&state, Command::Assign(vec![to(0, THERE)])), gone);
    assert_eq!(decide(&state, Command::NoteSerial { terminal: unit(0).terminal, serial }), gone);
    assert_eq!(decide(&state, free(7)), Err(Refusal::NoSuchTerminal(unit(7).terminal)));
}

#[test]
fn a_release_and_a_take_over_at_once_have_one_winner() {
    let takeover = TakeOverId(Uuid::from_u128(9));
    let leave = Command::Release { takeover, to: CompanyId(Uuid::from_u128(2)), sites: vec![HERE] };
    let mut state = three();
    tell(&mut state, free(0)).unwrap();
    tell(&mut state, leave.clone()).unwrap();
    let moved: Vec<_> = state.moved_by(takeover).unwrap().iter().map(|moved| moved.terminal).collect();
    assert!(!moved.contains(&unit(0).terminal) && moved.len() == 2, "what was released does not move");
    let mut state = three();
    tell(&mut state, leave).unwrap();
    assert_eq!(
        decide(&state, free(0)),
        Err(Refusal::TerminalGone(unit(0).terminal)),
        "what moved is not theirs"
    );
}
