//! Whole stories in a real browser.

use fantoccini::Locator;
use loquet_tests::browser::{Browser, Setup};
use loquet_tests::server::{Server, order, token_in};
use loquet_tests::skip;
use serde_json::json;

const PASSWORD: &str = "Boulange7!";

/// Logs in through the page.
pub(crate) async fn log_in(browser: &Browser, email: &str, password: &str) {
    browser.open("/login").await;
    browser.fill("email", email).await;
    browser.fill("password", password).await;
    browser.find("main button[type=submit]").await.click().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_activates_from_the_mail_logs_in_and_names_a_site() {
    let name = "a_merchant_activates_from_the_mail_logs_in_and_names_a_site";
    if !Browser::is_there(name) {
        return;
    }
    for setup in [Setup::PHONE, Setup { has_script: false, ..Setup::DESKTOP }] {
        let server = Server::start().await;
        server.service_post("/v1/orders", order(1, 1, "marie@boulangerie.example")).await.expect(201);
        let token = token_in(&server.mail("marie@boulangerie.example", "Confirmez", 1).await);
        let browser = Browser::start(&server.url, setup).await;
        browser.open(&format!("/activate?token={token}")).await;
        browser.fill("password", "short").await;
        browser.find("main button[type=submit]").await.click().await.unwrap();
        browser.reads("At least 8 characters.").await;
        browser.fill("password", PASSWORD).await;
        browser.find("main button[type=submit]").await.click().await.unwrap();
        browser.reads("log in").await;
        browser.press("To the login page").await;
        log_in(&browser, "marie@boulangerie.example", "Wrong1!!!").await;
        browser.reads("password").await;
        log_in(&browser, "marie@boulangerie.example", PASSWORD).await;
        browser.reads("Bonjour Marie").await;
        browser.press("English").await;
        browser.reads("Hello Marie").await;
        browser.press("Sites").await;
        browser.find("main .rows a").await.click().await.unwrap();
        browser.fill("name", "Boutique du centre").await;
        browser.press("Change the name").await;
        browser.reads("Saved.").await;
        browser.reads("Boutique du centre").await;
        browser.press("Log out").await;
        browser.reads("You are logged out.").await;
        browser.open("/sites").await;
        browser.reads("Log in to").await;
        assert!(browser.path().await.starts_with("/login?next=sites"));
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
}

/// The picture of the QR code on the page, read as a phone reads it. Returns the secret.
async fn secret_in_picture(browser: &Browser) -> String {
    let picture = browser.find("img.qr").await.screenshot().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("code.png");
    std::fs::write(&path, picture).unwrap();
    let read = std::process::Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&path).output().unwrap();
    let uri = String::from_utf8(read.stdout).unwrap();
    let (_, secret) = uri.split_once("secret=").unwrap_or_else(|| panic!("no secret in '{uri}'"));
    secret.split('&').next().unwrap().trim().to_owned()
}

/// The code that an app shows now.
fn code(secret: &str) -> String {
    let read = std::process::Command::new("oathtool").args(["--totp", "--base32", secret]).output().unwrap();
    String::from_utf8(read.stdout).unwrap().trim().to_owned()
}

/// Turns the second step on through its pages. Returns the recovery codes.
pub(crate) async fn enrol(browser: &Browser, password: &str) -> Vec<String> {
    browser.open("/account/second-step").await;
    browser.fill("current_password", password).await;
    browser.find("main form button[type=submit]").await.click().await.unwrap();
    browser.find("img.qr").await;
    let secret = secret_in_picture(browser).await;
    browser.fill("code", "000000").await;
    browser.find("main form button[type=submit]").await.click().await.unwrap();
    browser.find("main .problem").await;
    browser.fill("code", &code(&secret)).await;
    browser.find("main form button[type=submit]").await.click().await.unwrap();
    browser.find(".codes li code").await;
    let mut recovery = Vec::new();
    for code in browser.client.find_all(Locator::Css(".codes li code")).await.unwrap() {
        recovery.push(code.text().await.unwrap());
    }
    recovery
}

/// The address and the password of a member of the staff.
pub(crate) const SOFIE: (&str, &str) = ("sofie@supplier.example", "Loquet8!staff");

/// An operator invites a member of the staff, who activates from the mail as everybody does.
pub(crate) async fn invite_sofie(server: &Server) {
    let (email, password) = SOFIE;
    let invited = server
        .command()
        .args(["staff", "invite", email, "--role", "support", "--given-name", "Sofie"])
        .args(["--family-name", "Maes", "--language", "en", "--url", &server.url, "--token-file"])
        .arg(server.folder.join("dev-token"))
        .output()
        .unwrap();
    assert!(invited.status.success(), "{}", String::from_utf8_lossy(&invited.stderr));
    let token = token_in(&server.mail(email, "Confirm", 1).await);
    let chosen = json!({ "token": token, "password": password });
    server.post("/v1/activations", chosen).await.expect(204);
}

/// Whether the programs are there that read the picture of a second step and make its codes.
pub(crate) fn has_authenticator(test: &str) -> bool {
    skip::unless_installed(test, "zbarimg") && skip::unless_installed(test, "oathtool")
}

/// Logs in with a recovery code.
pub(crate) async fn log_in_with(browser: &Browser, (email, password): (&str, &str), recovery: &str) {
    log_in(browser, email, password).await;
    browser.find("main input[name=code]").await;
    browser.fill("code", recovery).await;
    browser.find("main form button[type=submit]").await.click().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_step_is_enrolled_from_the_picture_and_asked_for_at_the_next_login() {
    let name = "the_second_step_is_enrolled_from_the_picture_and_asked_for_at_the_next_login";
    if !Browser::is_there(name) || !has_authenticator(name) {
        return;
    }
    let server = Server::start().await;
    server.active(1, "marie@boulangerie.example", PASSWORD).await;
    let browser = Browser::start(&server.url, Setup::DESKTOP).await;
    log_in(&browser, "marie@boulangerie.example", PASSWORD).await;
    browser.reads("Bonjour Marie").await;
    let recovery = enrol(&browser, PASSWORD).await;
    browser.open("/account/second-step").await;
    browser.press("Se déconnecter").await;
    browser.find("main input[name=email]").await;
    log_in_with(&browser, ("marie@boulangerie.example", PASSWORD), &recovery[0]).await;
    browser.reads("Bonjour Marie").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_locks_themselves_out_and_support_in_another_browser_says_why_and_ends_it() {
    let name = "somebody_locks_themselves_out_and_support_in_another_browser_says_why_and_ends_it";
    if !Browser::is_there(name) || !has_authenticator(name) {
        return;
    }
    let Some(axe) = skip::unless_tool(name, "node_modules/axe-core/axe.min.js") else { return };
    let server = Server::start().await;
    server.active(1, "marie@boulangerie.example", PASSWORD).await;
    invite_sofie(&server).await;
    let before = server.service_get("/v1/accounts").await.position();
    let merchant = Browser::start(&server.url, Setup::PHONE).await;
    for _ in 0..7 {
        log_in(&merchant, "marie@boulangerie.example", "Wrong1!!!").await;
        merchant.find("main .problem").await;
    }
    log_in(&merchant, "marie@boulangerie.example", PASSWORD).await;
    merchant.reads("Locked for a while").await;

    let support = Browser::start(&server.url, Setup::DESKTOP).await;
    log_in(&support, SOFIE.0, SOFIE.1).await;
    support.reads("it is required of our staff").await;
    support.open("/support").await;
    support.reads("it is required of our staff").await;
    enrol(&support, SOFIE.1).await;
    support.open("/support").await;
    support.open("/support?q=boulang").await;
    support.reads("Boulangerie 1 SRL").await;
    // The results follow what is typed.
    support.fill("q", "dupont").await;
    support.reads("Marie Dupont").await;
    let mut wrong = support.violations(&axe).await;
    support.open("/support/queues").await;
    support.reads("Nothing waits here.").await;
    wrong.extend(support.violations(&axe).await);
    support.open("/support/lockouts").await;
    support.reads("Marie Dupont").await;
    support.reads("after 7 wrong guesses").await;
    wrong.extend(support.violations(&axe).await);
    support.open("/support/numbers?days=7").await;
    support.reads("Lockouts 1").await;
    assert!(support.has("svg[role=img] rect.bar").await);
    wrong.extend(support.violations(&axe).await);
    support.open("/audit?category=account&type=account-locked").await;
    support.reads("There are no later events.").await;
    assert_eq!(support.count("ol.timeline li").await, 1, "one lockout, and nothing else");
    wrong.extend(support.violations(&axe).await);
    support.open("/audit/what-if").await;
    support.fill("attempts", "3").await;
    support.press("Compare").await;
    support.reads("What would have happened").await;
    // Four of the seven wrong guesses would not have been judged.
    support.reads("Wrong guesses stopped").await;
    assert_eq!(support.row("Wrong guesses judged").await, ["8", "8", "4"], "a wrong code is a guess too");
    assert_eq!(support.row("Wrong guesses stopped").await, ["–", "0", "4"]);
    wrong.extend(support.violations(&axe).await);
    support.open("/audit/what-if?attempts=0&minutes=soon&from=2026-12-02&to=2026-12-01").await;
    support.reads("Give a whole number from 1 to 100.").await;
    support.open("/audit/proof").await;
    support.reads("Signed up to position").await;
    wrong.extend(support.violations(&axe).await);
    support.open("/audit/exports").await;
    support.reads("No extract is kept here now.").await;
    support.fill("reason", "Yearly audit").await;
    support.press("Write an extract").await;
    support.reads("The extract is being written.").await;
    // The page follows by itself.
    support.reads("ready").await;
    support.reads("Sofie Maes").await;
    wrong.extend(support.violations(&axe).await);
    let (kind, size) = support.download("Download").await;
    assert!(kind == "application/zip" && size > 1000, "{kind}, {size}");
    support.open("/support/diagnosis?email=marie@boulangerie.example").await;
    support.reads("is locked").await;
    wrong.extend(support.violations(&axe).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    support.fill("reason", "She called from the shop").await;
    support.press("End the lockout").await;
    support.reads("The lockout is ended.").await;
    support.reads("She called from the shop").await;
    // What the system knew before the lockout, and during it.
    let page = support.path().await;
    let (page, _) = page.split_once('?').unwrap();
    support.open(&format!("{page}?as_of={before}")).await;
    support.reads("Wrong guesses in a row: 0.").await;
    support.open(&format!("{page}?as_of={}", before + 8)).await;
    support.reads("Locked until").await;
    support.open(&format!("{page}?as_of=yesterday")).await;
    support.find("main h1").await;
    assert_eq!(support.console_errors().await, Vec::<String>::new());

    log_in(&merchant, "marie@boulangerie.example", PASSWORD).await;
    merchant.reads("Bonjour Marie").await;
    // A merchant sees nothing of the console.
    merchant.open("/support").await;
    merchant.reads("n’existe pas").await;
    let history = server.service_get("/v1/accounts?email=marie@boulangerie.example").await.json();
    let account = history["items"][0]["account_id"].as_str().unwrap().to_owned();
    let events = server.service_get(&format!("/v1/accounts/{account}/events?limit=200")).await.json();
    let released =
        events["items"].as_array().unwrap().iter().find(|event| event["type"] == "lockout-released").unwrap();
    assert_eq!(
        released["actor"],
        json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" }),
        "{released:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_changes_the_menu_of_its_member_at_once_also_without_a_script() {
    let name = "a_group_changes_the_menu_of_its_member_at_once_also_without_a_script";
    if !Browser::is_there(name) {
        return;
    }
    let server = Server::start().await;
    server.active(1, "marie@boulangerie.example", PASSWORD).await;
    let setup = Setup { has_script: false, ..Setup::DESKTOP };
    let administrator = Browser::start(&server.url, setup).await;
    log_in(&administrator, "marie@boulangerie.example", PASSWORD).await;
    administrator.reads("Bonjour Marie").await;
    administrator.press("English").await;
    administrator.press("Users").await;
    administrator.fill("given_name", "Jan").await;
    administrator.fill("family_name", "Peeters").await;
    administrator.fill("email", "jan@boulangerie.example").await;
    administrator.choose("language", "en").await;
    administrator.choose("role", "user").await;
    administrator.press("Add").await;
    administrator.reads("An activation mail is on its way.").await;
    let token = token_in(&server.mail("jan@boulangerie.example", "Confirm", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);

    let user = Browser::start(&server.url, setup).await;
    log_in(&user, "jan@boulangerie.example", PASSWORD).await;
    user.reads("Hello Jan").await;
    assert!(!user.text().await.contains("Users"), "what he may not do is not offered");
    user.open("/users").await;
    user.find("main h1").await;
    assert!(!user.text().await.contains("marie@"), "{}", user.text().await);

    administrator.press("User groups").await;
    administrator.fill("name", "Caisse").await;
    administrator.choose("permission", "manage_users").await;
    administrator.press("Make the group").await;
    administrator.reads("The group is created.").await;
    administrator.press("Add").await;
    administrator.reads("This person is a member now.").await;
    user.open("/").await;
    user.reads("Users").await;
    user.open("/users").await;
    user.reads("marie@boulangerie.example").await;
    assert_eq!(user.console_errors().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_are_shown_page_by_page_moved_and_released_in_dutch_without_a_script() {
    let name = "terminals_are_shown_page_by_page_moved_and_released_in_dutch_without_a_script";
    if !Browser::is_there(name) {
        return;
    }
    let server = Server::start().await;
    let mut many = order(1, 1, "marie@bakkerij.example");
    let mut lines = [many["lines"][0].clone(), many["lines"][0].clone()];
    for (line, (street, quantity)) in lines.iter_mut().zip([("Kerkstraat", 60), ("Stationsstraat", 45)]) {
        line["quantity"] = json!(quantity);
        line["delivery_address"]["street"] = json!(street);
    }
    many["lines"] = json!(lines);
    many["contact"]["language"] = json!("nl");
    server.service_post("/v1/orders", many).await.expect(201);
    let token = token_in(&server.mail("marie@bakkerij.example", "Bevestig", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);

    let browser = Browser::start(&server.url, Setup { has_script: false, ..Setup::DESKTOP }).await;
    log_in(&browser, "marie@bakkerij.example", PASSWORD).await;
    browser.reads("Dag Marie").await;
    browser.open("/terminals").await;
    browser.reads("Pagina 1 van 3").await;
    assert_eq!(browser.count("input[name=terminal]").await, 50);
    browser.press("Volgende").await;
    browser.reads("Pagina 2 van 3").await;
    browser.press("Volgende").await;
    browser.reads("Pagina 3 van 3").await;
    assert_eq!(browser.count("input[name=terminal]").await, 5);
    let sites = server.service_get("/v1/companies").await.json()["items"][0]["company_id"].clone();
    let sites = server.service_get(&format!("/v1/sites?company={}", sites.as_str().unwrap())).await.json();
    let (first, second) = (&sites["items"][0]["site_id"], &sites["items"][1]["site_id"]);
    let held = async |site: &serde_json::Value| {
        let page =
            server.service_get(&format!("/v1/terminals?site={}&limit=200", site.as_str().unwrap())).await;
        page.json()["items"].as_array().unwrap().len()
    };
    let before = held(first).await + held(second).await;
    browser.open(&format!("/terminals?site={}", first.as_str().unwrap())).await;
    browser.find("input[name=terminal]").await.click().await.unwrap();
    browser.choose("to", second.as_str().unwrap()).await;
    browser.press("Aan een andere locatie toewijzen").await;
    browser.reads("De terminals horen nu bij deze locatie.").await;
    browser.find("main td a").await.click().await.unwrap();
    browser.press("Deze terminal vrijgeven").await;
    browser.find("input[name=cause][value=sold_on]").await.click().await.unwrap();
    browser.press("Nu vrijgeven").await;
    browser.reads("vrijgegeven").await;
    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    server
        .service_get(&format!("/v1/terminals?site={}&at_least={head}", first.as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(held(first).await + held(second).await, before - 1);
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

/// A form that another site sends changes nothing.
#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let server = Server::start().await;
    for headers in [vec![("sec-fetch-site", "cross-site")], vec![("origin", "https://evil.example")], vec![]]
    {
        let mut request = server.client.post(format!("{}/login", server.url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let kind = "application/x-www-form-urlencoded";
        let answer =
            request.header("content-type", kind).body("email=a@b.example&password=x").send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(answer.headers().get("set-cookie").is_none());
    }
}
