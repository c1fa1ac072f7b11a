//! What a company's people, and whoever sends input, can do to others is bounded.

use std::io::Write;
use std::process::Command;

use loquet_domain::values::plain_text::is_printable;
use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// The token of one of the supplier's people.
fn staff(server: &Server, name: &str, role: &str) -> String {
    made(server.command().args(["token", "create", "--staff", name, "--role", role]))
}

/// The token of a program with these scopes.
fn program(server: &Server, scopes: &str) -> String {
    let scopes = scopes.split(',').flat_map(|scope| ["--scope", scope]);
    made(server.command().args(["token", "create", "--name", "portal"]).args(scopes))
}

#[track_caller]
fn made(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(token.starts_with("lqt_"), "{}", String::from_utf8_lossy(&output.stderr));
    token
}

/// A company whose administrator is logged in.
struct Company<'a> {
    server: &'a Server,
    id: String,
    administrator: String,
    session: String,
}

impl<'a> Company<'a> {
    async fn new(server: &'a Server, n: u32) -> Self {
        let email = format!("admin{n}@example.be");
        let administrator = server.active(n, &email, PASSWORD).await;
        let session = session(server, &email).await;
        let shown = server.service_get(&format!("/v1/accounts/{administrator}")).await.expect(200).json();
        Self { server, id: text(&shown, "company_id"), administrator, session }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.server.send(method, path, Some(&self.session), body.as_ref()).await
    }

    async fn create(&self, email: &str, role: &str) -> Answer {
        self.call(Method::POST, "/v1/accounts", Some(colleague(email, role))).await
    }

    async fn mail_again(&self, account: &str) -> Answer {
        self.call(Method::POST, &format!("/v1/accounts/{account}/activation-mail"), None).await
    }
}

fn colleague(email: &str, role: &str) -> Value {
    json!({ "email": email, "given_name": "Jan", "family_name": "Peeters", "language": "fr", "role": role })
}

async fn session(server: &Server, email: &str) -> String {
    text(&server.login(email, PASSWORD).await.expect(201).json(), "session_token")
}

async fn activated(server: &Server, email: &str) -> String {
    let token = token_in(&server.mail(email, "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    session(server, email).await
}

#[track_caller]
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

#[track_caller]
fn slug(answer: &Answer) -> String {
    text(&answer.json(), "type").rsplit(':').next().unwrap().to_owned()
}

#[track_caller]
fn rules(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|fault| format!("{} {}", text(fault, "pointer"), text(fault, "rule"))).collect()
}

async fn head(server: &Server) -> u64 {
    server.service_get("/v1/events?limit=1").await.expect(200).json()["position"].as_u64().unwrap()
}

#[tokio::test]
async fn activation_mails_of_one_account_are_bounded_and_support_can_always_send_one() {
    let server = Server::start().await;
    let company = Company::new(&server, 1).await;
    let jan = text(&company.create("jan@elsewhere.example", "user").await.expect(201).json(), "account_id");
    for _ in 0..4 {
        company.mail_again(&jan).await.expect(204);
    }
    for _ in 0..10 {
        let refused = company.mail_again(&jan).await.expect(429);
        assert_eq!(slug(&refused), "enough-activation-mails");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((3500..=3600).contains(&wait), "{wait}");
    }
    let why = json!({ "reason": "No mail came; address checked by telephone" });
    let path = format!("/v1/accounts/{jan}/activation-mail");
    let sofie = staff(&server, "Sofie Maes", "support");
    server.send(Method::POST, &path, Some(&sofie), Some(&why)).await.expect(204);
    // Mails whose link was replaced before they left are not sent at all.
    let link = loop {
        let newest = server.mail("jan@elsewhere.example", "Confirmez", 1).await;
        let page =
            server.send(Method::GET, &format!("/activate?token={}", token_in(&newest)), None, None).await;
        if page.status == 200 {
            break newest;
        }
    };
    assert!(server.mails("jan@elsewhere.example").await.len() <= 6);
    let activation = json!({ "token": token_in(&link), "password": PASSWORD });
    server.post("/v1/activations", activation).await.expect(204);
}

#[tokio::test]
async fn one_mailbox_gets_a_few_activation_mails_an_hour_whichever_companies_create_accounts_there() {
    let server = Server::start().await;
    let (first, second) = (Company::new(&server, 1).await, Company::new(&server, 2).await);
    let victim = "stranger@elsewhere.example";
    let mut sent = 0;
    let mut last = String::new();
    for company in [&first, &second].into_iter().cycle().take(12) {
        if !last.is_empty() {
            server
                .send(
                    Method::DELETE,
                    &format!("/v1/accounts/{last}?reason=Mistyped"),
                    Some(&server.token()),
                    None,
                )
                .await
                .expect(204);
        }
        // The answer is the same for all of them: it tells nothing of what the other company did.
        last = text(&company.create(victim, "user").await.expect(201).json(), "account_id");
        sent += 1;
        if sent <= 5 {
            server.mail(victim, "Confirmez", sent).await;
        }
    }
    // What the supplier asks for is sent at once, behind all that was queued before.
    server.service_post(&format!("/v1/accounts/{last}/activation-mail"), json!({})).await.expect(204);
    server.mail(victim, "Confirmez", 6).await;
    assert_eq!(server.mails(victim).await.len(), 6);
    let newest = token_in(server.mails(victim).await[0]["text"].as_str().unwrap());
    server.post("/v1/activations", json!({ "token": newest, "password": PASSWORD })).await.expect(204);
}

#[tokio::test]
async fn one_company_causes_so_many_activation_mails_an_hour_and_the_supplier_takes_on_whole_staffs() {
    let server = Server::with_variables(&[("LOQUET_LIMITS_ACTIVATION_MAILS_PER_COMPANY", "6")]).await;
    let (first, second) = (Company::new(&server, 1).await, Company::new(&server, 2).await);
    let mut made = Vec::new();
    for n in 0..5 {
        let created = first.create(&format!("jan{n}@elsewhere.example"), "user").await.expect(201);
        made.push(text(&created.json(), "account_id"));
    }
    first.mail_again(&made[0]).await.expect(204);
    for refused in [first.create("jan9@elsewhere.example", "user").await, first.mail_again(&made[1]).await] {
        assert_eq!(slug(&refused.expect(429)), "enough-activation-mails");
    }
    second.create("eva@elsewhere.example", "user").await.expect(201);
    for n in 10..40 {
        let mut body = colleague(&format!("jan{n}@elsewhere.example"), "user");
        body["company_id"] = json!(first.id);
        server.service_post("/v1/accounts", body).await.expect(201);
    }
}

#[tokio::test]
async fn no_name_of_a_person_carries_a_link_and_no_name_hides_anything() {
    let server = Server::start().await;
    let company = Company::new(&server, 1).await;
    for link in
        ["http://win.example/", "www.win.example", "win.example", "claim@win", "a/b", "Win at x.example now"]
    {
        let mut body = colleague("jan@elsewhere.example", "user");
        body["given_name"] = json!(link);
        let refused = company.call(Method::POST, "/v1/accounts", Some(body)).await.expect(422);
        assert_eq!(rules(&refused), ["/given_name name-with-link"], "{link}");
        let mut wanted = order(7, 7, "jan@elsewhere.example");
        wanted["contact"]["family_name"] = json!(link);
        let refused = server.service_post("/v1/orders", wanted).await.expect(422);
        assert_eq!(rules(&refused), ["/contact/family_name name-with-link"], "{link}");
    }
    for hidden in
        ["Jan\u{202e}", "Jan\nPeeters", "Jan\u{1b}[2J", "Jan\u{2028}Peeters", "J\u{200b}an", &"x".repeat(65)]
    {
        let mut body = colleague("jan@elsewhere.example", "user");
        body["family_name"] = json!(hidden);
        let refused = company.call(Method::POST, "/v1/accounts", Some(body)).await.expect(422);
        assert_eq!(rules(&refused), ["/family_name name-invalid"], "{hidden:?}");
    }
    let path = format!("/v1/companies/{}", company.id);
    let named = |name: &str| json!({ "legal_name": name, "trading_name": name });
    company.call(Method::PATCH, &path, Some(named("Booking.com BV"))).await.expect(204);
    let refused = company.call(Method::PATCH, &path, Some(named("https://win.example"))).await.expect(422);
    assert_eq!(rules(&refused), ["/legal_name name-with-scheme", "/trading_name name-with-scheme"]);
    let refused = company.call(Method::PATCH, &path, Some(named("Win\u{202e}"))).await.expect(422);
    assert_eq!(rules(&refused), ["/legal_name company-name-invalid", "/trading_name company-name-invalid"]);
    let group = json!({ "name": "https://win.example", "description": "a\nb", "permissions": [] });
    let groups = format!("{path}/groups");
    let refused = company.call(Method::POST, &groups, Some(group)).await.expect(422);
    assert_eq!(rules(&refused), ["/name name-with-scheme", "/description group-description-invalid"]);
    assert!(server.mails("jan@elsewhere.example").await.is_empty());
}

#[tokio::test]
async fn support_makes_an_administrator_for_a_reason_and_the_others_are_told() {
    let server = Server::start().await;
    let company = Company::new(&server, 1).await;
    let sofie = staff(&server, "Sofie Maes", "support");
    let support =
        async |path: &str, body: Value| server.send(Method::POST, path, Some(&sofie), Some(&body)).await;
    let why = "Their manager asked for it; called back on the number on file";

    let mut body = colleague("eva@example.be", "administrator");
    body["company_id"] = json!(company.id);
    assert_eq!(rules(&support("/v1/accounts", body.clone()).await.expect(422)), ["/reason reason-required"]);
    body["reason"] = json!(why);
    let eva = text(&support("/v1/accounts", body).await.expect(201).json(), "account_id");
    let told = server.mail("admin1@example.be", "est maintenant administrateur", 1).await;
    assert!(told.contains("Jan Peeters") && told.contains("eva@example.be"), "{told}");

    let jan = text(&company.create("jan@example.be", "user").await.expect(201).json(), "account_id");
    let role = format!("/v1/accounts/{jan}/role");
    let unsaid = support(&role, json!({ "role": "administrator" })).await.expect(422);
    assert_eq!(rules(&unsaid), ["/reason reason-required"]);
    support(&role, json!({ "role": "administrator", "reason": why })).await.expect(204);
    server.mail("admin1@example.be", "est maintenant administrateur", 2).await;

    let mut again = order(2, 1, "piet@example.be");
    again["company"]["legal_name"] = json!("Boulangerie 1 SRL");
    let piet = text(&server.service_post("/v1/orders", again).await.expect(201).json(), "account_id");
    let conversion = format!("/v1/accounts/{piet}/conversion");
    let unsaid = support(&conversion, json!({ "to": "administrator" })).await.expect(422);
    assert_eq!(rules(&unsaid), ["/reason reason-required"]);
    support(&conversion, json!({ "to": "administrator", "reason": why })).await.expect(204);
    server.mail("admin1@example.be", "est maintenant administrateur", 3).await;
    server.mail("eva@example.be", "est maintenant administrateur", 2).await;

    // What an administrator does is their company's own matter, and making a user is nobody's news.
    let own = text(&company.create("bo@example.be", "administrator").await.expect(201).json(), "account_id");
    support(&format!("/v1/accounts/{own}/role"), json!({ "role": "user", "reason": why })).await.expect(204);
    company
        .call(Method::POST, &format!("/v1/accounts/{own}/role"), Some(json!({ "role": "administrator" })))
        .await
        .expect(204);
    // A mail that follows from a later event is there: what was to be sent before has been.
    support(&format!("/v1/accounts/{own}/activation-mail"), json!({ "reason": why })).await.expect(204);
    let events = server.service_get(&format!("/v1/accounts/{eva}/events")).await.expect(200).json();
    assert_eq!(events["items"][0]["personal"]["reason"], why);
    let mut told = server.mails("admin1@example.be").await;
    told.retain(|mail| text(mail, "subject").contains("est maintenant administrateur"));
    assert_eq!(told.len(), 3);
    for (made, count) in [("jan@example.be", 1), ("piet@example.be", 0)] {
        let mut told = server.mails(made).await;
        told.retain(|mail| text(mail, "subject").contains("est maintenant administrateur"));
        assert_eq!(told.len(), count, "nobody is told of themselves: {made}");
    }
}

#[tokio::test]
async fn how_support_made_sure_who_asked_is_shown_to_support_and_auditors_alone() {
    let server = Server::start().await;
    let company = Company::new(&server, 1).await;
    let jan = text(&company.create("jan@example.be", "user").await.expect(201).json(), "account_id");
    let jans = activated(&server, "jan@example.be").await;
    let sofie = staff(&server, "Sofie Maes", "support");
    let proof = "Named two invoices and the date of birth";
    let role = format!("/v1/accounts/{jan}/role");
    for role_wanted in ["administrator", "user"] {
        let body = json!({ "role": role_wanted, "reason": proof });
        server.send(Method::POST, &role, Some(&sofie), Some(&body)).await.expect(204);
    }
    let reset = format!("/v1/accounts/{jan}/password-reset-mail");
    server.send(Method::POST, &reset, Some(&sofie), Some(&json!({ "reason": proof }))).await.expect(204);
    let own = json!({ "role": "administrator", "reason": "She runs the shop now" });
    company.call(Method::POST, &role, Some(own)).await.expect(204);

    let path = format!("/v1/accounts/{jan}/events?limit=200");
    let read = async |token: &str| server.send(Method::GET, &path, Some(token), None).await.expect(200).text;
    let reader = program(&server, "events:read,accounts:read");
    for token in [&company.session, &jans, &reader] {
        let shown = read(token).await;
        assert!(!shown.contains("invoices") && shown.contains("Sofie Maes"), "{shown}");
        assert!(shown.contains("She runs the shop now"), "their own reasons stay: {shown}");
    }
    let auditor = staff(&server, "Ann Audit", "auditor");
    for token in [&sofie, &auditor] {
        assert_eq!(read(token).await.matches(proof).count(), 3);
    }
    let feed = server.send(Method::GET, "/v1/events?limit=200", Some(&reader), None).await.expect(200).text;
    assert!(!feed.contains("invoices"), "{feed}");
    for mail in server.mails("example.be").await {
        assert!(!mail.to_string().contains("invoices"), "{mail}");
    }
}

#[tokio::test]
async fn a_take_over_is_hidden_from_companies_that_have_no_part_in_it() {
    let server = Server::start().await;
    let (giver, taker) = (Company::new(&server, 1).await, Company::new(&server, 2).await);
    let third = Company::new(&server, 3).await;
    third.create("user3@example.be", "user").await.expect(201);
    let user = activated(&server, "user3@example.be").await;
    let path = format!("/v1/terminals?company={}&at_least={}", giver.id, head(&server).await);
    let terminals = server.service_get(&path).await.expect(200).json();
    let terminal = text(&terminals["items"][0], "terminal_id");
    let take_over = async |from: &Company<'_>, to: &Company<'_>, complete: bool| {
        let body = json!({ "from_company_id": from.id, "to_company_id": to.id, "reference": "T-1" });
        let opened = server.service_post("/v1/takeovers", body).await.expect(201).json();
        let path = format!("/v1/takeovers/{}", text(&opened, "takeover_id"));
        for side in ["transferor", "acquirer"].into_iter().filter(|_| complete) {
            let agreed = server.service_post(&format!("{path}/confirmation?side={side}"), json!({})).await;
            agreed.expect(204);
        }
        if complete {
            server.service_post(&format!("{path}/completion"), json!({})).await.expect(204);
        }
        path
    };

    let there = take_over(&giver, &taker, false).await;
    let nowhere = format!("/v1/takeovers/{NOBODY}");
    let orders = program(&server, "orders:write");
    for token in [&third.session, &user, &orders] {
        for (method, under) in [
            (Method::GET, ""),
            (Method::POST, "/confirmation"),
            (Method::POST, "/completion"),
            (Method::POST, "/cancellation"),
        ] {
            let asked = async |path: &str| {
                let body = (under == "/cancellation").then(|| json!({ "reason": "mistake" }));
                let answer =
                    server.send(method.clone(), &format!("{path}{under}"), Some(token), body.as_ref()).await;
                let mut told = answer.json();
                told["instance"] = Value::Null;
                (answer.status, told)
            };
            let (real, unreal) = (asked(&there).await, asked(&nowhere).await);
            assert_eq!(real, unreal, "{under}");
            assert!([403, 404].contains(&real.0.as_u16()), "{under} {real:?}");
        }
    }
    assert_eq!(third.call(Method::GET, "/v1/takeovers", None).await.expect(200).json()["items"], json!([]));

    server.service_post(&format!("{there}/cancellation"), json!({ "reason": "mistake" })).await.expect(204);
    take_over(&giver, &taker, true).await;
    take_over(&taker, &third, true).await;
    let at = head(&server).await;
    third.call(Method::GET, &format!("/v1/terminals?at_least={at}"), None).await.expect(200);
    let steps = async |company: &Company<'_>| {
        let path = format!("/v1/terminals/{terminal}/assignments?at_least={at}");
        company.call(Method::GET, &path, None).await.expect(200).text
    };
    let shown = steps(&third).await;
    assert_eq!(shown.matches("taken_over").count(), 1, "{shown}");
    assert!(!shown.contains(&giver.id), "{shown}");
    let path = format!("/v1/accounts/{}/events?limit=200", giver.administrator);
    let moves = async |token: &str| {
        let shown = server.send(Method::GET, &path, Some(token), None).await.expect(200).json();
        let events = shown["items"].as_array().unwrap().clone();
        events.iter().filter(|event| event["type"] == "account-moved").count()
    };
    // Who has come along twice knows of both; the company that they came to knows of its own.
    assert_eq!(moves(&giver.session).await, 2);
    assert_eq!(moves(&third.session).await, 1);
    assert_eq!(moves(&staff(&server, "Ann Audit", "auditor")).await, 2);
}

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{2066}\r\n\u{0}\u{7f}\u{2028}\u{200b}";

/// Whether an output holds nothing but what can be shown and the line ends of its own.
#[track_caller]
fn plain(what: &str, output: &[u8]) {
    let output = String::from_utf8(output.to_vec()).unwrap();
    assert!(output.chars().all(|letter| letter == '\n' || is_printable(letter)), "{what}: {output:?}");
}

/// Every text of a problem, as a client reads it.
#[track_caller]
fn plain_problem(what: &str, answer: &Answer) {
    #[track_caller]
    fn look(what: &str, value: &Value) {
        match value {
            Value::String(text) => assert!(text.chars().all(is_printable), "{what}: {text:?}"),
            Value::Array(items) => items.iter().for_each(|item| look(what, item)),
            Value::Object(fields) => fields.iter().for_each(|(name, item)| {
                assert!(name.chars().all(is_printable), "{what}: {name:?}");
                look(what, item);
            }),
            _ => {}
        }
    }
    assert!(answer.status.is_client_error(), "{what}: {}", answer.text);
    look(what, &answer.json());
    for (name, value) in &answer.headers {
        assert!(value.as_bytes().iter().all(|byte| (0x20..0x7f).contains(byte)), "{what}: {name}");
    }
}

#[expect(clippy::too_many_lines, reason = "every answer and every output, one after the other")]
#[tokio::test]
async fn neither_an_answer_nor_an_output_repeats_a_control_character() {
    let mut server = Server::start().await;
    let mut orders = vec![order(1, 1, "marie@example.be")];
    for pointer in [
        "/order_id",
        "/channel",
        "/placed_at",
        "/company/country",
        "/company/enterprise_number",
        "/company/legal_name",
        "/company/registered_office/street",
        "/company/registered_office/postal_code",
        "/contact/email",
        "/contact/given_name",
        "/contact/language",
        "/lines/0/model",
        "/lines/0/quantity",
        "/lines/0/delivery_address/town",
    ] {
        let mut hostile = order(2, 2, "marie@example.be");
        *hostile.pointer_mut(pointer).unwrap() = json!(HOSTILE);
        orders.push(hostile);
    }
    for under in ["", "/company", "/contact", "/lines/0", "/company/registered_office"] {
        let mut hostile = order(2, 2, "marie@example.be");
        hostile.pointer_mut(under).unwrap()[HOSTILE] = json!(1);
        orders.push(hostile);
    }
    for hostile in &orders[1..] {
        plain_problem("an order", &server.service_post("/v1/orders", hostile.clone()).await);
    }
    let company = Company::new(&server, 3).await;
    for file in [
        format!("terminal,site\n\"{HOSTILE}\",\"{HOSTILE}\"\n"),
        HOSTILE.to_owned(),
        format!("terminal,{HOSTILE}\na,b\n"),
    ] {
        let url = format!("{}/v1/terminal-assignments", server.url);
        let sent = server
            .client
            .post(url)
            .bearer_auth(&company.session)
            .header("content-type", "text/csv")
            .body(file);
        let answer = sent.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        plain_problem("a file", &Answer { status, headers, text: answer.text().await.unwrap() });
    }
    let encoded = "%1b%5b2J%c2%9b%e2%80%ae%0d%0a";
    for path in [
        format!("/v1/accounts/{encoded}"),
        format!("/v1/{encoded}"),
        format!("/v1/accounts?status={encoded}"),
        format!("/v1/accounts?limit=0&{encoded}={encoded}"),
        format!("/v1/accounts?limit={encoded}"),
        format!("/v1/accounts?company={encoded}"),
        format!("/v1/events?type={encoded}"),
        format!("/v1/terminals/{encoded}"),
        format!("/v1/orders/{encoded}"),
        format!("/v1/support/diagnosis?email={encoded}"),
    ] {
        plain_problem(&path, &server.service_get(&path).await);
    }

    let file = server.folder.join("orders.jsonl");
    let mut lines = std::fs::File::create(&file).unwrap();
    for hostile in &orders[1..] {
        writeln!(lines, "{hostile}").unwrap();
    }
    lines.write_all(format!("{HOSTILE}\n{{\"{HOSTILE}\n").as_bytes()).unwrap();
    let token_file = server.folder.join("dev-token");
    let (file, token_file) = (file.to_str().unwrap(), token_file.to_str().unwrap());
    let name = format!("account {HOSTILE}").replace('\0', "");
    let remote = ["--url", &server.url, "--token-file", token_file];
    let run = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        let what = format!("{arguments:?}");
        assert!(!output.status.success(), "{what}");
        plain(&what, &output.stdout);
        plain(&what, &output.stderr);
        assert!(output.stdout.len() + output.stderr.len() > 0, "{what}");
    };
    for json in [&[][..], &["--json"][..]] {
        run(&[&["order", "import", file], &remote[..], json].concat());
    }
    for arguments in [
        vec![name.as_str()],
        vec!["account", "show", &name],
        vec!["account", "show", "a@b.example", &name],
        vec!["events", "tail", "--after", &name],
        vec!["--config", &name, "config", "check"],
        vec!["--log-filter", &name, "config", "check"],
        vec!["diagnose", &name],
        vec!["token", "create", "--name", &name, "--scope", &name],
    ] {
        run(&arguments);
    }
    server.stop();
    let output = server.command().args(["order", "import", file]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    plain("an import", &output.stdout);
    plain("an import", &output.stderr);
    plain("the server's log", server.errors().as_bytes());
}
