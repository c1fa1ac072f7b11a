//! Prints an error together with its causes.

use std::error::Error;
use std::fmt;

/// An error and each of its sources, in one line: `event 7: row 3 can't be read: EOF while parsing a value`.
///
/// An error of this crate says what failed. Its source says why. Code that shows an error to a person (a log line,
/// the failure of a view, the result of a mail) prints it through this type, so that the reason is there exactly
/// once.
pub struct Causes<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::StoreFailed;
    use crate::view::CannotApply;

    #[test]
    fn an_error_is_printed_with_each_of_its_causes_once() {
        let disk = StoreFailed::because("the row can't be written", std::io::Error::other("disk full"));
        assert_eq!(Causes(&disk).to_string(), "the row can't be written: disk full");
        let stopped = CannotApply::from(disk);
        assert_eq!(Causes(&stopped).to_string(), "the row can't be written: disk full");
    }

    #[test]
    fn a_failure_of_a_store_keeps_the_type_of_its_cause() {
        let failed = StoreFailed::new(std::io::Error::other("disk full"));
        assert!(failed.cause().downcast_ref::<std::io::Error>().is_some());
        let failed = StoreFailed::because("the row can't be written", std::io::Error::other("disk full"));
        assert!(failed.source().is_some_and(|source| source.is::<std::io::Error>()));
    }
}
