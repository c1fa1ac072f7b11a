//! The description of the API (OpenAPI 3.1): generated from the handlers, then completed with what all of
//! them have in common, so that no handler has to say it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::state::Api;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loquet",
        description = "Accounts, logins and lockouts of a customer portal.\n\n\
            Errors are RFC 9457 problems in the language that `Accept-Language` asks for (fr, nl, en); a body's \
            problem lists every broken rule. Commands answer with the `position` of their events in the log, \
            in the body or in the header `Loquet-Position`; queries take `at_least` to wait for one. Every \
            answer names its request in `X-Request-Id`, which is also the `correlation_id` of its events. \
            Whoever asks too much is answered 429 with a `Retry-After` that is true.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    modifiers(&Bearer),
    tags(
        (name = "orders", description = "Orders bring companies and accounts into being."),
        (name = "links", description = "What the mailed links do."),
        (name = "logins", description = "Getting in, and out."),
        (name = "accounts", description = "Accounts and what is done with them."),
        (name = "second step", description = "Two-step verification."),
        (name = "support", description = "Why somebody cannot log in, and what mends it."),
        (name = "companies", description = "Companies, their names and addresses."),
        (name = "sites", description = "Sites: opened by orders, named by their company."),
        (name = "terminals", description = "Terminals, and where they stand and stood."),
        (name = "groups", description = "Groups, what they permit, and to whom."),
        (name = "permissions", description = "Who may do what where."),
        (name = "receipts", description = "What a site's receipts look like."),
        (name = "takeovers", description = "A company's sites and people go to another."),
        (name = "events", description = "What happened, for programs that follow it."),
        (name = "health", description = "For whoever runs it.")
    )
)]
struct Description;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = |what| {
            SecurityScheme::Http(
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build(),
            )
        };
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("session", scheme("A person's session token, from POST /v1/logins."));
        components.add_security_scheme("service", scheme("A program's token, from `loquet token create`."));
    }
}

/// A router that describes what is added to it.
pub(super) fn begun() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// Answers that any operation may give, and when.
const ANY: [(&str, &str); 3] = [
    ("400", "The address, its query or the body is not of the form asked for"),
    ("429", "Too much was asked from this address; `Retry-After` says when to ask again"),
    ("503", "Not now; nothing was counted or changed, unless the problem says that it may have been"),
];
/// Those of operations that take a token.
const WITH_TOKEN: [(&str, &str); 3] = [
    ("401", "No token that holds"),
    ("403", "The token does not allow it"),
    ("404", "There is no such thing, or it is not yours to see"),
];
/// Those of operations that take a body.
const WITH_BODY: [(&str, &str); 2] =
    [("413", "The body is larger than 1 MiB"), ("415", "The body is not JSON")];

/// The description, completed.
pub(super) fn complete(api: &utoipa::openapi::OpenApi) -> Value {
    let mut api = serde_json::to_value(api).unwrap_or_default();
    refer_to_items(&mut api);
    let paths = api.get_mut("paths").and_then(Value::as_object_mut);
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    api
}

/// What holds a password or shows a secret: no answer of these is kept.
const WITHOUT_KEY: [&str; 5] = [
    "/v1/accounts/{account_id}/password",
    "/v1/accounts/{account_id}/second-step",
    "/v1/accounts/{account_id}/second-step/confirmation",
    "/v1/accounts/{account_id}/second-step/recovery-codes",
    "/v1/accounts/{account_id}/second-step/removal",
];

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let with_body = operation.contains_key("requestBody");
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let waits = parameters.clone().any(|parameter| parameter.get("name") == Some(&json!("at_least")));
    let with_token = operation.get("security").is_some();
    // Whoever asks for no token says so.
    operation.entry("security").or_insert_with(|| json!([]));
    let takes_key =
        with_token && matches!(method, "post" | "put" | "patch" | "delete") && !WITHOUT_KEY.contains(&path);
    if takes_key {
        add_parameter(
            operation,
            json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "1 to 200 characters of your choice. Asked again with the same key within a day, \
                    the command is answered as it was and not done again.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 200 },
            }),
        );
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    if path.starts_with("/v1/") || path == "/metrics" {
        let mut common = ANY.to_vec();
        if with_token {
            common.extend(WITH_TOKEN);
        }
        if with_body {
            common.extend(WITH_BODY);
        }
        if takes_key {
            common.push(("409", "A command with this Idempotency-Key is being carried out"));
            common.push(("422", "The Idempotency-Key was used for another command"));
        }
        if waits {
            common.push(("409", "The log has not come to the position asked for"));
        }
        for (status, when) in common {
            responses.entry(status).or_insert_with(|| problem(when));
        }
    }
    let [_, limited, _] = ANY;
    responses.entry(limited.0).or_insert_with(|| problem(limited.1));
    for (status, response) in responses.iter_mut() {
        complete_response(method, status, response);
    }
}

fn add_parameter(operation: &mut Map<String, Value>, parameter: Value) {
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(parameter);
    }
}

fn problem(when: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": when, "content": { "application/problem+json": { "schema": schema } } })
}

/// The headers that every answer has, or every answer of its kind.
fn complete_response(method: &str, status: &str, response: &mut Value) {
    let Some(response) = response.as_object_mut() else { return };
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else { return };
    let header = |what: &str, schema: Value| json!({ "description": what, "schema": schema });
    let mut add = |name: &str, value: Value| {
        headers.entry(name.to_owned()).or_insert(value);
    };
    add("X-Request-Id", header("Names this request", json!({ "type": "string", "format": "uuid" })));
    if matches!(status, "429" | "503") {
        let seconds = json!({ "type": "integer", "minimum": 0 });
        add("Retry-After", header("In how many seconds to ask again", seconds));
    }
    if status == "204" {
        let position = json!({ "type": "integer", "minimum": 0 });
        add("Loquet-Position", header("Where what was done stands in the log", position));
    }
    if method == "get" && status == "200" {
        let tag = "Sent back as If-None-Match, it is answered 304 while nothing has changed but the position";
        add("ETag", header(tag, json!({ "type": "string" })));
    }
}

/// A page's items are what is described elsewhere: they refer to it.
fn refer_to_items(api: &mut Value) {
    let Some(schemas) = api.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in &names {
        let Some(item) = name.strip_prefix("Page_").filter(|item| names.iter().any(|name| name == item))
        else {
            continue;
        };
        if let Some(items) =
            schemas.get_mut(name).and_then(|page| page.pointer_mut("/properties/items/items"))
        {
            *items = json!({ "$ref": format!("#/components/schemas/{item}") });
        }
    }
}
