//! Conversions of numbers. PostgreSQL has only types with a sign, and this program counts without one.

use crate::error::PostgresError;

/// Converts a position or another number for a query. A number that PostgreSQL can't hold becomes the greatest one, which is
/// after everything that is stored.
pub(crate) fn at_most(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts the `LIMIT` of a query.
pub(crate) fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Converts a number from a column. This program stores none that is negative.
pub(crate) fn number<S, N>(stored: S) -> Result<N, PostgresError>
where
    S: Copy + std::fmt::Display,
    N: TryFrom<S>,
{
    N::try_from(stored).map_err(|_| PostgresError::Unexpected(format!("the number {stored}")))
}
