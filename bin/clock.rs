//! The clock: read here and nowhere else.

use std::sync::Arc;

use chrono::{SubsecRound, Utc};
use loquet_domain::Moment;
use loquet_projections::ports::Clock;

/// The moment it is, to the microsecond: what the log keeps.
pub(crate) fn now() -> Moment {
    Utc::now().trunc_subsecs(6)
}

pub(crate) fn system() -> Clock {
    Arc::new(now)
}
