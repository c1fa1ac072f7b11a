//! Changing the own name and language.

use axum::extract::{Path, State};
use loquet_domain::account::NewProfile;
use loquet_domain::ids::AccountId;
use loquet_domain::values::person::PersonName;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::Shared;

/// What changes. A field that is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileBody {
    #[schema(example = "Marie")]
    given_name: Option<String>,
    #[schema(example = "Dupont-Lambert")]
    family_name: Option<String>,
    /// The language of your mails and pages: fr, nl or en.
    #[schema(example = "nl")]
    language: Option<String>,
}

/// Change your own name or language.
///
/// The mails that follow are in the new language. The e-mail address of an account never changes: a new address needs a
/// new account.
#[utoipa::path(
    patch, path = "/v1/accounts/{account_id}", operation_id = "change_profile", tag = "accounts", request_body = ProfileBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed", headers(("Loquet-Position" = u64, description = "The position of the event in the log"))),
        (status = 404, description = "This is not your account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ProfileBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    let person = caller.person()?;
    if person.account != id {
        return Err(Problem::not_found());
    }
    let mut faults = Faults::default();
    let mut name = |pointer: &str, text: Option<String>| -> Option<PersonName> {
        text.and_then(|text| faults.person_name(pointer, &text))
    };
    let (given_name, family_name) =
        (name("/given_name", body.given_name), name("/family_name", body.family_name));
    let language = body.language.and_then(|code| faults.language("/language", &code));
    let new = faults.finish(Some(NewProfile { language, given_name, family_name }))?;
    let (at, context) = (arrival.at, arrival.of(person));
    carry_out(at, async move { api.app.change_profile(&context, id, new).await }).await
}
