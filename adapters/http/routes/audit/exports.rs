//! Extracts of the history, without personal data.

use axum::Json;
use axum::body::Body as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loquet_domain::administration::ExportNotice;
use loquet_domain::fact::Actor;
use loquet_http_ports::exports::{Export, NewExport, Progress};
use loquet_http_ports::scope::Scope;
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::responses::carry_out::to_its_end;
use crate::responses::created::Created;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::{Api, Shared};

/// Which part of the history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewExport)]
pub(crate) struct NewExportBody {
    /// The first moment whose events count. Default: the beginning of the log.
    from: Option<DateTime<Utc>>,
    /// The first moment after them. Default: the end of the log.
    to: Option<DateTime<Utc>>,
    /// Whether the accounts, companies, sites and terminals are added as they are at the end of the log. Default: false.
    states: Option<bool>,
    /// The reason. Required from the supplier's staff. The log keeps it, unencrypted: name no person.
    #[schema(example = "Yearly audit")]
    reason: Option<String>,
}

/// The export that was begun.
#[derive(Serialize, ToSchema)]
#[schema(as = BegunExport)]
pub(crate) struct BegunBody {
    export_id: Uuid,
}

/// Whether an export can be downloaded.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportStatus)]
pub(crate) enum StatusBody {
    /// It waits for its turn, or is being written.
    UnderWay,
    /// It can be downloaded.
    Finished,
    /// It could not be written.
    Failed,
}

/// An extract of the history.
#[derive(Serialize, ToSchema)]
#[schema(as = Export)]
pub(crate) struct ExportBody {
    export_id: Uuid,
    /// When it was asked for.
    at: DateTime<Utc>,
    /// Who asked for it, in the form in which events name who acted.
    #[schema(value_type = Object, example = json!({ "kind": "staff", "name": "An Peeters", "role": "auditor" }))]
    actor: Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<DateTime<Utc>>,
    /// Whether it has the accounts, companies, sites and terminals.
    states: bool,
    status: StatusBody,
    /// The position up to which the log was read.
    position: u64,
    /// The position of the last event that it can have.
    end: u64,
    /// The number of its events. Absent until it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// The size of the archive, in bytes. Absent until it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// When it is removed from the server. Absent until it is finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
    /// Why it could not be written, in English. Absent if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl ExportBody {
    fn of(export: Export) -> Self {
        let Export { notice, actor, states, progress } = export;
        let ExportNotice { id, at, by: _, reason, personal: _, from, to, head } = notice;
        let mut body = Self {
            export_id: id,
            at,
            actor,
            reason,
            from,
            to,
            states,
            status: StatusBody::UnderWay,
            position: 0,
            end: head,
            events: None,
            bytes: None,
            until: None,
            failure: None,
        };
        match progress {
            Progress::UnderWay { position } => body.position = position,
            Progress::Finished { events, bytes, until } => {
                body.status = StatusBody::Finished;
                body.position = head;
                (body.events, body.bytes, body.until) = (Some(events), Some(bytes), Some(until));
            }
            Progress::Failed { why } => {
                body.status = StatusBody::Failed;
                body.failure = Some(why);
            }
        }
        body
    }
}

/// Begin an extract of the history.
///
/// The server writes the events of the period as JSON Lines, CSV and Apache Parquet, without what is encrypted in the log, such
/// as names and addresses. A signed manifest proves where the extract comes from (`loquet audit check-export`). The log records
/// the extract before the first event is written. Requires the scope `events:read`.
#[utoipa::path(
    post, path = "/v1/audit/exports", operation_id = "begin_export", tag = "audit", request_body = NewExportBody,
    security(("service" = [])),
    responses(
        (status = 201, description = "The extract was begun", body = BegunBody, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Several extracts are under way already", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn begin(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(body): Body<NewExportBody>,
) -> Result<Created<BegunBody>, Problem> {
    caller.service(Scope::EventsRead)?;
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", body.reason.clone());
    if body.from.zip(body.to).is_some_and(|(from, to)| to <= from) {
        faults.add("/from", "moments-reversed");
    }
    let because = faults.finish(Some(because))?;
    let id = api.identities.fresh();
    let notice = ExportNotice {
        id,
        at: arrival.at,
        by: None,
        reason: body.reason,
        personal: false,
        from: body.from,
        to: body.to,
        head: api.store.head().await?.0,
    };
    let context = caller.context(&arrival, because);
    let new = NewExport { context, notice, states: body.states.unwrap_or_default() };
    to_its_end(async move { api.exports.begin(new).await }).await??;
    Ok(Created::new("exports", id, BegunBody { export_id: id }))
}

/// List the extracts of the history that this server keeps.
///
/// An extract is kept for an hour, on the server that wrote it. Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/audit/exports", operation_id = "list_exports", tag = "audit", security(("service" = [])),
    responses((status = 200, description = "The extracts, the newest first", body = Page<ExportBody>))
)]
pub(crate) async fn list(State(api): Shared, caller: Caller) -> Result<Json<Page<ExportBody>>, Problem> {
    caller.service(Scope::EventsRead)?;
    let position = api.store.head().await?;
    let items = kept(&api, position.0).map(ExportBody::of).collect();
    Ok(Json(Page::whole(items, position)))
}

/// Show an extract of the history, and how far it is.
///
/// Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/audit/exports/{export_id}", operation_id = "get_export", tag = "audit", params(("export_id" = Uuid, Path)),
    security(("service" = [])),
    responses(
        (status = 200, description = "The extract", body = ExportBody),
        (status = 404, description = "This server keeps no such extract", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<ExportBody>, Problem> {
    caller.service(Scope::EventsRead)?;
    let found = kept(&api, api.store.head().await?.0).find(|export| export.notice.id == id);
    found.map(|export| Json(ExportBody::of(export))).ok_or_else(Problem::not_found)
}

/// What is kept, and is in the log up to a position: a past knows of no later extract.
fn kept(api: &Api, up_to: u64) -> impl Iterator<Item = Export> {
    api.exports.list().into_iter().filter(move |export| export.notice.head < up_to)
}

/// Download an extract of the history.
///
/// The answer is an archive (ZIP) with all its files. Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/audit/exports/{export_id}/archive", operation_id = "download_export", tag = "audit",
    params(("export_id" = Uuid, Path)), security(("service" = [])),
    responses(
        (status = 200, description = "The archive", content_type = "application/zip", body = Vec<u8>, headers(("Content-Disposition" = String, description = "The name of the file"))),
        (status = 404, description = "This server keeps no such extract, or it is not finished", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn download(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    caller.service(Scope::EventsRead)?;
    let export = kept(&api, api.store.head().await?.0).find(|export| export.notice.id == id);
    let export = export.ok_or_else(Problem::not_found)?;
    let Some(file) = api.exports.open(id)? else { return Err(Problem::not_found()) };
    let content = ReaderStream::new(tokio::fs::File::from_std(file));
    let mut response = Answer::from_stream(content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"history-{}.zip\"", export.notice.at.format("%Y-%m-%d-%H%M%S"));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    if let Progress::Finished { bytes, .. } = export.progress {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    Ok(response)
}
