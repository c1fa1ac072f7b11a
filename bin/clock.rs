//! The clock. Nothing else in the program reads it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use chrono::{SubsecRound, TimeDelta, Utc};
use loquet_domain::Moment;
use loquet_domain::app::App;
use loquet_postgres::{Database, PostgresError};
use loquet_projections::causes::Causes;
use loquet_projections::ports::Clock;

/// How often a node asks for the time of the database.
const ASK: Duration = Duration::from_secs(5);
/// An answer that takes longer is ignored, because it says too little about the time.
const PROMPT: Duration = Duration::from_secs(1);
/// A larger difference between the clocks of this machine and of the database is logged as a warning.
const APART: TimeDelta = TimeDelta::seconds(2);

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
pub(crate) fn noted_by(app: Arc<App>, clock: Clock) -> Clock {
    Arc::new(move || {
        let at = clock();
        app.note_time(at);
        at
    })
}

/// The time of the database, which all nodes share. So lockouts and leases end at the right moment, even if the clocks of
/// the machines differ. Between two questions to the database, this machine's monotonic clock measures the time.
#[derive(Clone)]
pub(crate) struct SharedClock {
    database: Database,
    known: Arc<RwLock<Known>>,
}

/// The time of the database at an instant of this machine.
#[derive(Clone, Copy)]
struct Known {
    at: Moment,
    measured: Instant,
}

impl SharedClock {
    /// Asks for the time of the database.
    ///
    /// # Errors
    /// [`PostgresError`] if the database can't be asked.
    pub(crate) async fn start(database: Database) -> Result<Self, PostgresError> {
        let (known, _) = ask(&database).await?;
        tell_if_apart(known);
        Ok(Self { database, known: Arc::new(RwLock::new(known)) })
    }

    pub(crate) fn clock(&self) -> Clock {
        let known = self.known.clone();
        Arc::new(move || {
            let Known { at, measured } = *known.read().unwrap_or_else(PoisonError::into_inner);
            let passed = TimeDelta::from_std(measured.elapsed()).unwrap_or_default();
            (at + passed).trunc_subsecs(6)
        })
    }

    /// Asks for the time at intervals, until the task is dropped.
    pub(crate) async fn keep(self) {
        loop {
            tokio::time::sleep(ASK).await;
            match ask(&self.database).await {
                Ok((known, took)) if took < PROMPT => {
                    *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(error = %Causes(&error), "the database was not asked for its time; trying again");
                }
            }
        }
    }
}

async fn ask(database: &Database) -> Result<(Known, Duration), PostgresError> {
    let begun = Instant::now();
    let at = database.time().await?;
    let took = begun.elapsed();
    Ok((Known { at, measured: begun + took / 2 }, took))
}

fn tell_if_apart(known: Known) {
    let apart = now() - known.at;
    if apart.abs() > APART {
        tracing::warn!(
            seconds = apart.num_seconds(),
            "the clock of this machine differs from the clock of the database. Loquet uses the time of the database. Check the time synchronisation of this machine"
        );
    }
}
