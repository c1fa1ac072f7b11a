//! The console of the supplier's staff: finding people and companies, why somebody can't log in, the one thing that helps, what
//! waits, and the whole story of an account.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{SecondsFormat, TimeDelta};
use loquet_domain::fact::StaffRole;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::audit::events;
use super::overview::{address, name_of};
use super::own::{attempts_table, status_of};
use super::visit::{Member, Posted, Refused, encoded, text};
use crate::design::Look;
use crate::design::form::{Field, Form, send};
use crate::design::parts::{badge, empty, facts};
use crate::routes::accounts::personal_data::text::Sentence;

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/support", get(home))
        .route("/support/queues", get(queues))
        .route("/support/diagnosis", get(diagnosis))
        .route("/support/accounts/{account}", get(account))
        .route("/support/accounts/{account}/{action}", post(act))
        .route("/support/companies/{company}", get(company))
}

/// A visit of a member of the staff, whose second step is on.
pub(super) struct Staff {
    pub(super) member: Member,
    role: StaffRole,
}

impl FromRequestParts<Arc<Portal>> for Staff {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let member = Member::from_request_parts(parts, portal).await?;
        let Some(role) = member.person.profile.role.of_staff() else {
            return Err(member.visit.problem(&member.visit.no_such_page()));
        };
        let account = portal.api.app.account(member.person.account).await.unwrap_or_default();
        if account.active().is_none_or(|active| active.second_step.is_none()) {
            return Err(member.visit.go("account/second-step?done=staff-second-step"));
        }
        Ok(Self { member, role })
    }
}

impl Staff {
    pub(super) fn look(&self) -> &Look {
        self.member.look()
    }

    /// Whether this role changes anything at all.
    pub(super) fn acts(&self) -> bool {
        self.role != StaffRole::Auditor
    }
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    email: String,
    /// The moment as of which something is shown. Empty: now.
    #[serde(default)]
    as_of: String,
}

impl Asked {
    /// The parameter of the API.
    fn as_of(&self, joint: char) -> String {
        match self.as_of.trim() {
            "" => String::new(),
            as_of => format!("{joint}as_of={}", encoded(as_of)),
        }
    }
}

async fn home(staff: Staff, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let look = staff.look();
    let query = asked.q.trim();
    let found = match query.chars().count() {
        0 | 1 => None,
        _ => Some(staff.member.visit.get(&format!("/v1/support/search?q={}", encoded(query))).await?),
    };
    let main = html! {
        h1 { (look.t("support-heading")) }
        section.card {
            form.row method="get" action=(look.to("support")) data-search role="search" {
                div.field {
                    label for="q" { (look.t("support-search")) }
                    input id="q" name="q" type="search" value=(query) autocomplete="off" autofocus;
                    p.hint { (look.t("support-search-hint")) }
                }
                button type="submit" { (look.t("search")) }
            }
            form.row method="get" action=(look.to("support/diagnosis")) {
                (Form::default().field(Field { kind: "email", ..Field::text("email", "/email", &look.t("support-why")) }))
                button.quiet type="submit" { (look.t("diagnose")) }
            }
        }
        div id="results" aria-live="polite" {
            @if let Some(found) = &found { (results(look, found)) }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("support-heading"), &main))
}

fn results(look: &Look, found: &Value) -> Markup {
    let items = |kind: &str| {
        let items = found.pointer(&format!("/{kind}/items")).and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    let (accounts, companies) = (items("accounts"), items("companies"));
    let (sites, terminals) = (items("sites"), items("terminals"));
    let is_empty = [&accounts, &companies, &sites, &terminals].iter().all(|list| list.is_empty());
    let company_link = |item: &Value, words: &str| {
        html! { a href=(look.to(&format!("support/companies/{}", text(item, "company_id")))) { strong { (words) } } }
    };
    html! {
        @if is_empty { (empty(&look.t("support-nothing"))) }
        @if !accounts.is_empty() {
            section.card {
                h2 { (look.t("menu-users")) }
                ul.rows {
                    @for item in &accounts {
                        li {
                            div {
                                a href=(look.to(&format!("support/accounts/{}", text(item, "account_id")))) { strong { (name_of(item)) } }
                                p.hint { (text(item, "email")) " · " (text(item, "company_name")) }
                            }
                            a.button.quiet href=(look.to(&format!("support/diagnosis?email={}", encoded(text(item, "email"))))) { (look.t("diagnose")) }
                        }
                    }
                }
            }
        }
        @if !companies.is_empty() {
            section.card {
                h2 { (look.t("companies")) }
                ul.rows { @for item in &companies { li { div { (company_link(item, text(item, "legal_name"))) p.hint { (text(item, "enterprise_number")) " " (text(item, "trading_name")) } } } } }
            }
        }
        @if !sites.is_empty() {
            section.card {
                h2 { (look.t("menu-sites")) }
                ul.rows { @for item in &sites { li { div { (company_link(item, text(item, "name"))) p.hint { (address(item.get("address"))) " · " (text(item, "company_name")) } } } } }
            }
        }
        @if !terminals.is_empty() {
            section.card {
                h2 { (look.t("menu-terminals")) }
                ul.rows { @for item in &terminals { li { div { (company_link(item, text(item, "serial"))) p.hint { (text(item, "model")) " · " (text(item, "company_name")) } } } } }
            }
        }
    }
}

async fn queues(staff: Staff) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let orders = visit.list("/v1/orders?status=awaiting_support").await?;
    let companies = visit.list("/v1/companies?without_administrator=true").await?;
    let takeovers = visit.list("/v1/takeovers?status=open").await?;
    let conversions = visit.list("/v1/accounts?awaiting_conversion=true").await?;
    let since = (visit.portal.api.clock)() - TimeDelta::days(GIVEN_UP_DAYS);
    let since = encoded(&since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let given_up = format!("&type=mail-given-up&since={since}");
    let mails = events(visit, &given_up, String::new(), GIVEN_UP_SHOWN).await?.events;
    // Kafka may be down. The other queues are shown even so.
    let dead_letters = visit.list("/v1/dead-letters").await.ok();
    let of_company = |item: &Value| look.to(&format!("support/companies/{}", text(item, "company_id")));
    let since = |item: &Value, field: &str| look.moment(text(item, field));
    let main = html! {
        h1 { (look.t("queues")) }
        (queue(look, "queue-orders", &orders, |order| html! {
            div { strong { (text(order, "order_id")) } p.hint { (text(order, "contact_email")) " · " (since(order, "received_at")) } }
            a.button.quiet href=(of_company(order)) { (look.t("look")) }
        }))
        @match &dead_letters {
            Some(letters) if letters.is_empty() => {}
            Some(letters) => {
                (queue(look, "queue-dead-letters", letters, |letter| html! {
                    div { strong { code { (text(letter, "id")) } } p.hint { (since(letter, "since")) } p lang="en" { (text(letter, "reason")) } }
                }))
                p.hint { (look.t("dead-letters-hint")) " " code { "loquet order dead-letters retry ID" } }
            }
            None => { section.card { h2 { (look.t("queue-dead-letters")) } p.problem { (look.t("dead-letters-unreadable")) } } }
        }
        (queue(look, "queue-companies", &companies, |company| html! {
            div { strong { (text(company, "legal_name")) } p.hint { (text(company, "enterprise_number")) } }
            a.button.quiet href=(of_company(company)) { (look.t("look")) }
        }))
        (queue(look, "queue-conversions", &conversions, |account| html! {
            div { strong { (name_of(account)) } p.hint { (text(account, "email")) " · " (since(account, "created_at")) } }
            a.button.quiet href=(look.to(&format!("support/accounts/{}", text(account, "account_id")))) { (look.t("look")) }
        }))
        (queue(look, "queue-takeovers", &takeovers, |takeover| html! {
            div { strong { (text(takeover, "reference")) } p.hint { (look.t("takeover-due")) " " (look.day(text(takeover, "due_at"))) } }
            @if takeover.get("overdue") == Some(&Value::Bool(true)) { (badge("bad", &look.t("overdue"))) }
        }))
        (queue(look, "queue-mails", &mails, |mail| html! {
            div {
                strong { (Sentence::word(look.language, mail.pointer("/data/kind").and_then(Value::as_str).unwrap_or_default())) }
                p.hint { (since(mail, "at")) }
            }
            @if let Some((path, _)) = story_of(text(mail, "stream")) { a.button.quiet href=(look.to(&path)) { (look.t("look")) } }
        }))
    };
    Ok(look.page(StatusCode::OK, &look.t("queues"), &main))
}

/// E-mails that were given up are shown for this time.
const GIVEN_UP_DAYS: i64 = 14;
/// The most of them.
const GIVEN_UP_SHOWN: usize = 200;

/// What waits of one kind, with its number.
fn queue(look: &Look, heading: &str, items: &[Value], row: impl Fn(&Value) -> Markup) -> Markup {
    html! {
        section.card {
            h2 { (look.t(heading)) " " (badge("plain", &items.len().to_string())) }
            @if items.is_empty() { (empty(&look.t("queue-empty"))) }
            ul.rows { @for item in items { li { (row(item)) } } }
        }
    }
}

async fn diagnosis(staff: Staff, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let look = staff.look();
    let path = format!("/v1/support/diagnosis?email={}", encoded(asked.email.trim()));
    let told = staff.member.visit.get(&path).await?;
    let account = text(&told, "account_id");
    let reasons = told.get("reasons").and_then(Value::as_array).cloned().unwrap_or_default();
    let whom = told.get("whom_to_ask").and_then(Value::as_array).cloned().unwrap_or_default();
    let outcome = text(&told, "login_would_be");
    let main = html! {
        p.crumbs { a href=(look.to("support")) { (look.t("support-heading")) } }
        h1 { (look.say("diagnosis-of", &[("email", asked.email.trim())])) }
        section.card {
            p.lead { (look.t("login-would-be")) " " (badge(if outcome == "succeeded" { "good" } else { "bad" }, &look.t_of("would-be", outcome))) }
            @if !account.is_empty() { p { a href=(look.to(&format!("support/accounts/{account}"))) { (look.t("whole-story")) } } }
        }
        @if reasons.is_empty() { section.card { (empty(&look.t("diagnosis-nothing"))) } }
        @for reason in &reasons {
            section.card {
                h2 { (look.t_of("reason", text(reason, "reason"))) }
                @if let Some(details) = reason.get("details").and_then(Value::as_object) { (details_of(look, details)) }
                (remedy_of(&staff, account, reason))
                (evidence_of(look, reason.get("evidence")))
            }
        }
        @if !whom.is_empty() {
            section.card {
                h2 { (look.t("whom-to-ask")) }
                ul { @for person in &whom { li { (text(person, "name")) " (" (text(person, "email")) ")" } } }
            }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("diagnose"), &main))
}

/// The details of a reason that people read: moments and counts.
fn details_of(look: &Look, details: &serde_json::Map<String, Value>) -> Markup {
    let told = |name: &str, value: &Value| match value {
        Value::String(text) if text.contains('T') && text.ends_with('Z') => Some(look.moment(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if name == "why" => Some(text.clone()),
        _ => None,
    };
    let rows: Vec<(String, Markup)> = details
        .iter()
        .filter_map(|(name, value)| Some((look.t_of("detail", name), html! { (told(name, value)?) })))
        .collect();
    facts(&rows)
}

/// The one thing that helps. A button sends it, with support's reason.
fn remedy_of(staff: &Staff, account: &str, reason: &Value) -> Markup {
    let look = staff.look();
    let action = reason.pointer("/remedy/action").and_then(Value::as_str).unwrap_or_default();
    let is_button =
        ["resend_activation", "release", "reset_second_step", "send_reset", "convert"].contains(&action);
    html! {
        p { strong { (look.t("what-helps")) } " " (look.t_of("remedy", action)) }
        @if is_button && staff.acts() && !account.is_empty() {
            form method="post" action=(look.to(&format!("support/accounts/{account}/{}", action.replace('_', "-")))) {
                (reason_field(look, action))
                (send(look, &format!("do-{}", action.replace('_', "-"))))
            }
        }
    }
}

/// Until when somebody is locked out. Without an end, only a new password or support ends it.
pub(super) fn locked_badge(look: &Look, until: &str) -> Markup {
    match until {
        "" => badge("bad", &look.t("locked-until-reset")),
        until => badge("bad", &look.say("locked-until", &[("moment", &look.moment(until))])),
    }
}

pub(super) fn reason_field(look: &Look, action: &str) -> Markup {
    let form = Form::default();
    html! {
        (form.field(Field::text("reason", "/reason", &look.t("your-reason"))))
        @if action == "reset_second_step" {
            (form.field(Field { hint: &look.t("identity-hint"), ..Field::text("identity_proof", "/identity_proof", &look.t("identity-proof")) }))
        }
    }
}

fn evidence_of(look: &Look, evidence: Option<&Value>) -> Markup {
    let events = evidence.and_then(Value::as_array).cloned().unwrap_or_default();
    html! {
        @if !events.is_empty() {
            ul.timeline {
                @for event in events.iter().take(10) {
                    li { (Sentence::what(look.language, text(event, "type"))) br; span.hint { (look.moment(text(event, "at"))) " " (text(event, "client_address")) } }
                }
            }
        }
    }
}

async fn account(
    staff: Staff,
    Path(id): Path<Uuid>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refused> {
    account_page(&staff, StatusCode::OK, id, &asked, &Form::default()).await
}

async fn account_page(
    staff: &Staff,
    status: StatusCode,
    id: Uuid,
    asked: &Asked,
    form: &Form,
) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let first = asked.as_of('?');
    let account = visit.get(&format!("/v1/accounts/{id}{first}")).await?;
    let lockout = visit.get(&format!("/v1/accounts/{id}/lockout{first}")).await?;
    let story = format!("/v1/accounts/{id}/events?sort=-position{}", asked.as_of('&'));
    let events = visit.list_up_to(&story, TOLD + 1).await?;
    let attempts = visit.get(&format!("/v1/accounts/{id}/logins{first}")).await?;
    let attempts = attempts.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_locked = lockout.get("locked") == Some(&Value::Bool(true));
    let email = text(&account, "email");
    let main = html! {
        p.crumbs { a href=(look.to("support")) { (look.t("support-heading")) } }
        h1 { (name_of(&account)) }
        @if !asked.as_of.trim().is_empty() { p.problem { (look.say("as-of-shown", &[("moment", asked.as_of.trim())])) } }
        section.card {
            (form.summary(&[]))
            (facts(&[
                (look.t("email"), html! { (email) }),
                (look.t("role"), html! { (look.t_of("role", text(&account, "role"))) " " (badge("plain", &look.t_of("status", text(&account, "status")))) }),
                (look.t("company"), html! { a href=(look.to(&format!("support/companies/{}", text(&account, "company_id")))) { (look.t("look")) } }),
                (look.t("last-login"), html! { @match text(&account, "last_login_at") { "" => { (look.t("never")) } at => { (look.moment(at)) } } }),
                (look.t("lockout"), html! {
                    @if is_locked { (locked_badge(look, text(&lockout, "locked_until"))) }
                    @else { (look.say("failures-now", &[("count", &lockout.get("failures").and_then(Value::as_u64).unwrap_or_default().to_string())])) }
                }),
            ]))
            @if is_locked && staff.acts() {
                form method="post" action=(look.to(&format!("support/accounts/{id}/release"))) { (reason_field(look, "release")) (send(look, "do-release")) }
            }
            p { a.button.quiet href=(look.to(&format!("support/diagnosis?email={}", encoded(email)))) { (look.t("diagnose")) } }
            form.row method="get" action=(look.to(&format!("support/accounts/{id}"))) {
                (Form::of([("as_of", asked.as_of.as_str())]).field(Field { required: false, hint: &look.t("as-of-hint"), ..Field::text("as_of", "/as_of", &look.t("as-of")) }))
                button.quiet type="submit" { (look.t("filter")) }
            }
        }
        section.card {
            h2 { (look.t("whole-story")) }
            (timeline(look, &events, Links::None))
        }
        section.card {
            h2 { (look.t("tab-logins")) }
            (attempts_table(look, &attempts))
        }
    };
    Ok(look.page(status, &name_of(&account), &main))
}

/// The most events that a page tells.
const TOLD: usize = 500;

/// Whether each event leads to the story of what it concerns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// The page is that story.
    None,
    /// Accounts and companies have one.
    ToStories,
}

/// The page with the story of a stream, and its name.
fn story_of(stream: &str) -> Option<(String, &'static str)> {
    let (category, id) = stream.split_once('-')?;
    match category {
        "account" => Some((format!("support/accounts/{id}"), "story-of-account")),
        "company" | "access" => Some((format!("support/companies/{id}"), "story-of-company")),
        _ => None,
    }
}

/// Events as sentences, in their order: what happened, when, by whom, and why.
pub(super) fn timeline(look: &Look, events: &[Value], links: Links) -> Markup {
    html! {
        @if events.is_empty() { (empty(&look.t("story-empty"))) }
        ol.timeline {
            @for event in events.iter().take(TOLD) {
                @let told = Sentence::of(look.language, event);
                li {
                    strong { (told.what) }
                    br; span.hint { (look.moment(text(event, "at"))) " · " (told.by) }
                    @if let Some(why) = &told.why { br; em { (why) } }
                    @if links == Links::ToStories {
                        @if let Some((path, name)) = story_of(text(event, "stream")) { br; a href=(look.to(&path)) { (look.t(name)) } }
                    }
                }
            }
        }
        @if events.len() > TOLD { p.hint { (look.say("story-longer", &[("count", &TOLD.to_string())])) } }
    }
}

/// Does the one thing that helps.
async fn act(
    staff: Staff,
    Path((id, action)): Path<(Uuid, String)>,
    posted: Posted,
) -> Result<Response, Refused> {
    let reason = posted.get("reason");
    let (path, body) = match action.as_str() {
        "release" => ("release", json!({ "reason": reason })),
        "resend-activation" => ("activation-mail", json!({ "reason": reason })),
        "send-reset" => ("password-reset-mail", json!({ "reason": reason })),
        "reset-second-step" => {
            ("second-step/reset", json!({ "reason": reason, "identity_proof": posted.get("identity_proof") }))
        }
        "convert" => ("conversion", json!({ "to": "administrator", "reason": reason })),
        _ => return Err(staff.member.visit.problem(&staff.member.visit.no_such_page()).into()),
    };
    match staff.member.visit.do_it(Method::POST, &format!("/v1/accounts/{id}/{path}"), body).await {
        Ok(_) => Ok(staff.member.visit.go(&format!("support/accounts/{id}?done={action}"))),
        Err(told) => {
            account_page(&staff, status_of(told.status), id, &Asked::default(), &posted.again(told)).await
        }
    }
}

async fn company(
    staff: Staff,
    Path(id): Path<Uuid>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let (first, then) = (asked.as_of('?'), asked.as_of('&'));
    let company = visit.get(&format!("/v1/companies/{id}{first}")).await?;
    let accounts = visit.list(&format!("/v1/accounts?company={id}{then}")).await?;
    let sites = visit.list(&format!("/v1/sites?company={id}{then}")).await?;
    let terminals = visit.list(&format!("/v1/terminals?company={id}{then}")).await?;
    let story = format!("/v1/companies/{id}/events?sort=-position{then}");
    let events = visit.list_up_to(&story, TOLD + 1).await?;
    let main = html! {
        p.crumbs { a href=(look.to("support")) { (look.t("support-heading")) } }
        h1 { (text(&company, "legal_name")) }
        @if !asked.as_of.trim().is_empty() { p.problem { (look.say("as-of-shown", &[("moment", asked.as_of.trim())])) } }
        section.card {
            (facts(&[
                (look.t("enterprise-number"), html! { (text(&company, "enterprise_number")) " (" (text(&company, "country")) ")" }),
                (look.t("trading-name"), html! { (text(&company, "trading_name")) }),
                (look.t_of("address-of", "registered_office"), html! { (address(company.get("registered_office"))) }),
                (look.t("customer-since"), html! { (look.day(text(&company, "registered_at"))) }),
            ]))
            form.row method="get" action=(look.to(&format!("support/companies/{id}"))) {
                (Form::of([("as_of", asked.as_of.as_str())]).field(Field { required: false, hint: &look.t("as-of-hint"), ..Field::text("as_of", "/as_of", &look.t("as-of")) }))
                button.quiet type="submit" { (look.t("filter")) }
            }
        }
        section.card {
            h2 { (look.t("menu-users")) }
            ul.rows {
                @for account in &accounts {
                    li {
                        div {
                            a href=(look.to(&format!("support/accounts/{}", text(account, "account_id")))) { strong { (name_of(account)) } }
                            p.hint { (text(account, "email")) }
                        }
                        span { (look.t_of("role", text(account, "role"))) " " (badge("plain", &look.t_of("status", text(account, "status")))) }
                    }
                }
            }
        }
        section.card {
            h2 { (look.t("menu-sites")) }
            ul.rows {
                @for site in &sites {
                    @let count = terminals.iter().filter(|terminal| text(terminal, "site_id") == text(site, "site_id")).count();
                    li {
                        div { strong { (text(site, "name")) } p.hint { (address(site.get("address"))) } }
                        span.hint { (look.say("terminal-count", &[("count", &count.to_string())])) }
                    }
                }
            }
        }
        section.card {
            h2 { (look.t("whole-story")) }
            (timeline(look, &events, Links::None))
        }
    };
    Ok(look.page(StatusCode::OK, text(&company, "legal_name"), &main))
}
