//! Plans what happens to a merchant, and when: its orders, people, sites and terminals. Logins are planned
//! elsewhere.

use chrono::{NaiveTime, TimeDelta};
use loquet_domain::Moment;
use loquet_domain::account::Admission;

use super::dice::Dice;
use super::merchant::{Merchant, Named};
use super::size::Ending;
use super::world::World;

const STORY: u64 = 6;
/// The dice for second steps. They are separate from the other dice, so that the rest of the plan stays the
/// same.
const SECOND: u64 = 7;

/// An act that happens at a moment.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) at: Moment,
    pub(super) merchant: u32,
    /// The seed of the dice for this act.
    pub(super) roll: u64,
    pub(super) act: Act,
}

impl Due {
    /// The order in which acts are played.
    pub(super) fn key(&self) -> (Moment, u32, u64) {
        (self.at, self.merchant, self.roll)
    }
}

/// What happens. A number names a person of the merchant; zero is the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Order {
        order: u32,
        contact: Named,
    },
    Activate(u32),
    /// A person turns the second step on.
    Secure(u32),
    /// The activation mail is sent again.
    Remind(u32),
    /// The owner creates an account for a colleague.
    Invite(u32, Admission),
    /// The owner admits a temporary administrator.
    Admit(u32, Admission),
    MakeGroups,
    Join(u32),
    NameSite,
    Assign,
    NoteSerial(u64),
    SaveReceipt,
    Describe,
    Delete(u32),
    Erase(u32),
    /// A login after this number of wrong passwords.
    LogIn {
        person: u32,
        wrong: u32,
    },
    /// Wrong passwords until the account locks. They may come from another person.
    LockOut(u32),
    Release(u32),
    /// A person asks for a reset link.
    Forget(u32),
    /// A person follows the newest reset link.
    Reset(u32),
    /// The steps of a take-over, by its number among all take-overs.
    OpenTakeOver(usize),
    Agree(usize, Consent),
    Complete(usize),
    Cancel(usize),
}

/// The side that agrees to a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Giver,
    Taker,
}

impl Act {
    /// Returns whether the act concerns more than one merchant. Then nothing runs at the same time.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::OpenTakeOver(_) | Self::Agree(..) | Self::Complete(_) | Self::Cancel(_))
    }
}

/// The plan for one person.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seat {
    /// The moment from which the person can log in. `None` if they never activate.
    pub(super) active_from: Option<Moment>,
    pub(super) gone_from: Option<Moment>,
    pub(super) standing: Standing,
    /// Whether the second step is on.
    pub(super) secured: bool,
}

/// The person's state at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Administrator,
    User,
    /// A temporary administrator who was not admitted.
    Waiting,
    Deleted,
    Erased,
}

/// What happens to a person whose fate is fixed and not random. Every chain has one person of each kind, so
/// all sample data has each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Usual,
    Deleted,
    Erased,
    Waits,
    NeverActivates,
}

impl Fate {
    fn of(merchant: &Merchant, person: u32) -> Self {
        match (merchant.is_chain(), person) {
            (true, 5) => Self::Deleted,
            (true, 6) => Self::Erased,
            (true, 7) => Self::Waits,
            (true, 8) => Self::NeverActivates,
            _ => Self::Usual,
        }
    }
}

/// Makes the plan of one merchant.
struct Planner<'a> {
    merchant: &'a Merchant,
    world: &'a World,
    dice: Dice,
    born: Moment,
    end: Moment,
    due: Vec<Due>,
    seats: Vec<Seat>,
    /// The number of the next order.
    order: u32,
}

/// Returns the plan of a merchant and of its people.
pub(super) fn plan(world: &World, merchant: &Merchant) -> (Vec<Due>, Vec<Seat>) {
    let mut dice = merchant.dice(STORY);
    let born = at_work(world.born(merchant.number), &mut dice);
    let end = world.plans_until(merchant.number);
    let (due, seats) = (Vec::new(), Vec::new());
    let order = merchant.stock_orders();
    let mut planner = Planner { merchant, world, dice, born, end, due, seats, order };
    planner.begin();
    planner.secure();
    (planner.due, planner.seats)
}

impl Planner<'_> {
    fn begin(&mut self) {
        self.push(self.born, Act::Order { order: 0, contact: Named::Own(0) });
        let active = self.merchant.is_kept(&self.world.takeovers) || self.dice.chance(88);
        let mut owner = Seat::default();
        if active {
            let opened = self.born + TimeDelta::minutes(self.number(8, 2_000));
            owner.active_from = self.push(opened, Act::Activate(0));
        } else if self.dice.chance(40) {
            let reminded = self.later(self.born, 10, 30);
            self.push(reminded, Act::Remind(0));
        }
        self.seats.push(owner);
        self.further_orders();
        if let Some(opened) = owner.active_from {
            self.staff(opened);
            self.shops(opened);
        }
        self.take_over();
    }

    fn further_orders(&mut self) {
        for order in 1..self.merchant.stock_orders() {
            let at = self.sometime(self.born, 400);
            self.push(at, Act::Order { order, contact: Named::Own(0) });
        }
        // A person has one login. A person with an account at another company waits for support.
        let number = self.merchant.number;
        if number == 9 || (number > 9 && self.dice.chance(2)) {
            let (at, other) = (self.sometime(self.born, 300), Named::OwnerOf(number / 2));
            self.next_order(at, other);
        }
    }

    fn next_order(&mut self, at: Moment, contact: Named) {
        let order = self.order;
        self.order += 1;
        self.push(at, Act::Order { order, contact });
    }

    fn staff(&mut self, opened: Moment) {
        let mut groups = None;
        for person in 1..self.merchant.size.people {
            let fate = Fate::of(self.merchant, person);
            let came = self.sometime(opened, 250);
            let (seat, since) = match (fate, self.dice.below(100)) {
                (Fate::Waits, _) | (Fate::Usual, 0..23) => self.by_order(person, came, fate),
                (_, 23..38) => (self.invited(person, came, Admission::Administrator, fate), came),
                _ => (self.invited(person, came, Admission::User, fate), came),
            };
            let last = match seat.standing {
                Standing::User => self.joins(person, since, &mut groups),
                _ => since,
            };
            let seat = self.leaves(person, seat, last, fate);
            self.seats.push(seat);
        }
    }

    /// Makes the groups when the first user comes, and adds each user to one. Returns when the user joins.
    fn joins(&mut self, person: u32, since: Moment, groups: &mut Option<Moment>) -> Moment {
        let made = match *groups {
            Some(made) => made,
            None => {
                let made = since + TimeDelta::minutes(20);
                self.push(made, Act::MakeGroups);
                *groups.insert(made)
            }
        };
        // A person with a later number may come at an earlier time. By then, the groups exist.
        let joined = since.max(made) + TimeDelta::minutes(self.number(25, 600));
        self.push(joined, Act::Join(person));
        joined
    }

    /// Adds a person whom an order names. They are a temporary administrator until the owner admits them.
    fn by_order(&mut self, person: u32, came: Moment, fate: Fate) -> (Seat, Moment) {
        self.next_order(came, Named::Own(person));
        let active = fate == Fate::Waits || self.dice.chance(85);
        let activated = self.soon(came);
        let active_from = active.then(|| self.push(activated, Act::Activate(person))).flatten();
        let admitted = self.later(activated, 1, 8);
        let to = if self.dice.chance(40) { Admission::Administrator } else { Admission::User };
        let wanted = fate != Fate::Waits && self.dice.chance(65);
        match wanted.then(|| self.push(admitted, Act::Admit(person, to))).flatten() {
            Some(admitted) => (Seat { active_from, standing: standing(to), ..Seat::default() }, admitted),
            None => (Seat { active_from, standing: Standing::Waiting, ..Seat::default() }, activated),
        }
    }

    fn invited(&mut self, person: u32, came: Moment, role: Admission, fate: Fate) -> Seat {
        self.push(came, Act::Invite(person, role));
        let activated = self.soon(came);
        let active = fate != Fate::NeverActivates && self.dice.chance(90);
        let active_from = active.then(|| self.push(activated, Act::Activate(person))).flatten();
        if !active && self.dice.chance(30) {
            let reminded = self.later(came, 7, 40);
            self.push(reminded, Act::Remind(person));
        }
        Seat { active_from, standing: standing(role), ..Seat::default() }
    }

    /// Some people leave, and some are erased.
    fn leaves(&mut self, person: u32, seat: Seat, since: Moment, fate: Fate) -> Seat {
        let (act, standing) = match (fate, self.dice.below(100)) {
            (Fate::Erased, _) | (Fate::Usual, 0) => (Act::Erase(person), Standing::Erased),
            (Fate::Deleted, _) | (Fate::Usual, 1..5) => (Act::Delete(person), Standing::Deleted),
            _ => return seat,
        };
        // This comes after all other acts of these people.
        let left = self.later(since, 45, 150);
        match self.push(left, act) {
            Some(left) => Seat { gone_from: Some(left), standing, ..seat },
            None => seat,
        }
    }

    /// Adds what the owner does with sites and terminals.
    fn shops(&mut self, opened: Moment) {
        let sites = u64::from(self.merchant.size.sites);
        let named = if sites > 1 { self.dice.below(sites.min(6)) } else { 0 };
        let moved = if sites > 1 && self.dice.chance(45) { self.dice.between(1, 3) } else { 0 };
        let noted = if self.dice.chance(30) { self.dice.between(1, 2) } else { 0 };
        let printed = if self.dice.chance(35) { self.dice.between(1, sites.min(3)) } else { 0 };
        let described = u64::from(self.dice.chance(9));
        let times = |act: Act, times: u64| (0..times).map(move |_| act.clone());
        let acts = times(Act::NameSite, named)
            .chain(times(Act::Assign, moved))
            .chain((0..noted).map(Act::NoteSerial))
            .chain(times(Act::SaveReceipt, printed))
            .chain(times(Act::Describe, described));
        for act in acts.collect::<Vec<_>>() {
            let at = self.sometime(opened, 500);
            self.push(at, act);
        }
    }

    /// Adds the steps of the take-over if the merchant is taken over.
    fn take_over(&mut self) {
        let plans = self.world.takeovers.iter().enumerate();
        let Some((nth, plan)) = plans.clone().find(|(_, plan)| plan.from == self.merchant.number) else {
            return;
        };
        let days = |days: i64| plan.opened + TimeDelta::days(days) + TimeDelta::minutes(11);
        let mut steps =
            vec![(plan.opened, Act::OpenTakeOver(nth)), (days(3), Act::Agree(nth, Consent::Giver))];
        match plan.ending {
            Ending::Completed => {
                steps.extend([(days(6), Act::Agree(nth, Consent::Taker)), (days(27), Act::Complete(nth))]);
            }
            Ending::Cancelled => steps.push((days(9), Act::Cancel(nth))),
            Ending::Open => {}
        }
        self.end = self.world.until;
        for (at, act) in steps {
            self.push(at, act);
        }
    }

    /// Some people turn the second step on right after activation, before anybody logs in. The owner of a
    /// chain always does.
    fn secure(&mut self) {
        let mut dice = self.merchant.dice(SECOND);
        for (person, seat) in (0..).zip(&mut self.seats) {
            let wanted = dice.chance(9) || (self.merchant.is_chain() && person == 0);
            let at = seat.active_from.map(|from| from + TimeDelta::minutes(3));
            let lets_in = matches!(seat.standing, Standing::Administrator | Standing::User);
            let Some(at) = at.filter(|at| wanted && lets_in && *at < self.end) else { continue };
            let (merchant, roll) = (self.merchant.number, dice.roll());
            self.due.push(Due { at, merchant, roll, act: Act::Secure(person) });
            seat.secured = true;
        }
    }

    /// Adds an act, unless it is too late for it. Returns when it happens.
    fn push(&mut self, at: Moment, act: Act) -> Option<Moment> {
        if at >= self.end {
            return None;
        }
        let roll = self.dice.roll();
        self.due.push(Due { at, merchant: self.merchant.number, roll, act });
        Some(at)
    }

    fn number(&mut self, least: u64, most: u64) -> i64 {
        i64::try_from(self.dice.between(least, most)).unwrap_or(0)
    }

    /// Returns a moment that is 4 to 2,500 minutes after another.
    fn soon(&mut self, after: Moment) -> Moment {
        after + TimeDelta::minutes(self.number(4, 2_500))
    }

    /// Returns a moment in working hours, `least` to `most` days later.
    fn later(&mut self, after: Moment, least: u64, most: u64) -> Moment {
        let day = after + TimeDelta::days(self.number(least, most));
        at_work(day, &mut self.dice)
    }

    /// Returns a moment in working hours within the next `most` days, before the plan ends.
    fn sometime(&mut self, after: Moment, most: u64) -> Moment {
        let room = u64::try_from((self.end - after).num_days() - 2).unwrap_or(0);
        self.later(after, 1, most.min(room).max(1))
    }
}

fn standing(to: Admission) -> Standing {
    match to {
        Admission::Administrator => Standing::Administrator,
        Admission::User => Standing::User,
    }
}

/// Returns a moment on that day, from 7:00 to 17:00 UTC.
fn at_work(day: Moment, dice: &mut Dice) -> Moment {
    let second = u32::try_from(dice.between(7 * 3_600, 17 * 3_600)).unwrap_or(0);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap_or(day.time());
    let micros = TimeDelta::microseconds(i64::try_from(dice.below(1_000_000)).unwrap_or(0));
    day.with_time(time).single().unwrap_or(day) + micros
}
