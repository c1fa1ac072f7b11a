//! Limits on what one client, one company or all clients together may request.

pub(crate) mod company_mails;
pub(crate) mod limiter;
pub(crate) mod shares;
