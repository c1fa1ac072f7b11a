//! The answer to a request that makes something names its place.

use loquet_tests::server::{Answer, Server, order};
use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// Panics unless the answer names a place, and what was made is there.
async fn is_there(server: &Server, path: &str, answer: Answer, id: &str) {
    let place = answer.headers.get(LOCATION).unwrap_or_else(|| panic!("{path} names no place")).clone();
    let made: Value = answer.expect(201).json();
    let asked = reqwest::Url::parse(&format!("{}{path}", server.url)).unwrap();
    let place = asked.join(place.to_str().unwrap()).unwrap();
    assert!(place.path().ends_with(made[id].as_str().unwrap()), "{place} is not the place of {made}");
    let at = format!("{}?at_least={}", place.path(), made["position"]);
    server.service_get(&at).await.expect(200);
}

#[tokio::test]
async fn whatever_is_made_is_found_at_the_place_that_the_answer_names() {
    let server = Server::start().await;
    let marie = server.active(1, "marie@example.be", PASSWORD).await;
    let jan = server.active(2, "jan@example.be", PASSWORD).await;
    let mut companies = Vec::new();
    for account in [&marie, &jan] {
        let shown = server.service_get(&format!("/v1/accounts/{account}")).await.json();
        companies.push(shown["company_id"].as_str().unwrap().to_owned());
    }
    let [company, other] = &companies[..] else { panic!("two companies") };

    let placed = server.service_post("/v1/orders", order(5, 1, "marie@example.be")).await;
    is_there(&server, "/v1/orders", placed, "order_id").await;
    let again = server.service_post("/v1/orders", order(5, 1, "marie@example.be")).await.expect(200);
    assert!(again.headers.get(LOCATION).is_none(), "nothing was made");

    let eva = json!({
        "email": "eva@example.be", "given_name": "Eva", "family_name": "Claes", "language": "nl",
        "role": "user", "company_id": company,
    });
    let made = server.service_post("/v1/accounts", eva).await;
    is_there(&server, "/v1/accounts", made, "account_id").await;

    let groups = format!("/v1/companies/{company}/groups");
    let group = json!({ "name": "Caisse", "description": "La caisse", "permissions": ["view_transactions"] });
    let made = server.service_post(&groups, group).await;
    is_there(&server, &groups, made, "group_id").await;

    let sites = server.service_get(&format!("/v1/sites?company={company}")).await.json();
    let takeover = json!({
        "from_company_id": company, "to_company_id": other, "site_ids": [sites["items"][0]["site_id"]],
        "account_ids": [], "reference": "T-1",
    });
    let made = server.service_post("/v1/takeovers", takeover).await;
    is_there(&server, "/v1/takeovers", made, "takeover_id").await;
}

#[tokio::test]
async fn a_repeated_command_gets_the_same_place_again() {
    let server = Server::start().await;
    let post = || {
        let request = server.client.post(format!("{}/v1/orders", server.url)).bearer_auth(server.token());
        request.header("idempotency-key", "once").json(&order(7, 7, "anne@example.be")).send()
    };
    let (first, second) = (post().await.unwrap(), post().await.unwrap());
    assert_eq!(first.headers()[LOCATION], "orders/SO-7");
    assert_eq!(second.headers()[LOCATION], "orders/SO-7");
    assert_eq!(second.headers()["idempotency-replayed"], "true");
}

#[tokio::test]
async fn a_caller_finds_its_own_request_id_in_the_log_unless_it_could_forge_a_line() {
    let server = Server::with_variables(&[("LOQUET_LOG_FILTER", "loquet_http=debug")]).await;
    for (id, is_kept) in [("till-7:0042", true), ("a b", false), ("\"x\"", false)] {
        let request = server.client.request(Method::POST, format!("{}/v1/orders", server.url));
        let request = request.bearer_auth(server.token()).header("x-request-id", id);
        let number = id.len().try_into().unwrap();
        let sent = request.json(&order(number, number, "anne@example.be")).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
        assert_ne!(sent.headers()["x-request-id"], id, "our own id is another one");
        assert_eq!(server.errors().contains(&format!("caller_request_id=\"{id}\"")), is_kept, "{id}");
    }
}

#[tokio::test]
async fn a_browser_gets_an_icon() {
    let server = Server::start().await;
    let icon = server.send(Method::GET, "/favicon.ico", None, None).await.expect(200);
    assert_eq!(icon.headers["content-type"], "image/svg+xml");
    assert!(icon.text.starts_with("<svg"), "{}", icon.text);
    let page = server.send(Method::GET, "/login", None, None).await.expect(200);
    assert!(page.text.contains("rel=\"icon\""), "{}", page.text);
}
