//! A take-over killed between any two steps, and what both companies see at every position in between.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test stops at the first thing amiss

use std::collections::HashMap;
use std::sync::Arc;

use loquet_adapters::memory_store::{Fault, MemoryStore};
use loquet_domain::access::{Grantor, GroupName, GroupText, Where};
use loquet_domain::account::Admission;
use loquet_domain::app::{NewColleague, NewTakeOver};
use loquet_domain::ids::{AccountId, CompanyId, SiteId, TakeOverId};
use loquet_domain::language::Language;
use loquet_domain::permission::Permission;
use loquet_domain::person::{Person, PersonName};
use loquet_domain::ports::{EventStore, Position};
use loquet_domain::takeover::Side;
use loquet_projections::batch::{Batch, HeldRows};
use loquet_projections::ports::{IndexEntry, Rows, StoreFailed};
use loquet_projections::view::{Noted, View};
use loquet_projections::views::accounts::{AccountRow, Accounts};
use loquet_projections::views::sites::{SiteRow, Sites};
use loquet_projections::views::terminals::{TerminalRow, Terminals};
use loquet_tests::kit::{Node, context, email_address};
use serde::de::DeserializeOwned;

/// A view's rows in memory.
#[derive(Default)]
struct Table(HashMap<String, Vec<u8>>);

impl Rows for Table {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        Ok(self.0.get(key).cloned())
    }
    fn put(&mut self, key: &str, row: &[u8], _: &[IndexEntry], _: &[IndexEntry]) -> Result<(), StoreFailed> {
        self.0.insert(key.to_owned(), row.to_vec());
        Ok(())
    }
    fn delete(&mut self, key: &str, _: &[IndexEntry]) -> Result<(), StoreFailed> {
        self.0.remove(key);
        Ok(())
    }
}

impl Table {
    fn take_in(&mut self, view: &dyn View, event: &Noted) {
        let mut held = HeldRows::default();
        view.apply(&mut Batch::over(self, &mut held), event).unwrap();
        held.write(self).unwrap();
    }

    fn rows<R: DeserializeOwned>(&self) -> Vec<R> {
        self.0.values().map(|row| serde_json::from_slice(row).unwrap()).collect()
    }
}

struct World {
    store: MemoryStore,
    node: Node,
    from: CompanyId,
    to: CompanyId,
    marie: AccountId,
    jan: AccountId,
    site: SiteId,
    id: TakeOverId,
    _folder: tempfile::TempDir,
}

/// Two companies; the first is to go to the second, and both have agreed.
async fn agreed() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = Node::new(Arc::new(store.clone()), folder.path());
    let marie = node.active(1, "marie@example.be").await;
    let paul = node.active(2, "paul@example.be").await;
    let company = async |account| node.app.account(account).await.unwrap().profile().unwrap().company;
    let (from, to) = (company(marie).await, company(paul).await);
    let person = Person {
        email: email_address("jan@example.be"),
        given_name: PersonName::parse("Jan").unwrap(),
        family_name: PersonName::parse("Peeters").unwrap(),
    };
    let new =
        NewColleague { company: from, role: Admission::User, language: Language::Nl, person, creator: None };
    let (jan, _) = node.app.create_account(&context(0), new).await.unwrap();
    let token = node.activation_token(jan).await;
    node.app
        .activate(&context(0), &token, loquet_tests::kit::password(loquet_tests::kit::PASSWORD))
        .await
        .unwrap();
    let sellers =
        (GroupName::parse("Vendeurs").unwrap(), GroupText::default(), [Permission::ViewTransactions].into());
    let (group, _) = node.app.create_group(&context(0), from, Grantor::Anything, sellers).await.unwrap();
    let member = (group, jan, Where::Everywhere);
    node.app.set_member(&context(0), from, Grantor::Anything, member).await.unwrap();
    let site = node.app.company(from).await.unwrap().state.sites.iter().next().unwrap().0;
    let accounts = vec![marie, jan];
    let wanted = NewTakeOver { from, to, sites: None, accounts, reference: "T-1".to_owned() };
    let (id, _) = node.app.open_take_over(&context(1), wanted).await.unwrap();
    for side in [Side::Transferor, Side::Acquirer] {
        node.app.confirm_take_over(&context(2), id, side).await.unwrap();
    }
    World { store, node, from, to, marie, jan, site, id, _folder: folder }
}

impl World {
    /// Everything is where it belongs, whatever happened on the way.
    async fn check(&self) {
        let (node, site) = (&self.node, self.site);
        assert_eq!(node.app.company(self.from).await.unwrap().state.sites.len(), 0);
        assert!(node.app.company(self.to).await.unwrap().state.sites.contains(site));
        assert_eq!(node.app.fleet(self.from).await.unwrap().state.terminals.len(), 0);
        assert_eq!(node.app.fleet(self.to).await.unwrap().state.at(site).count(), 1);
        for account in [self.marie, self.jan] {
            let standing = node.app.standing(account).await.unwrap().unwrap();
            assert_eq!(standing.company, self.to);
        }
        let may = async |account, permission| node.app.may(account, permission, site).await.unwrap();
        assert!(may(self.jan, Permission::ViewTransactions).await);
        assert!(!may(self.jan, Permission::ViewInvoices).await);
        assert!(may(self.marie, Permission::ManageUsers).await);
        let left = node.app.access(self.from).await.unwrap().state;
        assert!(left.administrators.is_empty() && left.memberships(self.jan).next().is_none());
    }

    async fn log(&self) -> Vec<loquet_domain::ports::RecordedEvent> {
        self.store.read_all(Position(0), 10_000).await.unwrap()
    }
}

#[tokio::test]
async fn a_take_over_killed_between_any_two_steps_is_completed_when_it_is_asked_for_again() {
    let whole = agreed().await;
    let before = whole.log().await.len();
    whole.node.app.complete_take_over(&context(3), whole.id).await.unwrap();
    whole.check().await;
    let mut names: Vec<_> =
        whole.log().await[before..].iter().map(|event| event.event.name.clone()).collect();
    names.sort();
    let steps = 12;
    for broken in 0..steps {
        let world = agreed().await;
        let before = world.log().await.len();
        world.store.inject(std::iter::repeat_n(Fault::Nothing, broken).chain([Fault::Unavailable]));
        let interrupted = world.node.app.complete_take_over(&context(3), world.id).await;
        let again = world.node.app.complete_take_over(&context(4), world.id).await.unwrap();
        world.check().await;
        let mut done: Vec<_> =
            world.log().await[before..].iter().map(|event| event.event.name.clone()).collect();
        done.sort();
        assert_eq!(done, names, "broken at {broken}: each step is done once");
        assert_eq!(again.0, u64::try_from(before + names.len()).unwrap());
        if interrupted.is_ok() {
            assert!(broken > 8, "there is no step {broken}");
            return;
        }
    }
    panic!("there are more than {steps} steps");
}

#[tokio::test]
async fn at_every_position_of_a_take_over_each_site_terminal_and_account_is_shown_at_one_company() {
    let world = agreed().await;
    world.node.app.complete_take_over(&context(3), world.id).await.unwrap();
    let (mut sites, mut terminals, mut accounts) = (Table::default(), Table::default(), Table::default());
    let mut moved_at = Vec::new();
    for recorded in world.log().await {
        let event = Noted::read_open(world.node.codec.as_ref(), recorded).unwrap();
        sites.take_in(&Sites, &event);
        terminals.take_in(&Terminals, &event);
        accounts.take_in(&Accounts, &event);
        let companies: HashMap<SiteId, CompanyId> =
            sites.rows::<SiteRow>().into_iter().map(|row| (row.site_id, row.company_id)).collect();
        for terminal in terminals.rows::<TerminalRow>() {
            let of_site = companies[&terminal.site_id];
            assert_eq!(
                terminal.company_id, of_site,
                "at {}: a terminal stands at a site of its company",
                event.position
            );
        }
        if companies.get(&world.site) == Some(&world.to) {
            moved_at.push(event.position);
        }
    }
    assert_eq!(moved_at.len(), 1, "all at once, with the last event");
    let of =
        |account| accounts.rows::<AccountRow>().into_iter().find(|row| row.account_id == account).unwrap();
    assert_eq!((of(world.marie).company_id, of(world.jan).company_id), (world.to, world.to));
}
