//! Personal data that may have been erased: it was encrypted under a key that has since been deleted (law 6).

/// A value that is stored encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Erasable<T> {
    /// The value. Its key exists.
    Known(T),
    /// The person's data was erased. The key is deleted, so the value can never be read again.
    #[default]
    Erased,
}

impl<T> Erasable<T> {
    /// The value. Returns `None` if it was erased.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Erased => None,
        }
    }

    /// Applies `f` to the value, if it was not erased.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Erasable<U> {
        match self {
            Self::Known(value) => Erasable::Known(f(value)),
            Self::Erased => Erasable::Erased,
        }
    }
}

impl<T> From<Option<T>> for Erasable<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Erased, Self::Known)
    }
}
