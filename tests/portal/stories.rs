//! Whole stories in a real browser.

use loquet_tests::browser::{Browser, Setup};
use loquet_tests::server::{Server, order, token_in};

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
    for setup in [Setup::DESKTOP, Setup { has_script: false, ..Setup::PHONE }] {
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
