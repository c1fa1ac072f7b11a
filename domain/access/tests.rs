//! The rules of access, as sentences. One property covers all cases: nobody grants what they lack.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

use super::*;
use crate::fact::Fact;
use crate::ids::{AccountId, CompanyId, GroupId, SiteId, TakeOverId};
use crate::values::permission::Permission::{self, *};

const JAN: AccountId = AccountId(Uuid::from_u128(1));
const PIET: AccountId = AccountId(Uuid::from_u128(2));

fn site(n: u128) -> SiteId {
    SiteId(Uuid::from_u128(n))
}

fn group(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(n))
}

fn name(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

fn at(sites: &[u128]) -> Where {
    Where::Sites(sites.iter().copied().map(site).collect())
}

fn tell(access: &mut Access, grantor: Grantor, command: Command) -> Result<Vec<Event>, Refusal> {
    let events = decide(access, grantor, command)?;
    for event in &events {
        *access = evolve(access.clone(), &Fact::told(event.clone()));
    }
    Ok(events)
}

fn create(n: u128, permissions: &[Permission]) -> Command {
    let permissions = permissions.iter().copied().collect();
    Command::CreateGroup {
        group: group(n),
        name: name(&format!("group {n}")),
        description: GroupText::default(),
        permissions,
    }
}

fn set(n: u128, account: AccountId, sites: Where) -> Command {
    Command::SetMember { group: group(n), account, sites }
}

/// Jan manages users and terminals at sites 1 and 2, and sees transactions at site 1.
fn of_jan() -> Access {
    let mut access = Access::default();
    let all = Grantor::Anything;
    for command in [
        create(1, &[ManageUsers, ManageTerminals]),
        create(2, &[ViewTransactions]),
        set(1, JAN, at(&[1, 2])),
        set(2, JAN, at(&[1])),
    ] {
        tell(&mut access, all, command).unwrap();
    }
    access
}

#[test]
fn a_member_holds_what_the_group_permits_where_they_are_in_it() {
    let access = of_jan();
    assert!(access.grants(JAN, ManageTerminals, site(2)));
    assert!(!access.grants(JAN, ManageTerminals, site(3)));
    assert!(!access.grants(JAN, ViewTransactions, site(2)));
    assert!(!access.grants(PIET, ManageTerminals, site(1)));
    assert_eq!(access.granted(JAN, ManageTerminals), at(&[1, 2]));
}

#[test]
fn a_user_who_manages_users_grants_what_they_hold_there_and_nothing_else() {
    let (access, jan) = (of_jan(), Grantor::User(JAN));
    let granted = |command| decide(&access, jan, command).map(|events| events.len());
    assert_eq!(granted(set(1, PIET, at(&[2]))), Ok(1));
    assert_eq!(granted(set(2, PIET, at(&[1]))), Ok(1));
    assert_eq!(granted(set(2, PIET, at(&[2]))), Err(Refusal::Beyond(ViewTransactions)));
    assert_eq!(granted(set(1, PIET, at(&[3]))), Err(Refusal::Beyond(ManageUsers)));
    assert_eq!(granted(set(1, PIET, Where::Everywhere)), Err(Refusal::Beyond(ManageUsers)));
    assert_eq!(granted(create(3, &[ViewInvoices])), Err(Refusal::Beyond(ViewInvoices)));
    assert_eq!(granted(create(3, &[ViewTransactions])), Ok(1));
}

#[test]
fn a_group_changed_by_a_user_grants_no_member_what_the_user_lacks_there() {
    let mut access = of_jan();
    tell(&mut access, Grantor::Anything, set(1, PIET, at(&[2]))).unwrap();
    let wider = GroupChange {
        permissions: Some([ManageUsers, ManageTerminals, ViewTransactions].into()),
        ..GroupChange::default()
    };
    let change = Command::ChangeGroup { group: group(1), change: wider };
    assert_eq!(decide(&access, Grantor::User(JAN), change.clone()), Err(Refusal::Beyond(ViewTransactions)));
    assert_eq!(decide(&access, Grantor::Anything, change).map(|events| events.len()), Ok(1));
}

#[test]
fn a_user_touches_no_group_that_permits_what_they_lack() {
    let mut access = of_jan();
    let all = Grantor::Anything;
    tell(&mut access, all, create(3, &[ViewInvoices])).unwrap();
    tell(&mut access, all, create(4, &[])).unwrap();
    tell(&mut access, all, set(3, PIET, at(&[1]))).unwrap();
    tell(&mut access, all, set(2, PIET, at(&[2]))).unwrap();
    tell(&mut access, all, set(1, PIET, at(&[3]))).unwrap();
    let refused = |command| decide(&access, Grantor::User(JAN), command).unwrap_err();
    let change = |n: u128, change| Command::ChangeGroup { group: group(n), change };
    let renamed = || GroupChange { name: Some(name("other")), ..GroupChange::default() };
    let emptied = || GroupChange { permissions: Some(BTreeSet::new()), ..GroupChange::default() };
    let remove = |n: u128| Command::RemoveMember { group: group(n), account: PIET };
    let delete = |n: u128, to| Command::DeleteGroup { group: group(n), move_to: Some(group(to)) };
    for command in [change(3, renamed()), change(3, emptied()), remove(3), set(3, JAN, at(&[])), delete(3, 4)]
    {
        assert_eq!(refused(command), Refusal::Beyond(ViewInvoices));
    }
    // They see transactions, but not at Piet's sites.
    for command in
        [change(2, renamed()), change(2, emptied()), remove(2), set(2, PIET, at(&[1])), delete(2, 4)]
    {
        assert_eq!(refused(command), Refusal::Beyond(ViewTransactions));
    }
    // They manage users, but not at Piet's sites.
    for command in [change(1, renamed()), remove(1), set(1, PIET, at(&[1]))] {
        assert_eq!(refused(command), Refusal::Beyond(ManageUsers));
    }
    assert_eq!(refused(delete(4, 3)), Refusal::Beyond(ViewInvoices), "nobody goes into a group of more");
    let mut empty = access.clone();
    tell(&mut empty, all, remove(3)).unwrap();
    let unused = Command::DeleteGroup { group: group(3), move_to: None };
    assert_eq!(decide(&empty, Grantor::User(JAN), unused), Err(Refusal::Beyond(ViewInvoices)));
}

#[test]
fn who_manages_no_users_grants_nothing() {
    let access = of_jan();
    let nobody = Grantor::User(PIET);
    for command in
        [create(3, &[]), set(1, PIET, at(&[])), Command::DeleteGroup { group: group(2), move_to: None }]
    {
        assert_eq!(decide(&access, nobody, command), Err(Refusal::Beyond(ManageUsers)));
    }
}

#[test]
fn a_group_with_members_is_deleted_with_a_group_to_move_them_to() {
    let mut access = of_jan();
    let delete = |move_to| Command::DeleteGroup { group: group(2), move_to };
    assert_eq!(decide(&access, Grantor::Anything, delete(None)), Err(Refusal::HasMembers(1)));
    assert_eq!(decide(&access, Grantor::Anything, delete(Some(group(2)))), Err(Refusal::SameGroup));
    assert_eq!(
        decide(&access, Grantor::Anything, delete(Some(group(9)))),
        Err(Refusal::NoSuchGroup(group(9)))
    );
    tell(&mut access, Grantor::Anything, set(2, PIET, at(&[3]))).unwrap();
    tell(&mut access, Grantor::Anything, delete(Some(group(1)))).unwrap();
    assert!(access.grants(PIET, ManageTerminals, site(3)));
    assert_eq!(access.granted(JAN, ManageTerminals), at(&[1, 2]), "what they held there they keep");
    assert_eq!(access.groups.len(), 1);
}

/// Deleting a group changes where its members have the other group's permissions.
#[test]
fn a_user_moves_members_into_a_group_only_where_they_may_touch_what_the_members_hold_there() {
    let moved = |held: Where| {
        let mut access = of_jan();
        for command in [create(3, &[ManageUsers]), set(2, PIET, at(&[1])), set(3, PIET, held)] {
            tell(&mut access, Grantor::Anything, command).unwrap();
        }
        tell(&mut access, Grantor::Anything, Command::RemoveMember { group: group(2), account: JAN })
            .unwrap();
        tell(&mut access, Grantor::Anything, set(1, JAN, at(&[1, 2]))).unwrap();
        tell(&mut access, Grantor::Anything, create(4, &[ViewTransactions])).unwrap();
        tell(&mut access, Grantor::Anything, set(4, JAN, at(&[1]))).unwrap();
        decide(&access, Grantor::User(JAN), Command::DeleteGroup { group: group(2), move_to: Some(group(3)) })
    };
    let removed = Event::MemberRemoved { group: group(2), account: PIET };
    let deleted = Event::GroupDeleted { group: group(2) };
    let widened = Event::MemberAdded { group: group(3), account: PIET, sites: at(&[1, 2]) };
    assert_eq!(moved(at(&[2])), Ok(vec![removed.clone(), widened, deleted.clone()]));
    assert_eq!(moved(at(&[3])), Err(Refusal::Beyond(ManageUsers)), "Jan manages nobody at the third site");
    for wider in [at(&[1, 3]), Where::Everywhere] {
        assert_eq!(moved(wider), Ok(vec![removed.clone(), deleted.clone()]), "nothing there changes");
    }
}

#[test]
fn no_two_groups_have_one_name() {
    let access = of_jan();
    let same = Command::CreateGroup {
        group: group(3),
        name: name(" GROUP 1 "),
        description: GroupText::default(),
        permissions: BTreeSet::new(),
    };
    assert_eq!(decide(&access, Grantor::Anything, same), Err(Refusal::NameTaken));
}

#[test]
fn the_last_administrator_stays() {
    let mut access = Access::default();
    let remove = |account| Command::RemoveAdministrator { account };
    assert_eq!(decide(&access, Grantor::Anything, remove(JAN)), Err(Refusal::LastAdministrator));
    tell(&mut access, Grantor::Anything, admit(JAN, true)).unwrap();
    assert_eq!(decide(&access, Grantor::Anything, remove(JAN)), Err(Refusal::LastAdministrator));
    tell(&mut access, Grantor::Anything, admit(PIET, true)).unwrap();
    tell(&mut access, Grantor::Anything, remove(JAN)).unwrap();
    assert_eq!(decide(&access, Grantor::Anything, remove(PIET)), Err(Refusal::LastAdministrator));
}

fn admit(account: AccountId, active: bool) -> Command {
    Command::AdmitAdministrator { account, active }
}

#[test]
fn whoever_never_activated_is_not_the_administrator_who_stays() {
    let mut access = Access::default();
    let remove = |account| Command::RemoveAdministrator { account };
    tell(&mut access, Grantor::Anything, admit(JAN, true)).unwrap();
    tell(&mut access, Grantor::Anything, admit(PIET, false)).unwrap();
    assert_eq!(decide(&access, Grantor::Anything, remove(JAN)), Err(Refusal::LastAdministrator));
    assert!(decide(&access, Grantor::Anything, remove(PIET)).is_ok(), "a mistyped colleague can go");
    let activated = tell(&mut access, Grantor::Anything, admit(PIET, true)).unwrap();
    assert_eq!(activated, [Event::AdministratorActivated { account: PIET }]);
    tell(&mut access, Grantor::Anything, remove(JAN)).unwrap();
}

#[test]
fn of_administrators_who_never_activated_one_stays() {
    let mut access = Access::default();
    let remove = |account| Command::RemoveAdministrator { account };
    tell(&mut access, Grantor::Anything, admit(JAN, false)).unwrap();
    tell(&mut access, Grantor::Anything, admit(PIET, false)).unwrap();
    tell(&mut access, Grantor::Anything, remove(JAN)).unwrap();
    assert_eq!(decide(&access, Grantor::Anything, remove(PIET)), Err(Refusal::LastAdministrator));
}

#[test]
fn while_people_go_with_a_take_over_whoever_stays_is_the_last_administrator() {
    let mut access = Access::default();
    let takeover = TakeOverId(Uuid::from_u128(1));
    let depart = |accounts: &[AccountId], keeps_sites| {
        let accounts = accounts.to_vec();
        Command::Depart { takeover, accounts, keeps_sites }
    };
    let remove = |account| Command::RemoveAdministrator { account };
    tell(&mut access, Grantor::Anything, admit(JAN, true)).unwrap();
    tell(&mut access, Grantor::Anything, admit(PIET, true)).unwrap();
    let both = decide(&access, Grantor::Anything, depart(&[JAN, PIET], true));
    assert_eq!(both, Err(Refusal::LastAdministrator), "it keeps sites");
    assert!(decide(&access, Grantor::Anything, depart(&[JAN, PIET], false)).is_ok());
    tell(&mut access, Grantor::Anything, depart(&[JAN], true)).unwrap();
    assert_eq!(tell(&mut access, Grantor::Anything, depart(&[JAN], true)), Ok(Vec::new()));
    assert_eq!(decide(&access, Grantor::Anything, remove(PIET)), Err(Refusal::LastAdministrator));
    for change in [remove(JAN), admit(JAN, true)] {
        assert_eq!(decide(&access, Grantor::Anything, change), Err(Refusal::Leaving));
    }
    let mut stayed = access.clone();
    tell(&mut stayed, Grantor::Anything, Command::Stay { takeover }).unwrap();
    tell(&mut stayed, Grantor::Anything, remove(PIET)).unwrap();
    let left = tell(&mut access, Grantor::Anything, Command::Leave { takeover }).unwrap();
    assert_eq!(left, [Event::AccountsLeft { takeover, accounts: vec![JAN] }]);
    assert_eq!(access.administrators, [PIET].into());
    assert_eq!(tell(&mut access, Grantor::Anything, Command::Leave { takeover }), Ok(Vec::new()));
    assert_eq!(tell(&mut access, Grantor::Anything, depart(&[JAN], true)), Ok(Vec::new()), "it is done");
}

#[test]
fn whoever_has_left_is_in_no_group_and_nobody_is_put_into_one_on_the_way_out() {
    let mut access = of_jan();
    let takeover = TakeOverId(Uuid::from_u128(1));
    let depart = Command::Depart { takeover, accounts: vec![JAN], keeps_sites: true };
    tell(&mut access, Grantor::Anything, depart).unwrap();
    assert!(access.grants(JAN, ManageTerminals, site(2)), "nobody is without an access that they had");
    assert_eq!(tell(&mut access, Grantor::Anything, set(1, JAN, at(&[3]))), Err(Refusal::Leaving));
    tell(&mut access, Grantor::Anything, Command::Leave { takeover }).unwrap();
    assert_eq!(access.memberships(JAN).count(), 0);
    assert!(access.groups.values().all(|group| group.members.is_empty()));
}

#[test]
fn an_account_that_is_gone_is_in_no_group() {
    let mut access = of_jan();
    tell(&mut access, Grantor::Anything, Command::Forget { account: JAN }).unwrap();
    assert_eq!(access.memberships(JAN).count(), 0);
    assert!(access.groups.values().all(|group| group.members.is_empty()));
    assert_eq!(tell(&mut access, Grantor::Anything, Command::Forget { account: JAN }), Ok(Vec::new()));
}

#[test]
fn groups_that_come_with_take_overs_are_called_otherwise_than_those_that_are_there() {
    let mut access = Access::default();
    let long = "x".repeat(100);
    for n in 1..=11 {
        let groups = [&long[..], "Vendeurs (Dupont)"].into_iter().zip(0..).map(|(called, m)| NewGroup {
            group: group(10 * n + m),
            name: name(called),
            description: GroupText::default(),
            permissions: BTreeSet::new(),
            members: [(JAN, at(&[1]))].into(),
        });
        let (takeover, from) = (TakeOverId(Uuid::from_u128(n)), CompanyId(Uuid::from_u128(2)));
        let join = Command::Join { takeover, from, groups: groups.collect() };
        tell(&mut access, Grantor::Anything, join).unwrap();
    }
    let names: BTreeSet<_> = access.groups.values().map(|group| group.name.as_str()).collect();
    assert_eq!(names.len(), 22);
    assert!(names.contains("Vendeurs (Dupont) 11"));
    assert!(names.iter().all(|name| name.chars().count() <= 100));
}

#[test]
fn people_who_come_with_a_take_over_keep_what_they_could_do_there() {
    let mut access = Access::default();
    let joined = NewGroup {
        group: group(5),
        name: name("Vendeurs (Dupont)"),
        description: GroupText::default(),
        permissions: [ViewTransactions].into(),
        members: [(PIET, at(&[7]))].into(),
    };
    let join = Command::Join {
        takeover: TakeOverId(Uuid::from_u128(1)),
        from: CompanyId(Uuid::from_u128(2)),
        groups: vec![joined],
    };
    tell(&mut access, Grantor::Anything, join.clone()).unwrap();
    assert!(access.grants(PIET, ViewTransactions, site(7)));
    assert_eq!(tell(&mut access, Grantor::Anything, join), Ok(Vec::new()));
}

const ACCOUNTS: [AccountId; 3] = [JAN, PIET, AccountId(Uuid::from_u128(3))];
const SITES: u128 = 3;

fn any_where() -> impl Strategy<Value = Where> {
    let sites: Vec<u128> = (1..=SITES).collect();
    prop_oneof![1 => Just(Where::Everywhere), 4 => subsequence(sites, 0..=3).prop_map(|sites| at(&sites))]
}

fn permissions() -> impl Strategy<Value = BTreeSet<Permission>> {
    subsequence(Permission::ALL.to_vec(), 0..=3).prop_map(|some| some.into_iter().collect())
}

fn any_command() -> impl Strategy<Value = Command> {
    let group_id = || (1_u128..5).prop_map(group);
    let account = || select(&ACCOUNTS[..]);
    prop_oneof![
        (1_u128..5, permissions()).prop_map(|(n, permissions)| Command::CreateGroup {
            group: group(n),
            name: name(&format!("group {n}")),
            description: GroupText::default(),
            permissions,
        }),
        (group_id(), permissions()).prop_map(|(group, permissions)| Command::ChangeGroup {
            group,
            change: GroupChange { permissions: Some(permissions), ..GroupChange::default() },
        }),
        (group_id(), account(), any_where()).prop_map(|(group, account, sites)| Command::SetMember {
            group,
            account,
            sites
        }),
        (group_id(), account()).prop_map(|(group, account)| Command::RemoveMember { group, account }),
        (group_id(), prop::option::of(group_id()))
            .prop_map(|(group, move_to)| Command::DeleteGroup { group, move_to }),
    ]
}

/// The permissions of an account at each site, and at sites that open later.
fn held(access: &Access, account: AccountId) -> BTreeSet<(Permission, u128)> {
    let places = (1..=SITES + 1).flat_map(|n| Permission::ALL.map(|permission| (permission, n)));
    places.filter(|(permission, n)| access.grants(account, *permission, site(*n))).collect()
}

/// The permissions and sites that an event adds, takes away or renames. The caller must hold all of them. Somebody
/// who manages users at a site may touch them there, whatever permissions those users hold.
fn touched(before: &Access, after: &Access, event: &Event) -> BTreeSet<(Permission, u128)> {
    let rights = |group: &Group, sites: &Where| {
        let permissions = group.permissions.iter().copied().chain([ManageUsers]).collect::<Vec<_>>();
        let places = (1..=SITES + 1).filter(|n| sites.includes(site(*n)));
        places.flat_map(move |n| permissions.clone().into_iter().map(move |one| (one, n))).collect::<Vec<_>>()
    };
    let of_all = |access: &Access, id: &GroupId| {
        let group = access.groups.get(id);
        let members =
            group.into_iter().flat_map(|group| group.members.values().map(move |sites| (group, sites)));
        members.flat_map(|(group, sites)| rights(group, sites)).collect::<Vec<_>>()
    };
    let of_one = |access: &Access, id: &GroupId, account: &AccountId| {
        let group = access.groups.get(id);
        let held = group.and_then(|group| group.members.get(account).map(|sites| rights(group, sites)));
        held.unwrap_or_default()
    };
    match event {
        Event::GroupCreated { group, .. }
        | Event::GroupChanged { group, .. }
        | Event::GroupDeleted { group } => {
            of_all(before, group).into_iter().chain(of_all(after, group)).collect()
        }
        Event::MemberAdded { group, account, .. } | Event::MemberRemoved { group, account } => {
            let both = of_one(before, group, account).into_iter().chain(of_one(after, group, account));
            both.collect()
        }
        _ => BTreeSet::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_command_by_a_user_yields_a_permission_beyond_theirs_or_touches_a_group_that_permits_more(
        granted in prop::collection::vec(any_command(), 0..25),
        wanted in prop::collection::vec(any_command(), 0..25),
    ) {
        let mut access = Access::default();
        tell(&mut access, Grantor::Anything, create(1, &[ManageUsers, ViewTransactions])).unwrap();
        for command in granted {
            drop(tell(&mut access, Grantor::Anything, command));
        }
        let before = access.clone();
        let jans = held(&before, JAN);
        for command in wanted {
            let (had, own) = (access.clone(), held(&access, JAN));
            for event in tell(&mut access, Grantor::User(JAN), command).unwrap_or_default() {
                for right in touched(&had, &access, &event) {
                    prop_assert!(own.contains(&right), "{event:?} touches {right:?}");
                }
            }
            for account in ACCOUNTS {
                let had = held(&before, account);
                for right in held(&access, account) {
                    prop_assert!(had.contains(&right) || jans.contains(&right), "{account} got {right:?}");
                }
            }
        }
    }

    #[test]
    fn the_groups_of_an_account_are_those_that_it_is_a_member_of(
        commands in prop::collection::vec(any_command(), 0..40)
    ) {
        let mut access = Access::default();
        for command in commands {
            drop(tell(&mut access, Grantor::Anything, command));
            for account in ACCOUNTS {
                let told: BTreeSet<GroupId> = access.memberships(account).map(|(id, ..)| id).collect();
                let groups = access.groups.iter().filter(|(_, group)| group.members.contains_key(&account));
                prop_assert_eq!(told, groups.map(|(id, _)| *id).collect());
            }
        }
    }
}
