//! The names of the streams of who may do what, and the ids of groups that follow from a take-over.

use uuid::Uuid;

use crate::ids::{CompanyId, GroupId, LOQUET, TakeOverId};
use crate::stream::StreamId;

/// What the names of these streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "access";

/// The stream of who may do what in a company.
#[must_use]
pub fn stream(company: CompanyId) -> StreamId {
    StreamId::new(CATEGORY, &company.to_string())
}

impl GroupId {
    /// The group in which the people of a take-over keep what they may do at the sites that moved with them.
    #[must_use]
    pub fn of_take_over(takeover: TakeOverId, former: Option<GroupId>) -> Self {
        let former = former.map_or_else(|| "administrators".to_owned(), |group| group.to_string());
        Self(Uuid::new_v5(&LOQUET, format!("takeover/{takeover}/group/{former}").as_bytes()))
    }
}
