//! The sample data as a whole: the number of merchants, the size of each, when each comes, and which are
//! taken over.

use anyhow::Context;
use chrono::{NaiveTime, TimeDelta};
use loquet_domain::Moment;

use super::dice::Dice;
use super::merchant::Merchant;
use super::size::{CHAIN, Ending, Size, TakeOverPlan};

/// The length of the history.
const HISTORY: TimeDelta = TimeDelta::days(730);
/// The newest merchant came this long before the end.
const NEWEST: TimeDelta = TimeDelta::days(20);
const SIZES: u64 = 101;

/// The complete plan.
pub(super) struct World {
    pub(super) seed: u64,
    /// The moment at which the history ends.
    pub(super) until: Moment,
    pub(super) takeovers: Vec<TakeOverPlan>,
    merchants: Vec<Size>,
}

impl World {
    /// Makes a plan for this many accounts.
    pub(super) fn new(seed: u64, accounts: u32, until: Moment) -> Self {
        let mut merchants = Vec::new();
        let mut first = 0;
        while first < accounts {
            let number = u32::try_from(merchants.len()).unwrap_or(u32::MAX);
            let size = size(seed, number, accounts);
            let people = size.people.min(accounts - first);
            merchants.push(Size { first, people, ..size });
            first += people;
        }
        let takeovers = takeovers(u32::try_from(merchants.len()).unwrap_or(u32::MAX), until);
        Self { seed, until, takeovers, merchants }
    }

    /// Returns the number of merchants.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.merchants.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn size(&self, merchant: u32) -> anyhow::Result<Size> {
        let size = usize::try_from(merchant).ok().and_then(|at| self.merchants.get(at));
        size.copied().context("there is no such merchant")
    }

    pub(super) fn merchant(&self, number: u32) -> anyhow::Result<Merchant> {
        Ok(Merchant::of(self.seed, number, self.size(number)?))
    }

    /// Returns when the history begins.
    pub(super) fn begins(&self) -> Moment {
        self.until - HISTORY
    }

    /// Returns when a merchant places its first order. Merchants come one after another, until shortly before
    /// the end.
    pub(super) fn born(&self, number: u32) -> Moment {
        let span = (HISTORY - NEWEST).num_minutes();
        let minutes = i64::from(number) * span / i64::from(self.count().max(1));
        self.begins() + TimeDelta::minutes(minutes)
    }

    /// Returns the moment at which a merchant's plan ends. A merchant that is being taken over changes
    /// nothing any more.
    pub(super) fn plans_until(&self, number: u32) -> Moment {
        let leaving = self.takeovers.iter().find(|plan| plan.from == number);
        leaving.map_or(self.until - TimeDelta::hours(26), |plan| plan.opened - TimeDelta::days(2))
    }
}

fn size(seed: u64, number: u32, accounts: u32) -> Size {
    let mut dice = Dice::of(seed, &[SIZES, number.into()]);
    let chains = (accounts / 10_000).clamp(1, 6);
    if number % 100 == 7 && number / 100 < chains {
        let people = if accounts < 2_000 { dice.between(14, 18) } else { dice.between(24, 60) };
        return sized(people, dice.between(u64::from(CHAIN) + 20, 400));
    }
    // The merchants of the first take-overs are small shops with some people and sites.
    if (1..=6).contains(&number) {
        return sized(dice.between(2, 3), dice.between(2, 4));
    }
    let sites = match dice.below(100) {
        0..55 => 1,
        55..80 => dice.between(2, 3),
        80..95 => dice.between(4, 10),
        _ => dice.between(11, 36),
    };
    let people = match (sites, dice.below(100)) {
        (1, 0..60) => 1,
        (1, 60..85) => 2,
        (1, _) => 3,
        (sites, _) => 1 + dice.below(2 + sites / 3),
    };
    sized(people, sites)
}

fn sized(people: u64, sites: u64) -> Size {
    let small = |number| u32::try_from(number).unwrap_or(1);
    Size { first: 0, people: small(people), sites: small(sites) }
}

fn morning(day: Moment) -> Moment {
    let nine = NaiveTime::from_hms_opt(9, 4, 0).unwrap_or(day.time());
    day.with_time(nine).single().unwrap_or(day)
}

/// Returns at least three take-overs: one completed, one cancelled, and one open.
fn takeovers(merchants: u32, until: Moment) -> Vec<TakeOverPlan> {
    let endings = [(Ending::Completed, 52), (Ending::Cancelled, 33), (Ending::Open, 12)];
    let few = endings.into_iter().zip([(1, 2), (3, 4), (5, 6)]);
    let more = endings.into_iter().cycle().zip((3..15).map(|n| (100 * n + 11, 100 * n + 13)));
    let all = few.chain(more).zip(0_i64..).map(|(((ending, days), (from, to)), nth)| TakeOverPlan {
        from,
        to,
        ending,
        opened: morning(until - TimeDelta::days(days)) + TimeDelta::minutes(37 * nth),
    });
    all.filter(|plan| plan.to < merchants).collect()
}
