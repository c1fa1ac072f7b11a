//! The pages that mailed links lead to: plain HTML forms, no script needed.

use std::sync::Arc;

use axum::Form;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use loquet_domain::Moment;
use loquet_domain::account::{Authority, Role};
use loquet_domain::app::Failure;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Purpose;
use loquet_domain::values::language::Language;
use loquet_domain::values::password::Password;
use maud::{Markup, html};
use serde::Deserialize;

use crate::caller::Arrival;
use crate::design::Look;
use crate::extractors::devices;
use crate::extractors::devices::Devices;
use crate::responses::carry_out::to_its_end;
use crate::responses::localize::{as_places, language, say};
use crate::responses::pages::{Again, message_page};
use crate::responses::problem::Problem;
use crate::state::{Api, Shared};

/// The pages to which links lead. They are limited like other routes for anonymous callers.
pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/activate", get(show_activation).post(activate))
        .route("/activation-link", post(send_activation_again))
        .route("/reset", get(show_reset).post(reset))
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

async fn show_activation(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    let language = language(&headers);
    match api.app.check_link(arrival.at, Purpose::Activation, &link.token).await {
        Ok(()) => form(&api, Purpose::Activation, language, &link.token, Vec::new()).await,
        Err(failure) => activation_refused(&api, language, &link.token, failure, arrival.at).await,
    }
}

async fn show_reset(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    let (language, context, acting) = (language(&headers), arrival.anonymous(), api.clone());
    let (Devices(devices), token) = (Devices::of(&headers), link.token.clone());
    // A person who opens the link from their mail may then log in from here, even if a flood by other anonymous
    // callers has locked the account.
    let opened = to_its_end(async move { acting.app.open_reset_link(&context, &token, &devices).await });
    match opened.await {
        Ok(Ok(given)) => {
            let page = form(&api, Purpose::PasswordReset, language, &link.token, Vec::new()).await;
            devices::keep(page, given.as_ref(), arrival.at)
        }
        Ok(Err(failure)) => {
            let problem = Problem::of(failure, arrival.at);
            refused(&api, Purpose::PasswordReset, language, &link.token, problem)
        }
        Err(problem) => refused(&api, Purpose::PasswordReset, language, &link.token, problem),
    }
}

async fn activate(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Response {
    choose(api, Purpose::Activation, arrival, language(&headers), chosen).await
}

async fn reset(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Response {
    choose(api, Purpose::PasswordReset, arrival, language(&headers), chosen).await
}

async fn choose(
    api: Arc<Api>,
    purpose: Purpose,
    arrival: Arrival,
    language: Language,
    chosen: Chosen,
) -> Response {
    if let Err(problem) = api.admit_with_link(&arrival, purpose, &chosen.token) {
        return problem.into_response();
    }
    let context = arrival.anonymous();
    let (acting, token) = (api.clone(), chosen.token.clone());
    let password = Password::new(chosen.password);
    let done = to_its_end(async move {
        match purpose {
            Purpose::Activation => acting.app.activate(&context, &token, password).await,
            Purpose::PasswordReset => acting.app.reset_password(&context, &token, password).await,
        }
    });
    match done.await {
        Ok(Ok(_)) => {
            let waits = match api.app.tokens().read_link(purpose, &chosen.token) {
                Some(claims) => awaits_conversion(&api, claims.account).await,
                None => false,
            };
            let text = if waits { "done-waits-text" } else { "done-text" };
            let (heading, text) = (say(language, "done-heading", &[]), say(language, text, &[]));
            message(&api, StatusCode::OK, language, heading, text)
        }
        Ok(Err(Failure::WeakPassword(rules))) => {
            let problem = Problem::weak_password("/password", &rules);
            form(&api, purpose, language, &chosen.token, sentences(language, &problem)).await
        }
        Ok(Err(failure)) if purpose == Purpose::Activation => {
            activation_refused(&api, language, &chosen.token, failure, arrival.at).await
        }
        Ok(Err(failure)) => refused(&api, purpose, language, &chosen.token, Problem::of(failure, arrival.at)),
        Err(problem) => refused(&api, purpose, language, &chosen.token, problem),
    }
}

/// A person who opens the link again, or presses the button twice, has an account. The page says so.
async fn activation_refused(
    api: &Api,
    language: Language,
    token: &str,
    failure: Failure,
    at: Moment,
) -> Response {
    if let Some(claims) = api.app.tokens().read_link(Purpose::Activation, token)
        && api.app.account(claims.account).await.is_ok_and(|account| account.active().is_some())
    {
        let waits = awaits_conversion(api, claims.account).await;
        let text = if waits { "active-waits-text" } else { "active-text" };
        let (heading, text) = (say(language, "active-heading", &[]), say(language, text, &[]));
        return message(api, StatusCode::OK, language, heading, text);
    }
    refused(api, Purpose::Activation, language, token, Problem::of(failure, at))
}

/// Whether the account belongs to a temporary administrator, who can't log in yet. If that can't be read, the page says
/// what is true of most accounts, and the login says the rest.
async fn awaits_conversion(api: &Api, account: AccountId) -> bool {
    let account = api.app.account(account).await.unwrap_or_default();
    account.profile().is_some_and(|profile| profile.role == Role::TemporaryAdministrator)
}

async fn form(api: &Api, purpose: Purpose, language: Language, token: &str, faults: Vec<String>) -> Response {
    let kind = match purpose {
        Purpose::Activation => "activate",
        Purpose::PasswordReset => "reset",
    };
    // Another language shows the same page.
    let look = Look { here: format!("{kind}?token={token}"), ..api.look(language, String::new()) };
    let places = [("brand", api.brand.as_str())];
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let heading = say(language, &format!("{kind}-heading"), &places);
    let described = if faults.is_empty() { "rules" } else { "rules faults" };
    // The user's name is for password managers.
    let user = user_of(api, purpose, token).await;
    let main = html! {
        section.card.narrow {
            h1 { (heading) }
            p { (say(language, &format!("{kind}-intro"), &places)) }
            form method="post" {
                input type="hidden" name="token" value=(token);
                input type="text" name="username" value=(user) autocomplete="username" readonly hidden;
                div.field {
                    label for="password" { (say(language, "password-label", &[])) }
                    input type="password" id="password" name="password" autocomplete="new-password" required autofocus
                        aria-describedby=(described) aria-invalid=[(!faults.is_empty()).then_some("true")];
                    @if !faults.is_empty() { ul.wrong id="faults" role="alert" { @for fault in &faults { li { (fault) } } } }
                }
                (rules(api, language))
                button type="submit" { (say(language, "save", &[])) }
            }
        }
    };
    look.page(status, &heading, &main)
}

/// The address of the account that a link is for. Whoever has the link read it in a mail to this address.
async fn user_of(api: &Api, purpose: Purpose, token: &str) -> String {
    let Some(claims) = api.app.tokens().read_link(purpose, token) else { return String::new() };
    let account = api.app.account(claims.account).await.unwrap_or_default();
    let person = account.profile().and_then(|profile| profile.person.known());
    person.map(|person| person.email.to_string()).unwrap_or_default()
}

/// The rules for a password, as sentences. The script of the pages ticks them as one types; the server alone judges.
pub(crate) fn rules(api: &Api, language: Language) -> Markup {
    let problem = Problem::weak_password("/password", &api.app.policies().password.rules());
    html! {
        ul.rules id="rules" {
            @for fault in &problem.faults {
                @let figure = fault.places.iter().find(|(_, text)| text.parse::<u32>().is_ok()).map(|(_, text)| text);
                li data-rule=(fault.rule) data-figure=[figure] { (say(language, fault.rule, &as_places(&fault.places))) }
            }
        }
    }
}

fn sentences(language: Language, problem: &Problem) -> Vec<String> {
    problem.faults.iter().map(|fault| say(language, fault.rule, &as_places(&fault.places))).collect()
}

/// A link that does not work. The page says which link it is, what to do, and where support is.
fn refused(api: &Api, purpose: Purpose, language: Language, token: &str, problem: Problem) -> Response {
    let which = match purpose {
        Purpose::Activation => "activation",
        Purpose::PasswordReset => "reset",
    };
    let detail = match problem.slug {
        "link-used" | "link-expired" | "link-invalid" => {
            say(language, &format!("{which}-{}", problem.slug), &[])
        }
        slug => say(language, &format!("{slug}-detail"), &[]),
    };
    let contact = api.support_contact.as_deref();
    let support = contact.map(|contact| say(language, "support-contact", &[("contact", contact)]));
    let paragraphs: Vec<_> = std::iter::once(detail).chain(support).collect();
    // A link that this server did not make leads to no account.
    let was_genuine = matches!(problem.slug, "link-used" | "link-expired");
    let again = (purpose == Purpose::Activation && was_genuine)
        .then(|| Again { token: token.to_owned(), label: say(language, "activation-again", &[]) });
    let heading = say(language, "not-done-heading", &[]);
    message_page(&api.look(language, String::new()), problem.status, &heading, &paragraphs, again.as_ref())
}

/// Sends a new activation link to whoever has an old one. The answer is the same for everybody: it says neither whether
/// the token was genuine, nor whether the account is active.
async fn send_activation_again(
    State(api): State<Arc<Api>>,
    arrival: Arrival,
    headers: HeaderMap,
    Form(link): Form<Link>,
) -> Response {
    let language = language(&headers);
    if let Err(problem) = api.admit_with_link(&arrival, Purpose::Activation, &link.token) {
        return problem.into_response();
    }
    if let Some(claims) = api.app.tokens().read_link(Purpose::Activation, &link.token) {
        let (acting, context) = (api.clone(), arrival.anonymous());
        let sent = to_its_end(async move {
            acting.app.request_activation(&context, Authority::Supplier, claims.account).await
        });
        match sent.await {
            // A refusal says that there is nothing to activate, or that enough mails went.
            Ok(Ok(_) | Err(Failure::Refused(_))) => {}
            Ok(Err(failure)) => return Problem::of(failure, arrival.at).into_response(),
            Err(problem) => return problem.into_response(),
        }
    }
    let (heading, text) = (say(language, "again-heading", &[]), say(language, "again-text", &[]));
    message(&api, StatusCode::OK, language, heading, text)
}

fn message(api: &Api, status: StatusCode, language: Language, heading: String, text: String) -> Response {
    message_page(&api.look(language, String::new()), status, &heading, &[text], None)
}

/// The recovery codes on a page to print.
pub(crate) fn recovery_codes_page(api: &Api, language: Language, codes: &[String]) -> Response {
    // The page stands at the path of the codes in the API.
    let look = api.look(language, "../../../../".to_owned());
    let heading = say(language, "recovery-heading", &[("brand", api.brand.as_str())]);
    let main = html! {
        section.card.codes {
            h1 { (heading) }
            p { (say(language, "recovery-text", &[])) }
            ol { @for code in codes { li { code { (code) } } } }
        }
    };
    look.page(StatusCode::OK, &heading, &main)
}
