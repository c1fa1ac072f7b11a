//! The progress of views and reactions. Queries wait for it, and readiness and metrics show it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use loquet_domain::ports::Position;
use tokio::sync::watch;

use crate::view::ViewId;

/// The progress of a view or reaction, and why it stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The version of the build that queries read. Zero for a reaction, which has no version.
    pub version: u32,
    /// The position up to which it has applied the log.
    pub position: Position,
    /// Why it stopped. `None` if it has not.
    pub failure: Option<String>,
    /// The build that will replace it, if there is one.
    pub building: Option<Building>,
}

/// The progress of a build that does not serve yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Building {
    /// The position up to which it has applied the log.
    pub position: Position,
    /// Why it stopped. It is tried again.
    pub failure: Option<String>,
}

/// A view or a reaction. Both may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Follower {
    /// The name of a view.
    View(&'static str),
    /// The name of a reaction.
    Reaction(&'static str),
    /// The name of a system to which events are published.
    Publisher(&'static str),
}

/// Whether the work with another system goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// It goes on.
    Working,
    /// Another node does the work. The text says which.
    Standby(String),
    /// It does not go on. The text says why, and what to do.
    Failing(String),
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Working => f.write_str("ok"),
            Self::Standby(why) => write!(f, "standby: {why}"),
            Self::Failing(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::View(name) => f.write_str(name),
            Self::Reaction(name) => write!(f, "reaction {name}"),
            Self::Publisher(name) => write!(f, "publisher {name}"),
        }
    }
}

/// The progress of everything that follows the log, and the state of the work with other systems.
#[derive(Clone, Default)]
pub struct Status {
    views: Arc<RwLock<BTreeMap<Follower, watch::Sender<Progress>>>>,
    services: Arc<RwLock<BTreeMap<&'static str, ServiceState>>>,
}

/// Why a query that waited for a view got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// The view is behind and did not catch up in time.
    #[error("the view has applied events up to position {0} only")]
    Behind(Position),
    /// The view has stopped.
    #[error("the view has stopped: {0}")]
    Stopped(String),
}

impl Status {
    fn sender(&self, who: Follower) -> watch::Sender<Progress> {
        if let Some(sender) = self.views.read().unwrap_or_else(PoisonError::into_inner).get(&who) {
            return sender.clone();
        }
        self.views.write().unwrap_or_else(PoisonError::into_inner).entry(who).or_default().clone()
    }

    pub(crate) fn change(&self, who: Follower, change: impl FnOnce(&mut Progress)) {
        self.sender(who).send_modify(change);
    }

    /// Sets the progress of the build that queries read.
    pub(crate) fn set(&self, who: Follower, version: u32, position: Position, failure: Option<String>) {
        self.change(who, |progress| {
            (progress.version, progress.position) = (version, position);
            progress.failure = failure;
        });
    }

    /// Shows a follower until the returned value is dropped. What another node does now is not shown here any more, nor
    /// what kept this node from it.
    pub(crate) fn show_while(&self, who: Follower) -> Shown {
        Shown { status: self.clone(), who }
    }

    /// Shows the work with another system until the returned value is dropped. After that it shows why this node does not
    /// do it.
    #[must_use]
    pub fn tell_at_end(&self, service: &'static str, why: &str) -> ToldAtEnd {
        ToldAtEnd { status: self.clone(), service, why: why.to_owned() }
    }

    /// Sets the position up to which a publisher has worked through the log.
    pub fn reached(&self, who: Follower, position: Position) {
        self.change(who, |progress| progress.position = position);
    }

    /// Sets the state of the work with another system. Returns whether it changed.
    pub fn tell(&self, service: &'static str, state: ServiceState) -> bool {
        let mut services = self.services.write().unwrap_or_else(PoisonError::into_inner);
        services.insert(service, state.clone()).is_none_or(|before| before != state)
    }

    /// The state of the work with each other system.
    #[must_use]
    pub fn services(&self) -> BTreeMap<&'static str, ServiceState> {
        self.services.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The status of views that are all at one position, and stay there.
    #[must_use]
    pub fn at(views: impl IntoIterator<Item = ViewId>, position: Position) -> Self {
        let status = Self::default();
        for view in views {
            status.set(Follower::View(view.name), view.version, position, None);
        }
        status
    }

    pub(crate) fn of(&self, who: Follower) -> Progress {
        self.sender(who).borrow().clone()
    }

    /// The progress of every view and reaction.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Follower, Progress> {
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        views.iter().map(|(who, progress)| (*who, progress.borrow().clone())).collect()
    }

    /// Waits until a view has reached `at_least`. Returns the view's position (law 10).
    ///
    /// # Errors
    /// [`NotThere`] if it stays behind for `patience`, or has stopped.
    pub async fn reach(
        &self,
        view: ViewId,
        at_least: Position,
        patience: Duration,
    ) -> Result<Position, NotThere> {
        let mut progress = self.sender(Follower::View(view.name)).subscribe();
        let there = progress.wait_for(|progress| progress.position >= at_least || progress.failure.is_some());
        let now = match tokio::time::timeout(patience, there).await {
            Ok(Ok(progress)) => progress.clone(),
            Ok(Err(_)) | Err(_) => self.sender(Follower::View(view.name)).borrow().clone(),
        };
        match now.failure {
            _ if now.position >= at_least => Ok(now.position),
            Some(failure) => Err(NotThere::Stopped(failure)),
            None => Err(NotThere::Behind(now.position)),
        }
    }
}

/// Removes a follower from what is shown, when it is dropped.
pub(crate) struct Shown {
    status: Status,
    who: Follower,
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.status.views.write().unwrap_or_else(PoisonError::into_inner).remove(&self.who);
    }
}

/// Shows that this node stands by, when it is dropped.
pub struct ToldAtEnd {
    status: Status,
    service: &'static str,
    why: String,
}

impl Drop for ToldAtEnd {
    fn drop(&mut self) {
        self.status.tell(self.service, ServiceState::Standby(std::mem::take(&mut self.why)));
    }
}
