//! When a delivery that failed is tried again.

use chrono::TimeDelta;

/// The pauses after a first, second, … failed try. They are those that Standard Webhooks recommends, which add up to
/// about three days.
const PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];
/// The longest pause that a receiver can ask for.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// The pause before the next try, after so many tries. Returns `None` when there is none: the delivery is a dead letter.
/// `asked` is what the receiver asked for (`Retry-After`, RFC 9110); a longer pause of the schedule wins.
#[must_use]
pub fn pause_after(tries: u32, asked: Option<TimeDelta>) -> Option<TimeDelta> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    let pause = *PAUSES.get(index)?;
    Some(asked.map_or(pause, |asked| pause.max(asked.min(LONGEST))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_within_about_three_days() {
        let pauses: Vec<_> = (1..).map_while(|tries| pause_after(tries, None)).collect();
        assert_eq!(pauses.len(), 9);
        let all: TimeDelta = pauses.into_iter().sum();
        assert!(all > TimeDelta::days(3) && all < TimeDelta::days(4), "{all}");
        assert_eq!(pause_after(10, Some(TimeDelta::seconds(1))), None);
        assert_eq!(pause_after(0, None), None);
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_pause_but_not_for_ever() {
        assert_eq!(pause_after(1, Some(TimeDelta::minutes(2))), Some(TimeDelta::minutes(2)));
        assert_eq!(pause_after(3, Some(TimeDelta::seconds(1))), Some(TimeDelta::minutes(30)));
        assert_eq!(pause_after(1, Some(TimeDelta::days(900))), Some(TimeDelta::hours(24)));
    }
}
