//! A take-over killed between any two steps, and what both companies see at every position in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use loquet_domain::access::{self, Grantor, GroupName, GroupText, Where};
use loquet_domain::account::{self, Admission, Authority, Role};
use loquet_domain::app::{App, Failure, NewColleague, NewOrder, NewTakeOver};
use loquet_domain::company::MergedSite;
use loquet_domain::ids::{AccountId, CompanyId, SiteId, TakeOverId};
use loquet_domain::ports::{EventStore, Position};
use loquet_domain::takeover::{self, Cancellation, Side, Stage};
use loquet_domain::values::language::Language;
use loquet_domain::values::permission::Permission;
use loquet_domain::values::person::{Person, PersonName};
use loquet_memory::event_store::{Fault, MemoryStore};
use loquet_projections::held_rows::HeldRows;
use loquet_projections::ports::{IndexEntry, Rows, StoreFailed};
use loquet_projections::reactions::{Answer, Reaction, Settling};
use loquet_projections::table;
use loquet_projections::view::{EventEnvelope, View};
use loquet_projections::views::accounts::{AccountRow, Accounts};
use loquet_projections::views::sites::{SiteRow, Sites};
use loquet_projections::views::terminals::{TerminalRow, Terminals};
use loquet_tests::kit::{Node, context, email_address, renumbered};
use loquet_tests::watched_store::WatchedStore;
use serde::de::DeserializeOwned;

/// A view's rows in memory.
#[derive(Default)]
struct Table(HashMap<String, Vec<u8>>);

impl Rows for Table {
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, StoreFailed> {
        Ok(self.0.get(key).cloned())
    }
    fn put(&mut self, key: &str, row: &[u8]) -> Result<(), StoreFailed> {
        self.0.insert(key.to_owned(), row.to_vec());
        Ok(())
    }
    fn delete(&mut self, key: &str) -> Result<(), StoreFailed> {
        self.0.remove(key);
        Ok(())
    }
    fn enter(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
        Ok(())
    }
    fn leave(&mut self, _: &IndexEntry, _: &str) -> Result<(), StoreFailed> {
        Ok(())
    }
    fn note_erasure(&mut self) -> Result<(), StoreFailed> {
        Ok(())
    }
}

impl Table {
    #[track_caller]
    fn take_in(&mut self, view: &impl View, event: &EventEnvelope) {
        let mut held = HeldRows::default();
        view.apply(&mut table::Table::over(self, &mut held), event).unwrap();
        held.write(self).unwrap();
    }

    #[track_caller]
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
    /// A site at an address where the acquirer has a site too.
    site: SiteId,
    /// A site at another address.
    other: SiteId,
    id: TakeOverId,
    folder: tempfile::TempDir,
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
    let (sellers, text) = (GroupName::parse("Vendeurs").unwrap(), GroupText::default());
    let permissions = [Permission::ViewTransactions].into();
    let made = node.app.create_group(&context(0), from, Grantor::Anything, sellers, text, permissions).await;
    let (group, _) = made.unwrap();
    let everywhere = Where::Everywhere;
    node.app.set_member(&context(0), from, Grantor::Anything, group, jan, everywhere).await.unwrap();
    let mut second = node.order(30, 1, "marie@example.be");
    let line = &mut second.content.lines[0];
    line.delivery_address = renumbered(&line.delivery_address, "30");
    let (here, elsewhere) =
        (node.order(1, 1, "marie@example.be").content, second.content.lines[0].delivery_address.clone());
    node.app.place_order(&context(0), second).await.unwrap();
    let giving = node.app.company(from).await.unwrap().state;
    let site = giving.site_at(here.lines[0].delivery_address.known().unwrap()).unwrap();
    let other = giving.site_at(elsewhere.known().unwrap()).unwrap();
    let accounts = vec![marie, jan];
    let wanted = NewTakeOver { from, to, sites: None, accounts, reference: "T-1".to_owned() };
    let (id, _) = node.app.open_take_over(&context(1), wanted).await.unwrap();
    for side in [Side::Transferor, Side::Acquirer] {
        node.app.confirm_take_over(&context(2), id, side).await.unwrap();
    }
    World { store, node, from, to, marie, jan, site, other, id, folder }
}

impl World {
    /// Everything is where it belongs, whatever happened on the way.
    async fn check(&self) {
        let node = &self.node;
        assert_eq!(node.app.company(self.from).await.unwrap().state.sites.len(), 0);
        let acquirer = node.app.company(self.to).await.unwrap().state;
        let site = MergedSite::now(acquirer.merged_by(self.id), self.site);
        assert_ne!(site, self.site, "the two sites at one address are one");
        assert_eq!(acquirer.sites.len(), 2);
        assert!(acquirer.sites.contains(site) && acquirer.sites.contains(self.other));
        assert_eq!(node.app.terminals(self.from).await.unwrap().state.held.len(), 0);
        let terminals = node.app.terminals(self.to).await.unwrap().state;
        assert_eq!((terminals.at(site).count(), terminals.at(self.other).count()), (2, 1));
        for account in [self.marie, self.jan] {
            let standing = node.app.authorisation(account).await.unwrap().unwrap();
            assert_eq!(standing.company, self.to);
        }
        let may = async |account, permission| node.app.may(account, permission, site).await.unwrap();
        assert!(may(self.jan, Permission::ViewTransactions).await);
        assert!(node.app.may(self.jan, Permission::ViewTransactions, self.other).await.unwrap());
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
        let event = EventEnvelope::read_open(world.node.codec.as_ref(), recorded).unwrap();
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
        if companies.get(&world.other) == Some(&world.to) {
            assert!(!companies.contains_key(&world.site), "the two sites at one address are one");
            moved_at.push(event.position);
        } else if moved_at.is_empty() && !companies.is_empty() {
            assert!(companies.get(&world.site).is_none_or(|company| *company == world.from));
        }
    }
    assert_eq!(moved_at.len(), 1, "all at once, with the last event");
    let of =
        |account| accounts.rows::<AccountRow>().into_iter().find(|row| row.account_id == account).unwrap();
    assert_eq!((of(world.marie).company_id, of(world.jan).company_id), (world.to, world.to));
}

impl World {
    /// A company of two sites and two administrators, of which one of each is to go along.
    async fn divided() -> (Self, AccountId) {
        let world = agreed().await;
        let (node, from, to) = (&world.node, world.from, world.to);
        node.app.cancel_take_over(&context(2), world.id, Cancellation::Mistake).await.unwrap();
        let mut second = node.order(3, 1, "marie@example.be");
        let line = &mut second.content.lines[0];
        line.delivery_address = renumbered(&line.delivery_address, "14");
        node.app.place_order(&context(2), second).await.unwrap();
        node.successor(world.marie).await;
        let administrators = node.app.access(from).await.unwrap().state.administrators.clone();
        let stays = administrators.into_iter().find(|account| *account != world.marie).unwrap();
        let (sites, accounts) = (Some(vec![world.site]), vec![world.marie, world.jan]);
        let wanted = NewTakeOver { from, to, sites, accounts, reference: "T-2".to_owned() };
        let (id, _) = node.app.open_take_over(&context(2), wanted).await.unwrap();
        for side in [Side::Transferor, Side::Acquirer] {
            node.app.confirm_take_over(&context(2), id, side).await.unwrap();
        }
        (Self { id, ..world }, stays)
    }

    /// Completes the take-over up to a step, at which the store fails.
    async fn complete_until(&self, step: usize) -> bool {
        self.store.inject(std::iter::repeat_n(Fault::Nothing, step).chain([Fault::Unavailable]));
        let stopped = self.node.app.complete_take_over(&context(3), self.id).await.is_err();
        self.store.heal();
        stopped
    }

    async fn role(&self, account: AccountId) -> Role {
        self.node.app.account(account).await.unwrap().profile().unwrap().role
    }
}

#[tokio::test]
async fn two_take_overs_of_one_site_opened_at_once_are_one() {
    let world = agreed().await;
    let app = &world.node.app;
    app.cancel_take_over(&context(3), world.id, Cancellation::Mistake).await.unwrap();
    let wanted =
        |from, to| NewTakeOver { from, to, sites: None, accounts: Vec::new(), reference: "T-2".to_owned() };
    let (there, back) = (wanted(world.from, world.to), wanted(world.to, world.from));
    let (contexts, again) = ([context(3), context(3)], there.clone());
    let (first, second) =
        tokio::join!(app.open_take_over(&contexts[0], there), app.open_take_over(&contexts[1], again));
    let opened: Vec<_> = [first, second].into_iter().partition::<Vec<_>, _>(Result::is_ok).0;
    assert_eq!(opened.len(), 1, "a site goes one way at a time");
    let circular = app.open_take_over(&context(3), back.clone()).await;
    assert_eq!(circular, Err(Failure::TakeOver(takeover::Refusal::Circular)));
    let (id, _) = opened[0].as_ref().unwrap();
    app.cancel_take_over(&context(4), *id, Cancellation::Mistake).await.unwrap();
    app.open_take_over(&context(5), back).await.unwrap();
}

#[tokio::test]
async fn what_was_promised_to_a_take_over_that_a_crash_kept_from_being_opened_is_free_again() {
    let world = agreed().await;
    let app = &world.node.app;
    app.cancel_take_over(&context(3), world.id, Cancellation::Mistake).await.unwrap();
    let (from, to) = (world.from, world.to);
    let wanted = NewTakeOver { from, to, sites: None, accounts: Vec::new(), reference: "T-2".to_owned() };
    world.store.inject([Fault::Nothing, Fault::Unavailable]);
    assert!(app.open_take_over(&context(3), wanted.clone()).await.is_err());
    assert!(app.open_take_over(&context(3), wanted.clone()).await.is_err(), "it is promised");
    let settling = Settling { app: app.clone(), clock: Arc::new(|| loquet_tests::kit::minute(4)) };
    for recorded in world.log().await {
        let noted = EventEnvelope::read_open(world.node.codec.as_ref(), recorded).unwrap();
        assert!(matches!(settling.react(&noted).await, Answer::Done(_)));
    }
    app.open_take_over(&context(5), wanted).await.unwrap();
}

#[tokio::test]
async fn at_no_step_of_a_take_over_does_the_giving_companys_administrator_make_one_of_the_acquirer() {
    for step in 0.. {
        let world = agreed().await;
        let app = &world.node.app;
        let stopped = world.complete_until(step).await;
        let of_giver = Authority::Administrator(world.from);
        // As one who was let through just before, and is decided now.
        let _ = app.change_role(&context(3), of_giver, world.jan, Admission::Administrator).await;
        app.complete_take_over(&context(4), world.id).await.unwrap();
        let late = app.change_role(&context(5), of_giver, world.jan, Admission::Administrator).await;
        assert_eq!(late, Err(Failure::Refused(account::Refusal::NoSuchAccount)), "step {step}");
        assert_eq!(world.role(world.jan).await, Role::User, "step {step}");
        let spite = app.delete_account(&context(5), of_giver, world.marie, "spite").await;
        assert_eq!(spite, Err(Failure::Refused(account::Refusal::NoSuchAccount)), "step {step}");
        let acquirer = app.access(world.to).await.unwrap().state;
        assert!(!acquirer.administrators.contains(&world.jan), "step {step}");
        assert!(app.access(world.from).await.unwrap().state.administrators.is_empty(), "step {step}");
        if !stopped {
            assert!(step > 8, "there is no step {step}");
            return;
        }
    }
}

#[tokio::test]
async fn at_no_step_of_a_take_over_can_the_administrator_who_stays_step_down() {
    for step in 0.. {
        let (world, stays) = World::divided().await;
        let app = &world.node.app;
        let stopped = world.complete_until(step).await;
        let of_giver = Authority::Administrator(world.from);
        // Before the first has departed there are two, of which one may go.
        let early = app.access(world.from).await.unwrap().state.administrators.len() == 2
            && !app.access(world.from).await.unwrap().state.is_leaving(world.marie);
        let down = app.change_role(&context(3), of_giver, stays, Admission::User).await;
        match early {
            true => assert!(down.is_ok()),
            false => {
                assert_eq!(down, Err(Failure::Access(access::Refusal::LastAdministrator)), "step {step}");
            }
        }
        let completed = app.complete_take_over(&context(4), world.id).await;
        match early {
            true => assert_eq!(completed, Err(Failure::Access(access::Refusal::LastAdministrator))),
            false => drop(completed.unwrap()),
        }
        let left = app.access(world.from).await.unwrap().state.administrators.clone();
        assert_eq!(left.len(), 1, "step {step}");
        for account in left {
            assert_eq!(world.role(account).await, Role::Administrator, "step {step}");
        }
        if !stopped {
            assert!(step > 8, "there is no step {step}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_change_roles_at_once_a_company_keeps_an_administrator() {
    let (world, stays) = World::divided().await;
    let app = &world.node.app;
    for round in 0..100 {
        let changes = (0..6).map(|n| {
            let (app, account) = (app.clone(), if (n + round) % 2 == 0 { stays } else { world.marie });
            let to = if n % 3 == 0 { Admission::Administrator } else { Admission::User };
            tokio::spawn(async move {
                let _ = app.change_role(&context(3), Authority::Supplier, account, to).await;
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        let mut administrators = Vec::new();
        for account in [stays, world.marie] {
            if world.role(account).await == Role::Administrator {
                administrators.push(account);
            }
        }
        assert!(!administrators.is_empty(), "round {round}: nobody is left");
        let list = app.access(world.from).await.unwrap().state.administrators.clone();
        assert_eq!(list, administrators.into_iter().collect(), "round {round}: and the list knows them");
    }
}

/// Nobody asks again: whoever follows the log finishes what was begun, and leaves alone what was not.
#[tokio::test]
async fn a_take_over_that_a_crash_stopped_is_finished_by_whoever_follows_the_log() {
    for step in 0.. {
        let world = agreed().await;
        let followed = world.log().await.len();
        let stopped = world.complete_until(step).await;
        let begun = world.node.app.access(world.from).await.unwrap().state.awaits(world.id)
            || world.node.app.company(world.from).await.unwrap().state.sites.is_empty();
        let settling =
            Settling { app: world.node.app.clone(), clock: Arc::new(|| loquet_tests::kit::minute(4)) };
        for recorded in world.log().await.split_off(followed) {
            let noted = EventEnvelope::read_open(world.node.codec.as_ref(), recorded).unwrap();
            assert!(matches!(settling.react(&noted).await, Answer::Done(_)));
        }
        let stage = world.node.app.take_over(world.id).await.unwrap().state.as_ref().as_ref().unwrap().stage;
        match begun {
            true => {
                assert_eq!(stage, Stage::Completed, "step {step}");
                world.check().await;
            }
            false => assert_eq!(stage, Stage::Open, "step {step}: nobody has begun it"),
        }
        if !stopped {
            assert!(step > 8, "there is no step {step}");
            return;
        }
    }
}

/// Another order of the company's: two terminals to where it has a site, two to where it has none.
#[track_caller]
fn crossing(node: &Node) -> NewOrder {
    let mut order = node.order(3, 1, "marie@example.be");
    order.content.lines[0].quantity = 2;
    let mut elsewhere = order.content.lines[0].clone();
    elsewhere.delivery_address = renumbered(&elsewhere.delivery_address, "14");
    order.content.lines.push(elsewhere);
    order
}

/// A take-over of all that the company has by now.
async fn taken_over(app: &App, from: CompanyId, to: CompanyId) {
    let wanted = NewTakeOver { from, to, sites: None, accounts: Vec::new(), reference: "T-2".to_owned() };
    let (id, _) = app.open_take_over(&context(3), wanted).await.unwrap();
    for side in [Side::Transferor, Side::Acquirer] {
        app.confirm_take_over(&context(3), id, side).await.unwrap();
    }
    app.complete_take_over(&context(3), id).await.unwrap();
}

impl World {
    /// Nothing is at a site of another company, and nothing is missing: two terminals of the company that gives, one of
    /// the acquirer, and the four of the order.
    async fn check_crossed(&self, when: &str) {
        let app = &self.node.app;
        let mut count = 0;
        for company in [self.from, self.to] {
            let sites = &app.company(company).await.unwrap().state.sites;
            let terminals = app.terminals(company).await.unwrap().state;
            for (_, terminal) in terminals.held.iter() {
                assert!(sites.contains(terminal.site), "{when}: a terminal stands at a site of its company");
                count += 1;
            }
        }
        assert_eq!(count, 2 + 1 + 4, "{when}");
        let (there, here) = (app.company(self.to).await.unwrap(), app.company(self.from).await.unwrap());
        let both = there.state.sites.iter().filter(|(id, _)| here.state.sites.contains(*id));
        assert_eq!(both.count(), 0, "{when}: no site is of two companies");
    }
}

#[tokio::test]
async fn an_order_that_stopped_and_goes_on_after_a_take_over_leaves_no_terminal_at_anothers_site() {
    for step in 0.. {
        let world = agreed().await;
        let app = &world.node.app;
        app.cancel_take_over(&context(2), world.id, Cancellation::Mistake).await.unwrap();
        let order = crossing(&world.node);
        world.store.inject(std::iter::repeat_n(Fault::Nothing, step).chain([Fault::Unavailable]));
        let stopped = app.place_order(&context(2), order.clone()).await.is_err();
        world.store.heal();
        taken_over(app, world.from, world.to).await;
        app.place_order(&context(4), order).await.unwrap();
        world.check_crossed(&format!("stopped at {step}")).await;
        if !stopped {
            assert!(step > 3, "there is no step {step}");
            return;
        }
    }
}

#[tokio::test]
async fn an_order_whose_site_a_take_over_carries_away_in_the_middle_goes_to_another_of_its_company() {
    for stream in ["order-", "company-", "terminals-"] {
        let world = agreed().await;
        let (app, from, to) = (world.node.app.clone(), world.from, world.to);
        app.cancel_take_over(&context(2), world.id, Cancellation::Mistake).await.unwrap();
        let crossed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (happens, other) = (crossed.clone(), app.clone());
        // Between what the order's node has read and what it appends, the take-over happens on another.
        let store = WatchedStore::new(&world.store).before_append(move |to_append| {
            let here = to_append.to_string().starts_with(stream);
            let now = here && !happens.swap(true, Ordering::SeqCst);
            let other = other.clone();
            Box::pin(async move {
                if now {
                    taken_over(&other, from, to).await;
                }
            })
        });
        let folder = world.folder.path();
        let node = Node::new(Arc::new(store), folder);
        node.app.place_order(&context(2), crossing(&world.node)).await.unwrap();
        assert!(crossed.load(Ordering::SeqCst));
        world.check_crossed(stream).await;
    }
}
