//! The clock: read here and nowhere else.

use std::sync::Arc;

use chrono::{SubsecRound, Utc};
use loquet_domain::Moment;
use loquet_domain::app::App;
use loquet_projections::ports::Clock;

/// The moment it is, to the microsecond: what the log keeps.
#[expect(clippy::disallowed_methods, reason = "the program's one clock")]
pub(crate) fn now() -> Moment {
    Utc::now().trunc_subsecs(6)
}

pub(crate) fn system() -> Clock {
    Arc::new(now)
}

/// The clock of a server. The use cases learn each moment that it shows, so they notice when it is put back.
pub(crate) fn noted_by(app: Arc<App>) -> Clock {
    Arc::new(move || {
        let at = now();
        app.note_time(at);
        at
    })
}
