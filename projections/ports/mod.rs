//! The ports: what projections need from outside. Each port has its own file.
//!
//! The program chooses an adapter for each port when it starts. For that reason the traits are object-safe and their
//! futures are boxed.

mod clock;
mod lease;
mod mail_journal;
mod mailer;
mod moved_rows;
mod read_store;
mod snapshots;
mod store_failed;
mod webhooks;

pub use crate::index::IndexEntry;
pub use clock::Clock;
pub use lease::{Acquired, Fence, Fenced, Lease, WriteFailed};
pub use mail_journal::{
    ClaimedMail, Conclusion, Hold, MailOutcome, QueuedMail, ReactionJournal, UnnotedFate,
};
pub use mailer::{Mailer, SendError};
pub use moved_rows::{MovableRows, MovedTable};
pub use read_store::{
    BuildState, Cursor, FoundRow, Order, ReadStore, Rows, Selection, StoredBuild, StoredView, Work,
};
pub use snapshots::Snapshots;
pub use store_failed::StoreFailed;
pub use webhooks::{Delivery, DeliveryCounts, Endpoint, LogPoint, Webhooks};
