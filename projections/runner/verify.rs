//! Proves that read models are what the log says.

use std::sync::Arc;

use loquet_domain::ports::{EventCodec, EventStore, Position};

use super::builder::{BuildFailed, Builder};
use crate::erased_view::ErasedView;
use crate::ports::{BuildState, ReadStore};

/// How many keys that differ are named.
const NAMED: usize = 20;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of which view.
    pub view: &'static str,
    /// Up to which position both were built.
    pub position: Position,
    /// The first keys that differ; none where all is well.
    pub differing: Vec<String>,
}

/// Builds a view anew in `copy`, which holds a copy of the read models as they serve, up to exactly the
/// position that the copy is at, and compares. `reached` is told how far it is. None where the view was
/// never built.
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
