//! Logs that older versions wrote: what was one thing stays one when the program learns more spellings.

use std::sync::Arc;

use futures_util::future::join_all;
use loquet_domain::app::NewOrder;
use loquet_domain::company::{self, Registration, SiteName};
use loquet_domain::fact::Fact;
use loquet_domain::ids::{CompanyId, EventId, OrderId, SiteId, TerminalId};
use loquet_domain::order::{Line, Order};
use loquet_domain::ports::{EventStore, Position, Revision, StreamId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::serial_claim;
use loquet_domain::terminals;
use loquet_domain::values::address::Address;
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_domain::values::terminal_model::TerminalModel;
use loquet_memory::event_store::MemoryStore;
use loquet_projections::reactions::{Answer, Reaction, Settling};
use loquet_projections::view::EventEnvelope;
use loquet_tests::kit::{Node, context, minute, number_of};
use uuid::Uuid;

struct World {
    store: MemoryStore,
    node: Node,
    company: CompanyId,
    _folder: tempfile::TempDir,
}

/// A company that is registered, by an order of its own.
async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = Node::new(Arc::new(store.clone()), folder.path());
    let first = node.order(1, 1, "marie@example.be");
    let company = node.app.place_order(&context(0), first).await.unwrap().onboarded.company;
    World { store, node, company, _folder: folder }
}

impl World {
    /// Appends an event as an older version did.
    async fn append(&self, stream: &StreamId, event: DomainEvent, id: u128) {
        let fact = Fact { id: EventId(Uuid::from_u128(id)), context: context(1), event };
        let events = loquet_domain::ports::EventCodec::encode(self.node.codec.as_ref(), stream, vec![fact])
            .await
            .unwrap();
        let held = self.store.read_stream(stream, Revision(0)).await.unwrap();
        let revision = held.last().map_or(Revision(0), |last| last.revision);
        self.store.append(stream, revision, events).await.unwrap();
    }

    /// A node that has just started: it knows nothing but the log.
    fn restarted(&self) -> Node {
        self.node.beside(Arc::new(self.store.clone()))
    }

    fn order(&self, number: u32, serials: &[&str], to: Address) -> NewOrder {
        let mut order = self.node.order(number, 1, "marie@example.be");
        let quantity = u32::try_from(serials.len()).unwrap().max(1);
        let serials = serials.iter().map(|serial| SerialNumber::parse(serial).unwrap()).collect();
        order.content.lines = vec![Line {
            model: "PAX A920 Mobile".to_owned(),
            quantity,
            serials,
            delivery_address: Erasable::Known(to),
        }];
        order
    }
}

fn flagey(street: &str, postal_code: &str, town: &str) -> Address {
    Address {
        street: street.to_owned(),
        number: "18".to_owned(),
        r#box: None,
        postal_code: postal_code.to_owned(),
        town: town.to_owned(),
        country: "BE".to_owned(),
    }
}

fn order_id(number: u32) -> OrderId {
    OrderId::parse(&format!("SO-{number}")).unwrap()
}

/// The id of the old site follows from no address as it is compared today.
#[tokio::test]
async fn a_site_of_an_old_log_gets_the_terminals_of_an_order_in_a_spelling_that_only_newer_versions_know() {
    let world = world().await;
    let old = SiteId(Uuid::from_u128(42));
    let opened = company::Event::SiteOpened {
        site: old,
        name: Erasable::Known(SiteName::parse("Flagey").unwrap()),
        address: Erasable::Known(flagey("Place Flagey", "1050", "Ixelles")),
        order: order_id(7),
    };
    world.append(&company::stream(world.company), DomainEvent::Company(opened), 42).await;
    let node = world.restarted();
    for (number, address) in [
        (2, flagey("Pl. Flagey", "B-1050", "Elsene")),
        (3, flagey("PLACE FLAGEY", "1050", "Ixelles/Elsene")),
        (4, flagey("Pl Flagey", "BE 1050", "1050 Bruxelles")),
    ] {
        node.app.place_order(&context(2), world.order(number, &[], address)).await.unwrap();
    }
    let sites = node.app.company(world.company).await.unwrap().state;
    assert_eq!(sites.sites.len(), 2, "the site of the first order, and the old one");
    assert_eq!(node.app.terminals(world.company).await.unwrap().state.at(old).count(), 3);
}

#[tokio::test]
async fn two_orders_at_once_that_write_a_new_address_in_two_ways_open_one_site() {
    let world = world().await;
    let nodes = [world.restarted(), world.restarted()];
    let spellings = [flagey("Place Flagey", "1050", "Ixelles"), flagey("Pl. Flagey", "B-1050", "Elsene")];
    let orders = (2_u32..22).map(|number| {
        let turn = usize::try_from(number).unwrap() % 2;
        let order = world.order(number, &[], spellings[turn].clone());
        let app = nodes[turn].app.clone();
        async move { app.place_order(&context(2), order).await.unwrap() }
    });
    join_all(orders).await;
    let fresh = world.restarted();
    let company = fresh.app.company(world.company).await.unwrap().state;
    assert_eq!(company.sites.len(), 2);
    let site = company.site_at(&spellings[0]).unwrap();
    assert_eq!(fresh.app.terminals(world.company).await.unwrap().state.at(site).count(), 20);
}

#[tokio::test]
async fn a_serial_number_that_an_older_version_claimed_with_hyphens_belongs_to_no_second_terminal() {
    let world = world().await;
    let held = TerminalId(Uuid::from_u128(7));
    let site = world.node.app.company(world.company).await.unwrap().state.sites.iter().next().unwrap().0;
    let claimed = serial_claim::Event::SerialClaimed { terminal: held, order: Some(order_id(7)) };
    world.append(&StreamId::new("serial", "AB-1850-1"), DomainEvent::SerialClaim(claimed), 70).await;
    let added = terminals::Event::TerminalAdded {
        terminal: held,
        model: TerminalModel::ordered("PAX A920 Mobile"),
        serial: serde_json::from_str("\"AB-1850-1\"").unwrap(),
        site,
        order: order_id(7),
    };
    world.append(&terminals::stream(world.company), DomainEvent::Terminals(added), 71).await;
    let node = world.restarted();
    let refused = async |number: u32, serial: &str| {
        let mut order = world.order(number, &[serial], flagey("Rue Neuve", "1000", "Bruxelles"));
        let number = number_of(&node.order(number, number, "jan@example.be"));
        order.content.company = order.content.company.map(|company| Registration { number, ..company });
        let id = order.content.id.clone();
        node.app.place_order(&context(3), order).await.unwrap();
        let recorded =
            world.store.read_stream(&loquet_domain::order::stream(&id), Revision(0)).await.unwrap();
        let mut order = Order::Absent;
        for recorded in recorded {
            let fact =
                loquet_domain::ports::EventCodec::decode(node.codec.as_ref(), &recorded).await.unwrap();
            let DomainEvent::Order(event) = fact.event else { panic!("an order's stream") };
            order = loquet_domain::order::evolve(order, &Fact { id: fact.id, context: fact.context, event });
        }
        matches!(order, Order::Received(received) if !received.refused.is_empty())
    };
    assert!(refused(11, "ab-1850-1").await, "in its old spelling it is known at once");
    let settling = Settling { app: node.app.clone(), clock: Arc::new(|| minute(4)) };
    for recorded in world.store.read_all(Position(0), 1_000).await.unwrap() {
        let noted = EventEnvelope::read_open(node.codec.as_ref(), recorded).unwrap();
        assert!(matches!(settling.react(&noted).await, Answer::Done(_)));
    }
    assert!(refused(12, "AB18501").await, "in every spelling once the log has been read");
    assert!(refused(13, "ab 185 01").await);
    assert!(!refused(14, "AB18502").await, "another number is free");
}
