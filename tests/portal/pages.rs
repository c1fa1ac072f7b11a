//! Every page: for everybody, in every language, and within its bounds.

use std::path::{Path, PathBuf};

use loquet_tests::browser::{Browser, Setup};
use loquet_tests::environment::variable;
use loquet_tests::server::{Server, order};
use loquet_tests::skip;
use serde_json::{Value, json};

use crate::stories::{SOFIE, enrol, has_authenticator, invite_sofie, log_in, log_in_with};

const PASSWORD: &str = "Boulange7!";
const EMAIL: &str = "marie@boulangerie.example";

/// A company with something on each page. Returns the pages: the name and the path of each.
async fn world(server: &Server) -> Vec<(&'static str, String)> {
    let account = server.active(1, EMAIL, PASSWORD).await;
    let placed =
        server.service_post("/v1/orders", order(2, 1, "jan@boulangerie.example")).await.expect(201).json();
    let waiting = placed["account_id"].as_str().unwrap().to_owned();
    let company = placed["company_id"].as_str().unwrap().to_owned();
    let group = json!({ "name": "Caisse", "description": "Voit les transactions", "permissions": ["view_transactions"], "reason": "asked" });
    let group =
        server.service_post(&format!("/v1/companies/{company}/groups"), group).await.expect(201).json();
    let group = group["group_id"].as_str().unwrap().to_owned();
    let first = |list: &Value, id: &str| list["items"][0][id].as_str().unwrap().to_owned();
    let at_least =
        format!("&at_least={}", server.service_get(&format!("/v1/accounts/{account}")).await.position());
    let sites =
        server.service_get(&format!("/v1/sites?company={company}{at_least}")).await.expect(200).json();
    let terminals =
        server.service_get(&format!("/v1/terminals?company={company}{at_least}")).await.expect(200).json();
    let (site, terminal) = (first(&sites, "site_id"), first(&terminals, "terminal_id"));
    let page = |name, path: &str| (name, path.to_owned());
    vec![
        page("overview", "/"),
        page("sites", "/sites"),
        ("site", format!("/sites/{site}")),
        ("receipt", format!("/sites/{site}/receipt")),
        page("terminals", "/terminals"),
        ("terminal", format!("/terminals/{terminal}")),
        page("users", "/users"),
        ("user", format!("/users/{waiting}")),
        page("groups", "/groups"),
        ("group", format!("/groups/{group}")),
        page("company", "/company"),
        page("takeovers", "/takeovers"),
        page("profile", "/account"),
        page("password", "/account/password"),
        page("second-step", "/account/second-step"),
        page("sessions", "/account/sessions"),
        page("devices", "/account/devices"),
        page("logins", "/account/logins"),
        page("data", "/account/data"),
    ]
}

/// A member of the staff, and a person who is locked out. Returns the staff's recovery codes and their pages.
async fn staff_world(server: &Server) -> (Vec<String>, Vec<(&'static str, String)>) {
    let locked = "luc@boulangerie.example";
    let account = server.active(7, locked, PASSWORD).await;
    for _ in 0..7 {
        server.login(locked, "Wrong1!!!").await.expect(401);
    }
    let shown = server.service_get(&format!("/v1/accounts/{account}")).await.expect(200).json();
    let company = shown["company_id"].as_str().unwrap();
    invite_sofie(server).await;
    let browser = Browser::start(&server.url, Setup::DESKTOP).await;
    log_in(&browser, SOFIE.0, SOFIE.1).await;
    browser.reads("it is required of our staff").await;
    let recovery = enrol(&browser, SOFIE.1).await;
    let page = |name, path: &str| (name, path.to_owned());
    let pages = vec![
        page("support", "/support?q=boulang"),
        page("queues", "/support/queues"),
        page("lockouts", "/support/lockouts"),
        page("numbers", "/support/numbers"),
        page("history", "/audit?category=account"),
        page("what-if", "/audit/what-if?attempts=3&minutes=30&devices=on"),
        page("proof", "/audit/proof"),
        page("exports", "/audit/exports"),
        ("diagnosis", format!("/support/diagnosis?email={locked}")),
        ("story", format!("/support/accounts/{account}")),
        ("company-story", format!("/support/companies/{company}")),
    ];
    (recovery, pages)
}

/// The pages of whoever is not logged in.
const OPEN: [(&str, &str); 6] = [
    ("login", "/login"),
    ("forgot", "/forgot"),
    ("help", "/help"),
    ("article", "/help/cannot-log-in"),
    ("contact", "/contact"),
    ("missing", "/no-such-page"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_for_everybody_stays_on_its_host_and_is_small() {
    let name = "every_page_is_for_everybody_stays_on_its_host_and_is_small";
    let Some(axe) = skip::unless_tool(name, "node_modules/axe-core/axe.min.js") else { return };
    if !Browser::is_there(name) {
        return;
    }
    let server = Server::start().await;
    let pages = world(&server).await;
    let host = server.url.trim_start_matches("http://").to_owned();
    let mut wrong = Vec::new();
    for setup in [Setup::DESKTOP, Setup { is_dark: true, ..Setup::PHONE }] {
        let browser = Browser::start(&server.url, setup).await;
        for (page, path) in OPEN {
            wrong.extend(look(&browser, &axe, page, path).await);
        }
        // A mail is a page without style sheet and script.
        browser.open("/dev/mail").await;
        let mail = browser.find("article h2 a").await.attr("href").await.unwrap().unwrap();
        browser.open(&format!("/dev/{mail}")).await;
        browser.find("table.card").await;
        wrong.extend(browser.violations(&axe).await.into_iter().map(|found| format!("mail: {found}")));
        log_in(&browser, EMAIL, PASSWORD).await;
        browser.reads("Marie").await;
        for (page, path) in &pages {
            wrong.extend(look(&browser, &axe, page, path).await);
        }
        let hosts = browser.hosts().await;
        assert!(hosts.iter().all(|asked| *asked == host), "{hosts:?}");
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a page. With `LOQUET_SCREENSHOTS`, a picture of it is put there.
async fn look(browser: &Browser, axe: &PathBuf, page: &str, path: &str) -> Vec<String> {
    browser.open(path).await;
    let heading = browser.find("main h1").await.text().await.unwrap();
    assert!(!heading.is_empty(), "{page} has no heading");
    if page != "missing" {
        assert!(!browser.has("main .problem").await, "{page}: {}", browser.text().await);
        assert!(
            browser.has("main :is(.card, .prose)").await,
            "{page} shows nothing: {}",
            browser.text().await
        );
    }
    let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
    let is_wide = browser.client.execute(wide, Vec::new()).await.unwrap();
    assert_eq!(is_wide, Value::Bool(false), "{page} is wider than the window");
    let found = browser.violations(axe).await;
    found.into_iter().map(|found| format!("{page}: {found}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_staff_is_for_everybody_too() {
    let name = "every_page_of_the_staff_is_for_everybody_too";
    let Some(axe) = skip::unless_tool(name, "node_modules/axe-core/axe.min.js") else { return };
    if !Browser::is_there(name) || !has_authenticator(name) {
        return;
    }
    let server = Server::start().await;
    let (recovery, pages) = staff_world(&server).await;
    let mut wrong = Vec::new();
    for (setup, code) in [Setup::DESKTOP, Setup { is_dark: true, ..Setup::PHONE }].into_iter().zip(&recovery)
    {
        let browser = Browser::start(&server.url, setup).await;
        log_in_with(&browser, SOFIE, code).await;
        browser.reads("Find and help").await;
        for (page, path) in &pages {
            wrong.extend(look(&browser, &axe, page, path).await);
        }
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_of_each_page_is_under_sixty_kilobytes() {
    let name = "a_first_load_of_each_page_is_under_sixty_kilobytes";
    if !Browser::is_there(name) {
        return;
    }
    let server = Server::start().await;
    let pages = world(&server).await;
    let browser = Browser::start(&server.url, Setup::DESKTOP).await;
    log_in(&browser, EMAIL, PASSWORD).await;
    browser.reads("Marie").await;
    let open = OPEN.iter().map(|(page, path)| (*page, (*path).to_owned()));
    for (page, path) in pages.into_iter().chain(open) {
        // A browser that has been here before loads less.
        browser.client.execute("return navigator.onLine", Vec::new()).await.unwrap();
        browser.bytes().await;
        browser.open(&path).await;
        let bytes = browser.bytes().await;
        assert!(bytes > 0 && bytes < 60_000, "{page}: {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_the_colour_and_with_the_logo_of_the_supplier_are_for_everybody_too() {
    let name = "pages_in_the_colour_and_with_the_logo_of_the_supplier_are_for_everybody_too";
    let Some(axe) = skip::unless_tool(name, "node_modules/axe-core/axe.min.js") else { return };
    if !Browser::is_there(name) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let logo = folder.path().join("logo.svg");
    let picture =
        "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='30'><rect width='90' height='30'/></svg>";
    std::fs::write(&logo, picture).unwrap();
    let logo = logo.to_str().unwrap();
    for (colour, is_dark) in [("#003366", false), ("#8a1538", true)] {
        let variables = [("LOQUET_BRAND_COLOUR", colour), ("LOQUET_BRAND_LOGO_FILE", logo)];
        let server = Server::with_variables(&variables).await;
        let pages = world(&server).await;
        let browser = Browser::start(&server.url, Setup { is_dark, ..Setup::DESKTOP }).await;
        let mut wrong = look(&browser, &axe, "login", "/login").await;
        let drawn = "return document.querySelector('.brand img').naturalWidth";
        assert_eq!(browser.client.execute(drawn, Vec::new()).await.unwrap(), json!(90));
        let accent = "return getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()";
        let accent = browser.client.execute(accent, Vec::new()).await.unwrap();
        assert_eq!(accent == json!(colour), !is_dark, "{accent}");
        assert_ne!(accent, json!("#7fd6bb"), "the style sheet's own colour");
        log_in(&browser, EMAIL, PASSWORD).await;
        browser.reads("Marie").await;
        for (page, path) in &pages {
            wrong.extend(look(&browser, &axe, page, path).await);
        }
        assert!(wrong.is_empty(), "{colour}: {}", wrong.join("\n"));
        assert_eq!(browser.console_errors().await, Vec::<String>::new());
    }
}

/// Writes a picture of each page, on a phone and on a desktop, light and dark.
#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_all_pages_are_written_when_asked_for() {
    let Some(folder) = variable("LOQUET_SCREENSHOTS").map(PathBuf::from) else { return };
    assert!(Browser::is_there("pictures_of_all_pages_are_written_when_asked_for"));
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::start().await;
    let pages = world(&server).await;
    let (recovery, of_staff) = staff_world(&server).await;
    let mut recovery = recovery.into_iter();
    for (device, setup) in [("desktop", Setup::DESKTOP), ("phone", Setup::PHONE)] {
        for (light, is_dark) in [("light", false), ("dark", true)] {
            let browser = Browser::start(&server.url, Setup { is_dark, language: "fr", ..setup }).await;
            let picture = async |page: &str, path: &str| {
                browser.open(path).await;
                let picture = browser.screenshot().await;
                std::fs::write(folder.join(format!("{page}-{device}-{light}.png")), picture).unwrap();
            };
            for (page, path) in OPEN {
                picture(page, path).await;
            }
            log_in(&browser, EMAIL, PASSWORD).await;
            browser.reads("Marie").await;
            for (page, path) in &pages {
                picture(page, path).await;
            }
            let browser = Browser::start(&server.url, Setup { is_dark, ..setup }).await;
            log_in_with(&browser, SOFIE, &recovery.next().unwrap()).await;
            browser.reads("Find and help").await;
            for (page, path) in &of_staff {
                browser.open(path).await;
                let picture = browser.screenshot().await;
                std::fs::write(folder.join(format!("{page}-{device}-{light}.png")), picture).unwrap();
            }
            let own = pages.iter().chain(&of_staff).map(|(page, _)| *page);
            let names = OPEN.iter().map(|(page, _)| *page).chain(own);
            let files = names.map(|page| folder.join(format!("{page}-{device}-{light}.png"))).collect();
            contact_sheet(files, &folder.join(format!("sheet-{device}-{light}.png")));
        }
    }
}

/// All pictures on one, each of them small.
fn contact_sheet(files: Vec<PathBuf>, sheet: &Path) {
    const COLUMNS: u32 = 9;
    const CELL: (u32, u32) = (240, 400);
    let count = u32::try_from(files.len()).unwrap();
    let mut whole = image::RgbImage::new(COLUMNS * CELL.0, count.div_ceil(COLUMNS) * CELL.1);
    for (place, file) in (0..).zip(files) {
        let picture = image::open(file).unwrap().to_rgb8();
        let height = picture.height() * (CELL.0 - 8) / picture.width();
        let small =
            image::imageops::resize(&picture, CELL.0 - 8, height, image::imageops::FilterType::Triangle);
        let small = image::imageops::crop_imm(&small, 0, 0, CELL.0 - 8, height.min(CELL.1 - 8)).to_image();
        let (x, y) = (place % COLUMNS * CELL.0, place / COLUMNS * CELL.1);
        image::imageops::overlay(&mut whole, &small, i64::from(x) + 4, i64::from(y) + 4);
    }
    whole.save(sheet).unwrap();
}
