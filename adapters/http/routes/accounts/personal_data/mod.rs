//! Handing out everything that is held on a person.

mod file;
pub(crate) mod text;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use loquet_domain::ids::AccountId;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::MaybeBody;
use crate::limits::shares::Costly;
use crate::responses::carry_out::carry_out;
use crate::responses::done::POSITION;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::routes::reasons::WhyBody;
use crate::state::Shared;
use file::PersonalData;
use loquet_http_ports::scope::Scope;

/// Hand out everything that is held on a person, as a file.
///
/// This is the copy that GDPR, articles 15 and 20, ask for. The person asks for their own. Support asks with the scope
/// `accounts:write`, after it has checked who asks. The answer is JSON, or text to read in the account's language if the
/// request has `Accept: text/plain`. The log records that a copy was handed out, and to whom.
///
/// The owner's own file leaves out the notes that support made, since these may say how support checks who somebody is.
/// The file that support hands out has them.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/data-export", operation_id = "export_personal_data", tag = "accounts", request_body = Option<WhyBody>,
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The file", content(
            (PersonalData = "application/json"),
            (String = "text/plain")
        ), headers(("Loquet-Position" = u64, description = "The position of the event in the log"), ("Content-Disposition" = String, description = "The name of the file"))),
        (status = 404, description = "The account does not exist, you may not see it, or the person was erased", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A reason is required", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "You are already getting such a file", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn export(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
    MaybeBody(why): MaybeBody<WhyBody>,
) -> Result<Response, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsWrite, id)?;
    let mut faults = Faults::default();
    let because = WhyBody::check(why, &caller, &mut faults);
    let because = faults.finish(Some(because))?;
    let _share = api.admit_costly(&caller, Costly::Export)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let acting = api.clone();
    // First the record, then the file: no copy leaves without a trace, and the file has this event too.
    let noted = carry_out(at, async move { acting.app.note_export(&context, id).await }).await?;
    let file = PersonalData::collect(&api, id, at, caller.reads_proofs()).await?;
    let language = api.profile(id).await?.language;
    let wants_text = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (kind, ending, body) = match wants_text.flat_map(|value| value.split(',')).any(is_plain_text) {
        true => ("text/plain; charset=utf-8", "txt", file.text(language, api.time_zone)),
        false => {
            let json = serde_json::to_string_pretty(&file);
            let json =
                json.map_err(|_| Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal"))?;
            ("application/json", "json", json)
        }
    };
    let name = format!("attachment; filename=\"personal-data-{}.{ending}\"", at.format("%Y-%m-%d"));
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response();
    let answered = response.headers_mut();
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answered.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
    answered.insert(POSITION, HeaderValue::from(noted.0.0));
    if let Ok(name) = HeaderValue::try_from(name) {
        answered.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Whether a part of an Accept header asks for plain text.
fn is_plain_text(part: &str) -> bool {
    part.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"))
}
