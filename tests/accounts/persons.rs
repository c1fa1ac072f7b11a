//! What a person can do about their own account, what they are told, and the file of everything that is held on them.

use loquet_tests::server::{Answer, Server, order, token_in};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// The session of somebody who logs in.
async fn session(server: &Server, email: &str) -> String {
    let session = server.login(email, PASSWORD).await.expect(201).json();
    session["session_token"].as_str().unwrap().to_owned()
}

/// A token of the supplier's staff.
#[track_caller]
fn support(server: &Server) -> String {
    let arguments = ["token", "create", "--staff", "Sofie Maes", "--role", "support"];
    let output = server.command().args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks for the file of a person's data.
async fn export(server: &Server, account: &str, token: &str, kind: &str, body: Option<&Value>) -> Answer {
    let url = format!("{}/v1/accounts/{account}/data-export", server.url);
    let request = server.client.post(url).bearer_auth(token).header("accept", kind);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

#[tokio::test]
async fn an_owner_changes_their_name_and_language_and_nobody_else_does() {
    let server = Server::start().await;
    let (email, other) = ("marie@example.be", "jan@example.be");
    let account = server.active(1, email, PASSWORD).await;
    server.active(2, other, PASSWORD).await;
    let (own, others) = (session(&server, email).await, session(&server, other).await);
    let path = format!("/v1/accounts/{account}");
    let change = |token: String, body: Value| {
        let (server, path) = (&server, path.clone());
        async move { server.send(Method::PATCH, &path, Some(&token), Some(&body)).await }
    };
    change(own.clone(), json!({ "family_name": "Lambert", "language": "nl" })).await.expect(204);
    let shown = server.service_get(&path).await.expect(200).json();
    assert_eq!((&shown["family_name"], &shown["language"]), (&json!("Lambert"), &json!("nl")));
    assert_eq!(shown["given_name"], "Marie", "what is not named stays");
    let found = server.service_get("/v1/support/search?q=lambert").await.expect(200).json();
    assert_eq!(found["accounts"]["items"][0]["account_id"], account.as_str(), "the new name is found");
    let found = server.service_get("/v1/support/search?q=dupont%20marie").await.expect(200).json();
    let still = found["accounts"]["items"].as_array().unwrap();
    assert!(still.iter().all(|hit| hit["account_id"] != account.as_str()), "the former name is not");

    let head = server.service_get("/v1/events?limit=1").await.json()["position"].clone();
    change(own.clone(), json!({ "family_name": "Lambert", "language": "nl" })).await.expect(204);
    assert_eq!(server.service_get("/v1/events?limit=1").await.json()["position"], head, "nothing changed");
    let faults = change(own.clone(), json!({ "given_name": "", "language": "de" })).await.expect(422).json();
    assert_eq!(faults["errors"].as_array().unwrap().len(), 2, "{faults}");
    change(own.clone(), json!({ "email": "new@example.be" })).await.expect(400);
    change(others, json!({ "language": "nl" })).await.expect(404);
    change(server.token(), json!({ "language": "nl" })).await.expect(403);

    // The next mail is in the new language, and greets by the new name.
    server.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    let mail = server.mail(email, "Kies een nieuw wachtwoord", 1).await;
    assert!(mail.contains("Dag Marie Lambert"), "{mail}");
}

#[tokio::test]
async fn whoever_waits_is_admitted_or_is_deleted_is_told_by_mail_and_on_the_page() {
    let server = Server::start().await;
    server.active(1, "first@example.be", PASSWORD).await;
    let email = "second@example.be";
    let placed = server.service_post("/v1/orders", order(2, 1, email)).await.expect(201).json();
    assert_eq!(placed["outcome"], "temporary_administrator");
    let account = placed["account_id"].as_str().unwrap();
    let invitation = server.mail(email, "Confirmez", 1).await;
    assert!(invitation.contains("un administrateur de votre entreprise doit encore vous accepter"));
    let form = format!("token={}&password=Boulange7%21", token_in(&invitation));
    let page = || {
        let request = server.client.post(format!("{}/activate", server.url)).header("accept-language", "en");
        request.header("content-type", "application/x-www-form-urlencoded").body(form.clone())
    };
    let text = page().send().await.unwrap().text().await.unwrap();
    assert!(text.contains("You can't log in yet") && !text.contains("You can now log in"), "{text}");
    let again = page().send().await.unwrap().text().await.unwrap();
    assert!(again.contains("must admit you first"), "{again}");

    let body = json!({ "to": "user" });
    server.service_post(&format!("/v1/accounts/{account}/conversion"), body).await.expect(204);
    let admitted = server.mail(email, "est accepté", 1).await;
    assert!(admitted.contains("comme utilisateur") && admitted.contains("maintenant vous connecter"));
    server.login(email, PASSWORD).await.expect(201);

    let path = format!("/v1/accounts/{account}");
    server.send(Method::DELETE, &path, Some(&server.token()), None).await.expect(204);
    let deleted = server.mail(email, "a été supprimé", 1).await;
    assert!(deleted.contains("Le support de MyCCV a supprimé votre compte"), "{deleted}");

    // The mail of somebody who was admitted before they chose a password says what comes first.
    let third = "third@example.be";
    let placed = server.service_post("/v1/orders", order(3, 1, third)).await.expect(201).json();
    let path = format!("/v1/accounts/{}/conversion", placed["account_id"].as_str().unwrap());
    server.service_post(&path, json!({ "to": "administrator" })).await.expect(204);
    let admitted = server.mail(third, "est accepté", 1).await;
    assert!(admitted.contains("comme administrateur") && admitted.contains("Choisissez d’abord"));
}

#[tokio::test]
async fn the_contact_whom_support_names_for_a_first_order_is_its_administrator_at_once() {
    let server = Server::start().await;
    server.active(1, "known@example.be", PASSWORD).await;
    let placed = server.service_post("/v1/orders", order(2, 2, "known@example.be")).await.expect(201).json();
    assert_eq!(placed["outcome"], "awaiting_support");
    let name = |email: &str| {
        let contact =
            json!({ "email": email, "given_name": "Paul", "family_name": "Lambert", "language": "fr" });
        json!({ "decision": "contact_named", "contact": contact, "reason": "asked by telephone" })
    };
    let resolved =
        server.service_post("/v1/orders/SO-2/resolution", name("paul@example.be")).await.expect(200).json();
    let account = resolved["account_id"].as_str().unwrap();
    let shown = server.service_get(&format!("/v1/accounts/{account}")).await.expect(200).json();
    assert_eq!(shown["role"], "administrator");
    let token = token_in(&server.mail("paul@example.be", "Confirmez", 1).await);
    server.post("/v1/activations", json!({ "token": token, "password": PASSWORD })).await.expect(204);
    let own = session(&server, "paul@example.be").await;
    server.send(Method::GET, "/v1/accounts", Some(&own), None).await.expect(200);

    // A company that somebody administers gets nobody past its administrators.
    server.service_post("/v1/orders", order(3, 2, "known@example.be")).await.expect(201);
    let resolved =
        server.service_post("/v1/orders/SO-3/resolution", name("eva@example.be")).await.expect(200).json();
    let path = format!("/v1/accounts/{}", resolved["account_id"].as_str().unwrap());
    assert_eq!(server.service_get(&path).await.expect(200).json()["role"], "temporary_administrator");
}

#[tokio::test]
async fn everything_that_is_held_on_a_person_is_one_file_for_them_and_for_support() {
    let server = Server::start().await;
    let (email, other) = ("marie@example.be", "jan@example.be");
    let account = server.active(1, email, PASSWORD).await;
    let foreign = server.active(2, other, PASSWORD).await;
    let own = session(&server, email).await;
    let staff = support(&server);
    let company = server.service_get(&format!("/v1/accounts/{account}")).await.json()["company_id"].clone();
    let group = json!({ "name": "Caissiers", "description": "", "permissions": ["view_invoices"] });
    let path = format!("/v1/companies/{}/groups", company.as_str().unwrap());
    server.send(Method::POST, &path, Some(&own), Some(&group)).await.expect(201);
    let mail = json!({ "reason": "called from the number on file" });
    let path = format!("/v1/accounts/{account}/password-reset-mail");
    server.send(Method::POST, &path, Some(&staff), Some(&mail)).await.expect(204);
    server.mail(email, "un lien", 1).await;

    let file = export(&server, &account, &own, "application/json", None).await.expect(200);
    let disposition = file.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"personal-data-"), "{disposition}");
    assert_eq!(file.headers["cache-control"], "no-store");
    let data = file.json();
    assert_eq!(data["format"], "loquet.personal-data.v1");
    assert_eq!((&data["account"]["email"], &data["account"]["given_name"]), (&json!(email), &json!("Marie")));
    assert_eq!(data["company"]["legal_name"], "Boulangerie 1 SRL");
    assert_eq!(data["orders"][0]["order_id"], "SO-1");
    assert_eq!(data["orders"][0]["family_name"], "Dupont");
    assert_eq!(data["login"]["sessions"].as_array().unwrap().len(), 1);
    assert!(data["login"]["trusted_devices"][0]["client_address"].is_string());
    assert!(!data["mails"].as_array().unwrap().is_empty());
    let names = |list: &str| -> Vec<String> {
        let events = data[list].as_array().unwrap().iter();
        events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    for held in ["account-created", "login-succeeded", "mail-sent", "data-exported"] {
        assert!(names("events").contains(&held.to_owned()), "{held} is in {:?}", names("events"));
    }
    for held in ["order-received", "email-claimed", "administrator-admitted", "group-created"] {
        assert!(names("other_events").contains(&held.to_owned()), "{held} is in {:?}", names("other_events"));
    }
    for secret in ["argon2", "password_hash", other, &foreign, "number on file"] {
        assert!(!file.text.contains(secret), "{secret} is in the owner's own file");
    }

    // Support gives its reason, and its file has support's notes.
    export(&server, &account, &staff, "application/json", None).await.expect(422);
    let why = json!({ "reason": "asked by letter" });
    let file = export(&server, &account, &staff, "application/json", Some(&why)).await.expect(200);
    assert!(file.text.contains("called from the number on file") && file.text.contains("asked by letter"));
    assert!(!file.text.contains("argon2"));
    let strangers = session(&server, other).await;
    export(&server, &account, &strangers, "application/json", None).await.expect(404);

    let text = export(&server, &account, &own, "text/plain", None).await.expect(200);
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    for said in ["Tout ce que nous conservons sur vous", "Prénom\u{a0}: Marie", "Une connexion a réussi (par"]
    {
        assert!(text.text.contains(said), "{said} is not in {}", text.text);
    }
    assert!(!text.text.contains("data-"), "a text is missing: {}", text.text);

    // The program fetches it for support.
    let token_file = server.folder.join("dev-token");
    let output = server
        .command()
        .args([
            "account",
            "export",
            email,
            "--reason",
            "asked",
            "--text",
            "--url",
            &server.url,
            "--token-file",
        ])
        .arg(&token_file)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && printed.contains("Prénom\u{a0}: Marie"), "{output:?}");

    // Nothing is held on whoever is erased.
    server.successor(&account).await;
    let erase = format!("/v1/accounts/{account}/erasure");
    server.service_post(&erase, json!({ "reason": "asked by letter" })).await.expect(204);
    export(&server, &account, &server.token(), "application/json", Some(&why)).await.expect(404);
}

/// What a browser gets: the status, and the page.
async fn page(server: &Server, method: Method, path: &str, form: &str) -> (u16, String) {
    let request = server.client.request(method, format!("{}{path}", server.url));
    let request =
        request.header("accept", "text/html,application/xhtml+xml;q=0.9").header("accept-language", "en");
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
    let answer = request.send().await.unwrap();
    let (status, kind) =
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
    assert_eq!(kind, "text/html; charset=utf-8", "{path}");
    (status, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_dead_link_says_which_it_is_where_support_is_and_sends_another_to_whoever_asks() {
    let server = Server::with_variables(&[("LOQUET_SUPPORT_CONTACT", "+32 2 555 01 23")]).await;
    let email = "marie@example.be";
    let placed = server.service_post("/v1/orders", order(1, 1, email)).await.expect(201).json();
    let first = token_in(&server.mail(email, "Confirmez", 1).await);
    let (status, form) = page(&server, Method::GET, &format!("/activate?token={first}"), "").await;
    assert_eq!(status, 200);
    assert!(
        form.contains(r#"value="marie@example.be" autocomplete="username""#),
        "for password managers: {form}"
    );
    assert!(form.contains("assets/portal-"), "{form}");

    // A newer link voids this one. Its page leads to another.
    let again = format!("/v1/accounts/{}/activation-mail", placed["account_id"].as_str().unwrap());
    server.service_post(&again, json!({})).await.expect(204);
    let second = token_in(&server.mail(email, "Confirmez", 2).await);
    let (status, dead) = page(&server, Method::GET, &format!("/activate?token={first}"), "").await;
    assert_eq!(status, 410);
    for said in [
        "link to confirm your account",
        "+32 2 555 01 23",
        r#"action="activation-link""#,
        "Send me a new link",
    ] {
        assert!(dead.contains(said), "{said} is not in {dead}");
    }
    let (_, altered) = page(&server, Method::GET, &format!("/activate?token={first}x"), "").await;
    assert!(
        altered.contains("incomplete or was altered") && !altered.contains("activation-link"),
        "{altered}"
    );
    let (status, sent) = page(&server, Method::POST, "/activation-link", &format!("token={first}")).await;
    assert_eq!(status, 200);
    let third = token_in(&server.mail(email, "Confirmez", 3).await);
    assert!(third != second);
    let (status, forged) = page(&server, Method::POST, "/activation-link", "token=forged").await;
    assert_eq!((status, &forged), (200, &sent), "the same answer to everybody");
    let chosen = json!({ "token": third, "password": PASSWORD });
    server.post("/v1/activations", chosen).await.expect(204);
    let (status, active) = page(&server, Method::POST, "/activation-link", &format!("token={third}")).await;
    assert_eq!((status, &active), (200, &sent));

    let (status, reset) = page(&server, Method::GET, "/reset?token=forged", "").await;
    assert_eq!(status, 400);
    assert!(
        reset.contains("link to choose a new password is incomplete") && !reset.contains("activation-link"),
        "{reset}"
    );
}

#[tokio::test]
async fn a_person_gets_pages_and_a_program_gets_problems() {
    let server = Server::start().await;
    let (status, nothing) = page(&server, Method::GET, "/nowhere", "").await;
    assert_eq!(status, 404);
    assert!(nothing.contains("There is nothing at /nowhere."), "{nothing}");
    let (_, deep) = page(&server, Method::GET, "/no/where/", "").await;
    assert!(deep.contains(r#"href="../../assets/style-"#), "{deep}");
    let (status, refused) = page(&server, Method::POST, "/help", "").await;
    assert_eq!(status, 405);
    assert!(refused.contains("<h1>"), "{refused}");
    let problem = server.send(Method::GET, "/nowhere", None, None).await.expect(404);
    assert_eq!(problem.headers["content-type"], "application/problem+json");
    let (_, script) = deep.split_once(r#"src="../../"#).unwrap();
    let (script, _) = script.split_once('"').unwrap();
    let script = server.send(Method::GET, &format!("/{script}"), None, None).await.expect(200);
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(script.headers["cache-control"].to_str().unwrap().contains("immutable"), "its name has its hash");
}

#[tokio::test]
async fn a_lockout_says_in_words_when_it_ends() {
    let server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for _ in 0..7 {
        server.login("marie@example.be", "Wrong1!!").await.expect(401);
    }
    let locked = server.login("marie@example.be", PASSWORD).await.expect(423).json();
    let detail = locked["detail"].as_str().unwrap();
    let (_, told) = detail.split_once("The lockout ends on ").unwrap_or_else(|| panic!("{detail}"));
    let zone = ["(CET)", "(CEST)"].into_iter().any(|zone| told.contains(zone));
    assert!(zone && told.contains(" at ") && !detail.contains("locked_until"), "{detail}");
}

#[tokio::test]
async fn every_problem_has_a_page_that_says_what_it_means() {
    let server = Server::start().await;
    let refused = server.login("nobody@example.be", PASSWORD).await.expect(401).json();
    let slug = refused["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let (status, told) = page(&server, Method::GET, &format!("/problems/{slug}"), "").await;
    assert_eq!(status, 200);
    assert!(told.contains("Login refused") && told.contains("../assets/style-"), "{told}");
    assert_eq!(page(&server, Method::GET, "/problems/unheard-of", "").await.0, 404);
}
