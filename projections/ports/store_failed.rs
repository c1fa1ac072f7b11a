//! The error of the stores that projections use.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::causes::Causes;

/// An operation on a store of read models or reactions failed.
///
/// It has the text and the source of the error that caused it. [`Causes`] prints all of it.
///
/// ```
/// use loquet_projections::causes::Causes;
/// use loquet_projections::ports::StoreFailed;
///
/// let full = std::io::Error::other("no space left on device");
/// let failed = StoreFailed::because("a mail can't be deleted", full);
/// assert_eq!(failed.to_string(), "a mail can't be deleted");
/// assert_eq!(Causes(&failed).to_string(), "a mail can't be deleted: no space left on device");
/// ```
#[derive(Clone, Debug)]
pub struct StoreFailed(Arc<dyn Error + Send + Sync>);

/// What could not be done, and the error that caused it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Because {
    what: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl StoreFailed {
    /// Makes one from an error, or from a text if there is no error.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }

    /// Makes one that says what could not be done, and keeps the error that caused it.
    #[must_use]
    pub fn because(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Because { what, source: cause.into() })
    }

    /// The inner error, for a caller that knows its type.
    #[must_use]
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        self.0.as_ref()
    }
}

impl fmt::Display for StoreFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Two failures are equal if their texts and the texts of their causes are equal.
impl PartialEq for StoreFailed {
    fn eq(&self, other: &Self) -> bool {
        Causes(self).to_string() == Causes(other).to_string()
    }
}

impl Eq for StoreFailed {}

impl Error for StoreFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
