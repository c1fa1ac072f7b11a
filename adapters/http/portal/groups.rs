//! The user groups of a company: their permissions, and their members with the sites where they hold them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use loquet_domain::values::permission::Permission;
use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::overview::name_of;
use super::own::status_of;
use super::visit::{Member, Posted, Refused, text};
use crate::design::Look;
use crate::design::form::{Field, Form, Told, send, ticks};
use crate::design::parts::{act, ask_first, empty};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/groups", get(list).post(create))
        .route("/groups/{group}", get(show).post(change))
        .route("/groups/{group}/members", post(set_member))
        .route("/groups/{group}/members/remove", post(remove_member))
        .route("/groups/{group}/delete", post(delete))
}

fn permissions(look: &Look) -> Vec<(String, String)> {
    let named = |permission: &Permission| {
        let name = permission.name().to_owned();
        let word = look.t_of("permission", &name);
        (name, word)
    };
    Permission::ALL.iter().map(named).collect()
}

async fn list(member: Member) -> Result<Response, Refused> {
    list_page(&member, StatusCode::OK, &Form::default(), &[]).await
}

async fn list_page(
    member: &Member,
    status: StatusCode,
    form: &Form,
    chosen: &[&str],
) -> Result<Response, Refused> {
    let look = member.look();
    let groups = member.visit.list(&member.company("/groups")).await?;
    let main = html! {
        h1 { (look.t("menu-groups")) }
        section.card {
            p { (look.t("groups-intro")) }
            @if groups.is_empty() { (empty(&look.t("groups-none"))) }
            ul.rows {
                @for group in &groups {
                    li {
                        div {
                            a href=(look.to(&format!("groups/{}", text(group, "group_id")))) { strong { (text(group, "name")) } }
                            p.hint { (text(group, "description")) }
                        }
                        span.hint { (look.say("member-count", &[("count", &group.get("members").and_then(Value::as_u64).unwrap_or_default().to_string())])) }
                    }
                }
            }
        }
        section.card {
            h2 { (look.t("group-new")) }
            (form.summary(&["/name", "/description"]))
            form method="post" action=(look.to("groups")) {
                (fields(look, form))
                (ticks(&look.t("group-permissions"), "permission", &permissions(look), |name| chosen.contains(&name)))
                (send(look, "group-create"))
            }
        }
    };
    Ok(look.page(status, &look.t("menu-groups"), &main))
}

fn fields(look: &Look, form: &Form) -> Markup {
    html! {
        (form.field(Field::text("name", "/name", &look.t("group-name"))))
        (form.field(Field { required: false, ..Field::text("description", "/description", &look.t("group-description")) }))
    }
}

async fn create(member: Member, posted: Posted) -> Result<Response, Refused> {
    let chosen = posted.all("permission");
    let body = json!({ "name": posted.get("name"), "description": posted.get("description"), "permissions": chosen });
    match member.visit.do_it(Method::POST, &member.company("/groups"), body).await {
        Ok(answer) => {
            let created = answer.json();
            Ok(member.visit.go(&format!("groups/{}?done=group-created", text(&created, "group_id"))))
        }
        Err(told) => list_page(&member, status_of(told.status), &posted.again(told), &chosen).await,
    }
}

async fn show(member: Member, Path(group): Path<Uuid>) -> Result<Response, Refused> {
    let shown = member.visit.get(&member.company(&format!("/groups/{group}"))).await?;
    let form = Form::of([("name", text(&shown, "name")), ("description", text(&shown, "description"))]);
    group_page(&member, StatusCode::OK, &shown, &form).await
}

async fn group_page(
    member: &Member,
    status: StatusCode,
    group: &Value,
    form: &Form,
) -> Result<Response, Refused> {
    let look = member.look();
    let id = text(group, "group_id");
    let members = member.visit.list(&member.company(&format!("/groups/{id}/members"))).await?;
    let accounts =
        member.visit.list(&format!("/v1/accounts?company={}", member.person.profile.company)).await?;
    let sites = member.visit.list("/v1/sites").await?;
    let has: Vec<&str> = group
        .get("permissions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let account_of = |id: &str| accounts.iter().find(|account| text(account, "account_id") == id);
    let users: Vec<(String, String)> = accounts
        .iter()
        .filter(|account| {
            text(account, "role") == "user" && !matches!(text(account, "status"), "deleted" | "erased")
        })
        .map(|account| (text(account, "account_id").to_owned(), name_of(account)))
        .collect();
    let places: Vec<(String, String)> =
        sites.iter().map(|site| (text(site, "site_id").to_owned(), text(site, "name").to_owned())).collect();
    let name = text(group, "name");
    let main = html! {
        p.crumbs { a href=(look.to("groups")) { (look.t("menu-groups")) } }
        h1 { (name) }
        section.card {
            h2 { (look.t("group-permissions")) }
            (form.summary(&["/name", "/description"]))
            form method="post" action=(look.to(&format!("groups/{id}"))) {
                (fields(look, form))
                (ticks(&look.t("group-permissions"), "permission", &permissions(look), |name| has.contains(&name)))
                (send(look, "save"))
            }
        }
        section.card {
            h2 { (look.t("group-members")) }
            @if members.is_empty() { (empty(&look.t("group-no-members"))) }
            ul.rows {
                @for held in &members {
                    @let account = text(held, "account_id");
                    li {
                        div {
                            a href=(look.to(&format!("users/{account}"))) { strong { (account_of(account).map_or_else(|| account.to_owned(), name_of)) } }
                            p.hint { (places_in_words(look, held.get("sites"), &sites)) }
                        }
                        (act(look, &format!("groups/{id}/members/remove"), "remove", "quiet", &[("account", account)]))
                    }
                }
            }
            @if users.is_empty() { p.hint { (look.t("group-no-users")) " " a href=(look.to("users")) { (look.t("menu-users")) } } }
            @else {
                h3 { (look.t("member-add")) }
                form method="post" action=(look.to(&format!("groups/{id}/members"))) {
                    (form.choice(Field::text("account", "/account_id", &look.t("person")), &users))
                    fieldset {
                        legend { (look.t("member-where")) }
                        label.tick { input type="radio" name="where" value="everywhere" checked; span { (look.t("everywhere")) } }
                        label.tick { input type="radio" name="where" value="sites"; span { (look.t("these-sites")) } }
                        div.nested { @for (site, name) in &places { label.tick { input type="checkbox" name="site" value=(site); span { (name) } } } }
                    }
                    (send(look, "member-add-now"))
                }
            }
        }
        section.card {
            (ask_first(look, "group-delete", &look.t("group-delete-question"), &html! {
                form method="post" action=(look.to(&format!("groups/{id}/delete"))) { button.danger type="submit" { (look.t("group-delete-now")) } }
            }))
        }
    };
    Ok(look.page(status, name, &main))
}

/// The sites where something holds, in words.
pub(super) fn places_in_words(look: &Look, places: Option<&Value>, sites: &[Value]) -> String {
    let Some(chosen) = places.and_then(|places| places.get("sites")).and_then(Value::as_array) else {
        return look.t("everywhere");
    };
    let ids: Vec<&str> = chosen.iter().filter_map(Value::as_str).collect();
    let names: Vec<&str> = sites
        .iter()
        .filter(|site| ids.contains(&text(site, "site_id")))
        .map(|site| text(site, "name"))
        .collect();
    if names.is_empty() { look.t("site-not-yours") } else { names.join(", ") }
}

async fn again(member: &Member, group: Uuid, posted: &Posted, told: Told) -> Result<Response, Refused> {
    let shown = member.visit.get(&member.company(&format!("/groups/{group}"))).await?;
    group_page(member, status_of(told.status), &shown, &posted.again(told)).await
}

async fn change(member: Member, Path(group): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let body = json!({
        "name": posted.get("name"), "description": posted.get("description"), "permissions": posted.all("permission"),
    });
    match member.visit.do_it(Method::PATCH, &member.company(&format!("/groups/{group}")), body).await {
        Ok(_) => Ok(member.visit.go(&format!("groups/{group}?done=saved"))),
        Err(told) => again(&member, group, &posted, told).await,
    }
}

async fn set_member(member: Member, Path(group): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let places = match posted.get("where") {
        "everywhere" => json!("everywhere"),
        _ => json!({ "sites": posted.all("site") }),
    };
    let account = posted.get("account").parse::<Uuid>().unwrap_or_default();
    let path = member.company(&format!("/groups/{group}/members/{account}"));
    match member.visit.do_it(Method::PUT, &path, json!({ "sites": places })).await {
        Ok(_) => Ok(member.visit.go(&format!("groups/{group}?done=member-added"))),
        Err(told) => {
            let shown = member.visit.get(&member.company(&format!("/groups/{group}"))).await?;
            let values = [("name", text(&shown, "name")), ("description", text(&shown, "description"))];
            let values = values.into_iter().chain([("account", posted.get("account"))]);
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            group_page(&member, status_of(told.status), &shown, &Form::again(values, told)).await
        }
    }
}

async fn remove_member(member: Member, Path(group): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let account = posted.get("account").parse::<Uuid>().unwrap_or_default();
    let path = member.company(&format!("/groups/{group}/members/{account}"));
    let answer = member.visit.ask(Method::DELETE, &path, None).await;
    match answer.status.is_success() {
        true => Ok(member.visit.go(&format!("groups/{group}?done=member-removed"))),
        false => Err(member.visit.refused(&answer)),
    }
}

async fn delete(member: Member, Path(group): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let answer = member.visit.ask(Method::DELETE, &member.company(&format!("/groups/{group}")), None).await;
    match answer.status.is_success() {
        true => Ok(member.visit.go("groups?done=group-deleted")),
        false => again(&member, group, &posted, super::visit::told_of(&answer)).await,
    }
}
