//! Limits the number of activation mails that one mailbox gets from all accounts of all companies together.
//!
//! A mail beyond the limit waits, and nobody is told, because an answer would show what other companies did (law 11).
//! An address belongs to one account at a time, and only the newest link of an account is mailed. So at most one mail
//! waits for each mailbox. Mails that the supplier requests are sent at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::account::again_at;
use loquet_domain::values::email_address::EmailHash;

/// From this number of addresses on, addresses without a mail in the last hour are removed.
const SWEEP: usize = 1_000;

/// The activation mails that this sender has sent or is about to send. They are in the log only a moment later.
#[derive(Default)]
pub struct Mailboxes(Mutex<HashMap<EmailHash, Vec<Moment>>>);

impl Mailboxes {
    /// Reserves a place for a mail that is about to be sent. `known` are the times of sent mails in the log.
    ///
    /// # Errors
    /// The first time at which there is a free place.
    pub(super) fn enter(
        &self,
        address: &EmailHash,
        known: &[Moment],
        most: usize,
        now: Moment,
    ) -> Result<(), Moment> {
        let mut boxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if boxes.len() >= SWEEP {
            boxes.retain(|_, handed| handed.iter().any(|moment| now - *moment < TimeDelta::hours(1)));
        }
        let handed = boxes.entry(address.clone()).or_default();
        handed.retain(|moment| now - *moment < TimeDelta::hours(1));
        // Each mail is in both lists, or after a restart only in the log. The list with more mails is the right one.
        let here = again_at(handed.iter().copied(), most, now);
        let there = again_at(known.iter().copied(), most, now);
        match here.max(there) {
            Some(later) => Err(later),
            None => {
                handed.push(now);
                Ok(())
            }
        }
    }

    /// Gives a place back, because the mail was not sent.
    pub(super) fn leave(&self, address: &EmailHash, entered: Moment) {
        let mut boxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handed) = boxes.get_mut(address)
            && let Some(place) = handed.iter().position(|moment| *moment == entered)
        {
            handed.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Moment {
        Moment::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_mailbox_gets_so_many_in_an_hour_whether_the_log_knows_them_yet_or_not() {
        let (boxes, jan) = (Mailboxes::default(), EmailHash("jan".to_owned()));
        assert_eq!(boxes.enter(&jan, &[], 3, at(0)), Ok(()));
        assert_eq!(boxes.enter(&jan, &[at(0)], 3, at(1)), Ok(()));
        boxes.leave(&jan, at(1));
        assert_eq!(boxes.enter(&jan, &[at(0)], 3, at(2)), Ok(()));
        assert_eq!(boxes.enter(&jan, &[at(0)], 3, at(3)), Ok(()));
        assert_eq!(boxes.enter(&jan, &[at(0)], 3, at(4)), Err(at(3600)));
        assert_eq!(boxes.enter(&EmailHash("eva".to_owned()), &[], 3, at(4)), Ok(()), "another's");
        assert_eq!(boxes.enter(&jan, &[], 3, at(3600)), Ok(()));
        let restarted = Mailboxes::default();
        assert_eq!(restarted.enter(&jan, &[at(0), at(2), at(3)], 3, at(4)), Err(at(3600)));
    }
}
