//! The stored form of the events of access.

use std::collections::BTreeSet;

use crate::access::{Event, GroupName, GroupText, NewGroup, Where};
use crate::ids::{AccountId, CompanyId, GroupId, TakeOverId};
use crate::values::permission::Permission;

stored_events!(Access:
    "administrator-admitted" => AdministratorAdmitted { account as "account_id": AccountId },
    "administrator-activated" => AdministratorActivated { account as "account_id": AccountId },
    "administrator-removed" => AdministratorRemoved { account as "account_id": AccountId },
    "group-created" => GroupCreated {
        group as "group_id": GroupId,
        name as "name": GroupName,
        description as "description": GroupText,
        permissions as "permissions": BTreeSet<Permission>,
    },
    "group-changed" => GroupChanged {
        group as "group_id": GroupId,
        name as "name": GroupName,
        description as "description": GroupText,
        permissions as "permissions": BTreeSet<Permission>,
    },
    "group-deleted" => GroupDeleted { group as "group_id": GroupId },
    "member-added" => MemberAdded {
        group as "group_id": GroupId,
        account as "account_id": AccountId,
        sites as "sites": Where,
    },
    "member-removed" => MemberRemoved { group as "group_id": GroupId, account as "account_id": AccountId },
    "accounts-leaving" => AccountsLeaving {
        takeover as "takeover_id": TakeOverId,
        accounts as "account_ids": Vec<AccountId>,
    },
    "accounts-stayed" => AccountsStayed { takeover as "takeover_id": TakeOverId },
    "accounts-left" => AccountsLeft {
        takeover as "takeover_id": TakeOverId,
        accounts as "account_ids": Vec<AccountId>,
    },
    "accounts-joined" => AccountsJoined {
        takeover as "takeover_id": TakeOverId,
        from as "from_company_id": CompanyId,
        groups as "groups": Vec<NewGroup>,
    },
);
