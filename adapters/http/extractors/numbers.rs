//! Numbers in the bodies of requests.

use serde_json::Number;

/// A number as a whole number, however it is written: JSON Schema counts `2.0` as an integer. `None` if it has a fraction,
/// is negative or is too great.
pub(crate) fn whole(number: &Number) -> Option<u32> {
    let written = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
    let number = number.as_u64().or_else(|| format!("{}", written?).parse().ok());
    number.and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (written, read) in [
            ("2", Some(2)),
            ("2.0", Some(2)),
            ("2e3", Some(2000)),
            ("0", Some(0)),
            ("-0.0", None),
            ("2.5", None),
            ("-1", None),
            ("4294967296", None),
            ("1e300", None),
        ] {
            assert_eq!(whole(&serde_json::from_str(written).unwrap()), read, "{written}");
        }
    }
}
