//! The names of access streams, and the ids of groups that are derived from a take-over.

use uuid::Uuid;

use crate::ids::{CompanyId, GroupId, LOQUET, TakeOverId};
use crate::stream::StreamId;

/// The category of these streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "access";

/// The stream of a company's access rights.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl GroupId {
    /// The id of the group in which the accounts of a take-over keep their rights at the sites that moved with them.
    #[must_use]
    pub fn of_take_over(takeover: TakeOverId, former: Option<GroupId>) -> Self {
        let former = former.map_or_else(|| "administrators".to_owned(), |group| group.to_string());
        Self(Uuid::new_v5(&LOQUET, format!("takeover/{takeover}/group/{former}").as_bytes()))
    }
}
