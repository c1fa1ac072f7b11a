//! Runs views: one reading of the log for all of them, each with its own checkpoint; those that are built
//! anew have a reading of their own.

mod builder;
mod course;
mod status;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loquet_domain::ports::{EventCodec, EventStore, Position};
use tokio::sync::mpsc;

pub use builder::{BuildFailed, Builder};
pub use status::{Follower, NotThere, Progress, Status};
pub use verify::{Verdict, verify};

use crate::ports::{BuildState, ReadStore};
use crate::reading::{End, Reading, Stretch};
use crate::view::{View, ViewId};
use course::{Course, Entry};

/// How long a view that stopped waits before it is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often it is looked whether a view is to be built anew.
const REQUESTS: Duration = Duration::from_secs(1);

/// Runs views over a log.
pub struct Runner {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// Where the rows go.
    pub rows: Arc<dyn ReadStore>,
    /// The views. Two of one name are two versions: the older serves until the newer is built.
    pub views: Vec<Arc<dyn View>>,
    /// How far each is.
    pub status: Status,
}

/// What runs: the buildings that serve, and those that are to take their place.
struct Plan {
    course: Course,
    beside: Vec<Entry>,
}

impl Runner {
    /// Runs for as long as the log does. What can't be read is reported and tried again.
    pub async fn run(self) {
        loop {
            if let Err(why) = self.follow().await {
                tracing::error!(%why, "the views have stopped; trying again");
            } else {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Follows the log from the checkpoint furthest behind.
    async fn follow(&self) -> Result<(), String> {
        let Plan { mut course, beside } = self.plan().await?;
        let (built, mut arrivals) = mpsc::channel(8);
        if !beside.is_empty() {
            self.build_beside(beside, built.clone());
        }
        self.publish(&course);
        let mut log = Reading::begin(&self.store, &self.codec, course.delivered());
        let mut retry = tokio::time::interval(RETRY);
        let mut requests = tokio::time::interval(REQUESTS);
        loop {
            tokio::select! {
                page = log.next() => {
                    let Some(page) = page else { return Ok(()) };
                    match page.end {
                        End::More => course.gather(page.stretch()).await,
                        End::CaughtUp | End::Failed(_) => {
                            course.apply(page.stretch()).await;
                            course.is_live();
                        }
                    }
                    self.publish(&course);
                    if let End::Failed(why) = page.end {
                        // The views stop at the event that can't be read, not at the page before it.
                        return Err(self.stop_all(&mut course, why).await);
                    }
                }
                _ = retry.tick() => self.retry(&mut course).await?,
                _ = requests.tick() => self.rebuild_what_was_asked_for(&built).await?,
                Some(arrived) = arrivals.recv() => {
                    course.write().await;
                    self.admit(&mut course, arrived).await?;
                }
            }
        }
    }

    /// Which buildings go on serving, and which are built beside them.
    async fn plan(&self) -> Result<Plan, String> {
        let head = self.store.head().await.map_err(|e| e.to_string())?;
        let mut states = self.rows.builds().await.map_err(|e| e.to_string())?;
        for state in states.iter_mut().filter(|state| state.position > head) {
            // The log was put back to an earlier state: what the view knows of what came after is not so,
            // and the next event would be passed over (law 9).
            let (view, position) = (state.build.view.name, state.position);
            tracing::warn!(view, %position, %head, "a view is ahead of the log; built anew");
            self.rows.reset(state.build).await.map_err(|e| e.to_string())?;
            state.position = Position::default();
        }
        let mut entries = Vec::new();
        let mut beside = Vec::new();
        for view in &self.views {
            let ViewId { name, version } = view.id();
            let of_it = states.iter().filter(|state| state.build.view == view.id());
            let (serving, unfinished): (Vec<&BuildState>, Vec<_>) = of_it.partition(|state| state.serving);
            entries.extend(serving.first().map(|state| entry(view, state)));
            if self.newest(name) != Some(version) {
                continue;
            }
            let anything_serves = states.iter().any(|state| state.serving && state.build.view.name == name);
            match (unfinished.first(), serving.is_empty()) {
                // A building that a stop interrupted goes on.
                (Some(state), _) => beside.push(entry(view, state)),
                (None, true) if anything_serves => beside.push(self.begin(view).await?),
                (None, true) => {
                    let begun = self.begin(view).await?;
                    self.rows.serve(begun.build).await.map_err(|e| e.to_string())?;
                    entries.push(begun);
                }
                (None, false) => {}
            }
        }
        // What serves though nobody here can keep it up to date: it tells how old it is.
        for state in states.iter().filter(|state| state.serving) {
            let BuildState { build, position, .. } = state;
            self.status.set(Follower::View(build.view.name), build.view.version, *position, None);
        }
        let (store, codec, rows) = (self.store.clone(), self.codec.clone(), self.rows.clone());
        Ok(Plan { course: Course::new(store, codec, rows, entries), beside })
    }

    async fn begin(&self, view: &Arc<dyn View>) -> Result<Entry, String> {
        let build = self.rows.begin(view.id()).await.map_err(|e| e.to_string())?;
        Ok(Entry::new(view.clone(), build, Position::default(), None))
    }

    fn newest(&self, name: &str) -> Option<u32> {
        self.views.iter().map(|view| view.id()).filter(|id| id.name == name).map(|id| id.version).max()
    }

    /// Builds in a task of its own, and sends the buildings to the course when they have seen the log.
    fn build_beside(&self, begun: Vec<Entry>, built: mpsc::Sender<Vec<Entry>>) {
        let (store, codec, rows) = (self.store.clone(), self.codec.clone(), self.rows.clone());
        let (status, log) = (self.status.clone(), store.clone());
        let names: Vec<_> = begun.iter().map(|entry| Follower::View(entry.build.view.name)).collect();
        for entry in &begun {
            self.status.change(Follower::View(entry.build.view.name), |progress| {
                progress.building = Some(entry.position)
            });
        }
        let mut builder = Builder::resume(Course::new(store, codec, rows, begun));
        tokio::spawn(async move {
            let reached = |position| {
                names.iter().for_each(|name| status.change(*name, |p| p.building = Some(position)));
            };
            // The log goes on while it is read: what is left the second time is next to nothing.
            for _ in 0..2 {
                let Ok(goal) = log.head().await else { return };
                if let Err(why) = builder.build(goal, reached).await {
                    tracing::error!(views = ?names, %why, "a view could not be built anew; the old one serves");
                    names.iter().for_each(|name| status.change(*name, |p| p.building = None));
                    return;
                }
            }
            drop(built.send(builder.into_entries()).await);
        });
    }

    /// One that is being built anew already is not begun twice.
    async fn rebuild_what_was_asked_for(&self, built: &mpsc::Sender<Vec<Entry>>) -> Result<(), String> {
        let asked = self.rows.take_requests().await.map_err(|e| e.to_string())?;
        let now = if asked.is_empty() { BTreeMap::new() } else { self.status.all() };
        let mut begun = Vec::new();
        for view in self.views.iter().filter(|view| asked.iter().any(|name| name == view.id().name)) {
            let ViewId { name, version } = view.id();
            let under_way =
                now.get(&Follower::View(name)).is_some_and(|progress| progress.building.is_some());
            if self.newest(name) == Some(version) && !under_way {
                begun.push(self.begin(view).await?);
            }
        }
        if !begun.is_empty() {
            self.build_beside(begun, built.clone());
        }
        Ok(())
    }

    /// Lets buildings take the place of those that served.
    async fn admit(&self, course: &mut Course, arrived: Vec<Entry>) -> Result<(), String> {
        for mut entry in arrived {
            let name = entry.build.view.name;
            self.status.change(Follower::View(name), |progress| progress.building = None);
            // As far as the log was shown to this course, whoever was there to see it: what it is shown
            // next is what follows that.
            let goal = course.delivered();
            while entry.position < goal && entry.failure.is_none() {
                let after = entry.position;
                let page = course.read(after, goal).await?;
                entry.advance(self.rows.as_ref(), Stretch { after, events: &page }).await;
            }
            if entry.failure.is_none() {
                self.rows.serve(entry.build).await.map_err(|e| e.to_string())?;
                tracing::info!(
                    view = name,
                    version = entry.build.view.version,
                    "a view was built anew and serves"
                );
                course.entries.retain(|held| held.build.view.name != name);
                course.entries.push(entry);
            }
            self.discard_others(name).await?;
        }
        self.publish(course);
        Ok(())
    }

    /// Deletes the buildings of a view that do not serve, without waiting for it.
    async fn discard_others(&self, name: &'static str) -> Result<(), String> {
        let builds = self.rows.builds().await.map_err(|e| e.to_string())?;
        let gone = builds.into_iter().filter(|state| state.build.view.name == name && !state.serving);
        for state in gone {
            let rows = self.rows.clone();
            tokio::spawn(async move {
                if let Err(error) = rows.discard(state.build).await {
                    tracing::warn!(view = name, %error, "what served before was not deleted");
                }
            });
        }
        Ok(())
    }

    /// Tries views that stopped again.
    async fn retry(&self, course: &mut Course) -> Result<(), String> {
        if course.entries.iter().all(|entry| entry.failure.is_none()) {
            return Ok(());
        }
        course.write().await;
        let entries = course.entries.iter();
        let furthest = entries.filter(|entry| entry.failure.is_none()).map(|entry| entry.position).max();
        let goal = match furthest {
            Some(goal) => goal,
            None => self.store.head().await.map_err(|e| e.to_string())?,
        };
        course.retry_stopped(goal).await?;
        self.publish(course);
        Ok(())
    }

    fn publish(&self, course: &Course) {
        for entry in &course.entries {
            let view = entry.build.view;
            self.status.set(Follower::View(view.name), view.version, entry.position, entry.failure.clone());
        }
    }

    /// Every view stops for the same reason, which is given back.
    async fn stop_all(&self, course: &mut Course, why: String) -> String {
        for entry in &mut course.entries {
            entry.stopped(self.rows.as_ref(), why.clone()).await;
        }
        self.publish(course);
        why
    }
}

fn entry(view: &Arc<dyn View>, state: &BuildState) -> Entry {
    let BuildState { build, position, failure, .. } = state.clone();
    Entry::new(view.clone(), build, position, failure)
}
