//! Several things at once, tied to no runtime.

use std::future::poll_fn;
use std::task::Poll;

use crate::ports::BoxFuture;

/// How many run at once: as many callers as fill one commit of the store well.
const WIDTH: usize = 64;

/// Runs futures side by side, a bounded number at a time, and gives what they gave in their order; the first
/// failure ends it.
pub(super) async fn side_by_side<T: Send, E: Send>(
    futures: Vec<BoxFuture<'_, Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let mut futures = futures.into_iter();
    let mut done = Vec::new();
    loop {
        let batch: Vec<_> = futures.by_ref().take(WIDTH).map(Running::Yet).collect();
        if batch.is_empty() {
            return Ok(done);
        }
        for given in all(batch).await {
            done.push(given?);
        }
    }
}

enum Running<'a, T> {
    Yet(BoxFuture<'a, T>),
    Gave(T),
}

async fn all<T: Send>(mut running: Vec<Running<'_, T>>) -> Vec<T> {
    poll_fn(|context| {
        let mut pending = false;
        for one in &mut running {
            if let Running::Yet(future) = one {
                match Future::poll(future.as_mut(), context) {
                    Poll::Ready(given) => *one = Running::Gave(given),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let given = running.into_iter().filter_map(|one| match one {
        Running::Gave(given) => Some(given),
        Running::Yet(_) => None,
    });
    given.collect()
}
