//! Support gives a reason for everything that it does.

use std::collections::BTreeSet;

use loquet_tests::server::{Answer, Server, order};
use loquet_tests::skip;
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";
/// Operations that programs alone carry out: no role of the supplier's staff has their scope.
const FOR_PROGRAMS: [&str; 2] = ["invite_staff", "place_order"];
/// Operations that show what would be printed or would have happened, and change nothing.
const CHANGE_NOTHING: [&str; 3] = ["try_policies", "try_receipt_picture", "try_receipt_text"];

/// A supervisor, who may do everything that the supplier's staff may do.
struct Supervisor<'a> {
    server: &'a Server,
    token: String,
    acts: BTreeSet<&'static str>,
}

impl<'a> Supervisor<'a> {
    fn new(server: &'a Server) -> Self {
        let arguments = ["token", "create", "--staff", "An Peeters", "--role", "supervisor"];
        let output = server.command().args(arguments).output().unwrap();
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(token.starts_with("lqt_"), "{}", String::from_utf8_lossy(&output.stderr));
        Self { server, token, acts: BTreeSet::new() }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        match body {
            // A file of terminals is sent as it is.
            Some(Value::String(file)) => {
                let url = format!("{}{path}", self.server.url);
                let request = self.server.client.request(method, url).bearer_auth(&self.token);
                let request = request.header("content-type", "text/csv").header("accept-language", "en");
                let answer = request.body(file.clone()).send().await.unwrap();
                let (status, headers) = (answer.status(), answer.headers().clone());
                Answer { status, headers, text: answer.text().await.unwrap() }
            }
            body => self.server.send(method, path, Some(&self.token), body).await,
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await.expect(200).json()
    }

    /// Does something: without a reason it is refused and changes nothing, with one it is done.
    async fn act(
        &mut self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        self.acts.insert(operation);
        let before = self.events().await;
        let refused = self.send(method.clone(), path, body.as_ref()).await;
        assert_eq!(refused.status, 422, "{operation}: {}", refused.text);
        let rules = refused.json()["errors"].to_string();
        assert!(rules.contains("reason-required"), "{operation}: {rules}");
        assert_eq!(self.events().await, before, "{operation} changed something without a reason");

        let reason = reason(operation);
        let (path, body) = match body {
            Some(Value::Object(mut fields)) => {
                fields.insert("reason".to_owned(), json!(reason));
                (path.to_owned(), Some(Value::Object(fields)))
            }
            other => {
                let sign = if path.contains('?') { '&' } else { '?' };
                (format!("{path}{sign}reason={}", reason.replace(' ', "%20")), other)
            }
        };
        let done = self.send(method, &path, body.as_ref()).await;
        assert!(done.status.is_success(), "{operation}: {} {}", done.status, done.text);
        assert!(self.events().await > before, "{operation} left no event");
        if done.text.is_empty() { Value::Null } else { done.json() }
    }

    /// How many events the supplier's staff caused.
    async fn events(&self) -> usize {
        let (mut count, mut after) = (0, json!(0));
        loop {
            let page = self.get(&format!("/v1/events?cursor={after}&limit=200")).await;
            let items = page["items"].as_array().unwrap();
            count += items.iter().filter(|event| event["actor"]["kind"] == "staff").count();
            match items.last() {
                Some(last) => after = last["position"].clone(),
                None => return count,
            }
        }
    }

    /// Checks that every event of the staff has the reason of its operation, as an operator reads it.
    fn every_event_has_its_reason(&self) {
        let output =
            self.server.command().args(["events", "tail", "--after", "0", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut without: BTreeSet<&str> = self.acts.clone();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            // What claims an address or a serial number, or keeps a picture, follows from an event that has the reason.
            let follows =
                ["email-", "serial-", "logo-"].iter().any(|kind| text(&event, "stream").starts_with(kind));
            if event["actor"]["kind"] != "staff" || follows {
                continue;
            }
            let told = [&event["personal"], &event["data"]["export"]].map(|part| part["reason"].as_str());
            let told = told.into_iter().flatten().next().unwrap_or_else(|| panic!("no reason in {event}"));
            let operation = self.acts.iter().find(|operation| told.starts_with(&reason(operation)));
            without.remove(operation.unwrap_or_else(|| panic!("another reason in {event}")));
        }
        assert!(without.is_empty(), "no event has the reason of {without:?}");
    }
}

fn reason(operation: &str) -> String {
    format!("Asked by letter for {operation} alone")
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

/// The operations of the description that change something and accept the token of the supplier's staff.
async fn operations_for_staff(server: &Server) -> BTreeSet<String> {
    let description = server.send(Method::GET, "/openapi.json", None, None).await.json();
    let mut operations = BTreeSet::new();
    for of_path in description["paths"].as_object().unwrap().values() {
        for (method, operation) in of_path.as_object().unwrap() {
            let ways = operation["security"].as_array().unwrap();
            if method != "get" && ways.iter().any(|way| way.get("service").is_some()) {
                operations.insert(text(operation, "operationId"));
            }
        }
    }
    operations
}

/// Turns the second step of an account on, for its owner.
async fn second_step(server: &Server, account: &str, session: &str) {
    let path = format!("/v1/accounts/{account}/second-step");
    let own = json!({ "current_password": PASSWORD });
    let begun = server.send(Method::POST, &path, Some(session), Some(&own)).await.expect(201).json();
    let secret = text(&begun, "secret");
    let made = std::process::Command::new("oathtool").args(["--totp", "--base32", &secret]).output().unwrap();
    let code = json!({ "code": String::from_utf8(made.stdout).unwrap().trim() });
    server.send(Method::POST, &format!("{path}/confirmation"), Some(session), Some(&code)).await.expect(200);
}

/// Everything that support may do with the take-over of a site.
async fn on_takeovers(an: &mut Supervisor<'_>, (from, to): (&str, &str), site: &str) {
    let takeover = |number: u32| {
        Some(json!({
            "from_company_id": from, "to_company_id": to, "site_ids": [site], "account_ids": [],
            "reference": format!("T-{number}"),
        }))
    };
    let first = an.act("open_takeover", Method::POST, "/v1/takeovers", takeover(1)).await;
    let first = format!("/v1/takeovers/{}", text(&first, "takeover_id"));
    let mistake = Some(json!({ "cause": "mistake" }));
    an.act("cancel_takeover", Method::POST, &format!("{first}/cancellation"), mistake).await;
    let second = an.act("open_takeover", Method::POST, "/v1/takeovers", takeover(2)).await;
    let second = format!("/v1/takeovers/{}", text(&second, "takeover_id"));
    for side in ["transferor", "acquirer"] {
        let confirm = format!("{second}/confirmation?side={side}");
        an.act("confirm_takeover", Method::POST, &confirm, Some(json!({}))).await;
    }
    an.act("complete_takeover", Method::POST, &format!("{second}/completion"), Some(json!({}))).await;
}

/// Everything that support may do with the groups of a company.
async fn on_groups(an: &mut Supervisor<'_>, company: &str, member: &str) {
    let groups = format!("{company}/groups");
    let new =
        Some(json!({ "name": "Caisse", "description": "La caisse", "permissions": ["view_transactions"] }));
    let group = text(&an.act("create_group", Method::POST, &groups, new).await, "group_id");
    let group = format!("{groups}/{group}");
    an.act("change_group", Method::PATCH, &group, Some(json!({ "name": "Caisses" }))).await;
    let membership = format!("{group}/members/{member}");
    an.act("set_member", Method::PUT, &membership, Some(json!({ "sites": "everywhere" }))).await;
    an.act("remove_member", Method::DELETE, &membership, None).await;
    an.act("delete_group", Method::DELETE, &group, None).await;
}

/// A company that has no terminals and no accounts any more.
async fn unused_company(server: &Server) -> String {
    let placed = server.service_post("/v1/orders", order(15, 5, "ann@example.be")).await.expect(201).json();
    let (company, head) = (text(&placed, "company_id"), placed["position"].clone());
    let path = format!("/v1/terminals?company={company}&at_least={head}");
    for terminal in server.service_get(&path).await.json()["items"].as_array().unwrap() {
        let path = format!("/v1/terminals/{}/release", text(terminal, "terminal_id"));
        server.service_post(&path, json!({ "cause": "returned", "reason": "Closed" })).await.expect(204);
    }
    let path = format!("/v1/accounts/{}/erasure", text(&placed, "account_id"));
    server.service_post(&path, json!({ "reason": "Asked by letter" })).await.expect(204);
    company
}

#[tokio::test]
async fn everything_that_support_may_do_asks_for_a_reason_and_has_it_in_its_events() {
    let name = "everything_that_support_may_do_asks_for_a_reason_and_has_it_in_its_events";
    if !skip::unless_installed(name, "oathtool") {
        return;
    }
    let server = Server::start().await;
    let marie = server.active(1, "marie@example.be", PASSWORD).await;
    let jan = server.active(2, "jan@example.be", PASSWORD).await;
    let company = text(&server.service_get(&format!("/v1/accounts/{marie}")).await.json(), "company_id");
    let other = text(&server.service_get(&format!("/v1/accounts/{jan}")).await.json(), "company_id");
    let mut an = Supervisor::new(&server);
    let account = |id: &str, path: &str| format!("/v1/accounts/{id}/{path}");
    let login = json!({ "email": "marie@example.be", "password": PASSWORD });
    let post = Method::POST;

    // People.
    let eva = json!({
        "email": "eva@example.be", "given_name": "Eva", "family_name": "Claes", "language": "nl",
        "role": "user", "company_id": company,
    });
    let eva = text(&an.act("create_account", post.clone(), "/v1/accounts", Some(eva)).await, "account_id");
    an.act("send_activation_mail", post.clone(), &account(&eva, "activation-mail"), Some(json!({}))).await;
    an.act("change_role", post.clone(), &account(&eva, "role"), Some(json!({ "role": "administrator" })))
        .await;
    let piet = server.service_post("/v1/orders", order(11, 1, "piet@example.be")).await.expect(201).json();
    let piet = text(&piet, "account_id");
    let user = Some(json!({ "to": "user" }));
    an.act("convert_account", post.clone(), &account(&piet, "conversion"), user).await;
    an.act(
        "send_password_reset_mail",
        post.clone(),
        &account(&marie, "password-reset-mail"),
        Some(json!({})),
    )
    .await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    an.act("release_lockout", post.clone(), &account(&marie, "release"), Some(json!({}))).await;
    for (operation, kind) in [("end_session", "sessions"), ("forget_device", "devices")] {
        server.post("/v1/logins", login.clone()).await.expect(201);
        let head = an.get("/v1/events?limit=1").await["position"].clone();
        let listed = an.get(&account(&marie, &format!("{kind}?at_least={head}"))).await;
        let first = &listed["items"][0];
        let id = first["session_id"].as_str().or(first["device_id"].as_str()).unwrap();
        an.act(operation, Method::DELETE, &account(&marie, &format!("{kind}/{id}")), None).await;
    }
    for (operation, kind) in [("end_all_sessions", "sessions"), ("forget_all_devices", "devices")] {
        server.post("/v1/logins", login.clone()).await.expect(201);
        an.act(operation, Method::DELETE, &account(&marie, kind), None).await;
    }
    let session = text(&server.post("/v1/logins", login).await.expect(201).json(), "session_token");
    second_step(&server, &marie, &session).await;
    let proof = Some(json!({ "identity_proof": "Called back on the number on file" }));
    an.act("reset_second_step", post.clone(), &account(&marie, "second-step/reset"), proof).await;

    an.act("begin_export", post.clone(), "/v1/audit/exports", Some(json!({}))).await;

    // Orders.
    server.service_post("/v1/orders", order(12, 2, "marie@example.be")).await.expect(201);
    let nobody = Some(json!({ "decision": "nobody_added" }));
    an.act("resolve_order", post.clone(), "/v1/orders/SO-12/resolution", nobody).await;

    // The company, its sites and its terminals.
    let mut elsewhere = order(13, 1, "marie@example.be");
    elsewhere["lines"][0]["delivery_address"]["street"] = json!("Rue Haute");
    let head = server.service_post("/v1/orders", elsewhere).await.expect(201).json()["position"].clone();
    let path = format!("/v1/companies/{company}");
    an.act("change_company", Method::PATCH, &path, Some(json!({ "trading_name": "Le Fournil" }))).await;
    let sites = an.get(&format!("/v1/sites?company={company}&at_least={head}")).await;
    let site = |n: usize| text(&sites["items"][n], "site_id");
    let here = format!("/v1/sites/{}", site(0));
    an.act("change_site", Method::PATCH, &here, Some(json!({ "name": "Boutique" }))).await;
    let terminals =
        an.get(&format!("/v1/terminals?company={company}&site={}&at_least={head}", site(0))).await;
    let terminal = text(&terminals["items"][0], "terminal_id");
    let of_terminal = |path: &str| format!("/v1/terminals/{terminal}/{path}");
    an.act("note_serial", post.clone(), &of_terminal("serial"), Some(json!({ "serial": "1850012345" })))
        .await;
    let there = Some(json!({ "site_id": site(1) }));
    an.act("assign_terminal", post.clone(), &of_terminal("assignment"), there).await;
    let file = json!(format!("terminal,site\n1850012345,{}\n", site(0)));
    let import = format!("/v1/terminal-assignments?company={company}");
    an.act("assign_terminals", post.clone(), &import, Some(file)).await;
    let layout = Some(json!({ "header": "Le Fournil", "middle": "", "footer": "Merci" }));
    an.act("save_receipt_layout", Method::PUT, &format!("{here}/receipt-layout"), layout).await;

    on_groups(&mut an, &path, &piet).await;

    on_takeovers(&mut an, (&company, &other), &site(1)).await;
    an.act("release_terminal", post.clone(), &of_terminal("release"), Some(json!({ "cause": "returned" })))
        .await;

    // Farewells.
    an.act("export_personal_data", post.clone(), &account(&eva, "data-export"), Some(json!({}))).await;
    an.act("delete_account", Method::DELETE, &format!("/v1/accounts/{eva}"), None).await;
    an.every_event_has_its_reason();
    // The reason of an erasure goes with the key of the person or the company.
    an.act("erase_person", post.clone(), &account(&piet, "erasure"), Some(json!({}))).await;
    let unused = unused_company(&server).await;
    an.act("erase_company", post, &format!("/v1/companies/{unused}/erasure"), Some(json!({}))).await;

    let mut asked: BTreeSet<String> = an.acts.iter().map(ToString::to_string).collect();
    asked.extend(FOR_PROGRAMS.into_iter().chain(CHANGE_NOTHING).map(ToOwned::to_owned));
    assert_eq!(asked, operations_for_staff(&server).await, "an operation is missing here, or is gone");
    let bare = an.send(Method::POST, "/v1/orders", Some(&order(14, 1, "marie@example.be"))).await;
    assert_eq!(bare.status, 403, "{}", bare.text);
}
