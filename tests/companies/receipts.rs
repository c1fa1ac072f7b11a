//! What versions before this one wrote about receipts.

use std::sync::Arc;

use loquet_domain::ids::{EventId, LogoId};
use loquet_domain::ports::{EventStore, NewEvent, Position, Revision};
use loquet_domain::receipt::{self, Layout, ReceiptText};
use loquet_memory::event_store::MemoryStore;
use loquet_tests::kit::{Node, context};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn the_logo_of_a_layout_that_holds_it_is_shown_and_moves_to_a_stream_of_its_own_when_it_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let node = Node::new(Arc::new(store.clone()), folder.path());
    let app = &node.app;
    let placed = app.place_order(&context(0), node.order(1, 1, "marie@example.be")).await.unwrap();
    let company = placed.onboarded.company;
    let site = app.company(company).await.unwrap().state.sites.iter().next().unwrap().0;
    let golden = include_str!("../../domain/schema/golden/receipt-layout-saved.v1.json");
    let golden: Value = serde_json::from_str(golden).unwrap();
    let metadata = json!({ "at": "2026-11-20T09:30:00Z", "actor": { "kind": "operator" },
                           "correlation_id": Uuid::from_u128(1), "node": "old" });
    let old = NewEvent {
        id: EventId(Uuid::from_u128(2)),
        name: "receipt-layout-saved".to_owned(),
        version: 1,
        data: golden["data"].to_string().into_bytes(),
        metadata: metadata.to_string().into_bytes(),
        sealed: None,
    };
    let stream = receipt::stream(site);
    store.append(&stream, Revision(0), vec![old]).await.unwrap();

    let receipt = app.receipt(site).await.unwrap().state;
    let logo = app.logo(&receipt).await.unwrap().unwrap();
    assert_eq!((receipt.version, logo.png.as_str(), logo.width), (1, "iVBORw0KGgo=", 64));
    let (same, its_logo) = (receipt.layout.clone(), Some(logo.clone()));
    let saved = app.save_receipt(&context(1), company, site, same, its_logo).await.unwrap();
    assert_eq!(saved.0, 1, "nothing is new");
    let header = ReceiptText::parse("Le Fournil du Parc").unwrap();
    let (changed, its_logo) = (Layout { header, ..receipt.layout.clone() }, Some(logo.clone()));
    assert_eq!(app.save_receipt(&context(2), company, site, changed, its_logo).await.unwrap().0, 2);
    let receipt = app.receipt(site).await.unwrap().state;
    assert_eq!((receipt.layout.logo, &receipt.held), (Some(LogoId::of_site(site, &logo)), &None));
    assert_eq!(app.logo(&receipt).await.unwrap(), Some(logo));
    let log = store.read_all(Position(0), 1_000).await.unwrap();
    let kept = log.iter().filter(|recorded| recorded.event.name == "logo-kept").count();
    assert_eq!(kept, 1);
}
