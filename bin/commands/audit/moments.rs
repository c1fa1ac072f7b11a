//! Moments as an auditor writes them.

use anyhow::{Context, bail};
use chrono::{NaiveDate, NaiveTime};
use loquet_domain::Moment;

/// Reads a moment: RFC 3339, or a date, which stands for its beginning (UTC).
///
/// # Errors
/// Says how a moment is written.
pub(super) fn moment(text: &str) -> anyhow::Result<Moment> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    let Ok(moment) = text.parse() else {
        bail!("'{text}' is no moment: write 2026-11-01 or 2026-11-01T08:00:00Z")
    };
    Ok(moment)
}

/// Reads a moment that may be missing.
pub(super) fn optional(text: Option<&String>, what: &str) -> anyhow::Result<Option<Moment>> {
    text.map(|text| moment(text).with_context(|| format!("--{what}"))).transpose()
}
