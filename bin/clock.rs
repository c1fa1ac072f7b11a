//! The clock. Nothing else in the program reads it.

use std::sync::Arc;

use chrono::{SubsecRound, Utc};
use loquet_domain::Moment;
use loquet_domain::app::App;
use loquet_projections::ports::Clock;

/// Returns the current moment, to the microsecond: the precision of the log.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn now() -> Moment {
    Utc::now().trunc_subsecs(6)
}

pub(crate) fn system() -> Clock {
    Arc::new(now)
}

/// Returns the clock of a server. The use cases see each moment that it returns, so they notice when the
/// clock is put back.
pub(crate) fn noted_by(app: Arc<App>) -> Clock {
    Arc::new(move || {
        let at = now();
        app.note_time(at);
        at
    })
}
