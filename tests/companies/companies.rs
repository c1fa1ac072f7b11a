//! Companies, sites, terminals, groups, receipts and take-overs: through real HTTP, against the real program.

use futures_util::future::join_all;
use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

fn place(street: &str, number: &str) -> Value {
    json!({ "street": street, "number": number, "postal_code": "1000", "town": "Bruxelles", "country": "BE" })
}

fn line(model: &str, quantity: u32, serials: &[&str], at: &Value) -> Value {
    match serials {
        [] => json!({ "model": model, "quantity": quantity, "delivery_address": at }),
        _ => json!({ "model": model, "quantity": quantity, "serials": serials, "delivery_address": at }),
    }
}

#[track_caller]
fn order_of(number: u32, company: u32, email: &str, lines: &[Value]) -> Value {
    let mut wanted = order(number, company, email);
    wanted["lines"] = json!(lines);
    wanted
}

/// A company with an administrator who is logged in.
struct Merchant<'a> {
    server: &'a Server,
    company: String,
    account: String,
    session: String,
}

impl<'a> Merchant<'a> {
    /// Registered by an order with these lines.
    async fn new(server: &'a Server, n: u32, lines: &[Value]) -> Self {
        let email = format!("admin{n}@example.be");
        let placed =
            server.service_post("/v1/orders", order_of(n, n, &email, lines)).await.expect(201).json();
        let text = |name: &str| placed[name].as_str().unwrap().to_owned();
        let session = activated(server, &email).await;
        Self { server, company: text("company_id"), account: text("account_id"), session }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.server.send(method, path, Some(&self.session), body.as_ref()).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.expect(200).json()
    }

    /// The items of a list, read when everything so far is in it.
    async fn items(&self, path: &str) -> Vec<Value> {
        items(self.server, path, &self.session).await
    }

    /// A user of the company, logged in, and their account.
    async fn user(&self, email: &str) -> (String, String) {
        let body = json!({ "email": email, "given_name": "Jan", "family_name": "Peeters", "language": "fr", "role": "user" });
        let made = self.call(Method::POST, "/v1/accounts", Some(body)).await.expect(201).json();
        (made["account_id"].as_str().unwrap().to_owned(), activated(self.server, email).await)
    }

    fn of_company(&self, path: &str) -> String {
        format!("/v1/companies/{}/{path}", self.company)
    }

    async fn group(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({ "name": name, "permissions": permissions });
        let made = self.call(Method::POST, &self.of_company("groups"), Some(body)).await.expect(201).json();
        made["group_id"].as_str().unwrap().to_owned()
    }

    async fn member(&self, group: &str, account: &str, sites: Value) -> Answer {
        let path = self.of_company(&format!("groups/{group}/members/{account}"));
        self.call(Method::PUT, &path, Some(json!({ "sites": sites }))).await
    }
}

async fn activated(server: &Server, email: &str) -> String {
    let token = token_in(&server.mail(email, "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    let session = server.login(email, PASSWORD).await.expect(201).json();
    session["session_token"].as_str().unwrap().to_owned()
}

async fn head(server: &Server) -> u64 {
    let page = server.service_get("/v1/permissions?account=00000000-0000-0000-0000-000000000000&permission=view_invoices&site=00000000-0000-0000-0000-000000000000");
    page.await.expect(200).json()["position"].as_u64().unwrap()
}

async fn items(server: &Server, path: &str, token: &str) -> Vec<Value> {
    let at = head(server).await;
    let sign = if path.contains('?') { '&' } else { '?' };
    let page =
        server.send(Method::GET, &format!("{path}{sign}at_least={at}&limit=200"), Some(token), None).await;
    page.expect(200).json()["items"].as_array().unwrap().clone()
}

#[track_caller]
fn slug(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
}

#[track_caller]
fn texts(items: &[Value], name: &str) -> Vec<String> {
    items.iter().map(|item| item[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn an_order_opens_sites_where_the_company_has_none_and_its_terminals_stand_there() {
    let server = Server::start().await;
    let (neuve, louise) = (place("Rue Neuve", "12"), place("Avenue Louise", "480"));
    let lines = [
        line("A920 Mobile", 2, &["1850000001", "1850000002"], &neuve),
        line("PAX A80 Duo Base", 1, &[], &louise),
        line("Verifone V400m", 1, &[], &place("av. louise", "480")),
    ];
    let merchant = Merchant::new(&server, 1, &lines).await;
    let sites = merchant.items("/v1/sites?sort=name").await;
    assert_eq!(texts(&sites, "name"), ["Avenue Louise, Bruxelles", "Rue Neuve, Bruxelles"]);
    let (louise_id, neuve_id) =
        (sites[0]["site_id"].as_str().unwrap(), sites[1]["site_id"].as_str().unwrap());
    assert_eq!(merchant.items(&format!("/v1/terminals?site={louise_id}")).await.len(), 2);
    let terminals = merchant.items("/v1/terminals").await;
    assert_eq!(terminals.len(), 4);
    let by_serial = merchant.get("/v1/terminals/1850000001").await;
    assert_eq!((&by_serial["model"], &by_serial["site_id"]), (&json!("PAX A920 Mobile"), &json!(neuve_id)));

    // Delivered again, or ordered to an address written otherwise: no further site, no terminal twice.
    let again = order_of(1, 1, "admin1@example.be", &lines);
    server.service_post("/v1/orders", again).await.expect(200);
    let more = [line("PAX A77 Compact", 1, &[], &place("RUE  NEUVE", "012"))];
    server.service_post("/v1/orders", order_of(2, 1, "admin1@example.be", &more)).await.expect(201);
    assert_eq!(merchant.items("/v1/sites").await.len(), 2);
    assert_eq!(merchant.items("/v1/terminals").await.len(), 5);

    // Of a site that a later order opens its administrators are told; the first order has a mail of its own.
    let new = [line("PAX A77 Compact", 1, &[], &place("Rue Haute", "7"))];
    server.service_post("/v1/orders", order_of(3, 1, "admin1@example.be", &new)).await.expect(201);
    let told = server.mail("admin1@example.be", "Nouveau site", 1).await;
    assert!(
        told.contains("SO-3") && told.contains("ce site\u{a0}:") && told.contains("Rue Haute, Bruxelles"),
        "{told}"
    );
    assert_eq!(server.mails("admin1@example.be").await.len(), 2, "the activation and this");

    let refused = merchant.call(Method::POST, "/v1/sites", Some(json!({}))).await.expect(405);
    assert_eq!(slug(&refused), "sites-open-themselves");
    assert!(refused.text.contains("Order a terminal"), "it says what does open one");
}

#[tokio::test]
async fn sites_are_named_and_moved_and_terminals_assigned_with_their_history() {
    let server = Server::start().await;
    let lines = [
        line("A920 Mobile", 1, &["T-1"], &place("Rue Neuve", "12")),
        line("A920 Mobile", 1, &["T-2"], &place("Rue Haute", "7")),
    ];
    let merchant = Merchant::new(&server, 1, &lines).await;
    let sites = merchant.items("/v1/sites?sort=name").await;
    let (haute, neuve) = (sites[0]["site_id"].as_str().unwrap(), sites[1]["site_id"].as_str().unwrap());
    let site = |id: &str| format!("/v1/sites/{id}");
    let named = json!({ "name": "Boutique" });
    let position = merchant.call(Method::PATCH, &site(haute), Some(named)).await.expect(204).position();
    let shown = merchant.get(&format!("{}?at_least={position}", site(haute))).await;
    assert_eq!(shown["name"], "Boutique");
    let there = json!({ "address": place("R. Neuve", "12") });
    let in_use = merchant.call(Method::PATCH, &site(haute), Some(there)).await;
    assert_eq!(slug(&in_use.expect(409)), "address-in-use");

    let assign = json!({ "site_id": haute });
    merchant.call(Method::POST, "/v1/terminals/T-1/assignment", Some(assign)).await.expect(204);
    assert_eq!(merchant.items(&format!("/v1/terminals?site={haute}")).await.len(), 2);
    let history = merchant.items("/v1/terminals/t-1/assignments").await;
    assert_eq!(texts(&history, "kind"), ["assigned", "ordered"]);
    assert_eq!((&history[0]["from_site_id"], &history[0]["to_site_id"]), (&json!(neuve), &json!(haute)));
    assert_eq!(history[0]["actor"]["account_id"], json!(merchant.account));
    assert_eq!(merchant.items(&format!("{}/assignments", site(neuve))).await.len(), 2, "came and went");

    // The office moves, and the site there with it; the trading name shows on the sites.
    let change = json!({ "trading_name": "Le Fournil", "registered_office": place("Place Flagey", "18") });
    let path = format!("/v1/companies/{}", merchant.company);
    let position = merchant.call(Method::PATCH, &path, Some(change)).await.expect(204).position();
    let moved = merchant.get(&format!("{}?at_least={position}", site(neuve))).await;
    assert_eq!(moved["address"]["street"], "Place Flagey");
    merchant.get(&format!("{path}?at_least={position}")).await;
    assert_eq!(merchant.get(&site(neuve)).await["company_name"], "Le Fournil");
    let number = json!({ "enterprise_number": "0123456749" });
    let refused = merchant.call(Method::PATCH, &path, Some(number)).await;
    assert_eq!(slug(&refused.expect(409)), "contact-support");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orders_to_one_new_address_at_once_open_one_site() {
    let server = Server::start().await;
    let merchant = Merchant::new(&server, 1, &[line("A920 Mobile", 1, &[], &place("Rue Neuve", "12"))]).await;
    let ways = ["Avenue Louise", "av. louise", "AV LOUISE", "Avenue  Louise."];
    let orders = (0..20_u32).map(|n| {
        let lines = [line("A920 Mobile", 2, &[], &place(ways[usize::try_from(n % 4).unwrap()], "480"))];
        let order = order_of(100 + n, 1, "admin1@example.be", &lines);
        let server = &server;
        async move { server.service_post("/v1/orders", order).await.expect(201) }
    });
    join_all(orders).await;
    let sites = merchant.items("/v1/sites").await;
    assert_eq!(sites.len(), 2, "{sites:?}");
    assert_eq!(merchant.items("/v1/terminals").await.len(), 41);
}

#[tokio::test]
async fn a_serial_number_is_one_terminals_and_one_of_another_company_goes_to_support() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    Merchant::new(&server, 1, &[line("A920 Mobile", 1, &["S-1"], &at)]).await;
    let lines = [line("A920 Mobile", 2, &["s-1", "S-2"], &at), line("A77 Compact", 1, &[], &at)];
    let other = Merchant::new(&server, 2, &lines).await;
    let terminals = other.items("/v1/terminals").await;
    let mut serials = texts(&terminals, "serial");
    serials.sort();
    assert_eq!(serials, ["", "S-2"], "the other company's terminal stays theirs");
    let waiting = items(&server, "/v1/orders?status=awaiting_support", &server.token()).await;
    assert_eq!(waiting[0]["refused_serials"], json!(["S-1"]));
    let unnumbered = terminals.iter().find(|terminal| terminal["serial"].is_null()).unwrap();
    let path = format!("/v1/terminals/{}/serial", unnumbered["terminal_id"].as_str().unwrap());
    let taken = server.service_post(&path, json!({ "serial": "S-1" })).await;
    assert_eq!(slug(&taken.expect(409)), "serial-taken");
    server.service_post(&path, json!({ "serial": "S-3" })).await.expect(204);
    server.service_post(&path, json!({ "serial": "s-3" })).await.expect(204);
    server.service_post(&path, json!({ "serial": "S-4" })).await.expect(409);
    other.call(Method::POST, &path, Some(json!({ "serial": "S-3" }))).await.expect(403);
    let foreign = other.call(Method::GET, "/v1/terminals/S-1", None).await;
    assert_eq!(foreign.status.as_u16(), 404, "whose it is, is nobody else's business");
}

#[tokio::test]
async fn a_terminal_that_is_released_shows_nothing_of_its_company_and_comes_to_the_order_that_waits() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let lines = [line("A920 Mobile", 2, &["S-1", "S-2"], &at)];
    let (former, next) = (
        Merchant::new(&server, 1, &lines).await,
        Merchant::new(&server, 2, &[line("A77 Compact", 1, &[], &at)]).await,
    );
    let site = former.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let layout = json!({ "header": "Le Fournil" });
    let path = format!("/v1/sites/{site}/receipt-layout");
    former.call(Method::PUT, &path, Some(layout)).await.expect(200);

    // All serial numbers of this order are another company's: it waits, and opens no site.
    let there = place("Rue Haute", "7");
    let waits = order_of(3, 2, "admin2@example.be", &[line("A920 Mobile", 1, &["S-1"], &there)]);
    server.service_post("/v1/orders", waits).await.expect(201);
    assert_eq!(next.items("/v1/sites").await.len(), 1, "no empty site");
    assert_eq!(next.items("/v1/terminals").await.len(), 1);

    let release = |cause: &str| json!({ "cause": cause });
    let (_, user) = former.user("jan1@example.be").await;
    let of_user =
        server.send(Method::POST, "/v1/terminals/S-1/release", Some(&user), Some(&release("sold_on"))).await;
    of_user.expect(403);
    next.call(Method::POST, "/v1/terminals/S-1/release", Some(release("sold_on"))).await.expect(404);
    former.call(Method::POST, "/v1/terminals/S-1/release", Some(release("lost"))).await.expect(400);
    former.call(Method::POST, "/v1/terminals/S-1/release", Some(release("sold_on"))).await.expect(204);

    let mine = former.items("/v1/terminals").await;
    assert_eq!(texts(&mine, "serial"), ["S-2"]);
    former.call(Method::GET, "/v1/terminals/S-1", None).await.expect(404);
    let layout = former.get(&path).await;
    assert_eq!(layout["terminals"].as_array().unwrap().len(), 1, "the layout reaches it no more");
    let theirs = next.items("/v1/terminals?sort=-added_at").await;
    assert_eq!(theirs[0]["serial"], "S-1", "the order that waited has it");
    let opened = next.items("/v1/sites?sort=name").await;
    assert_eq!(texts(&opened, "name"), ["Rue Haute, Bruxelles", "Rue Neuve, Bruxelles"]);
    assert!(items(&server, "/v1/orders?status=awaiting_support", &server.token()).await.is_empty());
    let printed = server.service_get("/v1/terminals/S-1/receipt-layout").await.expect(200).json();
    assert_eq!((&printed["site_id"], &printed["header"]), (&opened[0]["site_id"], &json!([])));

    let history = "/v1/terminals/S-1/assignments";
    let kinds = |steps: &[Value]| texts(steps, "kind").join(" ");
    assert_eq!(kinds(&items(&server, history, &server.token()).await), "ordered released ordered");
    assert_eq!(kinds(&former.items(history).await), "released ordered");
    assert_eq!(kinds(&next.items(history).await), "ordered");
    // Whoever released it did not order, and is nobody whom the next owner sees. It does not matter who is quicker: the
    // request that releases, or the code that follows the log.
    for actor in next.items(history).await.iter().map(|step| &step["actor"]) {
        assert_eq!(actor["kind"], "system", "{actor}");
    }
    let (mut seen, mut cursor) = (String::new(), String::new());
    loop {
        let page = server.service_get(&format!("{history}?limit=1{cursor}")).await.expect(200).json();
        seen += page["items"][0]["kind"].as_str().unwrap();
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, "orderedreleasedordered", "page by page too");

    // One's own terminal that was released can be ordered again.
    former.call(Method::POST, "/v1/terminals/S-2/release", Some(release("returned"))).await.expect(204);
    assert!(former.items("/v1/terminals").await.is_empty());
    server.service_get("/v1/terminals/S-2/receipt-layout").await.expect(404);
    let again = order_of(4, 1, "admin1@example.be", &[line("A920 Mobile", 1, &["S-2"], &at)]);
    server.service_post("/v1/orders", again).await.expect(201);
    assert_eq!(texts(&former.items("/v1/terminals").await, "serial"), ["S-2"]);
    let first = order_of(1, 1, "admin1@example.be", &lines);
    server.service_post("/v1/orders", first).await.expect(200);
    assert_eq!(former.items("/v1/terminals").await.len(), 1, "the first order brings nothing back");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_serial_numbers_at_once_for_one_terminal_the_other_stays_free() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let admin = Merchant::new(&server, 1, &[line("A920 Mobile", 40, &[], &at)]).await;
    let terminals = texts(&admin.items("/v1/terminals").await, "terminal_id");
    let note = async |terminal: &str, serial: &str| {
        let path = format!("/v1/terminals/{terminal}/serial");
        server.service_post(&path, json!({ "serial": serial })).await.status.as_u16()
    };
    let (contested, spare) = terminals.split_at(20);
    for (n, (terminal, spare)) in contested.iter().zip(spare).enumerate() {
        let (one, other) = (format!("ONE-{n}"), format!("OTHER-{n}"));
        let left = match tokio::join!(note(terminal, &one), note(terminal, &other)) {
            (204, 409) => other,
            (409, 204) => one,
            both => panic!("{both:?}"),
        };
        assert_eq!(note(spare, &left).await, 204, "{left} belongs to nothing");
    }
    let released = items(&server, "/v1/events?type=serial-released", &server.token()).await;
    assert!(!released.is_empty(), "none met another");
}

#[tokio::test]
async fn groups_grant_what_they_permit_where_their_members_hold_it() {
    let server = Server::start().await;
    let lines = [
        line("A920 Mobile", 1, &["T-1"], &place("Rue Neuve", "12")),
        line("A920 Mobile", 1, &["T-2"], &place("Rue Haute", "7")),
    ];
    let admin = Merchant::new(&server, 1, &lines).await;
    let sites = admin.items("/v1/sites?sort=name").await;
    let (haute, neuve) = (sites[0]["site_id"].as_str().unwrap(), sites[1]["site_id"].as_str().unwrap());
    let (jan, jans) = admin.user("jan@example.be").await;
    assert_eq!(
        items(&server, "/v1/sites", &jans).await.len(),
        0,
        "a user sees what they may do something at"
    );
    let managers = admin.group("Gérants", &["manage_users", "manage_terminals"]).await;
    admin.member(&managers, &jan, json!({ "sites": [neuve] })).await.expect(204);
    assert_eq!(texts(&items(&server, "/v1/sites", &jans).await, "site_id"), [neuve]);

    let asked = |account: &str, permission: &str, site: &str| {
        let path = format!("/v1/permissions?account={account}&permission={permission}&site={site}");
        let server = &server;
        async move { server.service_get(&path).await.expect(200).json()["allowed"] == true }
    };
    assert!(asked(&jan, "manage_terminals", neuve).await);
    assert!(!asked(&jan, "manage_terminals", haute).await);
    assert!(!asked(&jan, "view_invoices", neuve).await);
    assert!(asked(&admin.account, "manage_company", haute).await, "an administrator may do everything");
    assert!(!asked(&admin.account, "manage_company", &jan).await, "at sites there are");
    let holders = format!("/v1/sites/{neuve}/permission-holders?permission=manage_terminals");
    let mut holders = texts(
        server.service_get(&holders).await.expect(200).json()["items"].as_array().unwrap(),
        "account_id",
    );
    holders.sort();
    let mut both = [jan.clone(), admin.account.clone()];
    both.sort();
    assert_eq!(holders, both);
    let own = server.send(Method::GET, &format!("/v1/accounts/{jan}/permissions"), Some(&jans), None).await;
    assert_eq!(own.expect(200).json()["items"].as_array().unwrap().len(), 2);

    let assign = |terminal: &str, to: &str| {
        let (path, body) = (format!("/v1/terminals/{terminal}/assignment"), json!({ "site_id": to }));
        let (server, jans) = (&server, jans.clone());
        async move { server.send(Method::POST, &path, Some(&jans), Some(&body)).await.status.as_u16() }
    };
    assert_eq!(assign("T-1", haute).await, 403, "both sites must be theirs");
    admin.member(&managers, &jan, json!("everywhere")).await.expect(204);
    assert_eq!(assign("T-1", haute).await, 204, "a change holds from the next request");

    // A user with manage users creates users, and grants nothing that they lack.
    let create = |email: &str, role: &str| {
        let body = json!({ "email": email, "given_name": "An", "family_name": "Claes", "language": "nl", "role": role });
        let (server, jans) = (&server, jans.clone());
        async move { server.send(Method::POST, "/v1/accounts", Some(&jans), Some(&body)).await }
    };
    create("chef@example.be", "administrator").await.expect(403);
    let an =
        create("an@example.be", "user").await.expect(201).json()["account_id"].as_str().unwrap().to_owned();
    let rich = admin.group("Comptables", &["view_invoices"]).await;
    let member = |group: &str, account: &str| {
        let path = admin.of_company(&format!("groups/{group}/members/{account}"));
        let (server, jans, body) = (&server, jans.clone(), json!({ "sites": "everywhere" }));
        async move { server.send(Method::PUT, &path, Some(&jans), Some(&body)).await }
    };
    let beyond = member(&rich, &an).await.expect(403);
    assert_eq!(slug(&beyond), "beyond-own-permissions");
    member(&managers, &an).await.expect(204);
    assert_eq!(
        slug(&admin.member(&managers, &admin.account, json!("everywhere")).await.expect(409)),
        "not-a-user"
    );
    let foreign = json!({ "sites": ["00000000-0000-0000-0000-000000000001"] });
    admin.member(&managers, &an, foreign).await.expect(422);

    let path = admin.of_company(&format!("groups/{managers}"));
    let kept = admin.call(Method::DELETE, &path, None).await;
    assert_eq!(slug(&kept.expect(409)), "group-has-members");
    admin.call(Method::DELETE, &format!("{path}?move_to={rich}"), None).await.expect(204);
    assert!(!asked(&jan, "manage_terminals", neuve).await);
    assert!(asked(&jan, "view_invoices", neuve).await);
}

#[tokio::test]
async fn the_last_administrator_is_neither_deleted_nor_demoted() {
    let server = Server::start().await;
    let admin = Merchant::new(&server, 1, &[line("A920 Mobile", 1, &[], &place("Rue Neuve", "12"))]).await;
    let role = |account: &str| format!("/v1/accounts/{account}/role");
    let account = format!("/v1/accounts/{}", admin.account);
    let user = json!({ "role": "user" });
    let demoted = admin.call(Method::POST, &role(&admin.account), Some(user.clone())).await;
    assert_eq!(slug(&demoted.expect(409)), "last-administrator");
    let deleted = server.send(Method::DELETE, &account, Some(&server.token()), None).await;
    assert_eq!(slug(&deleted.expect(409)), "last-administrator");
    let (jan, jans) = admin.user("jan@example.be").await;
    admin.call(Method::POST, &role(&jan), Some(json!({ "role": "administrator" }))).await.expect(204);
    // Each of the two takes the other's place away at once: one of them stays.
    let mine = role(&jan);
    let theirs = role(&admin.account);
    let (one, other) = tokio::join!(
        admin.call(Method::POST, &mine, Some(user.clone())),
        server.send(Method::POST, &theirs, Some(&jans), Some(&user)),
    );
    let done = [&one, &other].into_iter().filter(|answer| answer.status.as_u16() == 204).count();
    assert_eq!(done, 1, "{one:?} {other:?}");
    let rows = items(&server, &format!("/v1/accounts?company={}", admin.company), &server.token()).await;
    assert_eq!(texts(&rows, "role").iter().filter(|role| *role == "administrator").count(), 1);
}

/// A small black PNG, in base64.
pub(crate) const LOGO: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

#[tokio::test]
async fn a_receipt_is_laid_out_where_a_pax_terminal_stands_and_reaches_it_when_it_synchronises() {
    let server = Server::start().await;
    let lines = [
        line("A920 Mobile", 1, &["T-1"], &place("Rue Neuve", "12")),
        line("Verifone V400m", 1, &["V-1"], &place("Rue Haute", "7")),
    ];
    let admin = Merchant::new(&server, 1, &lines).await;
    let sites = admin.items("/v1/sites?sort=name").await;
    let (haute, neuve) = (sites[0]["site_id"].as_str().unwrap(), sites[1]["site_id"].as_str().unwrap());
    let path = |site: &str| format!("/v1/sites/{site}/receipt-layout");
    let fetch = |tag: Option<String>| {
        let client = reqwest::Client::new();
        let mut request =
            client.get(format!("{}/v1/terminals/T-1/receipt-layout", server.url)).bearer_auth(server.token());
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        async move {
            let answer = request.send().await.unwrap();
            let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            (answer.status().as_u16(), tag, answer.text().await.unwrap())
        }
    };
    let (status, tag, before) = fetch(None).await;
    assert_eq!((status, serde_json::from_str::<Value>(&before).unwrap()["version"].as_u64()), (200, Some(0)));
    let layout =
        json!({ "header": "Le Fournil <b>\nRue Neuve 12", "footer": "Merci & à bientôt", "logo": LOGO });
    let saved = admin.call(Method::PUT, &path(neuve), Some(layout.clone())).await.expect(200).json();
    assert_eq!(saved["version"], 1);
    let again = admin.call(Method::PUT, &path(neuve), Some(layout.clone())).await.expect(200).json();
    assert_eq!(again["version"], 1, "saving what is there changes nothing");
    let (status, tag, after) = fetch(tag).await;
    let after: Value = serde_json::from_str(&after).unwrap();
    assert_eq!((status, &after["version"], &after["header"][1]), (200, &json!(1), &json!("Rue Neuve 12")));
    assert_ne!(after["logo"]["png"], LOGO, "drawn anew");
    assert_eq!(fetch(tag).await.0, 304, "nothing new, nothing sent");

    let preview = |kind: &str| format!("{}/preview.{kind}", path(neuve));
    let text = admin.call(Method::GET, &preview("txt"), None).await.expect(200);
    assert!(text.text.lines().all(|line| line.chars().count() <= 42), "{}", text.text);
    assert!(text.text.contains("Le Fournil <b>") && text.text.contains("SPECIMEN"));
    let svg = admin.call(Method::GET, &preview("svg"), None).await.expect(200);
    assert_eq!(svg.headers["content-type"], "image/svg+xml");
    assert!(svg.text.contains("TOTAL\u{a0}\u{a0}"), "columns stay columns");
    assert!(svg.text.contains("&lt;b&gt;") || svg.text.contains("&#60;b&#62;"), "{}", svg.text);

    let reached = |page: &Value| {
        let told = |terminal: &Value| (terminal["serial"].clone(), terminal["reached"].clone());
        page["terminals"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(reached(&admin.get(&path(neuve)).await), [(json!("T-1"), json!(true))]);
    assert_eq!(reached(&admin.get(&path(haute)).await), [(json!("V-1"), json!(false))]);
    let of_verifone = server.service_get("/v1/terminals/V-1/receipt-layout").await;
    assert_eq!(slug(&of_verifone.expect(409)), "contact-support", "support serves it");

    let tried = json!({ "header": "Un essai", "logo": "" });
    let text = admin.call(Method::POST, &preview("txt"), Some(tried.clone())).await.expect(200).text;
    let svg = admin.call(Method::POST, &preview("svg"), Some(tried.clone())).await.expect(200).text;
    assert!(text.contains("Un essai") && !text.contains("Merci"), "{text}");
    assert!(svg.contains("Un\u{a0}essai") && !svg.contains("<image"), "{svg}");
    assert_eq!(admin.get(&path(neuve)).await["version"], 1, "nothing was saved");
    let wide = json!({ "header": "x".repeat(43) });
    let refused = admin.call(Method::POST, &preview("svg"), Some(wide)).await.expect(422).json();
    assert_eq!(texts(refused["errors"].as_array().unwrap(), "pointer"), ["/header"]);
    let nowhere =
        admin.call(Method::POST, &format!("{}/preview.txt", path(haute)), Some(tried.clone())).await;
    assert_eq!(slug(&nowhere.expect(409)), "contact-support");
    let (_, user) = admin.user("jan1@example.be").await;
    let foreign = server.send(Method::POST, &preview("txt"), Some(&user), Some(&tried)).await;
    assert!([403, 404].contains(&foreign.status.as_u16()), "who may not save it may not try it");

    let verifone = admin.call(Method::PUT, &path(haute), Some(layout)).await;
    assert_eq!(slug(&verifone.expect(409)), "contact-support");
    let bad = json!({ "header": "x".repeat(43), "footer": "a\u{7}", "logo": "AAAA" });
    let refused = admin.call(Method::PUT, &path(neuve), Some(bad)).await.expect(422).json();
    assert_eq!(texts(refused["errors"].as_array().unwrap(), "pointer"), ["/header", "/footer", "/logo"]);
    for noncharacter in ["\u{fffe}", "\u{ffff}", "\u{fdd0}", "\u{1ffff}"] {
        let text = format!("a{noncharacter}b");
        let refused = admin.call(Method::PUT, &path(neuve), Some(json!({ "header": text }))).await;
        assert_eq!(refused.expect(422).json()["errors"][0]["rule"], "receipt-text-invalid", "{text:?}");
    }
    let removed = json!({ "footer": "Merci", "logo": "" });
    assert_eq!(admin.call(Method::PUT, &path(neuve), Some(removed)).await.expect(200).json()["version"], 2);
    assert!(admin.get(&path(neuve)).await["logo"].is_null());
}

#[tokio::test]
async fn a_name_that_is_wider_than_the_paper_is_printed_on_several_lines() {
    let server = Server::start().await;
    let admin =
        Merchant::new(&server, 1, &[line("A920 Mobile", 1, &["T-1"], &place("Rue Neuve", "12"))]).await;
    let site = admin.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sites/{site}/receipt-layout");
    let name = format!("Boulangerie Pâtisserie Dupont et Fils de la Grand-Place {}", "x".repeat(50));
    let layout = json!({ "trading_name": name, "header": "Rue Neuve 12" });
    admin.call(Method::PUT, &path, Some(layout)).await.expect(200);
    let text = admin.call(Method::GET, &format!("{path}/preview.txt"), None).await.expect(200).text;
    let printed: Vec<&str> = text.lines().map(str::trim).take(5).collect();
    let whole = "x".repeat(42);
    let expected =
        ["Boulangerie Pâtisserie Dupont et Fils de", "la Grand-Place", &whole, "xxxxxxxx", "Rue Neuve 12"];
    assert_eq!(printed, expected);
    assert!(text.lines().all(|line| line.chars().count() <= 42), "{text}");
}

/// A picture of so many pixels a side, in base64.
#[track_caller]
fn picture(width: u32, height: u32) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    let drawn =
        image::GrayImage::from_fn(width, height, |x, y| image::Luma([u8::try_from((x ^ y) & 255).unwrap()]));
    drawn.write_to(&mut png, image::ImageFormat::Png).unwrap();
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, png.into_inner())
}

#[tokio::test]
async fn many_large_pictures_at_once_are_put_off_and_hold_up_no_order() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let admin = Merchant::new(&server, 1, &[line("A920 Mobile", 1, &["T-1"], &at)]).await;
    let site = admin.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sites/{site}/receipt-layout");
    let others = Merchant::new(&server, 3, &[line("A920 Mobile", 1, &["T-3"], &at)]).await;
    let others_site = others.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let others_path = format!("/v1/sites/{others_site}/receipt-layout");
    let huge = json!({ "logo": picture(1_100, 1_000) });
    let refused = admin.call(Method::PUT, &path, Some(huge)).await.expect(422).json();
    assert_eq!(refused["errors"][0]["rule"], "logo-too-many-pixels");
    let layout = json!({ "logo": picture(1_000, 1_000) });
    let uploads = (0..60).map(|_| admin.call(Method::PUT, &path, Some(layout.clone())));
    let placed = order_of(2, 2, "paul@example.be", &[line("A920 Mobile", 1, &[], &at)]);
    let order = server.service_post("/v1/orders", placed);
    // Whoever sends sixty has two places of the queue; the others' pictures are drawn meanwhile.
    let others = others.call(Method::PUT, &others_path, Some(layout.clone()));
    let (uploads, order, others) = tokio::join!(join_all(uploads), order, others);
    assert_eq!(order.status, 201, "{}", order.text);
    assert_eq!(others.status, 200, "{}", others.text);
    let (saved, put_off): (Vec<_>, Vec<_>) = uploads.iter().partition(|answer| answer.status == 200);
    assert!(!saved.is_empty() && !put_off.is_empty(), "{} were put off", put_off.len());
    for answer in put_off {
        assert_eq!(
            (answer.status.as_u16(), slug(answer).as_str()),
            (429, "too-many-at-once"),
            "{}",
            answer.text
        );
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=10).contains(&seconds));
    }
    // All are answered: the places are free again.
    admin.call(Method::PUT, &path, Some(layout.clone())).await.expect(200);
}

#[tokio::test]
async fn a_logo_is_in_the_log_once_for_a_site_however_often_its_layout_is_saved() {
    let server = Server::start().await;
    let lines = [
        line("A920 Mobile", 1, &["T-1"], &place("Rue Neuve", "12")),
        line("A920 Mobile", 1, &["T-2"], &place("Rue Haute", "7")),
    ];
    let admin = Merchant::new(&server, 1, &lines).await;
    let sites = admin.items("/v1/sites").await;
    let path = |n: usize| format!("/v1/sites/{}/receipt-layout", sites[n]["site_id"].as_str().unwrap());
    let logo = picture(300, 100);
    let save = async |n: usize, body: Value| admin.call(Method::PUT, &path(n), Some(body)).await.expect(200);
    save(0, json!({ "header": "Un", "logo": logo })).await;
    let kept = admin.get(&path(0)).await["logo"]["png"].as_str().unwrap().to_owned();
    for n in 0..5 {
        save(0, json!({ "header": format!("Un {n}") })).await;
    }
    save(0, json!({ "header": "Rien", "logo": "" })).await;
    save(0, json!({ "header": "Encore", "logo": logo })).await;
    save(1, json!({ "header": "Deux", "logo": logo })).await;
    for n in 0..2 {
        assert_eq!(admin.get(&path(n)).await["logo"]["png"], json!(kept));
    }
    let log = rusqlite::Connection::open(server.folder.join("log.db")).unwrap();
    // It is sealed, so it is told by its size.
    let query =
        "SELECT name FROM events WHERE length(data) + coalesce(length(sealed), 0) > ? ORDER BY position";
    let mut events = log.prepare(query).unwrap();
    let events = events.query_map([kept.len()], |row| row.get::<_, String>(0)).unwrap();
    let with: Vec<String> = events.map(Result::unwrap).collect();
    assert_eq!(with, ["logo-kept", "logo-kept"]);
}

/// What a cursor says: the value by which its row is sorted, and the row's key.
#[track_caller]
fn told_by(page: &Value) -> Option<String> {
    use base64::Engine;
    let cursor = page["next_cursor"].as_str()?;
    Some(String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap())
}

#[tokio::test]
async fn what_follows_a_page_tells_nothing_of_what_is_out_of_sight() {
    let server = Server::start().await;
    let streets = ["A", "B", "C", "D", "E", "F"];
    let lines: Vec<Value> =
        streets.iter().map(|street| line("A920 Mobile", 2, &[], &place(street, "1"))).collect();
    let admin = Merchant::new(&server, 1, &lines).await;
    let other = Merchant::new(&server, 2, &[line("A920 Mobile", 3, &[], &place("Z", "1"))]).await;
    let foreign = other.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let nowhere = "00000000-0000-0000-0000-000000000000";
    for site in [foreign.as_str(), nowhere] {
        let asked = admin.call(Method::GET, &format!("/v1/terminals?limit=1&site={site}"), None).await;
        assert_eq!(slug(&asked.expect(404)), "not-found");
    }

    // A user who may do something at two of six sites, the second and the last but one by name.
    let sites = admin.items("/v1/sites?sort=name").await;
    let id = |n: usize| sites[n]["site_id"].as_str().unwrap().to_owned();
    let granted = [id(1), id(4)];
    let (jan, session) = admin.user("jan@example.be").await;
    let group = admin.group("Caisse", &["view_transactions"]).await;
    admin.member(&group, &jan, json!({ "sites": granted })).await.expect(204);
    let terminals = admin.items("/v1/terminals").await;
    let hidden: Vec<String> = (0..6)
        .filter(|n| ![1, 4].contains(n))
        .flat_map(|n| [id(n), sites[n]["name"].as_str().unwrap().to_lowercase()])
        .chain(
            terminals
                .iter()
                .filter(|t| !granted.contains(&t["site_id"].as_str().unwrap().to_owned()))
                .map(|t| t["terminal_id"].as_str().unwrap().to_owned()),
        )
        .collect();
    for (list, count) in
        [("/v1/sites?sort=name", 2), ("/v1/sites?sort=-opened_at", 2), ("/v1/terminals?sort=added_at", 4)]
    {
        let (mut found, mut cursor) = (0, String::new());
        loop {
            let asked = format!("{list}&limit=1{cursor}");
            let page = server.send(Method::GET, &asked, Some(&session), None).await.expect(200).json();
            assert_eq!(page["items"].as_array().unwrap().len(), 1, "a page is full but for the last: {page}");
            found += 1;
            let Some(told) = told_by(&page) else { break };
            assert!(!hidden.iter().any(|hidden| told.contains(hidden)), "{list} told {told:?}");
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        }
        assert_eq!(found, count, "{list}");
    }
    let unseen =
        server.send(Method::GET, &format!("/v1/terminals?site={}", id(0)), Some(&session), None).await;
    assert_eq!(slug(&unseen.expect(404)), "not-found");
}

#[tokio::test]
async fn a_file_of_assignments_is_tried_first_and_done_whole_or_not_at_all() {
    let server = Server::start().await;
    let serials: Vec<String> = (0..50).map(|n| format!("T-{n}")).collect();
    let serials: Vec<&str> = serials.iter().map(String::as_str).collect();
    let lines = [
        line("A920 Mobile", 50, &serials, &place("Rue Neuve", "12")),
        line("A920 Mobile", 1, &[], &place("Rue Haute", "7")),
    ];
    let admin = Merchant::new(&server, 1, &lines).await;
    let haute = admin.items("/v1/sites?sort=name").await[0]["site_id"].as_str().unwrap().to_owned();
    let send = async |file: &str, query: &str| {
        let client = reqwest::Client::new();
        let url = format!("{}/v1/terminal-assignments{query}", server.url);
        let request = client.post(url).bearer_auth(&admin.session).header("content-type", "text/csv");
        let answer = request.header("accept-language", "en").body(file.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let rows: String = serials.iter().map(|serial| format!("{serial},\"Rue Haute, Bruxelles\"\n")).collect();
    let file = format!("\u{feff}terminal,site\n{rows}");
    let before = head(&server).await;
    let (status, tried) = send(&file, "?dry_run=true").await;
    assert_eq!((status, &tried["lines"], tried["moves"].as_array().unwrap().len()), (200, &json!(50), 50));
    assert_eq!(head(&server).await, before, "a dry run does nothing");
    let faulty = format!("{file}T-1,{haute}\nT-99,{haute}\nT-2,Nowhere\nT-3\n");
    let (status, refused) = send(&faulty, "").await;
    let faults = refused["errors"].as_array().unwrap();
    let told: Vec<(String, String)> =
        texts(faults, "pointer").into_iter().zip(texts(faults, "rule")).collect();
    let fault = |pointer: &str, rule: &str| (pointer.to_owned(), rule.to_owned());
    assert_eq!(status, 422);
    assert_eq!(
        told,
        [
            fault("/52/terminal", "terminal-twice"),
            fault("/53/terminal", "terminal-unknown"),
            fault("/54/terminal", "terminal-twice"),
            fault("/54/site", "site-unknown"),
            fault("/55/terminal", "terminal-twice"),
            fault("/55/site", "site-unknown"),
        ]
    );
    for broken in ["", "terminal;site\nT-1;x\n", "terminal,site\n", "serial,place\nT-1,x\n"] {
        assert_eq!(send(broken, "").await.0, 422, "{broken:?}");
    }
    // Which of the two columns is meant, nobody can tell.
    for heading in ["terminal,site,site", "terminal,site,Terminal"] {
        let (status, refused) = send(&format!("{heading}\nT-1,{haute},T-2\n"), "").await;
        assert_eq!((status, &refused["errors"][0]["rule"]), (422, &json!("csv-columns")), "{heading}");
    }
    // What a program for tables made of a serial number.
    for spoiled in ["1,85E+09", "1.85e+09"] {
        let (status, refused) = send(&format!("terminal;site\n{spoiled};{haute}\n"), "").await;
        assert_eq!((status, &refused["errors"][0]["rule"]), (422, &json!("terminal-spoiled")), "{spoiled}");
    }
    assert_eq!(head(&server).await, before, "with any fault nothing is done");
    let (status, done) = send(&file, "").await;
    assert_eq!((status, done["moves"].as_array().unwrap().len()), (200, 50));
    assert_eq!(head(&server).await, before + 50);
    assert_eq!(admin.items(&format!("/v1/terminals?site={haute}")).await.len(), 51);
    assert_eq!(send(&file, "").await.1["unchanged"], 50);
}

/// A file of six thousand lines takes a while of a core, and its report is longer than a request may be.
#[tokio::test]
async fn one_caller_has_one_file_under_way_and_a_long_report_comes_whole_with_an_idempotency_key() {
    let server = Server::start().await;
    let lines = [
        line("A920 Mobile", 6000, &[], &place("Rue Neuve", "12")),
        line("A920 Mobile", 1, &[], &place("Rue Haute", "7")),
    ];
    let admin = Merchant::new(&server, 1, &lines).await;
    let sites = admin.items("/v1/sites?sort=name").await;
    let (haute, neuve) = (sites[0]["site_id"].as_str().unwrap(), sites[1]["site_id"].as_str().unwrap());
    let mut file = "terminal,site\n".to_owned();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/v1/terminals?site={neuve}&limit=200{cursor}")).await;
        for terminal in page["items"].as_array().unwrap() {
            file.extend([terminal["terminal_id"].as_str().unwrap(), ",", haute, "\n"]);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(file.lines().count(), 6001);
    let client = reqwest::Client::new();
    let send = async |query: &str, key: Option<&str>| {
        let request = client.post(format!("{}/v1/terminal-assignments{query}", server.url));
        let mut request = request.bearer_auth(&admin.session).header("content-type", "text/csv");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.body(file.clone()).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    };
    let tried = join_all((0..40).map(|_| send("?dry_run=true", None))).await;
    let (done, put_off): (Vec<_>, Vec<_>) = tried.iter().partition(|answer| answer.status == 200);
    assert!(!done.is_empty() && !put_off.is_empty(), "{} were put off", put_off.len());
    for answer in put_off {
        assert_eq!((answer.status.as_u16(), slug(answer).as_str()), (429, "too-many-at-once"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    // A trial is tried anew: its long report is not kept for a day.
    for _ in 0..2 {
        let trial = send("?dry_run=true", Some("trial")).await.expect(200);
        assert!(!trial.headers.contains_key("idempotency-replayed"));
        assert_eq!(trial.json()["moves"].as_array().unwrap().len(), 6000);
    }
    let moved = send("", Some("moved")).await.expect(200);
    assert!(moved.text.len() > 1024 * 1024, "{}", moved.text.len());
    assert_eq!(moved.json()["moves"].as_array().unwrap().len(), 6000);
    let again = send("", Some("moved")).await.expect(200);
    assert_eq!((again.text, &again.headers["idempotency-replayed"]), (moved.text, &"true".parse().unwrap()));
}

#[tokio::test]
async fn a_take_over_moves_sites_terminals_and_people_with_their_history() {
    let server = Server::start().await;
    let giver =
        Merchant::new(&server, 1, &[line("A920 Mobile", 2, &["T-1", "T-2"], &place("Rue Neuve", "12"))])
            .await;
    let taker =
        Merchant::new(&server, 2, &[line("A920 Mobile", 1, &["T-3"], &place("Rue Neuve", "12"))]).await;
    let (jan, jans) = giver.user("jan@example.be").await;
    let site = giver.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let sellers = giver.group("Vendeurs", &["view_transactions"]).await;
    let described = json!({ "description": "Ceux de la boutique" });
    let path = giver.of_company(&format!("groups/{sellers}"));
    giver.call(Method::PATCH, &path, Some(described)).await.expect(204);
    giver.member(&sellers, &jan, json!("everywhere")).await.expect(204);
    let name = json!({ "name": "La boutique" });
    giver.call(Method::PATCH, &format!("/v1/sites/{site}"), Some(name)).await.expect(204);
    let layout = json!({ "header": "Merci de votre visite", "middle": "", "footer": "" });
    let path = format!("/v1/sites/{site}/receipt-layout");
    giver.call(Method::PUT, &path, Some(layout)).await.expect(200);

    let body =
        json!({ "from_company_id": giver.company, "to_company_id": taker.company, "reference": "T-2026-1" });
    giver.call(Method::POST, "/v1/takeovers", Some(body.clone())).await.expect(403);
    let same = json!({ "from_company_id": giver.company, "to_company_id": giver.company, "reference": "T" });
    server.service_post("/v1/takeovers", same).await.expect(422);
    let opened = server.service_post("/v1/takeovers", body.clone()).await.expect(201).json();
    let path = format!("/v1/takeovers/{}", opened["takeover_id"].as_str().unwrap());
    assert_eq!(slug(&server.service_post("/v1/takeovers", body).await.expect(409)), "takeover-overlaps");
    let back = json!({ "from_company_id": taker.company, "to_company_id": giver.company, "reference": "T" });
    assert_eq!(slug(&server.service_post("/v1/takeovers", back).await.expect(409)), "takeover-circular");

    let shown = giver.get(&path).await;
    assert_eq!(shown["waits_for"], json!(["transferor_confirmation", "acquirer_confirmation"]));
    for admin in ["admin1@example.be", "admin2@example.be"] {
        let asked = server.mail(admin, "votre accord", 1).await;
        assert!(asked.contains("T-2026-1") && asked.contains("Boulangerie 2 SRL"), "{asked}");
    }
    let completion = format!("{path}/completion");
    let complete = || server.service_post(&completion, json!({}));
    assert_eq!(slug(&complete().await.expect(409)), "takeover-waits");
    for merchant in [&giver, &taker] {
        merchant.call(Method::POST, &format!("{path}/confirmation"), None).await.expect(204);
    }
    server.send(Method::POST, &format!("{path}/confirmation"), Some(&jans), None).await.expect(403);
    let position = complete().await.expect(204).position();
    assert_eq!(complete().await.expect(204).position(), position, "asked again, nothing moves");

    let shown = taker.get(&format!("{path}?at_least={position}")).await;
    assert_eq!((&shown["status"], shown["terminal_ids"].as_array().unwrap().len()), (&json!("completed"), 2));
    // The acquirer had a site at this address: there is one site now, with the terminals of both, and the layout and
    // the name that the acquirer lacked.
    let taken = taker.items("/v1/sites").await;
    assert_eq!(texts(&taken, "name"), ["La boutique"]);
    let into = taken[0]["site_id"].as_str().unwrap().to_owned();
    assert_eq!(shown["merged_sites"], json!([{ "site_id": site, "into_site_id": into }]));
    server.service_get(&format!("/v1/sites/{site}")).await.expect(404);
    let terminals = taker.items("/v1/terminals").await;
    assert_eq!(texts(&terminals, "site_id"), [into.as_str(); 3]);
    let layout = taker.get(&format!("/v1/sites/{into}/receipt-layout")).await;
    assert_eq!(layout["header"], json!(["Merci de votre visite"]));
    let groups = taker.get(&taker.of_company("groups")).await["items"].as_array().unwrap().clone();
    assert!(
        texts(&groups, "description").contains(&"Ceux de la boutique".to_owned()),
        "descriptions come along: {groups:?}"
    );
    let site = into;
    assert_eq!(
        texts(&giver.items("/v1/sites").await, "site_id"),
        [site.as_str()],
        "and nothing else of the acquirer's"
    );
    let history = taker.items("/v1/terminals/T-1/assignments").await;
    assert_eq!(texts(&history, "kind"), ["taken_over", "ordered"]);

    // Logins, sessions and what people could do there stay; nobody becomes administrator of the acquirer.
    let session = server.login("jan@example.be", PASSWORD).await.expect(201).json();
    let jans_new = session["session_token"].as_str().unwrap();
    for token in [jans.as_str(), jans_new] {
        assert_eq!(texts(&items(&server, "/v1/sites", token).await, "site_id"), [site.as_str()]);
    }
    let asked = |account: &str, permission: &str| {
        let path = format!("/v1/permissions?account={account}&permission={permission}&site={site}");
        let server = &server;
        async move { server.service_get(&path).await.expect(200).json()["allowed"] == true }
    };
    assert!(asked(&jan, "view_transactions").await);
    assert!(!asked(&jan, "view_invoices").await);
    assert!(asked(&giver.account, "manage_terminals").await, "what they could do at the site that moved");
    let rows = items(&server, &format!("/v1/accounts?company={}", taker.company), &server.token()).await;
    assert_eq!(rows.len(), 3);
    let former = rows.iter().find(|row| row["account_id"] == json!(giver.account)).unwrap();
    assert_eq!(former["role"], "user");
    for reader in ["admin1@example.be", "admin2@example.be", "jan@example.be"] {
        server.mail(reader, "conclue", 1).await;
    }
    let cancel = server.service_post(&format!("{path}/cancellation"), json!({ "reason": "mistake" })).await;
    assert_eq!(slug(&cancel.expect(409)), "takeover-completed");
}

#[tokio::test]
async fn bad_input_about_companies_is_named_and_changes_nothing() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let admin = Merchant::new(&server, 1, &[line("A920 Mobile", 1, &["T-1"], &at)]).await;
    let other = Merchant::new(&server, 2, &[line("A920 Mobile", 1, &["T-2"], &at)]).await;
    let own = admin.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    let foreign = other.items("/v1/sites").await[0]["site_id"].as_str().unwrap().to_owned();
    // The mails of before are sent beside, and their fate is an event.
    let before = settled(&server).await;
    let order = |lines: &[Value]| order_of(9, 9, "new@example.be", lines);
    let unknown = order(&[line("Ingenico Move", 1, &[], &at)]);
    let refused = server.service_post("/v1/orders", unknown).await.expect(422).json();
    assert_eq!(refused["errors"][0]["rule"], "model-unknown");
    let many: Vec<Value> = (0..3).map(|_| line("A920 Mobile", 5_000, &[], &at)).collect();
    server.service_post("/v1/orders", order(&many)).await.expect(422);
    let cases: Vec<(Method, String, Value, u16)> = vec![
        (Method::POST, "/v1/terminals/T-2/assignment".to_owned(), json!({ "site_id": own }), 404),
        (Method::POST, "/v1/terminals/T-1/assignment".to_owned(), json!({ "site_id": foreign }), 422),
        (Method::POST, "/v1/terminals/T-1/assignment".to_owned(), json!({ "site_id": "x" }), 400),
        (Method::PATCH, format!("/v1/sites/{foreign}"), json!({ "name": "Mine" }), 404),
        (Method::PATCH, format!("/v1/sites/{own}"), json!({ "name": "" }), 422),
        (Method::PATCH, format!("/v1/sites/{own}"), json!({ "address": { "street": "" } }), 400),
        (Method::PUT, format!("/v1/sites/{foreign}/receipt-layout"), json!({}), 404),
        (Method::PATCH, format!("/v1/companies/{}", other.company), json!({ "legal_name": "Mine" }), 404),
        (Method::PATCH, format!("/v1/companies/{}", admin.company), json!({ "legal_name": "\u{7}" }), 422),
        (
            Method::POST,
            format!("/v1/companies/{}/groups", other.company),
            json!({ "name": "x", "permissions": [] }),
            404,
        ),
        (Method::POST, admin.of_company("groups"), json!({ "name": " ", "permissions": [] }), 422),
        (Method::POST, admin.of_company("groups"), json!({ "name": "x", "permissions": ["fly"] }), 400),
        (Method::GET, format!("/v1/terminals?company={}", other.company), Value::Null, 404),
        (Method::GET, "/v1/sites?sort=colour".to_owned(), Value::Null, 400),
        (Method::GET, "/v1/permissions?account=x".to_owned(), Value::Null, 400),
    ];
    for (method, path, body, status) in cases {
        let answer = admin.call(method.clone(), &path, Some(body).filter(|body| !body.is_null())).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
    }
    assert_eq!(head(&server).await, before);
}

/// The head, once no mail is on its way any more.
async fn settled(server: &Server) -> u64 {
    let mut at = head(server).await;
    loop {
        let mails = server.send(Method::GET, "/dev/mail.json", None, None).await.json();
        let sent = items(server, "/v1/events?type=mail-sent", &server.token()).await;
        let now = head(server).await;
        if now == at && sent.len() >= mails.as_array().unwrap().len() {
            return at;
        }
        at = now;
    }
}

/// What an answer says is wrong, and where: the status, and each pointer with its rule.
fn faults(answer: &Answer) -> (u16, Vec<(String, String)>) {
    let shown = answer.json();
    let errors = shown["errors"].as_array().cloned().unwrap_or_default();
    let both = texts(&errors, "pointer").into_iter().zip(texts(&errors, "rule"));
    (answer.status.as_u16(), both.collect())
}

fn fault(pointer: &str, rule: &str) -> (u16, Vec<(String, String)>) {
    (422, vec![(pointer.to_owned(), rule.to_owned())])
}

#[tokio::test]
async fn a_refusal_names_the_field_of_its_own_request() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let bakery = Merchant::new(&server, 1, &[line("PAX A77 Compact", 1, &[], &at)]).await;
    let other = Merchant::new(&server, 2, &[line("PAX A77 Compact", 1, &[], &at)]).await;
    let own = bakery.items("/v1/sites").await[0]["site_id"].clone();
    let foreign = other.items("/v1/sites").await[0]["site_id"].clone();
    let unknown = "00000000-0000-4000-8000-000000000000";

    let open = async |change: Value| {
        let mut asked = json!({
            "from_company_id": bakery.company, "to_company_id": other.company, "reference": "T-1",
        });
        asked.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        faults(&server.service_post("/v1/takeovers", asked).await)
    };
    let company = "company-unknown";
    assert_eq!(open(json!({ "from_company_id": unknown })).await, fault("/from_company_id", company));
    assert_eq!(open(json!({ "to_company_id": unknown })).await, fault("/to_company_id", company));
    let same = open(json!({ "to_company_id": bakery.company })).await;
    assert_eq!(same, fault("/to_company_id", "takeover-same-company"));
    assert_eq!(open(json!({ "site_ids": [own, foreign] })).await, fault("/site_ids/1", "site-unknown"));
    assert_eq!(
        open(json!({ "site_ids": [], "account_ids": [] })).await,
        fault("/site_ids", "takeover-nothing")
    );
    let people = json!({ "account_ids": [bakery.account, other.account] });
    assert_eq!(open(people).await, fault("/account_ids/1", "account-unknown"));

    let group = bakery.group("Till", &["view_invoices"]).await;
    let (jan, _) = bakery.user("jan@example.be").await;
    let refused = bakery.member(&group, &jan, json!({ "sites": [own, foreign] })).await;
    assert_eq!(faults(&refused), fault("/sites/sites/1", "site-unknown"));
    bakery.member(&group, &jan, json!({ "sites": [own] })).await.expect(204);
    let delete = async |move_to: &str| {
        let path = bakery.of_company(&format!("groups/{group}?move_to={move_to}"));
        faults(&bakery.call(Method::DELETE, &path, None).await)
    };
    assert_eq!(delete(unknown).await, fault("?move_to", "group-unknown"));
    assert_eq!(delete(&group).await, fault("?move_to", "group-same"));

    let terminal = bakery.items("/v1/terminals").await[0]["terminal_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/terminals/{terminal}/assignment");
    let moved = bakery.call(Method::POST, &path, Some(json!({ "site_id": foreign }))).await;
    assert_eq!(faults(&moved), fault("/site_id", "site-unknown"));

    let mut colleague = json!({
        "email": "an@example.be", "given_name": "An", "family_name": "Maes", "language": "nl", "role": "user",
    });
    colleague["company_id"] = json!(unknown);
    let made = server.service_post("/v1/accounts", colleague).await;
    assert_eq!(faults(&made), fault("/company_id", company));

    // What the path names is not there: no field of the request is wrong.
    let nowhere = (404, Vec::new());
    let group = json!({ "name": "Till", "permissions": [] });
    let path = format!("/v1/companies/{unknown}/groups");
    assert_eq!(faults(&server.service_post(&path, group).await), nowhere);
    let site = format!("/v1/sites/{unknown}");
    let (token, name) = (server.token(), json!({ "name": "Till" }));
    assert_eq!(faults(&server.send(Method::PATCH, &site, Some(&token), Some(&name)).await), nowhere);
}

#[tokio::test]
async fn support_changes_an_enterprise_number_and_orders_with_either_number_are_the_companys() {
    let server = Server::start().await;
    let one = Merchant::new(&server, 1, &[line("A920 Mobile", 1, &[], &place("Rue Neuve", "12"))]).await;
    let two = Merchant::new(&server, 2, &[line("A920 Mobile", 1, &[], &place("Rue Haute", "1"))]).await;
    let path = format!("/v1/companies/{}", one.company);
    let own = one.get(&path).await["enterprise_number"].as_str().unwrap().to_owned();
    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    let same = json!({ "enterprise_number": format!("BE {}.{}", &own[..4], &own[4..]) });
    one.call(Method::PATCH, &path, Some(same)).await.expect(204);
    assert_eq!(server.service_get("/v1/events?limit=1").await.json()["position"], head, "nothing changed");

    let (new, others) = (
        format!("{:08}{:02}", 77, 97 - 77),
        two.get(&two.of_company("")[..two.of_company("").len() - 1]).await,
    );
    let others = others["enterprise_number"].clone();
    let change = |number: Value| json!({ "enterprise_number": number, "reason": "The register changed it" });
    assert_eq!(
        slug(&one.call(Method::PATCH, &path, Some(change(json!(new)))).await.expect(409)),
        "contact-support"
    );
    let patch = |body: Value| {
        let (server, path) = (&server, path.clone());
        async move { server.send(Method::PATCH, &path, Some(&server.token()), Some(&body)).await }
    };
    assert_eq!(slug(&patch(change(others)).await.expect(409)), "enterprise-number-taken");
    assert_eq!(
        faults(&patch(change(json!("0123456700"))).await),
        fault("/enterprise_number", "enterprise-number-check")
    );
    patch(change(json!(new))).await.expect(204);
    assert_eq!(one.get(&path).await["enterprise_number"], new.as_str());
    let found = server.service_get(&format!("/v1/companies?enterprise_number={new}")).await.json();
    assert_eq!(texts(found["items"].as_array().unwrap(), "company_id"), [one.company.as_str()]);

    // An order with either number is this company's: its contact waits for an administrator of the company.
    for (n, number) in [(11, &new), (12, &own)] {
        let mut next = order_of(
            n,
            1,
            &format!("new{n}@example.be"),
            &[line("A920 Mobile", 1, &[], &place("Rue Neuve", "12"))],
        );
        next["company"]["enterprise_number"] = json!(number);
        let placed = server.service_post("/v1/orders", next).await.expect(201).json();
        assert_eq!(placed["outcome"], "temporary_administrator", "{number}");
        assert_eq!(placed["company_id"], one.company.as_str());
    }
    let orders = items(&server, &format!("/v1/orders?company={}", one.company), &server.token()).await;
    assert_eq!(orders.len(), 3);
    // No other company gets a number that this one has or had.
    let path = format!("/v1/companies/{}", two.company);
    for number in [&own, &new] {
        let taken =
            server.send(Method::PATCH, &path, Some(&server.token()), Some(&change(json!(number)))).await;
        assert_eq!(slug(&taken.expect(409)), "enterprise-number-taken");
    }
}

/// All items of a list, two at a time.
async fn pages_of(server: &Server, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.service_get(&format!("{path}&limit=2{cursor}")).await.expect(200).json();
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn the_history_of_a_company_tells_of_its_sites_terminals_and_groups_page_by_page() {
    let server = Server::start().await;
    let at = place("Rue Neuve", "12");
    let merchant = Merchant::new(&server, 1, &[line("PAX A920 Mobile", 2, &[], &at)]).await;
    let other = Merchant::new(&server, 2, &[line("PAX A920 Mobile", 1, &[], &at)]).await;
    let (company, site) = (&merchant.company, &merchant.items("/v1/sites").await[0]["site_id"]);
    let site = format!("/v1/sites/{}", site.as_str().unwrap());
    merchant.call(Method::PATCH, &site, Some(json!({ "name": "Chez Marie" }))).await.expect(204);
    let group = json!({ "name": "Caisse", "permissions": ["view_transactions"] });
    merchant.call(Method::POST, &format!("/v1/companies/{company}/groups"), Some(group)).await.expect(201);

    let path = format!("/v1/companies/{company}/events");
    let whole = server.service_get(&format!("{path}?limit=200")).await.expect(200).json();
    let events = whole["items"].as_array().unwrap().clone();
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let wanted = [
        "company-registered",
        "site-opened",
        "terminal-added",
        "terminal-added",
        "site-named",
        "group-created",
    ];
    let told: Vec<_> = types.iter().filter(|name| wanted.contains(name)).copied().collect();
    assert_eq!(told, wanted, "{types:?}");
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert!(positions.is_sorted(), "{positions:?}");
    assert!(!whole.to_string().contains(&other.company), "another company's events");

    let of_account = format!("/v1/accounts/{}/events", merchant.account);
    let own = server.service_get(&format!("{of_account}?limit=200")).await.expect(200).json();
    for (path, events) in [(&path, &events), (&of_account, own["items"].as_array().unwrap())] {
        assert!(events.len() > 2, "{events:?}");
        assert_eq!(pages_of(&server, &format!("{path}?sort=position")).await, *events);
        let newest_first: Vec<_> = events.iter().rev().cloned().collect();
        assert_eq!(pages_of(&server, &format!("{path}?sort=-position")).await, newest_first);
    }

    merchant.call(Method::GET, &path, None).await.expect(403);
    let missing = "/v1/companies/00000000-0000-4000-8000-000000000001/events";
    server.service_get(missing).await.expect(404);
}
