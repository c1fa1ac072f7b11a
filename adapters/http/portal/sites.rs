//! The sites of a company: their names, their terminals, and the receipts that these print.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loquet_domain::values::permission::Permission;
use maud::html;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::overview::{address, optional, site_list};
use super::own::status_of;
use super::paging::page_of;
use super::terminals::terminal_rows;
use super::visit::{Member, Posted, Refused, only_from_here, text};
use crate::design::form::{Field, Form, send};
use crate::design::parts::{empty, facts};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/sites", get(list))
        .route("/sites/{site}", get(show).post(rename))
        .route("/sites/{site}/receipt", get(show_receipt).post(save_receipt))
        .route("/sites/{site}/receipt/preview.svg", get(preview))
        .route("/sites/{site}/receipt/try.svg", post(try_out))
}

#[derive(Deserialize, Default)]
struct Asked {
    page: Option<usize>,
}

async fn list(member: Member, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let look = member.look();
    let (sites, terminals) =
        (member.visit.list("/v1/sites").await?, member.visit.list("/v1/terminals").await?);
    let (shown, paging) = page_of(&sites, asked.page);
    let main = html! {
        h1 { (look.t("menu-sites")) }
        section.card {
            (site_list(look, shown, &terminals))
            (paging.links(look, "sites"))
            p.hint { (look.t("sites-open-themselves")) " " a href=(look.to("help/announce-move")) { (look.t("help-announce-move-title")) } }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("menu-sites"), &main))
}

async fn show(member: Member, Path(site): Path<Uuid>) -> Result<Response, Refused> {
    let shown = member.visit.get(&format!("/v1/sites/{site}")).await?;
    let form = Form::of([("name", text(&shown, "name"))]);
    site_page(&member, StatusCode::OK, &shown, &form).await
}

async fn site_page(
    member: &Member,
    status: StatusCode,
    site: &Value,
    form: &Form,
) -> Result<Response, Refused> {
    let look = member.look();
    let id = text(site, "site_id");
    let terminals = member.visit.list(&format!("/v1/terminals?site={id}")).await?;
    let name = text(site, "name");
    let main = html! {
        p.crumbs { a href=(look.to("sites")) { (look.t("menu-sites")) } }
        h1 { (name) }
        section.card {
            (facts(&[
                (look.t("address"), html! { (address(site.get("address"))) }),
                (look.t("open-since"), html! { (look.day(text(site, "opened_at"))) }),
            ]))
            @if member.is_administrator() {
                (form.summary(&["/name"]))
                form.row method="post" action=(look.to(&format!("sites/{id}"))) {
                    (form.field(Field { required: false, hint: &look.t("site-name-hint"), ..Field::text("name", "/name", &look.t("site-name")) }))
                    (send(look, "site-rename"))
                }
            }
        }
        section.card {
            h2 { (look.t("menu-terminals")) }
            @if terminals.is_empty() { (empty(&look.t("terminals-none"))) }
            (terminal_rows(look, &terminals, &[]))
            @if member.may_at(Permission::ManageTerminals, id) { p { a.button.quiet href=(look.to(&format!("terminals?site={id}"))) { (look.t("terminals-move")) } } }
        }
        @if member.may_at(Permission::ManageReceipts, id) {
            section.card {
                h2 { (look.t("receipt")) }
                p { (look.t("receipt-intro")) }
                p { a.button href=(look.to(&format!("sites/{id}/receipt"))) { (look.t("receipt-change")) } }
            }
        }
    };
    Ok(look.page(status, name, &main))
}

async fn rename(member: Member, Path(site): Path<Uuid>, posted: Posted) -> Result<Response, Refused> {
    let path = format!("/v1/sites/{site}");
    match member.visit.do_it(Method::PATCH, &path, json!({ "name": optional(posted.get("name")) })).await {
        Ok(_) => Ok(member.visit.go(&format!("sites/{site}?done=saved"))),
        Err(told) => {
            let shown = member.visit.get(&path).await?;
            site_page(&member, status_of(told.status), &shown, &posted.again(told)).await
        }
    }
}

/// The texts of a receipt.
const TEXTS: [&str; 3] = ["header", "middle", "footer"];

async fn show_receipt(member: Member, Path(site): Path<Uuid>) -> Result<Response, Refused> {
    let layout = member.visit.get(&format!("/v1/sites/{site}/receipt-layout")).await?;
    let lines = |name: &str| {
        let lines = layout.get(name).and_then(Value::as_array).into_iter().flatten();
        lines.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    };
    let texts = TEXTS.map(|name| (name, lines(name)));
    let values = texts.iter().map(|(name, text)| (*name, text.as_str()));
    let form = Form::of(values.chain([("trading_name", text(&layout, "trading_name"))]));
    receipt_page(&member, StatusCode::OK, site, &layout, &form).await
}

async fn receipt_page(
    member: &Member,
    status: StatusCode,
    site: Uuid,
    layout: &Value,
    form: &Form,
) -> Result<Response, Refused> {
    let look = member.look();
    let shown = member.visit.get(&format!("/v1/sites/{site}")).await?;
    let has_logo = layout.get("logo").is_some_and(|logo| !logo.is_null());
    let terminals = layout.get("terminals").and_then(Value::as_array).cloned().unwrap_or_default();
    let beyond: Vec<_> =
        terminals.iter().filter(|terminal| terminal.get("reached") == Some(&Value::Bool(false))).collect();
    let main = html! {
        p.crumbs {
            a href=(look.to("sites")) { (look.t("menu-sites")) } " › "
            a href=(look.to(&format!("sites/{site}"))) { (text(&shown, "name")) }
        }
        h1 { (look.t("receipt")) }
        div.split {
            section.card {
                (form.summary(&["/header", "/middle", "/footer", "/trading_name", "/logo"]))
                form method="post" action=(look.to(&format!("sites/{site}/receipt"))) enctype="multipart/form-data" data-preview=(look.to(&format!("sites/{site}/receipt/try.svg"))) {
                    (form.field(Field { required: false, hint: &look.t("receipt-name-hint"), ..Field::text("trading_name", "/trading_name", &look.t("receipt-name")) }))
                    @for name in TEXTS {
                        (form.area(Field { required: false, hint: &look.t_of("receipt-hint", name), ..Field::text(name, &format!("/{name}"), &look.t_of("receipt", name)) }, 3))
                    }
                    (form.field(Field { kind: "file", required: false, hint: &look.t("receipt-logo-hint"), ..Field::text("logo", "/logo", &look.t("receipt-logo")) }))
                    @if has_logo {
                        label.tick { input type="checkbox" name="without_logo" value="yes"; span { (look.t("receipt-logo-remove")) } }
                    }
                    (send(look, "save"))
                }
                @if !beyond.is_empty() {
                    p.hint { (look.say("receipt-beyond", &[("count", &beyond.len().to_string())])) " " a href=(look.to("contact")) { (look.t("contact")) } }
                }
            }
            section.card.preview {
                h2 { (look.t("receipt-preview")) }
                img src=(look.to(&format!("sites/{site}/receipt/preview.svg"))) alt=(look.t("receipt-preview-alt")) data-shown;
            }
        }
    };
    Ok(look.page(status, &look.t("receipt"), &main))
}

/// The fields of the receipt's form.
struct Layout {
    posted: Posted,
    logo: Option<Bytes>,
}

async fn layout_of(headers: &HeaderMap, mut form: Multipart) -> Result<Layout, Response> {
    let told = |problem: crate::responses::problem::Problem| problem.into_response();
    only_from_here(headers).map_err(told)?;
    let malformed =
        |_| told(crate::responses::problem::Problem::new(StatusCode::BAD_REQUEST, "malformed-request"));
    let (mut fields, mut logo) = (Vec::new(), None);
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "logo" {
            logo = Some(field.bytes().await.map_err(malformed)?).filter(|bytes| !bytes.is_empty());
        } else {
            fields.push((name, field.text().await.map_err(malformed)?));
        }
    }
    Ok(Layout { posted: Posted(fields), logo })
}

impl Layout {
    /// The body that the API takes. Without a new logo, the one of before stays.
    fn body(&self) -> Value {
        let text = |name: &str| self.posted.get(name).replace("\r\n", "\n");
        let mut body = json!({
            "header": text("header"), "middle": text("middle"), "footer": text("footer"),
            "trading_name": optional(self.posted.get("trading_name")),
        });
        let is_without = !self.posted.get("without_logo").is_empty();
        let logo = self.logo.as_ref().map(|logo| STANDARD.encode(logo)).or(is_without.then(String::new));
        if let (Some(logo), Some(fields)) = (logo, body.as_object_mut()) {
            fields.insert("logo".to_owned(), logo.into());
        }
        body
    }
}

async fn save_receipt(
    member: Member,
    Path(site): Path<Uuid>,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Refused> {
    let sent = layout_of(&headers, form).await.map_err(Refused::from)?;
    let path = format!("/v1/sites/{site}/receipt-layout");
    let layout = member.visit.get(&path).await?;
    match member.visit.do_it(Method::PUT, &path, sent.body()).await {
        Ok(_) => Ok(member.visit.go(&format!("sites/{site}/receipt?done=receipt-saved"))),
        Err(told) => {
            receipt_page(&member, status_of(told.status), site, &layout, &sent.posted.again(told)).await
        }
    }
}

async fn preview(member: Member, Path(site): Path<Uuid>) -> Result<Response, Refused> {
    picture(&member, Method::GET, site, None).await
}

/// The picture of a layout that is not saved.
async fn try_out(
    member: Member,
    Path(site): Path<Uuid>,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Refused> {
    let sent = layout_of(&headers, form).await.map_err(Refused::from)?;
    picture(&member, Method::POST, site, Some(sent.body())).await
}

async fn picture(
    member: &Member,
    method: Method,
    site: Uuid,
    body: Option<Value>,
) -> Result<Response, Refused> {
    let answer =
        member.visit.ask(method, &format!("/v1/sites/{site}/receipt-layout/preview.svg"), body).await;
    match answer.status.is_success() {
        true => Ok(([(header::CONTENT_TYPE, "image/svg+xml")], answer.body).into_response()),
        false => Err(member.visit.refused(&answer)),
    }
}
