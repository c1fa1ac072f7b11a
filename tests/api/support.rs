//! Support's people at work, over HTTP and at the command line: they search, they act, and what they did is told.

use std::time::{Duration, Instant};

use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// What the program prints, and whether it ended well.
#[track_caller]
fn loquet(server: &Server, arguments: &[&str]) -> (bool, String, String) {
    let output = server.command().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// The token of one of the supplier's people.
#[track_caller]
fn staff(server: &Server, name: &str, role: &str) -> String {
    let (made, token, why) = loquet(server, &["token", "create", "--staff", name, "--role", role]);
    assert!(made && token.starts_with("lqt_"), "{why}");
    token
}

struct Person<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Person<'a> {
    fn new(server: &'a Server, name: &str, role: &str) -> Self {
        Self { server, token: staff(server, name, role) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.send(Method::GET, path, Some(&self.token), None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.server.send(Method::POST, path, Some(&self.token), Some(&body)).await
    }

    async fn search(&self, text: &str) -> Value {
        let (server, head) = (self.server, head(self.server).await.to_string());
        let parameters = [("q", text), ("at_least", head.as_str())];
        let url = format!("{}/v1/support/search", server.url);
        let url = reqwest::Url::parse_with_params(&url, &parameters).unwrap();
        let answer = server.client.get(url).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{text}");
        answer.json().await.unwrap()
    }

    /// The names of what was found of one kind.
    async fn found(&self, text: &str, kind: &str, name: &str) -> Vec<String> {
        let found = self.search(text).await;
        let items = found[kind]["items"].as_array().unwrap();
        let mut names: Vec<_> = items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    }
}

async fn head(server: &Server) -> u64 {
    server.service_get("/v1/events?limit=1").await.expect(200).json()["position"].as_u64().unwrap()
}

#[track_caller]
fn slug(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
}

#[track_caller]
fn rules(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|fault| format!("{} {}", fault["pointer"], fault["rule"]).replace('"', "")).collect()
}

/// An order of a company with names of its own, for one terminal at an address.
#[track_caller]
fn bakery(number: u32, email: &str, given: &str, family: &str) -> Value {
    let mut order = order(number, number, email);
    order["contact"]["given_name"] = json!(given);
    order["contact"]["family_name"] = json!(family);
    order
}

/// The last event of an account of that type.
async fn event(person: &Person<'_>, account: &str, of: &str) -> Value {
    let all = person.get(&format!("/v1/accounts/{account}/events?limit=200")).await.expect(200).json();
    let events = all["items"].as_array().unwrap();
    events
        .iter()
        .rev()
        .find(|event| event["type"] == of)
        .unwrap_or_else(|| panic!("no {of} in {all}"))
        .clone()
}

#[tokio::test]
async fn support_finds_people_by_the_beginning_of_their_names_in_any_case_and_accents() {
    let server = Server::start().await;
    for (n, given, family) in [
        (1, "Désirée", "Dupont-Lœuwers"),
        (2, "Jan", "Duponcelle"),
        (3, "Bo", "De Smet"),
        (4, "Eva", "Dupont"),
    ] {
        let order = bakery(n, &format!("person-{n}@example.be"), given, family);
        server.service_post("/v1/orders", order).await.expect(201);
    }
    let sofie = Person::new(&server, "Sofie Maes", "support");
    for (text, expected) in [
        ("dupont", vec!["Dupont", "Dupont-Lœuwers"]),
        ("DUPONT", vec!["Dupont", "Dupont-Lœuwers"]),
        ("desiree", vec!["Dupont-Lœuwers"]),
        ("De\u{301}sire\u{301}e DUP", vec!["Dupont-Lœuwers"]),
        ("loeuw", vec!["Dupont-Lœuwers"]),
        ("dup", vec!["Duponcelle", "Dupont", "Dupont-Lœuwers"]),
        ("dupon", vec!["Duponcelle", "Dupont", "Dupont-Lœuwers"]),
        ("jan dupon", vec!["Duponcelle"]),
        ("de smet", vec!["De Smet"]),
        ("eva", vec!["Dupont"]),
        ("Person-3@EXAMPLE.be", vec!["De Smet"]),
        ("person-3@example.com", vec![]),
        ("dupontel", vec![]),
        ("upont", vec![]),
        ("eva duponcelle", vec![]),
        ("zwanenburg", vec![]),
    ] {
        assert_eq!(sofie.found(text, "accounts", "family_name").await, expected, "{text}");
    }
    for text in ["li", "de", "a.b", ""] {
        let answer = sofie.get(&format!("/v1/support/search?q={text}")).await.expect(422);
        assert_eq!(rules(&answer), ["?q search-too-short"], "{text}");
        assert!(answer.text.contains("three letters"), "{}", answer.text);
    }
    let one = sofie.get("/v1/support/search?q=dup&limit=1").await.expect(200).json();
    assert_eq!(
        (one["accounts"]["items"].as_array().unwrap().len(), &one["accounts"]["more"]),
        (1, &json!(true))
    );
    let all = sofie.get("/v1/support/search?q=dup&limit=3").await.expect(200).json();
    assert_eq!(all["accounts"]["more"], false, "three there are, and three are shown");
    let hit = &sofie.search("desiree").await["accounts"]["items"][0];
    assert_eq!(hit["company_name"], "Boulangerie 1 SRL");
    assert_eq!((&hit["role"], &hit["status"]), (&json!("administrator"), &json!("awaiting_activation")));
    let shown = sofie.get(hit["href"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(shown["account_id"], hit["account_id"]);
    // At the command line, beside the running server.
    let (_, found, why) = loquet(&server, &["find", "Désirée", "--json"]);
    let found: Value = serde_json::from_str(&found).unwrap_or_else(|e| panic!("{e}: {found} {why}"));
    assert_eq!(found["accounts"]["items"][0]["account_id"], hit["account_id"]);
    let (_, table, _) = loquet(&server, &["find", "desiree"]);
    assert!(table.contains("person-1@example.be") && table.contains("Boulangerie 1 SRL"), "{table}");
    let (done, _, why) = loquet(&server, &["find", "li"]);
    assert!(!done && why.contains("at least one word of 3"), "{why}");
}

#[tokio::test]
async fn support_finds_companies_sites_and_terminals_by_name_number_address_and_serial() {
    let server = Server::start().await;
    let mut placed = bakery(123, "marie@example.be", "Marie", "Dupont");
    placed["company"]["enterprise_number"] = json!("0123456749");
    placed["company"]["legal_name"] = json!("Boulangerie Dupont & Fils SRL");
    placed["company"]["trading_name"] = json!("L'Épi d'Or");
    let shop = json!({ "street": "Chaussée d'Ixelles", "number": "27", "postal_code": "1050", "town": "Ixelles", "country": "BE" });
    placed["lines"] = json!([{ "model": "PAX A920 Mobile", "quantity": 1, "serials": ["1850000001"], "delivery_address": shop }]);
    server.service_post("/v1/orders", placed).await.expect(201);
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    let sofie = Person::new(&server, "Sofie Maes", "support");
    for text in ["BOULANGERIE dupont", "fils", "épi", "EPI", "0123.456.749", "BE 0123 456 749", "0123456749"]
    {
        let expected = ["Boulangerie Dupont & Fils SRL"];
        assert_eq!(sofie.found(text, "companies", "legal_name").await, expected, "{text}");
    }
    assert_eq!(sofie.found("boulangerie", "companies", "legal_name").await.len(), 2);
    assert_eq!(sofie.found("0123.456.748", "companies", "legal_name").await, [""; 0]);
    for text in ["chaussee ixelles", "IXELLES 27", "1050", "chauss", "Ixelles, Chaussée"] {
        assert_eq!(
            sofie.found(text, "sites", "company_name").await,
            ["Boulangerie Dupont & Fils SRL"],
            "{text}"
        );
    }
    assert_eq!(sofie.found("chaussee bruxelles", "sites", "name").await, [""; 0]);
    assert_eq!(sofie.found("1850000001", "terminals", "serial").await, ["1850000001"]);
    for part in ["1850 000 001", "1850-000-001", "185000000", "50000001", "0001"] {
        assert_eq!(sofie.found(part, "terminals", "serial").await, ["1850000001"], "{part}");
    }
    assert_eq!(sofie.found("1850000002", "terminals", "serial").await, [""; 0]);
    for text in ["123456749", "BE 123.456.749", "TVA be 0123.456.749", "0123.456"] {
        let expected = ["Boulangerie Dupont & Fils SRL"];
        assert_eq!(sofie.found(text, "companies", "legal_name").await, expected, "{text}");
    }
    // Both persons have this name, and work for a bakery.
    assert_eq!(sofie.found("marie boulangerie", "accounts", "email").await.len(), 2);
    for text in ["fils marie", "dupont epi"] {
        assert_eq!(sofie.found(text, "accounts", "email").await, ["marie@example.be"], "{text}");
    }
    assert_eq!(sofie.found("elsene", "sites", "company_name").await, ["Boulangerie Dupont & Fils SRL"]);
    let found = sofie.search("epi").await;
    let company = &found["companies"]["items"][0];
    let people = sofie.get(company["accounts_href"].as_str().unwrap()).await.expect(200).json();
    assert_eq!(people["items"][0]["email"], "marie@example.be");
    for (text, kind) in [("epi", "companies"), ("1050", "sites"), ("1850000001", "terminals")] {
        let hit = sofie.search(text).await[kind]["items"][0].clone();
        sofie.get(hit["href"].as_str().unwrap()).await.expect(200);
        assert!(sofie.search(text).await[kind]["more"] == false);
    }
    // What is called otherwise is found by its new name, and by it alone.
    let path = company["href"].as_str().unwrap();
    let renamed =
        json!({ "legal_name": "Pâtisserie Dupont SRL", "trading_name": null, "reason": "Asked by letter" });
    server.send(Method::PATCH, path, Some(&sofie.token), Some(&renamed)).await.expect(204);
    assert_eq!(sofie.found("patisserie", "companies", "legal_name").await, ["Pâtisserie Dupont SRL"]);
    assert_eq!(sofie.found("epi", "companies", "legal_name").await, [""; 0]);
}

#[tokio::test]
async fn what_support_does_is_an_event_with_the_name_of_who_did_it_and_why() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let sofie = Person::new(&server, "Sofie Maes", "support");
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let hit = sofie.search("dupont").await["accounts"]["items"][0].clone();
    assert_eq!(hit["account_id"], json!(id));
    let release = format!("/v1/accounts/{id}/release");
    sofie.post(&release, json!({ "reason": " " })).await.expect(422);
    sofie.post(&release, json!({ "reason": "Called back on the number on file" })).await.expect(204);
    let who = json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" });
    let released = event(&sofie, &id, "lockout-released").await;
    assert_eq!(released["actor"], who);
    assert_eq!(released["personal"]["reason"], "Called back on the number on file");
    server.mail("marie@example.be", "Le support a débloqué", 1).await;
    server.login("marie@example.be", PASSWORD).await.expect(201);

    // A reset: support starts it, and neither sees the link nor chooses.
    let reset = format!("/v1/accounts/{id}/password-reset-mail");
    assert_eq!(
        rules(&sofie.post(&reset, json!({ "reason": "" })).await.expect(422)),
        ["/reason reason-invalid"]
    );
    let sent = sofie.post(&reset, json!({ "reason": "Lost the mail" })).await.expect(204);
    assert_eq!(sent.text, "");
    let asked = event(&sofie, &id, "password-reset-requested").await;
    assert_eq!((&asked["actor"], &asked["personal"]["reason"]), (&who, &json!("Lost the mail")));
    let text = server.mail("marie@example.be", "Le support vous envoie un lien", 1).await;
    let chosen = json!({ "token": token_in(&text), "password": "Nouveau8!" });
    server.post("/v1/password-resets/confirm", chosen).await.expect(204);
    server.login("marie@example.be", "Nouveau8!").await.expect(201);
    // The five an hour of people who forgot their password do not stop support.
    for _ in 0..6 {
        sofie.post(&reset, json!({ "reason": "Again" })).await.expect(204);
    }

    // What a program may do without a reason, support may not.
    let mut second = order(2, 1, "jan@example.be");
    second["contact"]["given_name"] = json!("Jan");
    let jan = server.service_post("/v1/orders", second).await.expect(201).json();
    let jan = jan["account_id"].as_str().unwrap().to_owned();
    for (path, body) in [
        ("activation-mail", json!({})),
        ("conversion", json!({ "to": "user" })),
        ("role", json!({ "role": "user" })),
    ] {
        let refused = sofie.post(&format!("/v1/accounts/{jan}/{path}"), body).await.expect(422);
        assert_eq!(rules(&refused), ["/reason reason-required"], "{path}");
    }
    let mail = format!("/v1/accounts/{jan}/activation-mail");
    let bare = server.send(Method::POST, &mail, Some(&sofie.token), None).await.expect(422);
    assert_eq!(rules(&bare), ["/reason reason-required"]);
    server.send(Method::POST, &mail, Some(&server.token()), None).await.expect(204);
    sofie.post(&mail, json!({ "reason": "Typed the address anew" })).await.expect(204);
    let convert = format!("/v1/accounts/{jan}/conversion");
    sofie.post(&convert, json!({ "to": "user", "reason": "Marie asked" })).await.expect(204);
    for (of, why) in
        [("activation-requested", "Typed the address anew"), ("account-converted", "Marie asked")]
    {
        let event = event(&sofie, &jan, of).await;
        assert_eq!((&event["actor"], &event["personal"]["reason"]), (&who, &json!(why)), "{of}");
    }
    // In the open part, which programs follow, stands who and not why.
    let open = server.service_get("/v1/events?type=account-converted").await.expect(200);
    assert!(open.text.contains("Sofie Maes") && !open.text.contains("Marie asked"), "{}", open.text);
    let (_, history, _) = loquet(&server, &["account", "history", &jan]);
    assert!(history.contains("by support Sofie Maes"), "{history}");
}

#[tokio::test]
async fn support_neither_deletes_nor_erases_and_a_supervisor_does_for_a_reason() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    server.successor(&id).await;
    let (sofie, an) =
        (Person::new(&server, "Sofie Maes", "support"), Person::new(&server, "An Peeters", "supervisor"));
    let account = format!("/v1/accounts/{id}");
    let with_reason = format!("{account}?reason=asked%20by%20letter");
    server.send(Method::DELETE, &with_reason, Some(&sofie.token), None).await.expect(403);
    sofie.post(&format!("{account}/erasure"), json!({ "reason": "asked" })).await.expect(403);
    let bare = server.send(Method::DELETE, &account, Some(&an.token), None).await.expect(422);
    assert_eq!(rules(&bare), ["?reason reason-required"]);
    assert_eq!(an.found("dupont", "accounts", "email").await.len(), 2);
    server.send(Method::DELETE, &with_reason, Some(&an.token), None).await.expect(204);
    let deleted = event(&an, &id, "account-deleted").await;
    assert_eq!(deleted["actor"], json!({ "kind": "staff", "name": "An Peeters", "role": "supervisor" }));
    assert_eq!(deleted["personal"]["reason"], "asked by letter");
    let left = an.found("dupont", "accounts", "given_name").await;
    assert_eq!(left, ["Paul"], "who is deleted is not found");
    an.post(&format!("{account}/erasure"), json!({ "reason": "asked" })).await.expect(204);
    assert_eq!(event(&an, &id, "account-erased").await["actor"]["name"], "An Peeters", "the name stays");
}

/// Every operation of the description that changes something, asked by an auditor with ids that are there.
#[tokio::test]
async fn an_auditor_reads_everything_and_changes_nothing() {
    let server = Server::start().await;
    let id = server.active(1, "marie@example.be", PASSWORD).await;
    let auditor = Person::new(&server, "Luc Claes", "auditor");
    let company = server.service_get(&format!("/v1/accounts/{id}")).await.json()["company_id"].clone();
    for path in [
        format!("/v1/accounts/{id}"),
        format!("/v1/accounts/{id}/events"),
        "/v1/events".to_owned(),
        "/v1/orders".to_owned(),
        "/v1/companies".to_owned(),
        "/v1/support/search?q=dupont".to_owned(),
        "/v1/support/diagnosis?email=marie@example.be".to_owned(),
    ] {
        auditor.get(&path).await.expect(200);
    }
    // What became of her one mail is noted on its own, and is the last event to come.
    let told = format!("/v1/accounts/{id}/events");
    while !auditor.get(&told).await.expect(200).text.contains("\"mail-sent\"") {
        tokio::task::yield_now().await;
    }
    let before = head(&server).await;
    let new_events = async || {
        let path = format!("/v1/events?cursor={before}&limit=200");
        let told = server.service_get(&path).await.expect(200).json();
        let types =
            told["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned());
        // That an operator made the auditor's token is noted on its own.
        types.filter(|name| !name.starts_with("token-")).collect::<Vec<_>>()
    };
    let description = server.send(Method::GET, "/openapi.json", None, None).await.json();
    let mut asked = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let for_services =
                operation["security"].as_array().unwrap().iter().any(|way| way.get("service").is_some());
            if method == "get" || !for_services {
                continue;
            }
            let path = path.replace("{account_id}", &id).replace("{company_id}", company.as_str().unwrap());
            let path = path.replace("{order_id}", "SO-1");
            let path: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { id.clone() } else { part.to_owned() })
                .collect::<Vec<_>>()
                .join("/");
            let method: Method = method.to_uppercase().parse().unwrap();
            let body = json!({ "reason": "x", "to": "user" });
            let answer = server.send(method.clone(), &path, Some(&auditor.token), Some(&body)).await;
            assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.text);
            asked += 1;
        }
    }
    assert!(asked > 25, "{asked} operations were asked");
    assert_eq!(new_events().await, Vec::<String>::new(), "an auditor changed something");
    for (path, body) in [
        ("release", json!({ "reason": "x" })),
        ("conversion", json!({ "to": "user", "reason": "x" })),
        ("activation-mail", json!({ "reason": "x" })),
        ("password-reset-mail", json!({ "reason": "x" })),
        ("role", json!({ "role": "user", "reason": "x" })),
        ("erasure", json!({ "reason": "x" })),
        ("second-step/reset", json!({ "reason": "x", "identity_proof": "x" })),
    ] {
        auditor.post(&format!("/v1/accounts/{id}/{path}"), body).await.expect(403);
    }
    auditor
        .post("/v1/orders/SO-1/resolution", json!({ "decision": "nobody_added", "reason": "x" }))
        .await
        .expect(403);
}

#[tokio::test]
async fn a_persons_token_ends_and_is_listed_rotated_and_revoked_as_the_others() {
    let server = Server::start().await;
    let sofie = Person::new(&server, "Sofie Maes", "support");
    for wrong in [
        &["token", "create", "--staff", "Sofie Maes"][..],
        &["token", "create", "--staff", "Sofie Maes", "--role", "janitor"],
        &["token", "create", "--staff", "Sofie Maes", "--role", "support", "--scope", "accounts:delete"],
        &["token", "create", "--staff", "Sofie Maes", "--role", "support", "--name", "shop"],
        &["token", "create", "--staff", " ", "--role", "support"],
        &["token", "create", "--staff", "Sofie Maes", "--role", "support", "--days", "366"],
        &["token", "create", "--name", "shop"],
        &["token", "create", "--scope", "orders:read"],
    ] {
        assert!(!loquet(&server, wrong).0, "{wrong:?}");
    }
    let listed = || {
        let (_, lines, _) = loquet(&server, &["token", "list", "--json"]);
        let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        all.into_iter().filter(|entry| entry["name"] == "Sofie Maes").collect::<Vec<_>>()
    };
    let entry = listed().remove(0);
    assert_eq!(entry["role"], "support");
    let at = |name: &str| entry[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((at("expires_at") - at("created_at")).num_days(), 90);
    let (_, table, _) = loquet(&server, &["token", "list"]);
    assert!(table.contains("ROLE") && table.contains("support"), "{table}");
    let id = entry["id"].as_str().unwrap();
    let (_, newer, _) = loquet(&server, &["token", "rotate", id, "--keep-hours", "0"]);
    sofie.get("/v1/orders").await.expect(401);
    let newer = Person { server: &server, token: newer };
    newer.get("/v1/orders").await.expect(200);
    let rotated = listed().into_iter().find(|entry| entry["state"] == "holds").unwrap();
    assert_eq!((&rotated["role"], &rotated["expires_at"]), (&json!("support"), &entry["expires_at"]));
    assert!(loquet(&server, &["token", "revoke", "--yes", rotated["id"].as_str().unwrap()]).0);
    newer.get("/v1/orders").await.expect(401);
}

#[tokio::test]
async fn an_order_whose_contact_has_another_companys_account_is_moved_on_by_support() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.active(2, "jan@example.be", PASSWORD).await;
    // Marie's address on two orders of Jan's company.
    for number in [3, 4] {
        let placed =
            server.service_post("/v1/orders", order(number, 2, "marie@example.be")).await.expect(201);
        assert_eq!(placed.json()["outcome"], "awaiting_support");
    }
    let sofie = Person::new(&server, "Sofie Maes", "support");
    let waiting = async || {
        let path = format!("/v1/orders?status=awaiting_support&at_least={}", head(&server).await);
        let listed = sofie.get(&path).await.expect(200).json();
        let orders = listed["items"].as_array().unwrap().clone();
        orders.iter().map(|order| order["order_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, ["SO-3", "SO-4"]);
    let contact = |email: &str| json!({ "email": email, "given_name": "Eva", "family_name": "Claes", "language": "nl" });
    let named = |email: &str| json!({ "decision": "contact_named", "contact": contact(email), "reason": "Eva runs the shop" });
    let nobody = json!({ "decision": "nobody_added", "reason": "Ordered by mistake" });
    for (body, expected) in [
        (json!({ "decision": "contact_named", "reason": "x" }), vec!["/contact contact-required"]),
        (
            json!({ "decision": "nobody_added", "contact": contact("e@example.be"), "reason": "" }),
            vec!["/reason reason-invalid", "/contact contact-unwanted"],
        ),
        (
            json!({ "decision": "contact_named", "contact": contact("eva"), "reason": "x" }),
            vec!["/contact/email email-malformed"],
        ),
    ] {
        assert_eq!(rules(&sofie.post("/v1/orders/SO-3/resolution", body).await.expect(422)), expected);
    }
    let taken = sofie.post("/v1/orders/SO-3/resolution", named("marie@example.be")).await.expect(409);
    assert_eq!(slug(&taken), "email-taken", "one person, one login");
    let fine = sofie.post("/v1/orders/SO-1/resolution", nobody.clone()).await.expect(409);
    assert_eq!(slug(&fine), "order-not-waiting");
    sofie.post("/v1/orders/SO-1/resolution", named("new@example.be")).await.expect(409);
    sofie.post("/v1/orders/SO-9/resolution", nobody.clone()).await.expect(404);
    let none = server
        .service_get(&format!("/v1/accounts?email=new@example.be&at_least={}", head(&server).await))
        .await
        .expect(200)
        .json();
    assert_eq!(none["items"], json!([]), "what is refused leaves no account behind");

    let done = sofie.post("/v1/orders/SO-3/resolution", named("eva@example.be")).await.expect(200).json();
    let eva = done["account_id"].as_str().unwrap().to_owned();
    let shown =
        sofie.get(&format!("/v1/accounts/{eva}?at_least={}", done["position"])).await.expect(200).json();
    assert_eq!(
        (&shown["role"], &shown["email"]),
        (&json!("temporary_administrator"), &json!("eva@example.be"))
    );
    server.mail("eva@example.be", "Bevestig", 1).await;
    server.mail("jan@example.be", "Eva Claes", 1).await;
    let again = sofie.post("/v1/orders/SO-3/resolution", named("EVA@example.be")).await.expect(200).json();
    assert_eq!(
        (&again["account_id"], &again["position"]),
        (&json!(eva), &done["position"]),
        "nothing the second time"
    );
    let other = sofie.post("/v1/orders/SO-3/resolution", nobody.clone()).await.expect(409);
    assert_eq!(slug(&other), "order-resolved");
    assert_eq!(
        slug(&sofie.post("/v1/orders/SO-3/resolution", named("x@example.be")).await.expect(409)),
        "order-resolved"
    );
    assert_eq!(waiting().await, ["SO-4"]);
    sofie.post("/v1/orders/SO-4/resolution", nobody).await.expect(200);
    assert_eq!(waiting().await, [""; 0]);

    let order =
        sofie.get(&format!("/v1/orders/SO-4?at_least={}", head(&server).await)).await.expect(200).json();
    let resolution = &order["resolution"];
    assert_eq!(
        (&resolution["decision"], &resolution["reason"]),
        (&json!("nobody_added"), &json!("Ordered by mistake"))
    );
    assert_eq!(resolution["by"], json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" }));
    assert_eq!(order["outcome"], "awaiting_support", "what became of it first stays");
    let resolved = sofie.get("/v1/orders?status=resolved").await.expect(200).json();
    assert_eq!(resolved["items"].as_array().unwrap().len(), 2);
    let told = server.service_get("/v1/events?type=order-resolved").await.expect(200);
    assert!(told.text.contains("contact_named") && !told.text.contains("Eva runs"), "{}", told.text);
}

#[tokio::test]
async fn an_order_whose_contact_was_erased_can_be_moved_on_and_nothing_of_them_is_kept() {
    let server = Server::start().await;
    let marie = server.active(1, "marie@example.be", PASSWORD).await;
    server.active(2, "jan@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(3, 2, "marie@example.be")).await.expect(201);
    let an = Person::new(&server, "An Peeters", "supervisor");
    an.post(&format!("/v1/accounts/{marie}/erasure"), json!({ "reason": "asked" })).await.expect(204);
    let nobody = json!({ "decision": "nobody_added", "reason": "Marie asked to be forgotten" });
    an.post("/v1/orders/SO-3/resolution", nobody).await.expect(200);
    let order = an.get(&format!("/v1/orders/SO-3?at_least={}", head(&server).await)).await.expect(200).json();
    let resolution = &order["resolution"];
    assert_eq!((&resolution["by"]["name"], &resolution["reason"]), (&json!("An Peeters"), &Value::Null));
}

#[tokio::test]
async fn a_search_shows_what_the_token_may_see_and_is_logged_without_what_was_searched_for() {
    let server = Server::start().await;
    server
        .service_post("/v1/orders", bakery(1, "quirine@example.be", "Quirine", "Vandersmissen"))
        .await
        .expect(201);
    let program = |scopes: &[&str]| {
        let mut arguments = vec!["token", "create", "--name", "crm"];
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        Person { server: &server, token: loquet(&server, &arguments).1 }
    };
    let kinds = async |scopes: &[&str]| {
        let found = program(scopes).search("vandersmissen").await;
        let seen = ["accounts", "companies", "sites", "terminals"].map(|kind| !found[kind].is_null());
        (seen, found["accounts"]["items"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(kinds(&["support:read"]).await, ([false; 4], 0));
    assert_eq!(kinds(&["support:read", "accounts:read"]).await, ([true, false, false, false], 1));
    assert_eq!(kinds(&["support:read", "companies:read"]).await, ([false, true, true, true], 0));
    let without = program(&["accounts:read", "companies:read"]);
    without.get("/v1/support/search?q=vandersmissen").await.expect(403);
    let marie = server.send(Method::GET, "/v1/support/search?q=vandersmissen", None, None).await;
    assert_eq!(marie.status, 401);
    let sofie = Person::new(&server, "Sofie Maes", "support");
    assert_eq!(sofie.found("Vandersmissen", "accounts", "email").await, ["quirine@example.be"]);
    let log = server.errors().to_lowercase();
    let line = log.lines().find(|line| line.contains("somebody searched") && line.contains("sofie maes"));
    assert!(
        line.is_some_and(|line| line.contains("role=\"support\"") && line.contains("accounts=1")),
        "{log}"
    );
    assert!(!log.contains("vandersmissen") && !log.contains("quirine"), "{log}");
}

#[tokio::test]
async fn one_token_searches_so_often_and_is_told_when_to_go_on() {
    let server = Server::start().await;
    let (sofie, an) =
        (Person::new(&server, "Sofie Maes", "support"), Person::new(&server, "An Peeters", "support"));
    let start = Instant::now();
    let mut refused = None;
    for _ in 0..200 {
        let answer = sofie.get("/v1/support/search?q=dupont").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.expect(200);
    }
    let refused = refused.unwrap_or_else(|| panic!("200 searches in {:?} were let through", start.elapsed()));
    assert_eq!(slug(&refused), "too-many-searches");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(refused.headers["ratelimit"], format!("\"searches\";r=0;t={wait}"));
    an.get("/v1/support/search?q=dupont").await.expect(200);
    sofie.get("/v1/orders").await.expect(200);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    sofie.get("/v1/support/search?q=dupont").await.expect(200);
}

/// The index of names is keyed hashes: none of the words is in the file, and a rotation of the server key leaves it.
#[tokio::test]
async fn names_are_found_after_a_rotation_and_a_rebuild_and_stand_in_no_read_model() {
    let mut server = Server::start().await;
    server
        .service_post("/v1/orders", bakery(1, "quirine@example.be", "Quirine", "Vandersmissen"))
        .await
        .expect(201);
    let token = staff(&server, "Sofie Maes", "support");
    let found = async |server: &Server| {
        Person { server, token: token.clone() }.found("vandersm", "accounts", "email").await
    };
    assert_eq!(found(&server).await, ["quirine@example.be"]);
    assert!(loquet(&server, &["keys", "rotate"]).0);
    assert_eq!(found(&server).await, ["quirine@example.be"]);
    let (verified, said, why) = loquet(&server, &["projections", "verify", "people"]);
    assert!(verified && said.contains("people: equals a replay"), "{said} {why}");
    let (rebuilt, said, why) = loquet(&server, &["projections", "rebuild", "people"]);
    assert!(rebuilt, "{said} {why}");
    assert_eq!(found(&server).await, ["quirine@example.be"]);
    server.stop();
    server.restart().await;
    assert_eq!(found(&server).await, ["quirine@example.be"]);
    for file in ["views.db", "views.db-wal"] {
        let bytes = std::fs::read(server.folder.join(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for word in ["vandersmissen", "vande", "quirine", "quiri"] {
            assert!(!text.contains(word), "{file} holds {word}");
        }
    }
}

/// A company without administrator is on support's list, and no remedy leaves it so.
#[tokio::test]
async fn a_company_without_administrator_is_listed_and_no_remedy_of_a_diagnosis_leaves_it_so() {
    let server = Server::start().await;
    let first = server.active(1, "marie@example.be", PASSWORD).await;
    server.service_post("/v1/orders", order(2, 1, "jan@example.be")).await.expect(201);
    let sofie = Person::new(&server, "Sofie Maes", "support");
    let listed = async || {
        let path = format!("/v1/companies?without_administrator=true&at_least={}", head(&server).await);
        sofie.get(&path).await.expect(200).json()["items"].as_array().unwrap().len()
    };
    let diagnosis = async |email: &str| {
        sofie.get(&format!("/v1/support/diagnosis?email={email}")).await.expect(200).json()
    };
    // Jan waits to be admitted: Marie can do it, as whatever she likes.
    let told = diagnosis("jan@example.be").await;
    assert_eq!(told["whom_to_ask"][0]["name"], "Marie Dupont");
    assert_eq!(told["whom_to_ask"][0]["email"], "m***@example.be");
    let convert = |told: &Value| {
        let reasons = told["reasons"].as_array().unwrap().iter();
        let remedies = reasons.map(|reason| reason["remedy"].clone()).collect::<Vec<_>>();
        remedies.into_iter().find(|remedy| remedy["action"] == "convert")
    };
    assert_eq!(listed().await, 0);
    let activation = token_in(&server.mail("jan@example.be", "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": activation, "password": PASSWORD })).await.expect(204);
    let told = diagnosis("jan@example.be").await;
    assert_eq!(convert(&told).unwrap()["request"]["body"]["to"], "user");
    // Marie is erased, as is her right: now Jan must become administrator.
    let erased = json!({ "reason": "Asked for it in writing" });
    server.service_post(&format!("/v1/accounts/{first}/erasure"), erased).await.expect(204);
    assert_eq!(listed().await, 1);
    let (_, table, _) = loquet(&server, &["company", "list", "--without-administrator"]);
    assert!(table.contains("Boulangerie"), "{table}");
    let told = diagnosis("jan@example.be").await;
    assert_eq!(told["company_has_administrator"], false);
    let remedy = convert(&told).unwrap();
    assert_eq!(remedy["request"]["body"]["to"], "administrator");
    // The remedy as it is given, with a reason in place of the dots.
    let path = remedy["request"]["path"].as_str().unwrap();
    sofie
        .post(path, json!({ "to": "administrator", "reason": "No administrator was left" }))
        .await
        .expect(204);
    assert_eq!(listed().await, 0);
}

#[tokio::test]
async fn staff_see_who_is_locked_out_now_and_how_many_logins_and_wrong_guesses_there_were() {
    let server = Server::start().await;
    let (marie, jan) = ("marie@boulangerie.example", "jan@bakkerij.example");
    let account = server.active(1, marie, "Boulange7!").await;
    let other = server.active(2, jan, "Boulange7!").await;
    let before = server.service_get("/v1/lockouts").await.expect(200).json();
    assert_eq!(before["items"], json!([]));
    for email in [marie, jan] {
        for _ in 0..7 {
            server.login(email, "Wrong1!!!").await.expect(401);
        }
        server.login(email, "Boulange7!").await.expect(423);
    }
    let locked = server.service_get("/v1/lockouts?limit=1").await.expect(200).json();
    assert_eq!(locked["items"][0]["account_id"], account);
    assert_eq!(locked["items"][0]["lockouts"][0]["failures"], 7);
    let shown = server.service_get(&format!("/v1/accounts/{account}/lockout")).await.json();
    assert_eq!(locked["items"][0]["lockouts"][0]["until"], shown["locked_until"]);
    assert_eq!(locked["items"][0]["lockouts"][0]["since"], shown["locked_since"]);
    let cursor = locked["next_cursor"].as_str().unwrap();
    let next = server.service_get(&format!("/v1/lockouts?limit=1&cursor={cursor}")).await.expect(200).json();
    assert_eq!(next["items"][0]["account_id"], other);
    assert!(next.get("next_cursor").is_none(), "{next}");

    let released = json!({ "reason": "She called" });
    server.service_post(&format!("/v1/accounts/{account}/release"), released).await.expect(204);
    let locked = server.service_get("/v1/lockouts").await.json();
    let accounts: Vec<_> =
        locked["items"].as_array().unwrap().iter().map(|item| &item["account_id"]).collect();
    assert_eq!(accounts, [&json!(other)]);
    // Nobody was locked out when the list was asked for first.
    let then = server.service_get(&format!("/v1/lockouts?as_of={}", before["position"])).await.json();
    assert_eq!(then["items"], json!([]));

    server.login(marie, "Boulange7!").await.expect(201);
    let counted = server.service_get("/v1/activity").await.expect(200).json();
    let days = counted["days"].as_array().unwrap();
    assert_eq!(days.len(), 14);
    let sum = |field: &str| -> u64 {
        let hours = days.iter().flat_map(|day| day["hours"].as_array().unwrap());
        hours.map(|hour| hour[field].as_u64().unwrap()).sum()
    };
    let told = ["logins", "wrong_passwords", "wrong_codes", "lockouts", "releases"].map(sum);
    assert_eq!(told, [1, 14, 0, 2, 1]);
    server.service_get("/v1/activity?from=2026-01-02&to=2026-01-01").await.expect(422);
    server.service_get("/v1/activity?from=2020-01-01&to=2026-01-01").await.expect(422);
    server.service_get("/v1/activity?from=2020-02-30").await.expect(400);
    let one = server.service_get("/v1/activity?from=2020-02-29&to=2020-02-29").await.expect(200).json();
    assert_eq!(one["days"].as_array().unwrap().len(), 1);
}
