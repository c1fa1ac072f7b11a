//! The people of a company: who they are, who waits, and what an administrator does about it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use loquet_domain::values::language::Language;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::groups::places_in_words;
use super::overview::name_of;
use super::own::status_of;
use super::paging::page_of;
use super::visit::{Member, Posted, Refused, text};
use crate::design::form::{Field, Form, send};
use crate::design::parts::{act, ask_first, badge, empty, facts};
use crate::design::{Look, own_name};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/users", get(list).post(create))
        .route("/users/{account}", get(show))
        .route("/users/{account}/admit", post(admit))
        .route("/users/{account}/role", post(change_role))
        .route("/users/{account}/mail", post(send_mail))
        .route("/users/{account}/delete", post(delete))
}

#[derive(Deserialize, Default)]
struct Asked {
    page: Option<usize>,
}

async fn list(member: Member, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    list_page(
        &member,
        StatusCode::OK,
        asked.page,
        &Form::of([("language", member.look().language.code()), ("role", "user")]),
    )
    .await
}

async fn list_page(
    member: &Member,
    status: StatusCode,
    page: Option<usize>,
    form: &Form,
) -> Result<Response, Refused> {
    let look = member.look();
    let path = format!("/v1/accounts?company={}", member.person.profile.company);
    let accounts = member.visit.list(&path).await?;
    let accounts: Vec<_> =
        accounts.iter().filter(|account| !matches!(text(account, "status"), "deleted" | "erased")).collect();
    let (accounts, paging) = page_of(&accounts, page);
    let languages: Vec<_> = Language::ALL
        .iter()
        .map(|language| (language.code().to_owned(), own_name(*language).to_owned()))
        .collect();
    let mut roles = vec![("user".to_owned(), look.t("role-user-means"))];
    if member.is_administrator() {
        roles.push(("administrator".to_owned(), look.t("role-administrator-means")));
    }
    let main = html! {
        h1 { (look.t("menu-users")) }
        section.card {
            @if accounts.is_empty() { (empty(&look.t("users-none"))) }
            ul.rows {
                @for account in accounts {
                    li {
                        div {
                            a href=(look.to(&format!("users/{}", text(account, "account_id")))) { strong { (name_of(account)) } }
                            p.hint { (text(account, "email")) }
                        }
                        span { (look.t_of("role", text(account, "role"))) " " (status_badge(look, account)) }
                    }
                }
            }
            (paging.links(look, "users"))
        }
        section.card {
            h2 { (look.t("user-new")) }
            p { (look.t("user-new-intro")) }
            (form.summary(&["/email", "/given_name", "/family_name", "/language"]))
            form method="post" action=(look.to("users")) {
                div.pair {
                    (form.field(Field::text("given_name", "/given_name", &look.t("given-name"))))
                    (form.field(Field::text("family_name", "/family_name", &look.t("family-name"))))
                }
                (form.field(Field { kind: "email", ..Field::text("email", "/email", &look.t("email")) }))
                (form.choice(Field::text("language", "/language", &look.t("language")), &languages))
                (form.radios(&look.t("role"), "role", &roles))
                (send(look, "user-create"))
            }
        }
    };
    Ok(look.page(status, &look.t("menu-users"), &main))
}

fn status_badge(look: &Look, account: &Value) -> Markup {
    let status = text(account, "status");
    let kind = match status {
        "active" => "good",
        _ => "plain",
    };
    badge(kind, &look.t_of("status", status))
}

async fn create(member: Member, posted: Posted) -> Result<Response, Refused> {
    let body = json!({
        "email": posted.get("email"), "given_name": posted.get("given_name"), "family_name": posted.get("family_name"),
        "language": posted.get("language"), "role": posted.get("role"),
    });
    match member.visit.do_it(Method::POST, "/v1/accounts", body).await {
        Ok(answer) => {
            let created = answer.json();
            Ok(member.visit.go(&format!("users/{}?done=user-created", text(&created, "account_id"))))
        }
        Err(told) => list_page(&member, status_of(told.status), None, &posted.again(told)).await,
    }
}

async fn show(member: Member, Path(account): Path<Uuid>) -> Result<Response, Refused> {
    user_page(&member, StatusCode::OK, account, &Form::default()).await
}

async fn user_page(member: &Member, status: StatusCode, id: Uuid, form: &Form) -> Result<Response, Refused> {
    let look = member.look();
    let account = member.visit.get(&format!("/v1/accounts/{id}")).await?;
    let grants = member.visit.list(&format!("/v1/accounts/{id}/permissions")).await.unwrap_or_default();
    let sites = member.visit.list("/v1/sites").await?;
    let is_own = id == member.person.account.0;
    let main = html! {
        p.crumbs { a href=(look.to("users")) { (look.t("menu-users")) } }
        h1 { (name_of(&account)) }
        section.card {
            (form.summary(&[]))
            (facts(&[
                (look.t("email"), html! { (text(&account, "email")) }),
                (look.t("role"), html! { (look.t_of("role", text(&account, "role"))) " " (status_badge(look, &account)) }),
                (look.t("language"), html! { (Language::parse(text(&account, "language")).map_or("", own_name)) }),
                (look.t("last-login"), html! { @match text(&account, "last_login_at") { "" => { (look.t("never")) } at => { (look.moment(at)) } } }),
            ]))
            @if is_own { p.hint { (look.t("user-is-you")) } }
            @else { (actions(member, id, &account)) }
        }
        section.card {
            h2 { (look.t("user-may")) }
            @if grants.is_empty() { (empty(&look.t("user-may-nothing"))) }
            ul.rows {
                @for grant in &grants {
                    li {
                        strong { (look.t_of("permission", text(grant, "permission"))) }
                        span.hint { (places_in_words(look, grant.get("sites"), &sites)) }
                    }
                }
            }
        }
    };
    Ok(look.page(status, &name_of(&account), &main))
}

/// What may be done about an account. What may not be done is not offered.
fn actions(member: &Member, id: Uuid, account: &Value) -> Markup {
    let look = member.look();
    let (role, status) = (text(account, "role"), text(account, "status"));
    let to = |what: &str| format!("users/{id}/{what}");
    html! {
        @if role == "temporary_administrator" && member.is_administrator() {
            p { (look.t("admit-intro")) }
            div.buttons {
                (act(look, &to("admit"), "admit-administrator", "", &[("to", "administrator")]))
                (act(look, &to("admit"), "admit-user", "quiet", &[("to", "user")]))
            }
        }
        @if status == "awaiting_activation" {
            div.buttons { (act(look, &to("mail"), "activation-send", "quiet", &[])) }
        }
        @if member.is_administrator() && role == "user" { div.buttons { (act(look, &to("role"), "make-administrator", "quiet", &[("role", "administrator")])) } }
        @if member.is_administrator() && role == "administrator" { div.buttons { (act(look, &to("role"), "make-user", "quiet", &[("role", "user")])) } }
        @if member.is_administrator() {
            (ask_first(look, "user-delete", &look.t("user-delete-question"), &html! {
                form method="post" action=(look.to(&to("delete"))) { button.danger type="submit" { (look.t("user-delete-now")) } }
            }))
        }
    }
}

async fn done(
    member: Member,
    account: Uuid,
    method: Method,
    path: String,
    body: Option<Value>,
    word: &str,
) -> Result<Response, Refused> {
    let answer = member.visit.ask(method, &path, body).await;
    match answer.status.is_success() {
        true => Ok(member.visit.go(word)),
        false => {
            let told = super::visit::told_of(&answer);
            user_page(
                &member,
                status_of(told.status),
                account,
                &Form::again(std::collections::BTreeMap::default(), told),
            )
            .await
        }
    }
}

async fn admit(member: Member, Path(account): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let (path, body) = (format!("/v1/accounts/{account}/conversion"), json!({ "to": posted.get("to") }));
    done(member, account, Method::POST, path, Some(body), &format!("users/{account}?done=user-admitted"))
        .await
}

async fn change_role(member: Member, Path(account): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let (path, body) = (format!("/v1/accounts/{account}/role"), json!({ "role": posted.get("role") }));
    done(member, account, Method::POST, path, Some(body), &format!("users/{account}?done=role-changed")).await
}

async fn send_mail(member: Member, Path(account): Path<Uuid>, _: Posted) -> Result<Response, Refused> {
    let path = format!("/v1/accounts/{account}/activation-mail");
    done(member, account, Method::POST, path, None, &format!("users/{account}?done=activation-sent")).await
}

async fn delete(member: Member, Path(account): Path<Uuid>, _: Posted) -> Result<Response, Refused> {
    let path = format!("/v1/accounts/{account}");
    done(member, account, Method::DELETE, path, None, "users?done=user-deleted").await
}
