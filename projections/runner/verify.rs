//! Verifies that read models agree with the log.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};

use super::builder::{BuildFailed, Builder};
use crate::erased_view::ErasedView;
use crate::ports::{BuildState, ReadStore};

/// The maximum number of differing keys to name.
const NAMED: usize = 20;

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The view.
    pub view: &'static str,
    /// The position up to which both builds go.
    pub position: Position,
    /// The first keys that differ. Empty if the builds are equal.
    pub differing: Vec<String>,
}

/// Builds a view again in `copy` and compares. `copy` holds a copy of the serving read models, and the new build goes
/// up to the copy's position. Calls `reached` with its progress. Returns `None` if the view was never built.
///
/// # Errors
/// [`BuildFailed`] says what can't be read or applied.
pub async fn verify(
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    copy: Arc<dyn ReadStore>,
    view: Arc<dyn ErasedView>,
    reached: impl FnMut(Position, Position) + Send,
) -> Result<Option<Verdict>, BuildFailed> {
    let is_it = |state: &BuildState| state.serving && state.build.view == view.id();
    let builds = copy.builds().await?;
    let serving =
        builds.into_iter().find(is_it).map(|state| (state.build.of(view.id().name), state.position));
    let Some((Some(serving), goal)) = serving else { return Ok(None) };
    let mut builder = Builder::begin(store, codec, copy.clone(), vec![view.clone()]).await?;
    let mut reached = reached;
    builder.build(goal, |position| reached(position, goal)).await?;
    let mut differing = Vec::new();
    for build in builder.builds() {
        differing.extend(copy.differences(serving, build, NAMED).await?);
    }
    Ok(Some(Verdict { view: view.id().name, position: goal, differing }))
}
