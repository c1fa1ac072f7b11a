//! When each session was last used. Owners see it in their list of sessions, and unused sessions end by it.

use std::collections::HashMap;
use std::future::ready;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::SessionId;
use loquet_domain::ports::{BoxFuture, SESSION_USE_GRAIN, SessionUses, SessionUsesUnavailable};

use loquet_files::snapshot_file;

/// Kept in memory, and saved in its own file every minute. It is not a decision, so the log has no event for
/// it. A kill loses at most one minute.
pub struct SessionActivity {
    seen: RwLock<HashMap<SessionId, Moment>>,
    changed: AtomicBool,
    idle: TimeDelta,
}

impl SessionActivity {
    /// Remembers sessions that were used within the last `idle`. All other sessions have ended.
    #[must_use]
    pub fn new(idle: TimeDelta) -> Self {
        Self { seen: RwLock::default(), changed: AtomicBool::new(false), idle }
    }

    /// Loads what [`SessionActivity::save`] saved. If the file can't be read, a session counts as last used
    /// at its login.
    pub fn load(&self, path: &Path) {
        let kept: HashMap<SessionId, Moment> = snapshot_file::load(path);
        self.seen.write().unwrap_or_else(PoisonError::into_inner).extend(kept);
    }

    /// Saves what changed since the last call. Removes sessions that have ended, measured from the newest
    /// use.
    ///
    /// # Errors
    /// The file system's error.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        if !self.changed.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let kept = {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            let newest = seen.values().max().copied();
            seen.retain(|_, last| newest.is_some_and(|newest| newest - *last < self.idle));
            seen.clone()
        };
        snapshot_file::save(path, &kept).inspect_err(|_| self.changed.store(true, Ordering::SeqCst))
    }
}

impl SessionUses for SessionActivity {
    fn last_use(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Moment>, SessionUsesUnavailable>> {
        Box::pin(ready(Ok(self.last_seen(session))))
    }

    fn note_use(&self, session: SessionId, at: Moment) -> BoxFuture<'_, Result<(), SessionUsesUnavailable>> {
        self.seen(session, at);
        Box::pin(ready(Ok(())))
    }
}

impl SessionActivity {
    fn last_seen(&self, session: SessionId) -> Option<Moment> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(&session).copied()
    }

    /// Most requests of a session that is in use change nothing here.
    fn seen(&self, session: SessionId, at: Moment) {
        if self.last_seen(session).is_some_and(|last| at - last < SESSION_USE_GRAIN) {
            return;
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let last = seen.entry(session).or_insert(at);
        *last = at.max(*last);
        self.changed.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_was_used_lately_is_kept_and_what_is_over_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.json");
        let at = |minute: i64| Moment::from_timestamp(minute * 60, 0).unwrap();
        let (used, idle) = (SessionId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)));
        let before = SessionActivity::new(TimeDelta::minutes(30));
        before.seen(idle, at(0));
        before.seen(used, at(30));
        before.seen(used, at(28));
        before.save(&path).unwrap();
        let after = SessionActivity::new(TimeDelta::minutes(30));
        after.load(&path);
        assert_eq!((after.last_seen(used), after.last_seen(idle)), (Some(at(30)), None));
        std::fs::remove_file(&path).unwrap();
        after.save(&path).unwrap();
        assert!(!path.exists(), "nothing changed, nothing is written");
    }
}
