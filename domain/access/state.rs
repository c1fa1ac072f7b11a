//! What of a company's access history matters to the next decision.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, GroupId, SiteId, TakeOverId};
use crate::persistent_map::PersistentMap;
use crate::values::permission::Permission;
use crate::values::plain_text::{is_text, names_scheme};

/// A group's name: 1 to 100 printable characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupName(String);

/// What a group is for: up to 500 printable characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupText(String);

/// Why a text is no group's name or description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroupText {
    /// Too short, too long, or with a character that can't be shown.
    #[error("a group's name has 1 to 100 printable characters, its description at most 500")]
    Text,
    /// It names the scheme of a link.
    #[error("a group's name and description name no scheme such as https://")]
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
    /// Takes a name, outer white space dropped.
    ///
    /// # Errors
    /// [`InvalidGroupText`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidGroupText> {
        let text = text.trim();
        checked(text, is_text(text, 100)).map(Self)
    }

    /// What a group is called that came with a take-over: its name and whose it was.
    #[must_use]
    pub fn of_take_over(name: &str, company: &str) -> Self {
        Self(format!("{name} ({company})").chars().take(100).collect())
    }

    /// The name, or the first of "name 2", "name 3" that is none of the others.
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

    /// Whether people would take the two for one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

impl GroupText {
    /// Takes a description, outer white space dropped; it may be empty.
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
}

/// On which sites a member holds what the group permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// On every site, those that are still to be opened among them.
    Everywhere,
    /// On these.
    Sites(BTreeSet<SiteId>),
}

impl Where {
    /// Whether it holds at a site.
    #[must_use]
    pub fn includes(&self, site: SiteId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Sites(sites) => sites.contains(&site),
        }
    }

    /// Whether it holds wherever the other does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) => true,
            (Self::Sites(_), Self::Everywhere) => false,
            (Self::Sites(these), Self::Sites(those)) => those.is_subset(these),
        }
    }

    /// Where either holds.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Sites(these), Self::Sites(those)) => Self::Sites(&these | those),
            _ => Self::Everywhere,
        }
    }

    /// Nowhere.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::Sites(BTreeSet::new())
    }
}

/// A named set of permissions, and who holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name; no other group of the company has it.
    pub name: GroupName,
    /// What it is for.
    pub description: GroupText,
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// Who is in it, and where they hold what it permits.
    pub members: BTreeMap<AccountId, Where>,
}

/// Who may do what in a company.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Those with full access. An account is in here no sooner than it is an administrator, and out of here no
    /// later than it ceases to be one.
    pub administrators: BTreeSet<AccountId>,
    /// Those of them whose account is in use.
    pub active: BTreeSet<AccountId>,
    /// The groups.
    pub groups: BTreeMap<GroupId, Arc<Group>>,
    /// In which groups an account is.
    pub(super) of: PersistentMap<AccountId, BTreeSet<GroupId>>,
    /// The take-overs whose people have come.
    pub(super) joined: BTreeSet<TakeOverId>,
    /// Who is about to go, by which take-over.
    pub(super) leaving: BTreeMap<TakeOverId, BTreeSet<AccountId>>,
    /// The take-overs whose people have gone.
    pub(super) left: BTreeSet<TakeOverId>,
}

impl Access {
    /// Whether people are about to go with a take-over.
    #[must_use]
    pub fn awaits(&self, takeover: TakeOverId) -> bool {
        self.leaving.contains_key(&takeover)
    }

    /// Whether an account is about to go to another company.
    #[must_use]
    pub fn is_leaving(&self, account: AccountId) -> bool {
        self.leaving.values().any(|accounts| accounts.contains(&account))
    }

    /// The groups that an account is in, and where it holds what each permits.
    pub fn memberships(&self, account: AccountId) -> impl Iterator<Item = (GroupId, &Group, &Where)> {
        let groups = self.of.get(account).into_iter().flatten();
        groups.filter_map(move |id| {
            let group = self.groups.get(id)?;
            Some((*id, group.as_ref(), group.members.get(&account)?))
        })
    }

    /// Where an account's groups let it do something.
    #[must_use]
    pub fn granted(&self, account: AccountId, permission: Permission) -> Where {
        let granting =
            self.memberships(account).filter(|(_, group, _)| group.permissions.contains(&permission));
        granting.fold(Where::nowhere(), |held, (_, _, more)| held.or(more))
    }

    /// Whether an account's groups let it do something at a site.
    #[must_use]
    pub fn grants(&self, account: AccountId, permission: Permission, site: SiteId) -> bool {
        self.memberships(account)
            .any(|(_, group, held)| group.permissions.contains(&permission) && held.includes(site))
    }
}
