//! Runs the views. They share one reading of the log, and each has its own checkpoint. A view that is being rebuilt
//! has its own reading.

mod background_rebuild;
mod builder;
mod past_rows;
mod projection_group;
mod snapshot;
mod status;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError};
use tokio::task::JoinError;

pub use builder::{BuildFailed, Builder};
pub use past_rows::PastRows;
pub use status::{Building, Follower, NotThere, Progress, ServiceState, Status};
pub use verify::{Verdict, verify};

use crate::causes::Causes;
use crate::erased_view::{ErasedView, sight_of};
use crate::people::Unreadable;
use crate::ports::{BuildState, ReadStore, StoreFailed};
use crate::reading::{End, Reading};
use crate::view::{Build, ViewId};
use background_rebuild::{BackgroundRebuilds, Ended, Outside, Role};
use projection_group::{Entry, ProjectionGroup};

/// The pause before a view that stopped is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How often the runner checks for requests to rebuild a view.
const REQUESTS: Duration = Duration::from_secs(1);

/// Runs views over a log.
pub struct Runner {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// The store of the rows.
    pub rows: Arc<dyn ReadStore>,
    /// The views. Two views of one name are two versions: the older one serves until the newer one is built.
    pub views: Vec<Arc<dyn ErasedView>>,
    /// The progress of each view.
    pub status: Status,
}

impl Runner {
    /// Shows each view at the start of the log. Its true position is known once [`Runner::run`] has asked for it.
    pub fn register(&self) {
        for view in &self.views {
            self.status.reached(Follower::View(view.id().name), Position::default());
        }
    }
}

/// A build of a view that exists in the code, and its progress.
struct Known {
    build: Build,
    position: Position,
    serving: bool,
    failure: Option<String>,
}

/// Why the runner stopped following the log. It tries again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Rows(#[from] StoreFailed),
    #[error(transparent)]
    Log(#[from] Unreadable),
    #[error("the task of a background rebuild ended unexpectedly")]
    Task(#[from] JoinError),
}

impl From<ReadError> for Interrupted {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}

/// A serving view that is further behind the others than this number of events catches up in its own task.
const FAR_BEHIND: u64 = 10_000;

impl Runner {
    /// Runs as long as the log does. Reports what can't be read, and tries again.
    pub async fn run(self) {
        loop {
            if let Err(why) = self.follow().await {
                tracing::error!(why = %Causes(&why), "the views have stopped; trying again");
            } else {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Follows the log from the checkpoint furthest behind.
    async fn follow(&self) -> Result<(), Interrupted> {
        let mut background = BackgroundRebuilds::new(self.outside());
        let mut group = self.plan(&mut background).await?;
        self.publish(&group);
        let mut log = {
            // Reads as much as any view sees, because a view that is rebuilt joins this projection group later.
            let sight = sight_of(self.views.iter());
            Reading::begin(&self.store, &self.codec, group.delivered(), sight)
        };
        let mut retry = tokio::time::interval(RETRY);
        let mut requests = tokio::time::interval(REQUESTS);
        loop {
            tokio::select! {
                page = log.next() => {
                    let Some(page) = page else { return Ok(()) };
                    match page.end {
                        End::More => group.gather(page.slice()).await,
                        End::CaughtUp | End::Failed(_) => {
                            group.apply(page.slice()).await;
                            group.is_live();
                        }
                    }
                    self.publish(&group);
                    if let End::Failed(why) = page.end {
                        // The views stop at the event that can't be read, not at the page before it.
                        group.stop(&why).await;
                        self.publish(&group);
                        return Err(why.into());
                    }
                }
                _ = retry.tick() => {
                    self.retry(&mut group, &mut background).await;
                    self.scrub().await;
                }
                _ = requests.tick() => self.rebuild_what_was_asked_for(&mut background).await?,
                ended = background.next() => {
                    if let Ended::Arrived(_, arrived, role) = ended? {
                        group.write().await;
                        for entry in arrived {
                            self.admit(&mut group, &mut background, entry, role).await?;
                        }
                    }
                }
            }
        }
    }

    /// Removes what erased companies have left in the files.
    async fn scrub(&self) {
        if let Err(error) = self.rows.scrub().await {
            tracing::error!(%error, "the read models may still have data that was erased in their files; trying again");
        }
    }

    fn outside(&self) -> Outside {
        let (store, codec, rows) = (self.store.clone(), self.codec.clone(), self.rows.clone());
        Outside { store, codec, rows, status: self.status.clone() }
    }

    /// Finds the builds that serve together, and starts tasks for those that run by themselves.
    async fn plan(&self, background: &mut BackgroundRebuilds) -> Result<ProjectionGroup, Interrupted> {
        let head = self.store.head().await?;
        self.put_away(background).await?;
        let states = self.states(head).await?;
        let mut entries = Vec::new();
        for view in &self.views {
            let ViewId { name, version } = view.id();
            let of_it = states.iter().filter(|state| state.build.view == view.id());
            let (serving, unfinished): (Vec<&Known>, Vec<_>) = of_it.partition(|state| state.serving);
            entries.extend(serving.first().map(|state| entry(view, state)));
            if self.newest(name) != Some(version) {
                continue;
            }
            let anything_serves = states.iter().any(|state| state.serving && state.build.view.name == name);
            match (unfinished.last(), serving.is_empty()) {
                // Continues a build that a stop interrupted.
                (Some(state), _) => background.send(entry(view, state), Role::Successor),
                (None, true) if anything_serves => background.send(self.begin(view).await?, Role::Successor),
                (None, true) => {
                    let begun = self.begin(view).await?;
                    self.rows.serve(begun.build).await?;
                    entries.push(begun);
                }
                (None, false) => {}
            }
        }
        // Builds that nobody continues: those of an older version, and those that a later build has overtaken.
        for state in states.iter().filter(|state| !state.serving) {
            if !background.has(state.build) {
                background.sweep(state.build.into());
            }
        }
        // Serving builds that this program cannot update. Queries see from their position how old they are.
        for state in states.iter().filter(|state| state.serving) {
            let Known { build, position, .. } = state;
            self.status.set(Follower::View(build.view.name), build.view.version, *position, None);
        }
        Ok(self.together(entries, head, background))
    }

    /// The builds that go through the log together. Builds far behind the others are left out, because the others
    /// would wait for them.
    fn together(
        &self,
        entries: Vec<Entry>,
        head: Position,
        background: &mut BackgroundRebuilds,
    ) -> ProjectionGroup {
        let going = |entry: &&Entry| entry.failure.is_none();
        let furthest = entries.iter().filter(going).map(|entry| entry.position).max().unwrap_or(head);
        let (behind, together): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| {
            entry.failure.is_none() && furthest.0.saturating_sub(entry.position.0) > FAR_BEHIND
        });
        behind.into_iter().for_each(|entry| background.send(entry, Role::Serving));
        let start = together.iter().filter(going).map(|entry| entry.position).min().unwrap_or(head);
        ProjectionGroup::new(self.store.clone(), self.codec.clone(), self.rows.clone(), together, start)
    }

    /// All builds. A build that is ahead of the log is reset to its start.
    async fn states(&self, head: Position) -> Result<Vec<Known>, Interrupted> {
        let stored = self.rows.builds().await?;
        let mut states: Vec<_> = stored.into_iter().filter_map(|state| self.known(state)).collect();
        for state in states.iter_mut().filter(|state| state.position > head) {
            // The log was restored to an earlier state. The view contains events that the log no longer has, and
            // would skip the next ones (law 9).
            let (view, position) = (state.build.view.name, state.position);
            tracing::warn!(
                view,
                position = position.0,
                head = head.0,
                "a view is ahead of the log; it is rebuilt"
            );
            self.rows.reset(state.build).await?;
            state.position = Position::default();
        }
        Ok(states)
    }

    /// Deletes builds that nobody will read: those that a stop left half deleted, and those of views that the code no
    /// longer has.
    async fn put_away(&self, background: &mut BackgroundRebuilds) -> Result<(), Interrupted> {
        for state in self.rows.builds().await? {
            let view = state.build.view.name;
            if self.newest(&view).is_none() {
                tracing::info!(view, "the program no longer has this view; its rows are deleted");
                self.rows.retire(view).await?;
            }
        }
        for build in self.rows.half_deleted().await? {
            background.sweep(build);
        }
        Ok(())
    }

    async fn begin(&self, view: &Arc<dyn ErasedView>) -> Result<Entry, Interrupted> {
        let build = self.rows.begin(view.id()).await?;
        Ok(Entry::new(view.clone(), build, Position::default(), None))
    }

    /// A build of a view that exists in the code. Returns `None` if the code has no view of that name.
    fn known(&self, state: BuildState) -> Option<Known> {
        let BuildState { build, position, serving, failure } = state;
        let build = self.views.iter().find_map(|view| build.of(view.id().name))?;
        Some(Known { build, position, serving, failure })
    }

    fn newest(&self, name: &str) -> Option<u32> {
        self.views.iter().map(|view| view.id()).filter(|id| id.name == name).map(|id| id.version).max()
    }

    /// Starts the rebuilds that were requested. A view that is being rebuilt already is not started twice, unless its
    /// build has failed.
    async fn rebuild_what_was_asked_for(
        &self,
        background: &mut BackgroundRebuilds,
    ) -> Result<(), Interrupted> {
        let asked = self.rows.take_requests().await?;
        for view in self.views.iter().filter(|view| asked.iter().any(|name| name == view.id().name)) {
            let ViewId { name, version } = view.id();
            if self.newest(name) != Some(version) {
                continue;
            }
            if let Some(under_way) = background.successor(name) {
                let progress = self.status.of(Follower::View(name));
                if progress.building.is_none_or(|building| building.failure.is_none()) {
                    continue;
                }
                background.sweep(under_way.into());
            }
            background.send(self.begin(view).await?, Role::Successor);
        }
        Ok(())
    }

    /// Lets a build join the others. A successor replaces the build that served.
    async fn admit(
        &self,
        group: &mut ProjectionGroup,
        background: &mut BackgroundRebuilds,
        mut entry: Entry,
        role: Role,
    ) -> Result<(), Interrupted> {
        let Build { view: ViewId { name, version }, generation } = entry.build;
        // Shows the build all events up to the position that this projection group was shown, whichever builds were
        // in it then. The next event for the group is then the next one for the build.
        group.bring_along(&mut entry).await;
        if role == Role::Serving {
            // The successor of this build may have finished first.
            let replaced = group.entries.iter().any(|held| held.build.view.name == name);
            if !replaced {
                group.entries.push(entry);
            }
        } else if entry.failure.is_some() {
            background.send(entry, role);
        } else {
            self.rows.serve(entry.build).await?;
            tracing::info!(view = name, version, generation, "a view was rebuilt and serves now");
            group.entries.retain(|held| held.build.view.name != name);
            group.entries.push(entry);
            self.status.change(Follower::View(name), |progress| progress.building = None);
            let builds = self.rows.builds().await?;
            let gone = builds.into_iter().filter(|state| state.build.view.name == name && !state.serving);
            gone.for_each(|state| background.sweep(state.build));
        }
        self.publish(group);
        Ok(())
    }

    /// Tries the views again that have stopped.
    async fn retry(&self, group: &mut ProjectionGroup, background: &mut BackgroundRebuilds) {
        if group.entries.iter().all(|entry| entry.failure.is_none()) {
            return;
        }
        group.write().await;
        let behind = group.retry_stopped().await;
        self.publish(group);
        behind.into_iter().for_each(|entry| background.send(entry, Role::Serving));
    }

    fn publish(&self, group: &ProjectionGroup) {
        for entry in &group.entries {
            let view = entry.build.view;
            self.status.set(Follower::View(view.name), view.version, entry.position, entry.failure.clone());
        }
    }
}

fn entry(view: &Arc<dyn ErasedView>, state: &Known) -> Entry {
    Entry::new(view.clone(), state.build, state.position, state.failure.clone())
}
