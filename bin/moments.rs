//! Moments and positions of the log, as people write them on the command line.

use anyhow::{Context, bail};
use chrono::{NaiveDate, NaiveTime};
use loquet_domain::Moment;
use loquet_domain::ports::Position;

/// Reads a moment: RFC 3339, or a date, which stands for its beginning (UTC).
///
/// # Errors
/// Says how a moment is written.
pub(crate) fn moment(text: &str) -> anyhow::Result<Moment> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    let Ok(moment) = text.parse() else {
        bail!("'{text}' is no moment: write 2026-11-01 or 2026-11-01T08:00:00Z")
    };
    Ok(moment)
}

/// Reads a moment that may be missing.
pub(crate) fn optional(text: Option<&String>, what: &str) -> anyhow::Result<Option<Moment>> {
    text.map(|text| moment(text).with_context(|| format!("--{what}"))).transpose()
}

/// A point of history.
#[derive(Clone, Copy)]
pub(crate) enum Point {
    /// A moment.
    Moment(Moment),
    /// A position of the log.
    Position(Position),
}

impl Point {
    /// Whether an event at this position and moment comes before the point.
    pub(crate) fn is_after(self, position: Position, at: Moment) -> bool {
        match self {
            Self::Moment(moment) => at < moment,
            Self::Position(point) => position < point,
        }
    }
}

/// Reads a moment or a position.
///
/// # Errors
/// Says how they are written.
pub(crate) fn point(text: &str) -> anyhow::Result<Point> {
    match text.parse() {
        Ok(position) => Ok(Point::Position(Position(position))),
        Err(_) => {
            moment(text).map(Point::Moment).context("--as-of takes a moment, a date or a position of the log")
        }
    }
}
