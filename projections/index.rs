//! The indexes of a view's rows. Each is declared once, beside the row.

use std::fmt::{self, Display};
use std::marker::PhantomData;

/// What a row is found by besides its key: the index's name, and the row's value in it.
pub type IndexEntry = (&'static str, String);

/// An index of the rows of type `R`. The row declares it as a constant and returns its entries for it. A query names
/// the same constant. So a query with an index that these rows do not have does not compile.
///
/// ```
/// use loquet_projections::views::sites::SiteRow;
///
/// let of_a_company = SiteRow::BY_COMPANY.under("7c9e6679-7425-40de-944b-e07fc1f90ae7");
/// ```
///
/// ```compile_fail,E0599
/// use loquet_projections::views::sites::SiteRow;
///
/// let misspelled = SiteRow::BY_COMPNAY.under("7c9e6679-7425-40de-944b-e07fc1f90ae7");
/// ```
pub struct Index<R> {
    name: &'static str,
    row: PhantomData<fn() -> R>,
}

/// The value of a row in an index. A row may have several values in one index.
pub struct Entry<R> {
    index: Index<R>,
    value: String,
}

/// What a query looks for in an index: the beginning of the rows' values.
pub struct Lookup<R> {
    index: Index<R>,
    beginning: String,
}

impl<R> Index<R> {
    /// Declares an index. Its name is stored with each entry, so a new name needs a new version of the view.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, row: PhantomData }
    }

    /// The value that a row has in this index. Queries return rows in the order of these values.
    #[must_use]
    pub fn entry(self, value: impl Into<String>) -> Entry<R> {
        Entry { index: self, value: value.into() }
    }

    /// Finds all rows that have a value in this index.
    #[must_use]
    pub fn all(self) -> Lookup<R> {
        self.beginning(String::new())
    }

    /// Finds the rows whose value begins with this text.
    #[must_use]
    pub fn beginning(self, text: impl Into<String>) -> Lookup<R> {
        Lookup { index: self, beginning: text.into() }
    }

    /// Finds the rows whose value begins with this part and a slash. For `7` it finds `7/2026`, but not `70/2026`.
    #[must_use]
    pub fn under(self, part: impl Display) -> Lookup<R> {
        self.beginning(format!("{part}/"))
    }
}

impl<R> Entry<R> {
    /// The entry in its stored form.
    #[must_use]
    pub fn stored(self) -> IndexEntry {
        (self.index.name, self.value)
    }
}

impl<R> Lookup<R> {
    /// The lookup in its stored form.
    #[must_use]
    pub fn stored(self) -> IndexEntry {
        (self.index.name, self.beginning)
    }
}

// Derived implementations would require rows that can be copied.
impl<R> Clone for Index<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Index<R> {}

impl<R> Clone for Lookup<R> {
    fn clone(&self) -> Self {
        Self { index: self.index, beginning: self.beginning.clone() }
    }
}

impl<R> fmt::Debug for Lookup<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} beginning with '{}'", self.index.name, self.beginning)
    }
}
