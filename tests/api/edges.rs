//! Answers at the edges: what a stranger stumbled over.

use loquet_tests::server::{Answer, Server, order};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

async fn ask(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}{path}", server.url);
    let mut request = server.client.request(method, url).bearer_auth(server.token());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

#[track_caller]
fn slug(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().trim_start_matches("urn:loquet:problem:").to_owned()
}

/// RFC 9110, 15.5.2 and 10.2.1.
#[tokio::test]
async fn a_refusal_says_how_to_be_known_and_which_methods_there_are() {
    let server = Server::start().await;
    let login = server.login("nobody@example.be", PASSWORD).await.expect(401);
    assert_eq!(login.headers["www-authenticate"], "Bearer");
    let step = json!({ "challenge": "x", "code": "123456" });
    let step = server.post("/v1/logins/second-step", step).await.expect(401);
    assert_eq!(step.headers["www-authenticate"], "Bearer");
    for (method, status) in [(Method::OPTIONS, 204), (Method::DELETE, 405)] {
        let answer = ask(&server, method, "/v1/orders", &[]).await.expect(status);
        let allowed = answer.headers["allow"].to_str().unwrap();
        assert!(allowed.contains("OPTIONS") && allowed.contains("POST"), "{allowed}");
    }
}

/// RFC 9110, 13.1.1 and 13.1.2.
#[tokio::test]
async fn conditions_hold_for_queries_too_and_for_commands_that_want_nothing_there() {
    let server = Server::start().await;
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    let path = format!("/v1/companies/{}", placed["company_id"].as_str().unwrap());
    let shown = ask(&server, Method::GET, &path, &[]).await.expect(200);
    let tag = shown.headers["etag"].to_str().unwrap().to_owned();
    ask(&server, Method::GET, &path, &[("if-match", &tag)]).await.expect(200);
    ask(&server, Method::GET, &path, &[("if-match", "\"other\"")]).await.expect(412);
    for condition in ["*", tag.as_str()] {
        let refused = ask(&server, Method::DELETE, &path, &[("if-none-match", condition)]).await;
        // There is no such method here, and a route without one has no condition.
        assert_eq!(refused.status, 405);
        let body = json!({ "trading_name": "x" });
        let request = server.client.patch(format!("{}{path}", server.url)).bearer_auth(server.token());
        let refused = request.header("if-none-match", condition).json(&body).send().await.unwrap();
        assert_eq!(refused.status(), 412, "{condition}");
    }
    let two = [("idempotency-key", "one"), ("idempotency-key", "two")];
    let refused = ask(&server, Method::POST, "/v1/orders", &two).await.expect(400);
    assert_eq!(slug(&refused), "idempotency-key-invalid");
}

#[tokio::test]
async fn what_does_not_exist_is_not_an_empty_list() {
    let server = Server::start().await;
    let nowhere = "/v1/companies/00000000-0000-0000-0000-000000000000/groups";
    server.service_get(nowhere).await.expect(404);
    let ahead = server.service_get("/v1/events?cursor=999999").await.expect(409);
    assert_eq!(slug(&ahead), "position-ahead");
    let live = [("accept", "text/event-stream"), ("last-event-id", "999999")];
    assert_eq!(slug(&ask(&server, Method::GET, "/v1/events", &live).await.expect(409)), "position-ahead");
}

/// An order that adds no terminal for a serial number says so, and why.
#[tokio::test]
async fn an_order_says_which_serial_numbers_brought_no_terminal() {
    let server = Server::start().await;
    let with = |number: u32, company: u32, serial: &str| {
        let mut order = order(number, company, &format!("marie{company}@example.be"));
        order["lines"][0]["quantity"] = json!(1);
        order["lines"][0]["serials"] = json!([serial]);
        order
    };
    let first = server.service_post("/v1/orders", with(1, 1, "SN-777")).await.expect(201).json();
    assert!(first.get("refused_serials").is_none() && first.get("present_serials").is_none(), "{first}");
    let again = server.service_post("/v1/orders", with(2, 1, "sn 777")).await.expect(201).json();
    assert_eq!(again["present_serials"].as_array().unwrap().len(), 1, "{again}");
    let other = server.service_post("/v1/orders", with(3, 2, "SN777")).await.expect(201).json();
    assert_eq!(other["refused_serials"].as_array().unwrap().len(), 1, "{other}");
    let replayed = server.service_post("/v1/orders", with(3, 2, "SN777")).await.expect(200).json();
    assert_eq!(replayed["refused_serials"], other["refused_serials"], "the same answer again");
}

#[tokio::test]
async fn the_words_of_a_refusal_name_what_is_wrong() {
    let server = Server::start().await;
    let mut one = order(1, 1, "marie@example.be");
    one["lines"][0]["quantity"] = json!(1);
    one["lines"][0]["serials"] = json!(["SN777"]);
    let placed = server.service_post("/v1/orders", one).await.expect(201).json();
    let mut whole = order(4, 1, "marie@example.be");
    whole["lines"][0]["quantity"] = json!(2.0);
    server.service_post("/v1/orders", whole.clone()).await.expect(201);
    // Whatever the number is, the same rule refuses it.
    for wrong in [json!(2.5), json!(0), json!(-1), json!(10_001), json!(1e30), json!(u64::MAX)] {
        whole["lines"][0]["quantity"] = wrong;
        let broken = server.service_post("/v1/orders", whole.clone()).await.expect(422).json();
        let told = broken["errors"].as_array().unwrap().iter();
        let told: Vec<_> = told.map(|error| format!("{} {}", error["pointer"], error["rule"])).collect();
        assert!(told.contains(&"\"/lines/0/quantity\" \"quantity-range\"".to_owned()), "{told:?}");
    }
    whole["lines"][0]["quantity"] = json!("two");
    let broken = server.service_post("/v1/orders", whole).await.expect(400).json();
    assert_eq!(broken["errors"][0]["rule"], "type-integer", "{broken}");
    let release = server.service_post("/v1/terminals/SN777/release", json!({ "cause": "sold" })).await;
    let release = release.expect(400).json();
    let cause = &release["errors"][0];
    assert_eq!((&cause["pointer"], &cause["rule"]), (&json!("/cause"), &json!("value-unknown")));
    assert!(cause["message"].as_str().unwrap().contains("sold_on"), "{cause}");
    let other = server.service_post("/v1/terminals/SN777/serial", json!({ "serial": "SN888" })).await;
    assert_eq!(slug(&other.expect(409)), "terminal-has-serial");

    let company = &placed["company_id"];
    let head = placed["position"].clone();
    let sites =
        server.service_get(&format!("/v1/sites?company={}&at_least={head}", company.as_str().unwrap())).await;
    let site = sites.json()["items"][0]["site_id"].clone();
    let open = async |to: &Value, site: Value| {
        let body = json!({
            "from_company_id": company, "to_company_id": to, "site_ids": [site], "reference": "T-1", "reason": "Sold",
        });
        server.service_post("/v1/takeovers", body).await
    };
    let same = open(company, site).await.expect(422).json();
    assert_eq!(same["errors"][0]["rule"], "takeover-same-company");
    let other = server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201).json();
    let foreign =
        open(&other["company_id"], json!("00000000-0000-0000-0000-000000000000")).await.expect(422).json();
    assert_eq!(foreign["errors"][0]["rule"], "site-unknown", "{foreign}");
}

/// A truncated file, and one with a cell too many.
#[tokio::test]
async fn a_broken_csv_file_moves_nothing() {
    let server = Server::start().await;
    let placed = server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201).json();
    let path =
        format!("/v1/terminal-assignments?company={}&dry_run=true", placed["company_id"].as_str().unwrap());
    for file in [
        "terminal;site\n1850;\"Rue\n",
        "terminal;site\n1850;Rue;zz\n",
        "terminal,site\n1850,Rue, Bruxelles\n",
    ] {
        let request = server.client.post(format!("{}{path}", server.url)).bearer_auth(server.token());
        let answer = request.header("content-type", "text/csv").body(file).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{file}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["errors"][0]["rule"], "csv-line", "{file}: {answer}");
    }
}

/// RFC 6750, 3.1.
#[tokio::test]
async fn a_token_that_lacks_a_scope_is_told_which() {
    let server = Server::start().await;
    let arguments = ["token", "create", "--name", "shop", "--scope", "orders:write"];
    let made = server.command().args(arguments).output().unwrap();
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let refused = server.send(Method::GET, "/v1/accounts", Some(&token), None).await.expect(403);
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"accounts:read\"";
    assert_eq!(refused.headers["www-authenticate"], challenge);
    assert_eq!(slug(&refused), "scope-missing");
    assert!(refused.json()["detail"].as_str().unwrap().contains("accounts:read"), "{}", refused.text);
}
