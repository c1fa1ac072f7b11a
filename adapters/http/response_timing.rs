//! Answers to strangers leave on a grid of time, so that what was done for them does not show.
//!
//! The runtime's timer counts milliseconds, and how far into one it wakes depends on what had woken it last: a mail on its
//! way, say. So a thread of its own says when, exact to some microseconds; and what those would tell is lost among up to
//! two milliseconds by lot.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// The shortest step of refused logins. A known address takes some work that an unknown one does not, such as reading
/// an account for the first time since the start. That work takes some milliseconds, so it rarely crosses the end of
/// a step.
const LEAST_LOGIN: Duration = Duration::from_millis(100);
/// How many times as long as one hash a step of refused logins is.
const HASHES: u32 = 4;
/// The step of reset requests: far more than writing an event takes.
pub(crate) const RESET: Duration = Duration::from_millis(50);

/// The step of refused logins if one hash takes this long. It is several times as long as the hash, so that other
/// work takes only a small part of the rest of the step.
#[must_use]
pub fn refusal_step(hash: Duration) -> Duration {
    LEAST_LOGIN.max(hash * HASHES)
}

/// Up to so much longer, by lot.
const LOT: Duration = Duration::from_millis(2);

/// Who waits, and until when.
type Waiting = (Instant, oneshot::Sender<()>);

/// Where one tells the thread; none where the system gave no thread.
static WAKER: LazyLock<Option<Sender<Waiting>>> = LazyLock::new(|| {
    let (told, waiting) = mpsc::channel();
    let thread = thread::Builder::new().name("even-time".to_owned()).spawn(move || wake(&waiting));
    thread.is_ok().then_some(told)
});

/// Waits for the next multiple of `step` since `begun`, and a little longer.
pub(crate) async fn wait(step: Duration, begun: Instant) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how much later an answer leaves is no decision, and nobody may foresee it"
    )]
    let until = next(begun, Instant::now(), step) + LOT.mul_f64(rand::random());
    let (wakes, woken) = oneshot::channel();
    let told = WAKER.as_ref().is_some_and(|waker| waker.send((until, wakes)).is_ok());
    if !told || woken.await.is_err() {
        tokio::time::sleep_until(until.into()).await;
    }
}

fn wake(told: &Receiver<Waiting>) {
    let mut waiting: BTreeMap<Instant, Vec<oneshot::Sender<()>>> = BTreeMap::new();
    loop {
        let next = match waiting.first_key_value() {
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((until, _)) => told.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok((until, wakes)) => waiting.entry(until).or_default().push(wakes),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        while let Some(due) = waiting.first_entry().filter(|first| *first.key() <= now) {
            // Whoever hung up waits no more.
            for wakes in due.remove() {
                let _ = wakes.send(());
            }
        }
    }
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
            let answer = next(begun, begun + Duration::from_millis(took), Duration::from_millis(20));
            assert_eq!(answer - begun, Duration::from_millis(leaves), "after {took} ms");
        }
    }

    #[test]
    fn a_step_leaves_room_beside_the_hash_whatever_it_costs() {
        for (hash, step) in [(1, 100), (17, 100), (50, 200), (250, 1000)] {
            assert_eq!(refusal_step(Duration::from_millis(hash)), Duration::from_millis(step), "{hash} ms");
        }
    }

    #[tokio::test]
    async fn nobody_is_woken_before_their_time_whoever_waits_beside_them() {
        let begun = Instant::now();
        let waits = [50, 1, 20, 1, 7].map(|step| async move {
            let step = Duration::from_millis(step);
            wait(step, begun).await;
            assert!(begun.elapsed() >= step, "{:?} after {step:?}", begun.elapsed());
        });
        futures_util::future::join_all(waits).await;
    }
}
