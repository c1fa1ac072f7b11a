//! The read models. Each has its own file.

pub mod accounts;
pub mod activity;
pub mod assignments;
pub mod companies;
pub mod lockouts;
pub mod logins;
pub mod mails;
pub mod orders;
pub mod people;
pub mod sessions;
pub mod sites;
pub mod takeovers;
pub mod terminals;

use std::sync::Arc;

use crate::erased_view::ErasedView;

/// All views.
#[must_use]
pub fn all() -> Vec<Arc<dyn ErasedView>> {
    vec![
        Arc::new(accounts::Accounts),
        Arc::new(activity::Activity),
        Arc::new(assignments::Assignments),
        Arc::new(companies::Companies),
        Arc::new(lockouts::Lockouts),
        Arc::new(logins::Logins),
        Arc::new(mails::Mails),
        Arc::new(orders::Orders),
        Arc::new(people::People),
        Arc::new(sessions::Sessions),
        Arc::new(sites::Sites),
        Arc::new(takeovers::TakeOvers),
        Arc::new(terminals::Terminals),
    ]
}
