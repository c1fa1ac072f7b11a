//! The logins of the last month, day by day. Most succeed at once, some at the second try, and a few lock the
//! account.

use chrono::TimeDelta;
use loquet_domain::Moment;

use super::dice::Dice;
use super::plan::{Act, Due, Seat, Standing};
use super::world::World;

const LOGINS: u64 = 102;
const HABITS: u64 = 103;
const LAST: u64 = 104;
/// Of this many people who can log in, one is locked out at the end, and another has an open reset link.
const OF: usize = 80;

/// Returns on how many days of a hundred a person logs in.
fn habit(seed: u64, person: u64) -> u64 {
    match Dice::of(seed, &[HABITS, person]).below(100) {
        0..6 => 85,
        6..35 => 20,
        _ => 5,
    }
}

/// Returns the logins of one day, for people of the first `come` merchants who can log in then.
pub(super) fn day(world: &World, seats: &[Seat], come: u32, day: Moment) -> anyhow::Result<Vec<Due>> {
    let mut due = Vec::new();
    let nth = u64::try_from((day - world.begins()).num_days()).unwrap_or(0);
    for merchant in 0..come {
        let size = world.size(merchant)?;
        for person in 0..size.people {
            let whole = u64::from(size.first) + u64::from(person);
            let Some(seat) = usize::try_from(whole).ok().and_then(|at| seats.get(at)) else { continue };
            let mut dice = Dice::of(world.seed, &[LOGINS, whole, nth]);
            if seat.active_from.is_some() && dice.chance(habit(world.seed, whole)) {
                visit(world, seat, (merchant, person), day, &mut dice, &mut due);
            }
        }
    }
    Ok(due)
}

fn visit(
    world: &World,
    seat: &Seat,
    (merchant, person): (u32, u32),
    day: Moment,
    dice: &mut Dice,
    due: &mut Vec<Due>,
) {
    let millis = i64::try_from(dice.between(6 * 3_600_000, 21 * 3_600_000)).unwrap_or(0);
    let at = day + TimeDelta::milliseconds(millis);
    let hour = TimeDelta::hours(1);
    let can = seat.active_from.is_some_and(|from| at > from + hour)
        && seat.gone_from.is_none_or(|gone| at < gone - hour)
        && at < world.until - hour * 2;
    if !can {
        return;
    }
    let log_in = |wrong| Act::LogIn { person, wrong };
    let acts = match (seat.standing, dice.below(200)) {
        // A person who waits for admission is not let in, whether the password is right or wrong.
        (Standing::Waiting, _) | (_, 0..170) => vec![(0, log_in(0))],
        (_, 170..190) => vec![(0, log_in(dice.pick(&[1, 1, 2, 3])))],
        (_, 190..196) => vec![(0, Act::Forget(person)), (4, Act::Reset(person)), (6, log_in(0))],
        (_, 196..198) => vec![(0, Act::LockOut(person)), (5, Act::Release(person)), (8, log_in(0))],
        _ => vec![(0, Act::LockOut(person)), (20, log_in(0))],
    };
    let acts = acts.into_iter().map(|(minutes, act)| Due {
        at: at + TimeDelta::minutes(minutes),
        merchant,
        roll: dice.roll(),
        act,
    });
    due.extend(acts);
}

/// Returns the last acts: some accounts are locked, and some have an open reset link.
pub(super) fn last(world: &World, seats: &[Seat]) -> anyhow::Result<Vec<Due>> {
    let mut due = Vec::new();
    let mut nth = 0;
    for merchant in 0..world.count() {
        let size = world.size(merchant)?;
        for person in 0..size.people {
            let whole = usize::try_from(size.first + person)?;
            if !seats.get(whole).is_some_and(Seat::is_in_use) {
                continue;
            }
            let mut dice = Dice::of(world.seed, &[LAST, u64::try_from(whole)?]);
            nth += 1;
            // These examples must be able to log in with the password alone.
            if seats.get(whole).is_some_and(|seat| seat.secured) {
                continue;
            }
            let (act, seconds) = match nth % OF {
                4 => (Act::LockOut(person), dice.between(60, 420)),
                6 => (Act::Forget(person), dice.between(300, 1_800)),
                _ => continue,
            };
            let at = world.until - TimeDelta::seconds(i64::try_from(seconds)?);
            due.push(Due { at, merchant, roll: dice.roll(), act });
        }
    }
    Ok(due)
}

impl Seat {
    /// Returns whether this person can log in when the history ends.
    pub(super) fn is_in_use(&self) -> bool {
        let let_in = matches!(self.standing, Standing::Administrator | Standing::User);
        let_in && self.active_from.is_some() && self.gone_from.is_none()
    }
}
