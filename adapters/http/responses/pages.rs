//! Pages that say one thing.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use crate::design::Look;
use crate::responses::problem::ProblemBody;

/// A form with which a person asks for a new activation link.
pub(crate) struct Again {
    /// The token of the link that no longer works.
    pub(crate) token: String,
    /// What stands on the button.
    pub(crate) label: String,
}

/// A page with a heading and what it says.
pub(crate) fn message_page(
    look: &Look,
    status: StatusCode,
    heading: &str,
    paragraphs: &[String],
    again: Option<&Again>,
) -> Response {
    let main = html! {
        section.card.narrow {
            h1 { (heading) }
            div role="status" { @for paragraph in paragraphs { p { (paragraph) } } }
            @if let Some(again) = again {
                form method="post" action=(look.to("activation-link")) {
                    input type="hidden" name="token" value=(again.token);
                    button type="submit" { (again.label) }
                }
            }
            ul.ways {
                li { a href=(look.to("login")) { (look.t("to-login")) } }
                li { a href=(look.to("help")) { (look.t("help")) } }
                li { a href=(look.to("contact")) { (look.t("contact")) } }
            }
        }
    };
    look.page(status, heading, &main)
}

/// A problem as a page, for a person.
pub(crate) fn problem_page(look: &Look, status: StatusCode, problem: &ProblemBody) -> Response {
    let faults = problem.errors.iter().map(|fault| fault.message.clone());
    let paragraphs: Vec<_> = std::iter::once(problem.detail.clone()).chain(faults).collect();
    message_page(look, status, &problem.title, &paragraphs, None)
}
