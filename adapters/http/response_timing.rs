//! Answers to anonymous callers leave at multiples of a fixed step. So their time does not show what was done.
//!
//! The runtime's timer counts in milliseconds, and the exact moment depends on what woke it last, for example a mail.
//! So a separate thread wakes the answers, exact to some microseconds. A random delay of up to two milliseconds hides
//! these microseconds.

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
/// A step of refused logins takes this many times as long as one hash.
const HASHES: u32 = 4;
/// The step of reset requests. It is much longer than the time to write an event.
pub(crate) const RESET: Duration = Duration::from_millis(50);

/// The step of refused logins if one hash takes this long. It is several times as long as the hash, so that other
/// work takes only a small part of the rest of the step.
#[must_use]
pub fn refusal_step(hash: Duration) -> Duration {
    LEAST_LOGIN.max(hash * HASHES)
}

/// The longest random delay.
const LOT: Duration = Duration::from_millis(2);

/// A waiting answer, and the end of its wait.
type Waiting = (Instant, oneshot::Sender<()>);

/// The channel to the thread. `None` if the system could not start a thread.
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
            // A caller who hung up no longer waits.
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
