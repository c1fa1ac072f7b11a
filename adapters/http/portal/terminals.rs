//! The terminals of a company: finding them, moving them to other sites, and releasing them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use loquet_domain::values::permission::Permission;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::own::status_of;
use super::paging::page_of;
use super::visit::{Member, Posted, Refused, text, told_of};
use crate::design::Look;
use crate::design::form::{Field, Form};
use crate::design::parts::{ask_first, empty, facts};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/terminals", get(list))
        .route("/terminals/move", post(move_them))
        .route("/terminals/{terminal}", get(show))
        .route("/terminals/{terminal}/release", post(release))
}

#[derive(Deserialize, Default)]
struct Asked {
    #[serde(default)]
    site: String,
    page: Option<usize>,
}

async fn list(member: Member, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    list_page(&member, StatusCode::OK, &asked, &Form::default(), &[]).await
}

async fn list_page(
    member: &Member,
    status: StatusCode,
    asked: &Asked,
    form: &Form,
    chosen: &[&str],
) -> Result<Response, Refused> {
    let (look, site) = (member.look(), asked.site.as_str());
    let sites = member.visit.list("/v1/sites").await?;
    let is_known = sites.iter().any(|known| text(known, "site_id") == site);
    let path = if is_known { format!("/v1/terminals?site={site}") } else { "/v1/terminals".to_owned() };
    let terminals = member.visit.list(&path).await?;
    let (terminals, paging) = page_of(&terminals, asked.page);
    let places: Vec<(String, String)> = sites
        .iter()
        .filter(|site| member.may_at(Permission::ManageTerminals, text(site, "site_id")))
        .map(|site| (text(site, "site_id").to_owned(), text(site, "name").to_owned()))
        .collect();
    let may_move = !places.is_empty() && !terminals.is_empty() && sites.len() > 1;
    let of_site = |terminal: &Value| {
        let id = text(terminal, "site_id");
        sites.iter().find(|site| text(site, "site_id") == id).map_or("", |site| text(site, "name")).to_owned()
    };
    let main = html! {
        h1 { (look.t("menu-terminals")) }
        section.card {
            @if sites.len() > 1 {
                form.row method="get" action=(look.to("terminals")) {
                    div.field {
                        label for="site" { (look.t("site")) }
                        select id="site" name="site" {
                            option value="" { (look.t("all-sites")) }
                            @for known in &sites { option value=(text(known, "site_id")) selected[text(known, "site_id") == site] { (text(known, "name")) } }
                        }
                    }
                    button.quiet type="submit" { (look.t("filter")) }
                }
            }
            (form.summary(&[]))
            @if terminals.is_empty() { (empty(&look.t("terminals-none"))) }
            @if may_move {
                form method="post" action=(look.to("terminals/move")) {
                    input type="hidden" name="of" value=(site);
                    table {
                        thead { tr { th { span.unseen { (look.t("choose")) } } th { (look.t("model")) } th { (look.t("serial")) } th { (look.t("site")) } } }
                        tbody {
                            @for terminal in terminals {
                                @let id = text(terminal, "terminal_id");
                                tr {
                                    td { input type="checkbox" name="terminal" value=(id) checked[chosen.contains(&id)] aria-label=(look.say("choose-terminal", &[("terminal", &called(look, terminal))])); }
                                    td data-label=(look.t("model")) { a href=(look.to(&format!("terminals/{id}"))) { (text(terminal, "model")) } }
                                    td data-label=(look.t("serial")) { (serial(look, terminal)) }
                                    td data-label=(look.t("site")) { (of_site(terminal)) }
                                }
                            }
                        }
                    }
                    div.row {
                        (form.choice(Field::text("to", "/site_id", &look.t("move-to")), &places))
                        button type="submit" { (look.t("terminals-move")) }
                    }
                }
            } @else {
                (terminal_rows(look, terminals, &sites))
            }
            (paging.links(look, &format!("terminals?site={site}")))
        }
    };
    Ok(look.page(status, &look.t("menu-terminals"), &main))
}

fn serial(look: &Look, terminal: &Value) -> String {
    match text(terminal, "serial") {
        "" => look.t("serial-unknown"),
        serial => serial.to_owned(),
    }
}

fn called(look: &Look, terminal: &Value) -> String {
    format!("{} {}", text(terminal, "model"), serial(look, terminal))
}

/// Terminals, each with its site if `sites` has it.
pub(super) fn terminal_rows(look: &Look, terminals: &[Value], sites: &[Value]) -> Markup {
    html! {
        ul.rows {
            @for terminal in terminals {
                @let site = sites.iter().find(|site| text(site, "site_id") == text(terminal, "site_id"));
                li {
                    div {
                        a href=(look.to(&format!("terminals/{}", text(terminal, "terminal_id")))) { strong { (text(terminal, "model")) } }
                        p.hint { (serial(look, terminal)) @if let Some(site) = site { " · " (text(site, "name")) } }
                    }
                }
            }
        }
    }
}

/// Moves the chosen terminals: all of them or none.
async fn move_them(member: Member, posted: Posted) -> Result<Response, Refused> {
    let (chosen, to) = (posted.all("terminal"), posted.get("to").to_owned());
    if chosen.is_empty() {
        return Ok(member.visit.go("terminals?done=none-chosen"));
    }
    let is_id = |text: &&str| text.parse::<Uuid>().is_ok();
    let lines: String = chosen.iter().filter(|id| is_id(id)).map(|id| format!("{id},{to}\n")).collect();
    let body = Some(("text/csv", Body::from(format!("terminal,site\n{lines}"))));
    let answer = member.visit.ask_with(Method::POST, "/v1/terminal-assignments", body, &[]).await;
    if answer.status.is_success() {
        return Ok(member.visit.go(&format!("terminals?site={to}&done=terminals-moved")));
    }
    let told = told_of(&answer);
    let status = status_of(told.status);
    let asked = Asked { site: posted.get("of").to_owned(), page: None };
    list_page(&member, status, &asked, &posted.again(told), &chosen).await
}

async fn show(member: Member, Path(terminal): Path<Uuid>) -> Result<Response, Refused> {
    terminal_page(&member, StatusCode::OK, terminal, &Form::default()).await
}

async fn terminal_page(
    member: &Member,
    status: StatusCode,
    id: Uuid,
    form: &Form,
) -> Result<Response, Refused> {
    let look = member.look();
    let terminal = member.visit.get(&format!("/v1/terminals/{id}")).await?;
    let site = member.visit.get(&format!("/v1/sites/{}", text(&terminal, "site_id"))).await?;
    let steps = member.visit.list(&format!("/v1/terminals/{id}/assignments")).await?;
    let sites = member.visit.list("/v1/sites").await?;
    let name_of = |step: &Value| {
        let id = text(step, "site_id");
        sites.iter().find(|site| text(site, "site_id") == id).map(|site| text(site, "name").to_owned())
    };
    let causes: Vec<_> = ["returned", "replaced", "sold_on"]
        .iter()
        .map(|cause| ((*cause).to_owned(), look.t_of("release", cause)))
        .collect();
    let main = html! {
        p.crumbs { a href=(look.to("terminals")) { (look.t("menu-terminals")) } }
        h1 { (text(&terminal, "model")) }
        section.card {
            (facts(&[
                (look.t("serial"), html! { (serial(look, &terminal)) }),
                (look.t("site"), html! { a href=(look.to(&format!("sites/{}", text(&site, "site_id")))) { (text(&site, "name")) } }),
                (look.t("since"), html! { (look.day(text(&terminal, "added_at"))) }),
            ]))
        }
        section.card {
            h2 { (look.t("terminal-history")) }
            ul.rows {
                @for step in &steps {
                    li {
                        span { (name_of(step).unwrap_or_else(|| look.t("site-not-yours"))) }
                        span.hint { (look.moment(text(step, "at"))) }
                    }
                }
            }
        }
        @if member.is_administrator() {
            section.card {
                h2 { (look.t("release-heading")) }
                p { (look.t("release-intro")) }
                (form.summary(&[]))
                (ask_first(look, "release-button", &look.t("release-question"), &html! {
                    form method="post" action=(look.to(&format!("terminals/{id}/release"))) {
                        (form.radios(&look.t("release-why"), "cause", &causes))
                        button.danger type="submit" { (look.t("release-now")) }
                    }
                }))
            }
        }
    };
    Ok(look.page(status, text(&terminal, "model"), &main))
}

async fn release(member: Member, Path(terminal): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let path = format!("/v1/terminals/{terminal}/release");
    match member.visit.do_it(Method::POST, &path, json!({ "cause": posted.get("cause") })).await {
        Ok(_) => Ok(member.visit.go("terminals?done=terminal-released")),
        Err(told) => terminal_page(&member, status_of(told.status), terminal, &posted.again(told)).await,
    }
}
