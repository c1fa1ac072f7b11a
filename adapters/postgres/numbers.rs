//! Numbers as PostgreSQL stores them: with a sign.

use crate::error::PostgresError;

/// A number as PostgreSQL stores it. A number that is too great for it is past everything that is stored.
pub(crate) fn at_most(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A `LIMIT`.
pub(crate) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A number that this program stored, which is not negative.
pub(crate) fn number<S, N>(stored: S) -> Result<N, PostgresError>
where
    S: Copy + std::fmt::Display,
    N: TryFrom<S>,
{
    N::try_from(stored).map_err(|_| PostgresError::Unexpected(format!("the number {stored}")))
}
