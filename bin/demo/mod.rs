//! Sample data: merchants, their people, sites and terminals, and two years of their history. The use cases
//! write it, in the order of time. It depends only on a seed.

mod dice;
mod merchant;
mod month;
mod outside;
mod plan;
mod regions;
mod size;
mod stage;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{NaiveTime, TimeDelta};
use loquet_crypto::account_keys::AccountKeys;
use loquet_domain::Moment;
use loquet_domain::app::App;
use loquet_domain::ids::AccountId;
use tokio::task::JoinSet;

pub(crate) use outside::{OnePassword, OneSecret, Seeded};
pub(crate) use stage::PASSWORD;

use plan::{Act, Due, Seat, Standing};
use size::Ending;
use stage::Stage;
use world::World;

/// The period at the end of the history in which people log in.
const LOGINS: TimeDelta = TimeDelta::days(31);
/// The most acts that run at once. More would not fill the store's commits better.
const MOST_AT_ONCE: u32 = 4096;
/// One act runs at a time for each group of this many accounts. So small sample data is written strictly one
/// act after another.
const ACCOUNTS_AN_ACT: u32 = 100;

/// The requested sample data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) seed: u64,
    pub(crate) accounts: u32,
    /// The moment at which the history ends.
    pub(crate) until: Moment,
}

/// The sample data that was written.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) companies: u32,
    pub(crate) sites: u64,
    pub(crate) terminals: u64,
    pub(crate) takeovers: usize,
    pub(crate) accounts: u32,
    /// How many accounts end in each state, with examples.
    pub(crate) states: BTreeMap<State, Vec<Example>>,
    pub(crate) counts: BTreeMap<State, u32>,
}

/// The state in which an account ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Administrator,
    User,
    SecondStep,
    Locked,
    ResetOpen,
    AwaitingActivation,
    AwaitingConversion,
    Deleted,
    Erased,
}

/// An account that a user of the sample data can try.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// `None` if the person was erased.
    pub(crate) email: Option<String>,
    pub(crate) account: AccountId,
}

/// How many examples of each state are printed at the end.
const EXAMPLES: usize = 2;

/// Writes the history day by day. Calls `progress` with the number of days done and the number of all days.
pub(crate) async fn tell(
    app: Arc<App>,
    keys: &dyn AccountKeys,
    wanted: Wanted,
    mut progress: impl FnMut(i64, i64),
) -> anyhow::Result<Told> {
    let Wanted { seed, accounts, until } = wanted;
    let world = Arc::new(World::new(seed, accounts, until));
    let stage = Arc::new(Stage::new(app, world.clone(), usize::try_from(accounts)?));
    let at_once = usize::try_from((accounts / ACCOUNTS_AN_ACT).clamp(1, MOST_AT_ONCE))?;
    let (mut come, mut seats) = (0, Vec::with_capacity(usize::try_from(accounts)?));
    let mut days: BTreeMap<Moment, Vec<Due>> = BTreeMap::new();
    let (begins, ends) = (midnight(world.begins()), midnight(until));
    let mut finale = Vec::new();
    let mut today = begins;
    while today <= ends {
        let tomorrow = today + TimeDelta::days(1);
        while come < world.count() && world.born(come) < tomorrow {
            let (planned, own) = plan::plan(&world, &world.merchant(come)?);
            planned.into_iter().for_each(|due| days.entry(midnight(due.at)).or_default().push(due));
            seats.extend(own);
            come += 1;
        }
        if finale.is_empty() && come == world.count() {
            finale = month::last(&world, &seats)?;
            finale.iter().for_each(|due| days.entry(midnight(due.at)).or_default().push(due.clone()));
        }
        let mut due = days.remove(&today).unwrap_or_default();
        if today > until - LOGINS {
            due.extend(month::day(&world, &seats, come, today)?);
        }
        due.sort_unstable_by_key(Due::key);
        play(&stage, keys, due, at_once).await?;
        progress((today - begins).num_days(), (ends - begins).num_days());
        today = tomorrow;
    }
    told(&stage, &seats, &finale)
}

/// Returns the beginning of a moment's day, in UTC.
pub(crate) fn midnight(at: Moment) -> Moment {
    at.with_time(NaiveTime::MIN).single().unwrap_or(at)
}

/// Plays acts in order. Several run at once, but those of one merchant run one after another, and those that
/// concern two merchants run alone.
async fn play(
    stage: &Arc<Stage>,
    keys: &dyn AccountKeys,
    due: Vec<Due>,
    at_once: usize,
) -> anyhow::Result<()> {
    let mut side_by_side: Vec<Due> = Vec::with_capacity(at_once);
    for act in due {
        let alone = act.act.is_alone();
        if alone || side_by_side.len() >= at_once {
            play_together(stage, keys, std::mem::take(&mut side_by_side)).await?;
        }
        if alone {
            stage.play(&act).await?;
        } else {
            side_by_side.push(act);
        }
    }
    play_together(stage, keys, side_by_side).await
}

async fn play_together(stage: &Arc<Stage>, keys: &dyn AccountKeys, due: Vec<Due>) -> anyhow::Result<()> {
    let mut made = Vec::new();
    let mut scenes: HashMap<u32, Vec<Due>> = HashMap::new();
    let mut order = Vec::new();
    for act in due {
        made.extend(stage.account_made_by(&act)?);
        if !scenes.contains_key(&act.merchant) {
            order.push(act.merchant);
        }
        scenes.entry(act.merchant).or_default().push(act);
    }
    // The keys are made together, because making each alone would wait for the disk.
    keys.make(made).await?;
    let mut playing = JoinSet::new();
    for acts in order.into_iter().filter_map(|merchant| scenes.remove(&merchant)) {
        let stage = stage.clone();
        playing.spawn(async move {
            for act in &acts {
                stage.play(act).await?;
            }
            anyhow::Ok(())
        });
    }
    playing.join_all().await.into_iter().collect()
}

fn told(stage: &Stage, seats: &[Seat], finale: &[Due]) -> anyhow::Result<Told> {
    let world = &stage.world;
    let terminals = stage.terminals.load(Ordering::Relaxed);
    let mut told =
        Told { companies: world.count(), takeovers: world.takeovers.len(), terminals, ..Told::default() };
    let last: HashMap<(u32, u32), State> = finale.iter().filter_map(ends_in).collect();
    for number in 0..world.count() {
        let merchant = world.merchant(number)?;
        let moved =
            world.takeovers.iter().any(|plan| plan.from == number && plan.ending == Ending::Completed);
        told.sites += merchant.count_sites()?;
        for person in 0..merchant.size.people {
            let seat = usize::try_from(merchant.size.first + person).ok().and_then(|at| seats.get(at));
            let seat = seat.copied().unwrap_or_default();
            let state = last.get(&(number, person)).copied().unwrap_or_else(|| state(&seat));
            // A person does not become administrator of a company by being taken over.
            let state = if moved && state == State::Administrator { State::User } else { state };
            told.accounts += 1;
            *told.counts.entry(state).or_default() += 1;
            let examples = told.states.entry(state).or_default();
            if examples.len() < EXAMPLES {
                let account = stage.account(&merchant, person)?;
                let email = merchant.person(person)?.email.to_string();
                examples.push(Example { email: (state != State::Erased).then_some(email), account });
            }
        }
    }
    Ok(told)
}

fn ends_in(due: &Due) -> Option<((u32, u32), State)> {
    match due.act {
        Act::LockOut(person) => Some(((due.merchant, person), State::Locked)),
        Act::Forget(person) => Some(((due.merchant, person), State::ResetOpen)),
        _ => None,
    }
}

fn state(seat: &Seat) -> State {
    match (seat.standing, seat.active_from) {
        (Standing::Deleted, _) => State::Deleted,
        (Standing::Erased, _) => State::Erased,
        (Standing::Waiting, Some(_)) => State::AwaitingConversion,
        (_, None) => State::AwaitingActivation,
        _ if seat.secured => State::SecondStep,
        (Standing::Administrator, _) => State::Administrator,
        (Standing::User, _) => State::User,
    }
}
