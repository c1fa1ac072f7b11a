//! Limits how many activation mails the users of one company cause in an hour, by creating accounts and by
//! sending mails again. The users choose the addresses. Other limits apply to one account and to one address
//! (`account/activation.rs`, `mail/mailboxes.rs`).
//!
//! The counts are in this node's memory. For each company with mails within the hour, it holds the time of
//! each mail. A restart sets the counts to zero; the limits of one account and one address come from the log
//! and stay. The supplier's staff and programs are not counted, so that they can create accounts for the
//! whole staff of a large customer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::account::again_at;
use loquet_domain::ids::CompanyId;

use crate::caller::Caller;
use crate::responses::problem::Problem;

/// From this number of companies on, companies without a mail in the last hour are removed.
const SWEEP: usize = 1_000;

/// Counts by company.
pub struct CompanyMails {
    most: usize,
    asked: Mutex<HashMap<CompanyId, Vec<Moment>>>,
}

impl CompanyMails {
    /// Allows each company `most` mails in an hour.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, asked: Mutex::default() }
    }

    /// Counts an activation mail. Call it when the request is known to be valid.
    ///
    /// # Errors
    /// 429 if the company has reached its limit for the hour.
    pub(crate) fn admit(&self, caller: &Caller, now: Moment) -> Result<(), Problem> {
        let Caller::Person(person) = caller else { return Ok(()) };
        self.count(person.profile.company, now).map_err(|later| Problem::enough_mails(later, now))
    }

    fn count(&self, company: CompanyId, now: Moment) -> Result<(), Moment> {
        let within_the_hour = |moment: &Moment| now - *moment < TimeDelta::hours(1);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= SWEEP {
            asked.retain(|_, moments| moments.iter().any(within_the_hour));
        }
        let moments = asked.entry(company).or_default();
        moments.retain(within_the_hour);
        match again_at(moments.iter().copied(), self.most, now) {
            Some(later) => Err(later),
            None => {
                moments.push(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn one_company_asks_for_so_many_mails_in_an_hour_and_no_other_is_bound_by_that() {
        let at = |second: i64| Moment::from_timestamp(1_800_000_000 + second, 0).unwrap_or_default();
        let (bakery, shop) = (CompanyId(Uuid::from_u128(1)), CompanyId(Uuid::from_u128(2)));
        let mails = CompanyMails::new(3);
        for second in 0..3 {
            assert_eq!(mails.count(bakery, at(second)), Ok(()));
        }
        assert_eq!(mails.count(bakery, at(10)), Err(at(3600)));
        assert_eq!(mails.count(shop, at(10)), Ok(()));
        assert_eq!(mails.count(bakery, at(3600)), Ok(()));
        assert_eq!(mails.count(bakery, at(3600)), Err(at(3601)));
        for n in 3..5_000 {
            assert_eq!(mails.count(CompanyId(Uuid::from_u128(n)), at(8_000)), Ok(()));
        }
        assert_eq!(mails.count(CompanyId(Uuid::from_u128(1)), at(20_000)), Ok(()));
        assert_eq!(mails.asked.lock().map(|asked| asked.len()).ok(), Some(1), "who is at rest is forgotten");
    }
}
