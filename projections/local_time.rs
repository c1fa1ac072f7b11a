//! Times as people write them, in their language and time zone.

use chrono::{DurationRound, TimeDelta};
use loquet_domain::Moment;
use loquet_domain::values::language::Language;

use crate::words::Words;

/// The time zone in which people read times.
pub use chrono_tz::Tz as TimeZone;

/// How exactly a text tells a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The minute in which it is. What the text tells has happened by then, or a link still works then.
    #[default]
    Minute,
    /// The minute that begins at this time or next. A lockout has ended by then.
    NextMinute,
    /// The day, for what is weeks away.
    Day,
}

/// A time as people write it. The catalogue has the messages `moment` and `day`, with the variables `day`, `time` and
/// `zone`.
#[must_use]
pub fn tell(
    words: &Words,
    language: Language,
    zone: TimeZone,
    moment: Moment,
    precision: Precision,
) -> String {
    let moment = match precision {
        Precision::NextMinute => moment.duration_round_up(TimeDelta::minutes(1)).unwrap_or(moment),
        Precision::Minute | Precision::Day => moment,
    };
    let local = moment.with_timezone(&zone);
    let day = local.format("%d/%m/%Y").to_string();
    let day = if language == Language::Nl { day.replace('/', "-") } else { day };
    let time = local.format("%H:%M").to_string();
    let zone = local.format("%Z").to_string();
    let places = [("day", day.as_str()), ("time", &time), ("zone", &zone)];
    let message = if precision == Precision::Day { "day" } else { "moment" };
    words.say(language, message, &places)
}
