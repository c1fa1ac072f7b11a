//! Commands on a condition: `If-Match` and `If-None-Match` on PATCH, PUT and DELETE (RFC 9110, 13.1.1 and 13.1.2). A caller
//! who read something changes it only if nobody changed it since.
//!
//! Our tags are weak, because each answer ends with the position of the log. The standard's strong comparison would never
//! fit, so the weak one is used: the tag stands for all but the position. Two conditional commands on one path wait for each
//! other, so of two with the same tag one is carried out. A command without a condition does not wait.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use tower::ServiceExt;

use super::conditional::matches;
use crate::request_parts::{ClientAddress, RequestId};
use crate::responses::carry_out::on_condition;
use crate::responses::problem::Problem;
use crate::state::Api;

/// What runs the commands of callers with a token.
#[derive(Clone)]
pub(crate) struct Commands {
    pub(crate) api: Arc<Api>,
    /// The same routes, without middleware. They answer what a command would change.
    pub(crate) queries: Router,
}

/// The tags of which the present answer must have one, and those of which it must have none.
struct Condition {
    one_of: Option<HeaderValue>,
    none_of: Option<HeaderValue>,
}

impl Commands {
    /// Runs a request, if its condition holds.
    pub(crate) async fn run(&self, request: Request, next: Next) -> Response {
        let condition = Condition {
            one_of: request.headers().get(header::IF_MATCH).cloned(),
            none_of: request.headers().get(header::IF_NONE_MATCH).cloned(),
        };
        let is_conditional = condition.one_of.is_some() || condition.none_of.is_some();
        if !is_conditional || !matches!(*request.method(), Method::PATCH | Method::PUT | Method::DELETE) {
            return next.run(request).await;
        }
        let _turn = self.api.app.turn(format!("if-match {}", request.uri().path())).await;
        let (commands, asked) = (self.clone(), question(&request));
        let check = async move {
            match commands.holds(asked, &condition).await? {
                true => Ok(()),
                false => Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed")),
            }
        };
        on_condition(Box::pin(check), next.run(request)).await
    }

    /// Whether the condition fits the present answer.
    async fn holds(&self, mut asked: Request, condition: &Condition) -> Result<bool, Problem> {
        let head = self.api.store.head().await?;
        if let Ok(uri) = format!("{}?at_least={head}", asked.uri().path()).parse::<Uri>() {
            *asked.uri_mut() = uri;
        }
        let Ok(present) = self.queries.clone().oneshot(asked).await;
        let has = |tags: &HeaderValue| matches(tags, present.headers());
        Ok(match present.status() {
            StatusCode::OK => {
                condition.one_of.as_ref().is_none_or(has) && !condition.none_of.as_ref().is_some_and(has)
            }
            // Nothing can be read here, so nothing has a tag.
            _ => condition.one_of.is_none(),
        })
    }
}

/// The same caller's query for what the command would change.
fn question(command: &Request) -> Request {
    let mut asked = Request::new(Body::empty());
    asked.uri_mut().clone_from(command.uri());
    asked.headers_mut().clone_from(command.headers());
    for of_the_command in
        [header::IF_MATCH, header::IF_NONE_MATCH, header::CONTENT_TYPE, header::CONTENT_LENGTH]
    {
        asked.headers_mut().remove(of_the_command);
    }
    // The router adds its own: the path and its parameters.
    if let Some(address) = command.extensions().get::<ClientAddress>() {
        asked.extensions_mut().insert(*address);
    }
    if let Some(id) = command.extensions().get::<RequestId>() {
        asked.extensions_mut().insert(*id);
    }
    asked
}
