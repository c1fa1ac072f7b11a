//! Builds that read the log in a task of their own, so that no other view waits for them. They are new builds that
//! will replace a serving build, and serving builds that are far behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loquet_domain::ports::{EventCodec, EventStore};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::builder::{BuildFailed, Builder, Lane};
use super::projection_group::{Entry, ProjectionGroup};
use super::status::{Building, Follower, Status};
use crate::causes::Causes;
use crate::ports::{ReadStore, StoredBuild};
use crate::view::Build;

/// The pause before a failed build is tried again. It doubles each time.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_mins(5);

/// The purpose of a build that runs in its own task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It will replace the serving build.
    Successor,
    /// Queries read it, and it catches up.
    Serving,
}

/// The result of a task.
pub(super) enum Ended {
    /// The build has applied the log, or it serves and can't go on.
    Arrived(Build, Vec<Entry>, Role),
    /// A build was deleted.
    Swept,
}

/// What the tasks need from outside.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) codec: Arc<dyn EventCodec>,
    pub(super) rows: Arc<dyn ReadStore>,
    pub(super) status: Status,
}

/// The tasks. Dropping this value ends them. The next runner continues what they leave.
pub(super) struct BackgroundRebuilds {
    outside: Outside,
    /// Shared by all successors.
    lane: Lane,
    tasks: JoinSet<Ended>,
    under_way: HashMap<Build, (Role, AbortHandle)>,
}

impl BackgroundRebuilds {
    pub(super) fn new(outside: Outside) -> Self {
        let lane = Arc::new(Semaphore::new(1));
        Self { outside, lane, tasks: JoinSet::new(), under_way: HashMap::new() }
    }

    /// The result of the next task that ends. Waits for ever if there is no task.
    pub(super) async fn next(&mut self) -> Result<Ended, JoinError> {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => {
                    if let Ended::Arrived(build, ..) = &ended {
                        self.under_way.remove(build);
                    }
                    return Ok(ended);
                }
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => return Err(error),
                None => std::future::pending().await,
            }
        }
    }

    /// Starts a task that takes a build through the log.
    pub(super) fn send(&mut self, entry: Entry, role: Role) {
        let (build, at, outside) = (entry.build, entry.position, self.outside.clone());
        let Outside { store, codec, rows, status } = outside.clone();
        let entries = vec![entry];
        show(&status, &entries, role);
        let lane = (role == Role::Successor).then(|| self.lane.clone());
        let group = ProjectionGroup::new(store, codec, rows, entries, at);
        let builder = Builder::resume(group).in_lane(lane);
        let task =
            self.tasks.spawn(async move { Ended::Arrived(build, go(outside, builder, role).await, role) });
        self.under_way.insert(build, (role, task));
    }

    /// Deletes a build that no query reads any more.
    pub(super) fn sweep(&mut self, build: StoredBuild) {
        self.give_up(&build);
        let rows = self.outside.rows.clone();
        self.tasks.spawn(async move {
            let view = build.view.name.clone();
            if let Err(error) = rows.discard(build).await {
                tracing::warn!(view, error = %Causes(&error), "a build of a view was not deleted; the next start tries again");
            }
            Ended::Swept
        });
    }

    fn give_up(&mut self, build: &StoredBuild) {
        let going = self.under_way.keys().copied().find(|going| build == going);
        if let Some((_, task)) = going.and_then(|going| self.under_way.remove(&going)) {
            task.abort();
        }
    }

    /// Whether a build has a task.
    pub(super) fn has(&self, build: Build) -> bool {
        self.under_way.contains_key(&build)
    }

    /// The build that will replace the serving one of this name.
    pub(super) fn successor(&self, name: &str) -> Option<Build> {
        let of_it = |(build, (role, _)): &(&Build, &(Role, AbortHandle))| {
            build.view.name == name && *role == Role::Successor
        };
        self.under_way.iter().find(of_it).map(|(build, _)| *build)
    }
}

/// Runs until the build has applied the log. A successor that fails is tried again, with longer and longer pauses. A
/// serving build that fails is returned with its failure.
async fn go(outside: Outside, mut builder: Builder, role: Role) -> Vec<Entry> {
    let mut pause = RETRY;
    loop {
        if let Err(why) = see_the_log(&outside, &mut builder, role).await {
            builder.stopped(&why).await;
        }
        show(&outside.status, builder.entries(), role);
        if builder.failure().is_none() || role == Role::Serving {
            return builder.into_entries();
        }
        let views: Vec<_> = builder.builds().map(|build| build.view.name).collect();
        tracing::warn!(?views, "a view could not be built; the old one serves, and it is tried again");
        tokio::time::sleep(pause).await;
        pause = LONGEST.min(pause * 2);
    }
}

async fn see_the_log(outside: &Outside, builder: &mut Builder, role: Role) -> Result<(), BuildFailed> {
    builder.try_again(outside.store.head().await?).await?;
    // The log grows while it is read. After the second time almost nothing is left.
    for _ in 0..2 {
        builder
            .build_showing(outside.store.head().await?, |entries, _| show(&outside.status, entries, role))
            .await?;
    }
    Ok(())
}

fn show(status: &Status, entries: &[Entry], role: Role) {
    for entry in entries {
        let (view, position, failure) = (entry.build.view, entry.position, entry.failure.clone());
        let who = Follower::View(view.name);
        match role {
            Role::Serving => status.set(who, view.version, position, failure),
            Role::Successor => {
                status.change(who, |progress| progress.building = Some(Building { position, failure }));
            }
        }
    }
}
