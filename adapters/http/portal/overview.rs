//! The first page of whoever is logged in, and the details of their company.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::Portal;
use super::own::status_of;
use super::visit::{Member, Posted, Refused, Visit, text};
use crate::design::Look;
use crate::design::form::{Field, Form, send};
use crate::design::parts::{empty, facts};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/", get(home)).route("/company", get(show_company).post(change_company))
}

/// The overview, or the login for whoever is not logged in.
async fn home(visit: Visit) -> Response {
    if !visit.is_logged_in() {
        return visit.go("login");
    }
    match visit.member().await {
        Ok(member) if member.person.profile.role.of_staff().is_some() => member.visit.go("support"),
        Ok(member) => overview(member).await.unwrap_or_else(IntoResponse::into_response),
        Err(refused) => refused,
    }
}

async fn overview(member: Member) -> Result<Response, Refused> {
    let look = member.look();
    let visit = &member.visit;
    let company = member.person.profile.company;
    let sites = visit.list("/v1/sites").await?;
    let terminals = visit.list("/v1/terminals").await?;
    let waiting = match member.is_administrator() {
        true => visit.list(&format!("/v1/accounts?company={company}")).await.unwrap_or_default(),
        false => Vec::new(),
    };
    let waiting: Vec<_> = waiting.iter().filter(|account| is_waiting(account)).collect();
    let takeovers = match member.is_administrator() {
        true => visit.list("/v1/takeovers?status=open").await.unwrap_or_default(),
        false => Vec::new(),
    };
    let second_step = visit.get(&member.own("/second-step")).await?;
    let is_on = second_step.get("on") == Some(&Value::Bool(true));
    let given = member.person.profile.person.known().map_or("", |person| person.given_name.as_str());
    let main = html! {
        h1 { (look.say("hello", &[("name", given)])) }
        @if !waiting.is_empty() || !takeovers.is_empty() || !is_on {
            section.card.todo {
                h2 { (look.t("waits-for-you")) }
                ul.rows {
                    @for account in &waiting {
                        li {
                            span { (look.say("waiting-person", &[("name", &name_of(account)), ("email", text(account, "email"))])) }
                            a.button href=(look.to(&format!("users/{}", text(account, "account_id")))) { (look.t("decide")) }
                        }
                    }
                    @for takeover in &takeovers {
                        li {
                            span { (look.say("waiting-takeover", &[("reference", text(takeover, "reference")), ("day", &look.day(text(takeover, "due_at")))])) }
                            a.button.quiet href=(look.to("takeovers")) { (look.t("look")) }
                        }
                    }
                    @if !is_on {
                        li {
                            span { (look.t("second-step-advice")) }
                            a.button.quiet href=(look.to("account/second-step")) { (look.t("second-step-begin")) }
                        }
                    }
                }
            }
        }
        div.tiles {
            a.card.tile href=(look.to("sites")) { strong { (sites.len()) } span { (look.t("menu-sites")) } }
            a.card.tile href=(look.to("terminals")) { strong { (terminals.len()) } span { (look.t("menu-terminals")) } }
        }
        section.card {
            h2 { (look.t("menu-sites")) }
            (site_list(look, &sites, &terminals))
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("menu-overview"), &main))
}

/// Whether an administrator must admit somebody.
fn is_waiting(account: &Value) -> bool {
    text(account, "role") == "temporary_administrator"
        && matches!(text(account, "status"), "active" | "awaiting_activation")
}

/// The name of a person, or their address if it has no name.
pub(super) fn name_of(account: &Value) -> String {
    let name = format!("{} {}", text(account, "given_name"), text(account, "family_name"));
    match name.trim() {
        "" => text(account, "email").to_owned(),
        name => name.to_owned(),
    }
}

/// Sites, each with the number of its terminals.
pub(super) fn site_list(look: &Look, sites: &[Value], terminals: &[Value]) -> Markup {
    html! {
        @if sites.is_empty() { (empty(&look.t("sites-none"))) }
        ul.rows {
            @for site in sites {
                @let id = text(site, "site_id");
                @let count = terminals.iter().filter(|terminal| text(terminal, "site_id") == id).count();
                li {
                    div {
                        a href=(look.to(&format!("sites/{id}"))) { strong { (text(site, "name")) } }
                        p.hint { (address(site.get("address"))) }
                    }
                    span.hint { (look.say("terminal-count", &[("count", &count.to_string())])) }
                }
            }
        }
    }
}

/// An address on one line, as people write it.
pub(super) fn address(address: Option<&Value>) -> String {
    let Some(address) = address.filter(|address| !address.is_null()) else { return String::new() };
    let part = |name: &str| text(address, name);
    let mut street = format!("{} {}", part("street"), part("number"));
    if !part("box").is_empty() {
        street = format!("{street} / {}", part("box"));
    }
    format!("{}, {} {} ({})", street.trim(), part("postal_code"), part("town"), part("country"))
}

/// The kinds of addresses of a company.
const ADDRESSES: [&str; 3] = ["registered_office", "invoicing_address", "correspondence_address"];
/// The fields of an address.
const PARTS: [&str; 6] = ["street", "number", "box", "postal_code", "town", "country"];

async fn show_company(member: Member) -> Result<Response, Refused> {
    let company = member.visit.get(&member.company("")).await?;
    let mut values = vec![
        ("legal_name".to_owned(), text(&company, "legal_name").to_owned()),
        ("trading_name".to_owned(), text(&company, "trading_name").to_owned()),
    ];
    for kind in ADDRESSES {
        let address = company.get(kind).cloned().unwrap_or_default();
        values.extend(PARTS.map(|part| (format!("{kind}/{part}"), text(&address, part).to_owned())));
    }
    let form = Form::of(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    Ok(company_page(&member, StatusCode::OK, &company, &form))
}

fn company_page(member: &Member, status: StatusCode, company: &Value, form: &Form) -> Response {
    let look = member.look();
    let pointers: Vec<String> = ADDRESSES
        .iter()
        .flat_map(|kind| PARTS.map(|part| format!("/{kind}/{part}")))
        .chain(["/legal_name".to_owned(), "/trading_name".to_owned()])
        .collect();
    let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
    let main = html! {
        h1 { (look.t("menu-company")) }
        section.card {
            (facts(&[
                (look.t("enterprise-number"), html! { (text(company, "enterprise_number")) " (" (text(company, "country")) ")" }),
                (look.t("customer-since"), html! { (look.day(text(company, "registered_at"))) }),
            ]))
            p.hint { (look.t("number-hint")) " " a href=(look.to("help/change-registration")) { (look.t("help-change-registration-title")) } }
        }
        section.card {
            h2 { (look.t("company-change")) }
            (form.summary(&pointers))
            form method="post" action=(look.to("company")) {
                (form.field(Field { autocomplete: "organization", ..Field::text("legal_name", "/legal_name", &look.t("legal-name")) }))
                (form.field(Field { required: false, hint: &look.t("trading-name-hint"), ..Field::text("trading_name", "/trading_name", &look.t("trading-name")) }))
                @for kind in ADDRESSES { (address_fields(look, form, kind)) }
                (form.radios(&look.t("site-at-office"), "site_at_office", &[
                    ("stays".to_owned(), look.t("site-stays")), ("moves".to_owned(), look.t("site-moves")),
                ]))
                p.hint { (look.t("site-at-office-hint")) }
                (send(look, "save"))
            }
        }
    };
    look.page(status, &look.t("menu-company"), &main)
}

fn address_fields(look: &Look, form: &Form, kind: &str) -> Markup {
    let is_office = kind == "registered_office";
    let field = |part: &str| {
        let (name, pointer) = (format!("{kind}/{part}"), format!("/{kind}/{part}"));
        let label = look.t_of("address", part);
        let required = is_office && part != "box";
        form.field(Field { required, ..Field::text(&name, &pointer, &label) })
    };
    html! {
        fieldset.address {
            legend { (look.t_of("address-of", kind)) }
            div.pair { (field("street")) (field("number")) (field("box")) }
            div.pair { (field("postal_code")) (field("town")) (field("country")) }
        }
    }
}

async fn change_company(member: Member, posted: Posted) -> Result<Response, Refused> {
    let company = member.visit.get(&member.company("")).await?;
    let mut body = Map::new();
    for name in ["legal_name", "trading_name"] {
        if posted.get(name) != text(&company, name) {
            body.insert(name.to_owned(), optional(posted.get(name)));
        }
    }
    for kind in ADDRESSES {
        let now = company.get(kind).cloned().unwrap_or_default();
        let given = PARTS.map(|part| (part, posted.get(&format!("{kind}/{part}"))));
        if given.iter().all(|(part, given)| *given == text(&now, part)) {
            continue;
        }
        let is_empty = given.iter().all(|(part, given)| given.is_empty() || *part == "country");
        let fields = given.into_iter().filter(|(part, given)| *part != "box" || !given.is_empty());
        let fields: Map<String, Value> =
            fields.map(|(part, given)| (part.to_owned(), given.into())).collect();
        body.insert(kind.to_owned(), if is_empty { Value::Null } else { fields.into() });
    }
    if body.contains_key("registered_office") && !posted.get("site_at_office").is_empty() {
        body.insert("site_at_office".to_owned(), posted.get("site_at_office").into());
    }
    match member.visit.do_it(Method::PATCH, &member.company(""), body.into()).await {
        Ok(_) => Ok(member.visit.go("company?done=saved")),
        Err(told) => Ok(company_page(&member, status_of(told.status), &company, &posted.again(told))),
    }
}

/// A field that may be empty.
pub(super) fn optional(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}
