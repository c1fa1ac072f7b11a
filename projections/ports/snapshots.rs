use loquet_domain::ports::{BoxFuture, Position};

use super::StoreFailed;
use crate::view::{Build, ViewId};

/// Read models as they were at earlier positions, which were kept. Later ones are built from them.
pub trait Snapshots: Send + Sync {
    /// Copies a view into the store of a past: as it was at the newest position that was kept and is not after `position`.
    /// Returns the build and that position. Returns `None` if the view was not kept.
    ///
    /// # Errors
    /// [`StoreFailed`] if the log or the store can't be used.
    fn fill(
        &self,
        view: ViewId,
        position: Position,
    ) -> BoxFuture<'_, Result<Option<(Build, Position)>, StoreFailed>>;
}
