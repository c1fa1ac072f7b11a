//! The erasure of a company that bears a person's name: a sole trader's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, order};
use reqwest::Method;
use serde_json::{Value, json};

use crate::companies::LOGO;

const EMAIL: &str = "aline@quisquater.example";
const PASSWORD: &str = "Boulange7!";
/// What identifies Aline Quisquater, in lower case. Her number is written without dots.
const HERS: [&str; 5] = ["quisquater", "kwikstaart", "zonnebloem", "0000000196", "ivborw0kggo"];

/// Her first order: her name is the company's, and her home is the registered office.
fn hers(number: u32) -> Value {
    let mut order = order(number, 1, EMAIL);
    let home = json!({ "street": "Kwikstaartlaan", "number": "7", "postal_code": "1050", "town": "Elsene", "country": "BE" });
    order["company"]["legal_name"] = json!("Aline Quisquater");
    order["company"]["trading_name"] = json!("Fleurs Quisquater");
    order["company"]["registered_office"] = home.clone();
    order["contact"]["family_name"] = json!("Quisquater");
    order["lines"][0]["delivery_address"] = home;
    order
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The files of a server, its own log included, that have something of her, and what.
fn traces(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let mut found = Vec::new();
    for path in files(folder).into_iter().chain([folder.with_extension("log")]) {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        found
            .extend(HERS.into_iter().filter(|trace| text.contains(trace)).map(|trace| (path.clone(), trace)));
    }
    found
}

/// A read model is written anew some seconds after the erasure.
async fn nothing_is_left(folder: &Path) {
    let start = Instant::now();
    while !traces(folder).is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", traces(folder));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn erase(server: &Server, company: &str) -> (u16, Value) {
    let body = json!({ "reason": "asked by letter" });
    let answer = server.service_post(&format!("/v1/companies/{company}/erasure"), body).await;
    let status = answer.status.as_u16();
    (status, if status == 204 { Value::Null } else { answer.json()["type"].clone() })
}

/// Her company with all that may name her: chosen names, addresses, a receipt and its logo. Returns its id and her
/// account's.
async fn world(server: &Server) -> (String, String) {
    let placed = server.service_post("/v1/orders", hers(1)).await.expect(201).json();
    let token = loquet_tests::server::token_in(&server.mail(EMAIL, "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    let (company, account) = (placed["company_id"].as_str().unwrap(), placed["account_id"].as_str().unwrap());
    let session = server.login(EMAIL, PASSWORD).await.expect(201).json();
    let session = session["session_token"].as_str().unwrap().to_owned();
    let send =
        async |method, path: &str, body: Value| server.send(method, path, Some(&session), Some(&body)).await;
    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    let sites = server.service_get(&format!("/v1/sites?company={company}&at_least={head}")).await.json();
    let site = sites["items"][0]["site_id"].as_str().unwrap().to_owned();
    send(Method::PATCH, &format!("/v1/sites/{site}"), json!({ "name": "Chez Quisquater" })).await.expect(204);
    let post = json!({ "street": "Zonnebloemstraat", "number": "3", "postal_code": "9000", "town": "Gent", "country": "BE" });
    let change = json!({ "correspondence_address": post, "trading_name": "Quisquater et Fille" });
    send(Method::PATCH, &format!("/v1/companies/{company}"), change).await.expect(204);
    let layout = json!({ "header": "Fleurs Quisquater\nKwikstaartlaan 7", "middle": "", "footer": "Merci", "logo": LOGO });
    send(Method::PUT, &format!("/v1/sites/{site}/receipt-layout"), layout).await.expect(200);
    (company.to_owned(), account.to_owned())
}

async fn found(server: &Server, text: &str) -> Value {
    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    let found =
        server.service_get(&format!("/v1/support/search?q={text}&at_least={head}")).await.expect(200).json();
    let count = |kind: &str| found[kind]["items"].as_array().unwrap().len();
    json!([count("accounts"), count("companies"), count("sites")])
}

/// Law 6, for a company.
#[tokio::test]
async fn a_sole_traders_erasure_leaves_nothing_of_the_company_that_bears_their_name() {
    let mut server = Server::start_with(&["--log-filter", "debug"]).await;
    server.active(2, "jan@example.be", PASSWORD).await;
    let (company, account) = world(&server).await;
    assert_eq!(found(&server, "quisquater").await, json!([1, 1, 1]));
    let sealed = std::fs::read(server.folder.join("log.db-wal")).unwrap_or_default();
    let sealed = [sealed, std::fs::read(server.folder.join("log.db")).unwrap()].concat();
    let sealed = String::from_utf8_lossy(&sealed).to_lowercase();
    for trace in HERS {
        assert!(!sealed.contains(trace), "{trace} lies open in the log");
    }

    // What has to be done before, in the order in which it is asked for.
    assert_eq!(erase(&server, &company).await, (409, json!("urn:loquet:problem:company-has-accounts")));
    let body = json!({ "reason": "asked by letter" });
    server.service_post(&format!("/v1/accounts/{account}/erasure"), body).await.expect(204);
    assert_eq!(erase(&server, &company).await, (409, json!("urn:loquet:problem:company-has-terminals")));
    let terminals = server.service_get(&format!("/v1/terminals?company={company}")).await.json();
    let terminals = terminals["items"].as_array().unwrap().clone();
    assert_eq!(terminals.len(), 2);
    for terminal in &terminals {
        let path = format!("/v1/terminals/{}/release", terminal["terminal_id"].as_str().unwrap());
        let body = json!({ "cause": "returned", "reason": "She stops" });
        server.service_post(&path, body).await.expect(204);
    }
    let token = server.folder.join("dev-token");
    let (url, token) = (server.url.clone(), token.display().to_string());
    let arguments = [
        "company",
        "erase",
        "BE 0000.000.196",
        "--reason",
        "asked by letter",
        "--url",
        &url,
        "--token-file",
        &token,
    ];
    let asked = server.command().args(arguments).stdin(std::process::Stdio::null()).output().unwrap();
    assert!(!asked.status.success(), "nothing is erased without --yes: {asked:?}");
    let erased = server.command().args(arguments).arg("--yes").output().unwrap();
    assert!(erased.status.success(), "{erased:?}");

    // Gone from every answer and every file.
    assert_eq!(erase(&server, &company).await.0, 204, "a second time nothing changes");
    server.service_get(&format!("/v1/companies/{company}")).await.expect(404);
    assert_eq!(found(&server, "quisquater").await, json!([0, 0, 0]));
    assert_eq!(found(&server, "kwikstaartlaan").await, json!([0, 0, 0]));
    let sites = server.service_get(&format!("/v1/sites?company={company}")).await.expect(200).json();
    assert_eq!(sites["items"], json!([]));
    nothing_is_left(&server.folder).await;
    let feed = server.service_get("/v1/events?format=stored&limit=200").await;
    assert!(!feed.text.to_lowercase().contains("quisquater"), "{}", feed.text);
    let history = server.service_get(&format!("/v1/companies/{company}/events?limit=200")).await.expect(200);
    assert!(history.json()["items"].as_array().unwrap().len() > 5);
    for trace in HERS {
        assert!(!history.text.to_lowercase().contains(trace), "{trace}: {}", history.text);
    }

    // Her order is still the same order. She comes back with the same number, as a new company.
    let again = server.service_post("/v1/orders", hers(1)).await.expect(200).json();
    assert_eq!(again["company_id"], company.as_str());
    let back = server.service_post("/v1/orders", hers(7)).await.expect(201).json();
    assert_eq!(back["outcome"], "first_order");
    assert_ne!(back["company_id"], company.as_str());
    assert_eq!(found(&server, "quisquater").await, json!([1, 1, 0]));

    // The views are built from the log alone, with and without the erased key.
    server.stop();
    let verified = server.command().args(["projections", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let verified = server.command().args(["doctor", "--dev"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

/// A company that takes part in a take-over is not erased. Afterwards, what the other company took over is its own.
#[tokio::test]
async fn what_another_company_took_over_stays_when_the_first_is_erased() {
    let server = Server::start().await;
    let (company, account) = world(&server).await;
    let jan = server.active(2, "jan@example.be", PASSWORD).await;
    let other = server.service_get(&format!("/v1/accounts/{jan}")).await.json()["company_id"].clone();
    let opened = json!({
        "from_company_id": company, "to_company_id": other, "account_ids": [], "reference": "T-1",
        "reason": "The shop is sold",
    });
    let opened = server.service_post("/v1/takeovers", opened).await.expect(201).json();
    let takeover = opened["takeover_id"].as_str().unwrap();
    for email in [EMAIL, "jan@example.be"] {
        let session = server.login(email, PASSWORD).await.expect(201).json();
        let session = session["session_token"].as_str();
        let path = format!("/v1/takeovers/{takeover}/confirmation");
        server.send(Method::POST, &path, session, None).await.expect(204);
    }
    let body = json!({ "reason": "asked by letter" });
    server.service_post(&format!("/v1/accounts/{account}/erasure"), body).await.expect(204);
    let refused = (409, json!("urn:loquet:problem:company-in-takeover"));
    assert_eq!(erase(&server, &company).await, refused);
    let path = format!("/v1/takeovers/{takeover}/completion");
    server.service_post(&path, json!({ "reason": "All have agreed" })).await.expect(204);
    assert_eq!(erase(&server, &company).await, (204, Value::Null));
    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    let listed = format!("/v1/sites?company={}&at_least={head}", other.as_str().unwrap());
    let sites = server.service_get(&listed).await.json();
    let names: Vec<&str> =
        sites["items"].as_array().unwrap().iter().map(|site| site["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Chez Quisquater"), "{names:?}");
    let site =
        sites["items"].as_array().unwrap().iter().find(|site| site["name"] == "Chez Quisquater").unwrap();
    let layout = format!("/v1/sites/{}/receipt-layout", site["site_id"].as_str().unwrap());
    let layout = server.service_get(&layout).await.expect(200).json();
    assert_eq!(layout["header"][0], "Fleurs Quisquater");
    assert!(layout["logo"]["png"].is_string(), "{layout}");
    let verified = server.command().args(["projections", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
