//! Times as people write them, in their language and time zone.

use chrono::{Datelike, DurationRound, TimeDelta, Timelike};
use chrono_tz::OffsetName;
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
    let separator = if language == Language::Nl { '-' } else { '/' };
    let (day, month, year) = (local.day(), local.month(), local.year());
    let day = format!("{day:02}{separator}{month:02}{separator}{year:04}");
    let time = format!("{:02}:{:02}", local.hour(), local.minute());
    let zone = local.offset().abbreviation().unwrap_or_default();
    let places = [("day", day.as_str()), ("time", &time), ("zone", zone)];
    let message = if precision == Precision::Day { "day" } else { "moment" };
    words.say(language, message, &places)
}
