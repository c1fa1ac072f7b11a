//! The state of a company's access rights: the part of their history that the next decision needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, GroupId, SiteId, TakeOverId};
use crate::persistent_map::PersistentMap;
use crate::values::latin::alike;
use crate::values::permission::Permission;
use crate::values::plain_text::{is_text, names_scheme};

/// A group's name: 1 to 100 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupName(String);

/// A group's description: at most 500 printable characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupText(String);

/// Why a text is not accepted as a group's name or description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroupText {
    /// Too short, too long, or with a character that cannot be displayed.
    #[error("a group's name has 1 to 100 printable characters, its description at most 500")]
    Text,
    /// It contains a URL scheme.
    #[error("a group's name and description must not contain a scheme such as https://")]
    Link,
}

fn checked(text: &str, fits: bool) -> Result<String, InvalidGroupText> {
    match (fits, names_scheme(text)) {
        (false, _) => Err(InvalidGroupText::Text),
        (true, true) => Err(InvalidGroupText::Link),
        (true, false) => Ok(text.to_owned()),
    }
}

impl GroupName {
    /// Reads a name. Outer white space is dropped.
    ///
    /// # Errors
    /// [`InvalidGroupText`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidGroupText> {
        let text = text.trim();
        checked(text, is_text(text, 100)).map(Self)
    }

    /// The name of a group that came with a take-over: its old name, and support's reference of the take-over. It is not the
    /// name of the old company, which may be a person's and can be erased.
    #[must_use]
    pub fn of_take_over(name: &str, reference: &str) -> Self {
        Self(format!("{name} ({reference})").chars().take(100).collect())
    }

    /// The name if it is free, or the first free one of "name 2", "name 3" and so on.
    pub(super) fn made_free(&self, taken: &[Self]) -> Self {
        let numbered = |n: usize| {
            let number = format!(" {n}");
            let kept = self.0.chars().take(100 - number.len());
            Self(kept.chain(number.chars()).collect())
        };
        let free = |name: &Self| !taken.iter().any(|other| other.is_like(name));
        let mut names = std::iter::once(self.clone()).chain((2..).map(numbered));
        names.find(free).unwrap_or_else(|| self.clone())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether people would confuse the two names.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        alike(&self.0) == alike(&other.0)
    }
}

impl GroupText {
    /// Reads a description. Outer white space is dropped. It may be empty.
    ///
    /// # Errors
    /// [`InvalidGroupText`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidGroupText> {
        let text = text.trim();
        checked(text, text.is_empty() || is_text(text, 500)).map(Self)
    }

    /// The description.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no description.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The sites where a member has the group's permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// On all sites, also on those that open later.
    Everywhere,
    /// On these sites.
    Sites(BTreeSet<SiteId>),
}

impl Where {
    /// Whether it includes a site.
    #[must_use]
    pub fn includes(&self, site: SiteId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Sites(sites) => sites.contains(&site),
        }
    }

    /// Whether it includes all sites of the other.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Sites(_), Self::Everywhere) => false,
            (Self::Sites(these), Self::Sites(those)) => those.is_subset(these),
        }
    }

    /// The sites of both.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Sites(these), Self::Sites(those)) => Self::Sites(&these | those),
            _ => Self::Everywhere,
        }
    }

    /// No site.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::Sites(BTreeSet::new())
    }
}

/// A named set of permissions, and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name. It is unique in the company.
    pub name: GroupName,
    /// Its description.
    pub description: GroupText,
    /// Its permissions.
    pub permissions: BTreeSet<Permission>,
    /// Its members, and the sites where each has the permissions.
    pub members: BTreeMap<AccountId, Where>,
}

/// The access rights in a company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The administrators. An account is added after its role becomes administrator, and removed before it ceases to
    /// be one.
    pub administrators: BTreeSet<AccountId>,
    /// The administrators whose account is active.
    pub active: BTreeSet<AccountId>,
    /// The groups.
    pub groups: BTreeMap<GroupId, Arc<Group>>,
    /// The groups of each account.
    pub(super) of: PersistentMap<AccountId, BTreeSet<GroupId>>,
    /// The take-overs whose accounts have come.
    pub(super) joined: BTreeSet<TakeOverId>,
    /// The accounts that are about to leave, by take-over.
    pub(super) leaving: BTreeMap<TakeOverId, BTreeSet<AccountId>>,
    /// The take-overs whose accounts have left.
    pub(super) left: BTreeSet<TakeOverId>,
}

impl Access {
    /// Whether accounts are about to leave with a take-over.
    #[must_use]
    pub fn awaits(&self, takeover: TakeOverId) -> bool {
        self.leaving.contains_key(&takeover)
    }

    /// Whether an account is about to move to another company.
    #[must_use]
    pub fn is_leaving(&self, account: AccountId) -> bool {
        self.leaving.values().any(|accounts| accounts.contains(&account))
    }

    /// The groups of an account, and the sites where it has each group's permissions.
    pub fn memberships(&self, account: AccountId) -> impl Iterator<Item = (GroupId, &Group, &Where)> {
        let groups = self.of.get(account).into_iter().flatten();
        groups.filter_map(move |id| {
            let group = self.groups.get(id)?;
            Some((*id, group.as_ref(), group.members.get(&account)?))
        })
    }

    /// The sites where an account's groups grant a permission.
    #[must_use]
    pub fn granted(&self, account: AccountId, permission: Permission) -> Where {
        let granting =
            self.memberships(account).filter(|(_, group, _)| group.permissions.contains(&permission));
        granting.fold(Where::nowhere(), |held, (_, _, more)| held.or(more))
    }

    /// Whether an account's groups grant a permission at a site.
    #[must_use]
    pub fn grants(&self, account: AccountId, permission: Permission, site: SiteId) -> bool {
        self.memberships(account)
            .any(|(_, group, held)| group.permissions.contains(&permission) && held.includes(site))
    }
}
