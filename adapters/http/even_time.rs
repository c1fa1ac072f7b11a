//! Answers to strangers leave on a grid of time, so that what was done for them does not show.

use std::time::Duration;

use tokio::time::Instant;

/// Refused logins: a hash takes about one step, whatever is written after it falls into the same.
pub(crate) const LOGIN: Duration = Duration::from_millis(20);
/// Reset requests: far more than writing an event takes.
pub(crate) const RESET: Duration = Duration::from_millis(50);

/// Waits for the next multiple of `step` since `begun`.
pub(crate) async fn wait(step: Duration, begun: Instant) {
    tokio::time::sleep_until(next(begun, Instant::now(), step)).await;
}

fn next(begun: Instant, now: Instant, step: Duration) -> Instant {
    let step = step.as_nanos().max(1);
    let steps = now.duration_since(begun).as_nanos() / step + 1;
    begun + Duration::from_nanos(u64::try_from(steps.saturating_mul(step)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_work_took_the_answer_leaves_on_the_grid() {
        let begun = Instant::now();
        for (took, leaves) in [(0, 20), (1, 20), (19, 20), (20, 40), (21, 40), (399, 400)] {
            let answer = next(begun, begun + Duration::from_millis(took), LOGIN);
            assert_eq!(answer - begun, Duration::from_millis(leaves), "after {took} ms");
        }
    }
}
