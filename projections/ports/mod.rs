//! What projections ask of the outside: a file for each port.
//!
//! The program chooses an adapter for each when it starts. The traits are object-safe for that reason, and their futures
//! are boxed.

mod clock;
mod lease;
mod mail_journal;
mod mailer;
mod read_store;
mod store_failed;

pub use crate::index::IndexEntry;
pub use clock::Clock;
pub use lease::{Acquired, Fence, Fenced, Lease, WriteFailed};
pub use mail_journal::{ClaimedMail, Hold, MailOutcome, QueuedMail, ReactionJournal, UnnotedFate};
pub use mailer::{Mailer, SendError};
pub use read_store::{
    BuildState, Cursor, FoundRow, Order, ReadStore, Rows, Selection, StoredBuild, StoredView, Work,
};
pub use store_failed::StoreFailed;
