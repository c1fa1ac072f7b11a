//! Receipt layouts: set for a site, previewed, fetched by its terminals.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquet_domain::Moment;
use loquet_domain::ids::{SiteId, TerminalId};
use loquet_domain::logo::Logo;
use loquet_domain::receipt::{Layout, MOST_COLUMNS, Receipt, ReceiptText};
use loquet_domain::terminals::Terminal;
use loquet_domain::values::language::Language;
use loquet_domain::values::permission::Permission;
use loquet_domain::values::plain_text::is_printable;
use loquet_domain::values::terminal_model::Maker;
use loquet_projections::views::sites::SiteRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Because, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::limits::shares::Costly;
use crate::middleware::idempotency::NothingDone;
use crate::pictures::logo;
use crate::pictures::logo::{NoLogo, NotDrawn};
use crate::responses::carry_out::to_its_end;
use crate::responses::faults::Faults;
use crate::responses::localize::{language, say};
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// The layout of a site's receipts.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptLayout)]
pub(crate) struct LayoutBody {
    site_id: Uuid,
    /// Increases with each change. 0 if no layout was ever set.
    version: u64,
    /// The lines above the payment.
    header: Vec<String>,
    /// The lines between the payment and the cardholder's part.
    middle: Vec<String>,
    /// The lines at the end.
    footer: Vec<String>,
    /// The name that is printed.
    trading_name: Option<String>,
    /// The picture at the top: a greyscale PNG in base64.
    logo: Option<LogoBody>,
    /// The site's terminals, and whether the layout reaches each of them. Absent in the answer to a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    terminals: Option<Vec<ReachBody>>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// A terminal at the site.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceiptTerminal)]
pub(crate) struct ReachBody {
    terminal_id: Uuid,
    /// Absent while it is not known.
    serial: Option<String>,
    #[schema(example = "PAX A920 Mobile")]
    model: String,
    /// Whether the terminal fetches this layout. Support changes the receipts of other terminals.
    reached: bool,
}

impl ReachBody {
    fn of(terminal_id: TerminalId, terminal: &Terminal) -> Self {
        Self {
            terminal_id: terminal_id.0,
            serial: terminal.serial.as_ref().map(ToString::to_string),
            model: terminal.model.to_string(),
            reached: terminal.model.maker() == Maker::Pax,
        }
    }
}

/// A logo, as it is printed.
#[derive(Serialize, ToSchema)]
#[schema(as = Logo)]
pub(crate) struct LogoBody {
    /// A PNG in base64.
    png: String,
    width: u32,
    height: u32,
}

fn body(
    site: SiteId,
    (receipt, logo): (Receipt, Option<Logo>),
    name: Option<String>,
    position: u64,
) -> LayoutBody {
    let Receipt { version, layout, .. } = receipt;
    let lines = |text: &ReceiptText| text.lines().to_vec();
    LayoutBody {
        site_id: site.0,
        version,
        header: lines(&layout.header),
        middle: lines(&layout.middle),
        footer: lines(&layout.footer),
        trading_name: layout.trading_name.map(|name| name.as_str().to_owned()).or(name),
        logo: logo.map(|logo| LogoBody { png: logo.png, width: logo.width, height: logo.height }),
        terminals: None,
        position,
    }
}

impl Api {
    /// Which of the site's terminals a layout reaches, in the order of their ids.
    async fn reach_of_layout(&self, site: &SiteRow) -> Result<Vec<ReachBody>, Problem> {
        let terminals = self.app.terminals(site.company_id).await?.state;
        let mut reach: Vec<ReachBody> =
            terminals.at(site.site_id).map(|(id, terminal)| ReachBody::of(id, terminal)).collect();
        reach.sort_by_key(|terminal| terminal.terminal_id);
        Ok(reach)
    }

    async fn layout(&self, site: &SiteRow, at_least: &AtLeast) -> Result<LayoutBody, Problem> {
        let position = self.log_at(at_least.position()).await?;
        let receipt = std::sync::Arc::unwrap_or_clone(self.app.receipt(site.site_id).await?.state);
        let logo = self.app.logo(&receipt).await?;
        let name = self.printed_name(site).await?;
        Ok(body(site.site_id, (receipt, logo), name, position.0))
    }
}

impl Api {
    /// The company's name, which is printed if the layout has none.
    async fn printed_name(&self, site: &SiteRow) -> Result<Option<String>, Problem> {
        let company = self.company_row(site.company_id).await?;
        Ok(company.and_then(|row| row.known_as().map(ToOwned::to_owned)))
    }
}

/// Show the receipt layout of a site.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/receipt-layout", operation_id = "show_receipt_layout", tag = "receipts", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The layout", body = LayoutBody),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<LayoutBody>, Problem> {
    let site = api.site_in_sight(&caller, id).await?;
    let layout = api.layout(&site, &at_least).await?;
    Ok(Tagged(LayoutBody { terminals: Some(api.reach_of_layout(&site).await?), ..layout }))
}

/// Show the receipt layout of a terminal's site.
///
/// A terminal calls this when it synchronises. If it sends the `ETag` of the last answer as `If-None-Match`, the answer
/// is 304 as long as nothing has changed. Only PAX terminals fetch a layout.
#[utoipa::path(
    get, path = "/v1/terminals/{terminal}/receipt-layout", operation_id = "fetch_receipt_layout", tag = "receipts", security(("service" = [])),
    params(("terminal" = String, Path, description = "The terminal's serial number or id"), AtLeast),
    responses(
        (status = 200, description = "The layout", body = LayoutBody),
        (status = 404, description = "There is no such terminal", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Support changes the receipts of this terminal", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_terminal(
    State(api): Shared,
    caller: Caller,
    Path(named): Path<String>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<LayoutBody>, Problem> {
    caller.service(Scope::LayoutsRead)?;
    let (terminal, site) = api.terminal_now(&named).await?;
    if terminal.model.maker() != Maker::Pax {
        return Err(Problem::contact_support());
    }
    Ok(Tagged(api.layout(&api.site(site).await?, &at_least).await?))
}

/// The new layout of a site's receipts. Omitted texts are empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLayoutBody {
    /// At most ten lines of 42 characters, separated by line breaks.
    #[serde(default)]
    #[schema(example = "Le Fournil\nRue Neuve 12, Bruxelles")]
    header: String,
    #[serde(default)]
    middle: String,
    #[serde(default)]
    #[schema(example = "Merci et à bientôt")]
    footer: String,
    /// The name that is printed. A long name is printed on several lines. Default: the company's name.
    trading_name: Option<String>,
    /// A PNG or JPEG in base64, at most 512 KiB, 2000 pixels a side and 1048576 pixels in all. It is converted to a
    /// greyscale picture of at most 384 × 200 pixels. If the field is omitted, the present logo stays. `""` removes it.
    logo: Option<String>,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// What a new layout is checked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It is saved. The supplier's staff must give a reason.
    Save,
    /// It is shown and not stored. Nobody must give a reason.
    Try,
}

impl NewLayoutBody {
    /// Whether the request has a picture to convert.
    fn draws(&self) -> bool {
        self.logo.as_ref().is_some_and(|sent| !sent.is_empty())
    }

    /// `kept` is the present logo, which stays if the field is omitted.
    fn check(
        self,
        caller: &Caller,
        for_use: Use,
        kept: Option<Logo>,
    ) -> Result<(Layout, Option<Logo>, Because), Problem> {
        let mut faults = Faults::default();
        let because = match for_use {
            Use::Save => faults.because(caller, "/reason", self.reason.clone()),
            Use::Try => faults.because_offered("/reason", self.reason.clone()),
        };
        let mut text = |pointer: &str, text: &str| {
            faults.check(pointer, ReceiptText::parse(text), |_| "receipt-text-invalid")
        };
        let texts =
            (text("/header", &self.header), text("/middle", &self.middle), text("/footer", &self.footer));
        let trading_name =
            self.trading_name.as_deref().map(|name| faults.company_name("/trading_name", name));
        let logo = match self.logo.as_deref() {
            None => kept,
            Some("") => None,
            Some(sent) => faults.check("/logo", logo::read(sent), |error| match error {
                NoLogo::NotBase64 => "logo-not-base64",
                NoLogo::TooLarge => "logo-too-large",
                NoLogo::Unreadable => "logo-unreadable",
                NoLogo::TooManyPixels => "logo-too-many-pixels",
            }),
        };
        let layout = match texts {
            (Some(header), Some(middle), Some(footer)) => {
                let trading_name = trading_name.flatten();
                Some((Layout { header, middle, footer, trading_name, logo: None }, logo, because))
            }
            _ => None,
        };
        faults.finish(layout)
    }
}

/// A layout that was saved.
#[derive(Serialize, ToSchema)]
pub(crate) struct LayoutSaved {
    version: u64,
    /// The position of the event in the log.
    position: u64,
}

/// Save the receipt layout of a site.
///
/// The terminals get it when they next synchronise. Allowed for administrators, and for users with *manage receipts*
/// at the site.
#[utoipa::path(
    put, path = "/v1/sites/{site_id}/receipt-layout", operation_id = "save_receipt_layout", tag = "receipts", request_body = NewLayoutBody,
    security(("session" = []), ("service" = [])), params(("site_id" = Uuid, Path)),
    responses(
        (status = 200, description = "Saved", body = LayoutSaved),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The server is converting too many pictures now. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The site has no terminal, or only terminals whose receipts support changes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn save(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<NewLayoutBody>,
) -> Result<Json<LayoutSaved>, Problem> {
    let (row, layout, logo, because) = api.new_layout(&caller, id, body, Use::Save).await?;
    let (site, company) = (row.site_id, row.company_id);
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let saved =
        to_its_end(async move { api.app.save_receipt(&context, company, site, layout, logo).await }).await?;
    let (version, position) = saved.map_err(|failure| Problem::of(failure, at))?;
    Ok(Json(LayoutSaved { version, position: position.0 }))
}

impl Api {
    /// Checks the new layout of a site, and converts its picture. The caller must be allowed to save it.
    async fn new_layout(
        &self,
        caller: &Caller,
        site: Uuid,
        body: NewLayoutBody,
        for_use: Use,
    ) -> Result<(SiteRow, Layout, Option<Logo>, Because), Problem> {
        let row = self.site(SiteId(site)).await?;
        let needed = Need::at(Permission::ManageReceipts, row.site_id);
        self.permit(caller, Scope::CompaniesWrite, row.company_id, needed).await?;
        let kept = self.app.logo(&self.app.receipt(row.site_id).await?.state).await?;
        // Drawing a picture takes a while of a whole core.
        let (layout, logo, because) = match body.draws() {
            true => {
                let share = self.admit_costly(caller, Costly::Picture)?;
                let asking = caller.clone();
                let draw = move || {
                    let drawn = body.check(&asking, for_use, kept);
                    drop(share);
                    drawn
                };
                self.drawing.draw(draw).await.map_err(not_drawn)??
            }
            false => body.check(caller, for_use, kept)?,
        };
        Ok((row, layout, logo, because))
    }

    /// A layout as it would be shown if it were saved. Nothing is stored.
    async fn tried_layout(
        &self,
        caller: &Caller,
        at: Moment,
        site: Uuid,
        new: NewLayoutBody,
    ) -> Result<LayoutBody, Problem> {
        let (row, layout, logo, _) = self.new_layout(caller, site, new, Use::Try).await?;
        let printing = self.app.prints_receipts(row.company_id, row.site_id).await;
        printing.map_err(|failure| Problem::of(failure, at))?;
        let receipt = Receipt { layout, ..Receipt::default() };
        Ok(body(row.site_id, (receipt, logo), self.printed_name(&row).await?, 0))
    }
}

/// Preview a receipt with a layout that is not saved yet, as text.
///
/// The layout is checked as it is when it is saved. Nothing is stored. Allowed for administrators, and for users with
/// *manage receipts* at the site.
#[utoipa::path(
    post, path = "/v1/sites/{site_id}/receipt-layout/preview.txt", operation_id = "try_receipt_text", tag = "receipts", request_body = NewLayoutBody,
    security(("session" = []), ("service" = [])), params(("site_id" = Uuid, Path)),
    responses(
        (status = 200, description = "42 columns of text", body = String, content_type = "text/plain"),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The site has no terminal, or only terminals whose receipts support changes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The server is converting too many pictures now. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn try_text(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    Body(new): Body<NewLayoutBody>,
) -> Result<Response, Problem> {
    let layout = api.tried_layout(&caller, arrival.at, id, new).await?;
    Ok((NothingDone, as_text(&layout, language(&headers))).into_response())
}

/// Preview a receipt with a layout that is not saved yet, as a picture.
///
/// The layout is checked as it is when it is saved. Nothing is stored. Allowed for administrators, and for users with
/// *manage receipts* at the site.
#[utoipa::path(
    post, path = "/v1/sites/{site_id}/receipt-layout/preview.svg", operation_id = "try_receipt_picture", tag = "receipts", request_body = NewLayoutBody,
    security(("session" = []), ("service" = [])), params(("site_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The picture as SVG", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The site has no terminal, or only terminals whose receipts support changes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The server is converting too many pictures now. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn try_picture(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    Body(new): Body<NewLayoutBody>,
) -> Result<Response, Problem> {
    let layout = api.tried_layout(&caller, arrival.at, id, new).await?;
    Ok((NothingDone, as_picture(&layout, language(&headers))?).into_response())
}

fn as_text(layout: &LayoutBody, language: Language) -> Response {
    let text = lines(layout, language).join("\n") + "\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn as_picture(layout: &LayoutBody, language: Language) -> Result<Response, Problem> {
    let svg = Picture::of(layout, language).render();
    let svg = svg.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"))?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

fn not_drawn(why: NotDrawn) -> Problem {
    match why {
        NotDrawn::Busy { retry_after } => {
            let retry_after = i64::try_from(retry_after.as_secs()).ok();
            Problem { retry_after, ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy") }
        }
        NotDrawn::Failed => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// Preview a receipt of the site, as text.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/receipt-layout/preview.txt", operation_id = "preview_receipt_text", tag = "receipts", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path)),
    responses(
        (status = 200, description = "42 columns of text", body = String, content_type = "text/plain"),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn preview_text(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let site = api.site_in_sight(&caller, id).await?;
    let layout = api.layout(&site, &AtLeast::default()).await?;
    Ok(as_text(&layout, language(&headers)))
}

/// Preview a receipt of the site, as a picture.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/receipt-layout/preview.svg", operation_id = "preview_receipt_picture", tag = "receipts", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The picture as SVG", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "The site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn preview_picture(
    State(api): Shared,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let site = api.site_in_sight(&caller, id).await?;
    let layout = api.layout(&site, &AtLeast::default()).await?;
    as_picture(&layout, language(&headers))
}

/// The lines of a receipt with an invented payment.
fn lines(layout: &LayoutBody, language: Language) -> Vec<String> {
    let word = |name: &str| say(language, name, &[]);
    let rule = "-".repeat(MOST_COLUMNS);
    let across = |left: &str, right: &str| {
        let gap = MOST_COLUMNS.saturating_sub(left.chars().count() + right.chars().count());
        format!("{left}{}{right}", " ".repeat(gap.max(1)))
    };
    let centred = |text: &String| format!("{text:^MOST_COLUMNS$}").trim_end().to_owned();
    let name = layout.trading_name.as_deref().map(wrapped).unwrap_or_default();
    let mut lines: Vec<String> = name.iter().map(centred).chain(layout.header.iter().map(centred)).collect();
    lines.extend([
        rule.clone(),
        centred(&word("receipt-specimen")),
        across(&word("receipt-total"), "12,50 EUR"),
        across(&word("receipt-card"), "**** 1234"),
        rule.clone(),
    ]);
    lines.extend(layout.middle.iter().map(centred));
    if !layout.middle.is_empty() {
        lines.push(rule);
    }
    lines.extend(layout.footer.iter().map(centred));
    lines
}

/// Breaks a text into lines that fit the paper, between words. A word that is wider than the paper is broken too.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= MOST_COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => {
                let letters: Vec<char> = word.chars().collect();
                lines.extend(letters.chunks(MOST_COLUMNS).map(|part| part.iter().collect::<String>()));
            }
        }
    }
    lines
}

/// A receipt as SVG.
#[derive(Template)]
#[template(path = "receipt.svg", escape = "html")]
struct Picture<'a> {
    title: String,
    logo: Option<&'a LogoBody>,
    lines: Vec<(u32, String)>,
    height: u32,
}

impl<'a> Picture<'a> {
    /// The height of a line of text, in pixels.
    const LINE: u32 = 18;

    fn of(layout: &'a LayoutBody, language: Language) -> Self {
        let top = 24 + layout.logo.as_ref().map_or(0, |logo| logo.height + 12);
        let mut y = top;
        let mut placed = Vec::new();
        for line in lines(layout, language) {
            // Spaces that a browser does not draw together. What was taken before it was refused is not in XML.
            let line = line.replace(' ', "\u{a0}").replace(|letter| !is_printable(letter), "\u{fffd}");
            placed.push((y, line));
            y += Self::LINE;
        }
        Self {
            title: say(language, "receipt-preview", &[]),
            logo: layout.logo.as_ref(),
            lines: placed,
            height: y + 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_taken_before_it_was_refused_does_not_break_the_picture() {
        let layout = LayoutBody {
            site_id: Uuid::nil(),
            version: 1,
            header: vec!["Le\u{ffff} Fournil\u{fffe}".to_owned()],
            middle: Vec::new(),
            footer: Vec::new(),
            trading_name: None,
            logo: None,
            terminals: None,
            position: 1,
        };
        let svg = Picture::of(&layout, Language::Fr).render().unwrap();
        assert!(svg.contains("Le\u{fffd}\u{a0}Fournil\u{fffd}"), "{svg}");
        assert!(!svg.contains(['\u{fffe}', '\u{ffff}']));
    }
}
