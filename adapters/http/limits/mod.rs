//! Counts that bound what one client, one company or all clients together may ask for.

pub(crate) mod company_mails;
pub(crate) mod limiter;
pub(crate) mod shares;
