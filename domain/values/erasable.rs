//! What may be gone: a value that was sealed under a key which has since been deleted (law 6).

/// A sealed value, as it is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Erasable<T> {
    /// The key exists; this is what was sealed.
    Known(T),
    /// The person was erased: the key is gone, and with it this value, for ever.
    #[default]
    Erased,
}

impl<T> Erasable<T> {
    /// The value, where it still can be read.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Erased => None,
        }
    }

    /// Applies `f` to a value that can still be read.
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
