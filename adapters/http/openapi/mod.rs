//! The description of the API (OpenAPI 3.1). It is generated from the handlers. The parts that all handlers share are
//! added here, so that no handler repeats them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::past;
use crate::state::Api;

mod bounds;
mod problems;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Loquet",
        description = "Accounts, logins and lockouts of a customer portal.\n\n\
            Errors are RFC 9457 problems, in the language of `Accept-Language` (fr, nl, en; French without it). If a body breaks \
            rules, the problem lists all of them. Each operation names the types of problems that it answers with. A command answers with the log `position` of its events, in the \
            body or in the header `Loquet-Position`. A query without `at_least` \
            waits up to two seconds until its answer includes what was in the log when it arrived, so callers read \
            what they wrote. To be certain, send the position of a command as `at_least`: the query waits until its \
            answer includes it, or fails. Parameters that a query does not know are refused. Every answer has an `X-Request-Id`, which is \
            also the `correlation_id` of the request's events. If you send too many requests, the answer is 429, and \
            `Retry-After` says after how many seconds a request is accepted again.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    servers((url = "/", description = "This server")),
    modifiers(&Bearer),
    tags(
        (name = "orders", description = "Orders. They create companies, accounts, sites and terminals."),
        (name = "links", description = "Links in mails: activate an account, choose a new password."),
        (name = "logins", description = "Log in and out; sessions and trusted devices."),
        (name = "accounts", description = "Accounts: create, admit, show, delete."),
        (name = "second step", description = "Two-step verification."),
        (name = "audit", description = "For auditors: the proof of the log, lockouts under other policies, and extracts of the history."),
        (name = "support", description = "For support: find a customer, and see why a person cannot log in and what helps."),
        (name = "staff", description = "The supplier's own staff: invite them, and see who they are."),
        (name = "companies", description = "Companies, their names and addresses."),
        (name = "sites", description = "Sites, where companies use terminals. Orders open them; their company names them."),
        (name = "terminals", description = "Terminals, their sites and their history."),
        (name = "groups", description = "User groups, their permissions and their members."),
        (name = "permissions", description = "Who may do what at which site."),
        (name = "receipts", description = "The layout of a site's receipts."),
        (name = "takeovers", description = "Take-overs: sites, terminals and accounts move from one company to another."),
        (name = "events", description = "The events of the log, for programs that follow them."),
        (name = "health", description = "Health checks and metrics, for operators.")
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
        components.add_security_scheme(
            "session",
            scheme("The session token of a person. POST /v1/logins returns it."),
        );
        components.add_security_scheme(
            "service",
            scheme("The token of a program or of the supplier's staff. `loquet token create` makes it."),
        );
    }
}

/// A router that describes what is added to it.
pub(super) fn begun() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// What a status means where an operation has no words of its own for it.
const USUAL: [(&str, &str); 14] = [
    ("400", "The path, the query, the body or a header does not have the required format"),
    ("401", "There is no valid token"),
    ("403", "The token does not allow this"),
    ("404", "It does not exist, or you may not see it"),
    ("409", "The state does not allow this. The type of the problem says why"),
    ("412", "What would change is not as `If-Match` says"),
    ("413", "The body is larger than 1 MiB"),
    ("415", "The body is not of the required media type, or it is compressed"),
    ("421", "A development server answers only to names of this machine"),
    ("422", "The body breaks rules, or the Idempotency-Key was used for another command"),
    ("423", "The account is locked"),
    ("429", "There were too many requests. `Retry-After` says after how many seconds to try again"),
    ("500", "The server has a fault of its own"),
    (
        "503",
        "The server can't answer now. Nothing was counted or changed, unless the problem says that it may have been",
    ),
];

/// The description, completed.
pub(super) fn complete(api: &utoipa::openapi::OpenApi) -> Value {
    let mut api = serde_json::to_value(api).unwrap_or_default();
    refer_to_items(&mut api);
    let_flattened_parts_be_absent(&mut api);
    bounds::add_to_bodies(&mut api);
    let paths = api.get_mut("paths").and_then(Value::as_object_mut);
    for (path, operations) in paths.into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    add_links(&mut api);
    api
}

/// Leads from each command that makes something to the operations that take its id (OpenAPI 3.1, 4.8.20). The answer has
/// the id under the name that the path has.
fn add_links(api: &mut Value) {
    let takers = takers_of_ids(api);
    let schemas = api.pointer("/components/schemas").cloned().unwrap_or_default();
    let paths = api.get_mut("paths").and_then(Value::as_object_mut);
    for operations in paths.into_iter().flatten().filter_map(|(_, operations)| operations.as_object_mut()) {
        let Some(made) = operations.get_mut("post").and_then(|post| post.pointer_mut("/responses/201"))
        else {
            continue;
        };
        let schema = made.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
        let schema = schema.and_then(|named| named.rsplit('/').next()).and_then(|name| schemas.get(name));
        let fields = schema.and_then(|schema| schema.pointer("/properties")).and_then(Value::as_object);
        let fields: BTreeSet<String> = fields.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let links = takers.iter().filter(|(id, _)| fields.contains(id)).map(|(id, operation)| {
            let id_of_answer = format!("$response.body#/{id}");
            let link = json!({ "operationId": operation, "parameters": { id: id_of_answer } });
            (operation.clone(), link)
        });
        let links: Map<String, Value> = links.collect();
        if let (Some(made), false) = (made.as_object_mut(), links.is_empty()) {
            made.insert("links".to_owned(), Value::Object(links));
        }
    }
}

/// The operations whose path has exactly one id, with the name of this id.
fn takers_of_ids(api: &Value) -> Vec<(String, String)> {
    let mut takers = Vec::new();
    let paths = api.get("paths").and_then(Value::as_object);
    for (path, operations) in paths.into_iter().flatten() {
        let mut ids = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let (Some(id), None) = (ids.next(), ids.next()) else { continue };
        for (_, operation) in operations.as_object().into_iter().flatten() {
            if let Some(operation) = operation.get("operationId").and_then(Value::as_str) {
                takers.push((id.to_owned(), operation.to_owned()));
            }
        }
    }
    takers
}

/// Operations whose request has a password or whose answer has a secret. Their answers are not stored, so they take no
/// `Idempotency-Key`.
const WITHOUT_KEY: [&str; 6] = [
    "/v1/accounts/{account_id}/data-export",
    "/v1/accounts/{account_id}/password",
    "/v1/accounts/{account_id}/second-step",
    "/v1/accounts/{account_id}/second-step/confirmation",
    "/v1/accounts/{account_id}/second-step/recovery-codes",
    "/v1/accounts/{account_id}/second-step/removal",
];

/// The feed of events has positions of its own.
const FEED: &str = "/v1/events";

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    bounds::add_to_parameters(operation);
    leave_out_null(operation);
    let with_body = operation.contains_key("requestBody");
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let waits = parameters.clone().any(|parameter| parameter.get("name") == Some(&json!("at_least")));
    let with_token = operation.get("security").is_some();
    // An operation without a token says so.
    operation.entry("security").or_insert_with(|| json!([]));
    let takes_key =
        with_token && matches!(method, "post" | "put" | "patch" | "delete") && !WITHOUT_KEY.contains(&path);
    if takes_key {
        add_parameter(
            operation,
            json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "1 to 200 characters of your choice. If you repeat a command with the same key within \
                    24 hours, you get the first answer again, and the command is not run again.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 200 },
            }),
        );
    }
    let takes_condition = with_token && matches!(method, "put" | "patch" | "delete");
    if takes_condition {
        add_parameter(
            operation,
            json!({
                "name": "If-Match", "in": "header", "required": false,
                "description": "The `ETag` of an answer to GET at this path. The command is carried out only if the answer \
                    would still have this tag. Tags are compared without their `W/`.",
                "schema": { "type": "string" },
            }),
        );
    }
    let takes_past = method == "get" && with_token && path.starts_with("/v1/") && path != FEED;
    if takes_past {
        add_parameter(
            operation,
            json!({
                "name": past::PARAMETER, "in": "query", "required": false,
                "description": "A moment, a date (its beginning, UTC) or a position of the log: the answer is what the system \
                    knew then. It takes the token of a program or of the supplier's staff. The answer has the position in \
                    the header `Loquet-As-Of`. The first query about a moment takes longer, because read models of that \
                    moment are built.",
                "schema": {
                    "type": "string", "minLength": 1, "maxLength": past::LONGEST,
                    "anyOf": [{ "format": "date-time" }, { "format": "date" }, { "pattern": "^[0-9]{1,18}$" }],
                },
                "example": "2026-11-01T08:00:00Z",
            }),
        );
    }
    let takes = problems::Takes {
        id: path.contains('{'),
        token: with_token,
        service: accepts(operation, "service"),
        body: with_body,
        checked: with_body || (method != "get" && has_query(operation)),
        key: takes_key,
        condition: takes_condition,
        position: waits || takes_past,
    };
    let name = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let types = problems::of(name, takes);
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    if path.starts_with("/v1/") || path == "/metrics" {
        for (status, slugs) in &types {
            let usual = USUAL.iter().find(|(usual, _)| usual == status).map_or("", |(_, when)| when);
            let described = responses.entry(*status).or_insert_with(|| json!({ "description": usual }));
            if let Some(described) = described.as_object_mut() {
                problems::complete(described, slugs);
            }
        }
    }
    if let Some((limited, when)) = USUAL.iter().find(|(status, _)| *status == "429") {
        responses
            .entry(*limited)
            .or_insert_with(|| problems::answer(when, &BTreeSet::from(["too-many-requests"])));
    }
    for (status, response) in responses.iter_mut() {
        complete_response(path, method, status, response);
    }
}

/// A parameter or a body may be left out, but it is never `null`.
fn leave_out_null(operation: &mut Map<String, Value>) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
    for kind in parameters.filter_map(|parameter| parameter.pointer_mut("/schema/type")) {
        let given = kind.as_array().into_iter().flatten().find(|given| *given != "null").cloned();
        if let Some(given) = given {
            *kind = given;
        }
    }
    let Some(body) = operation.get_mut("requestBody") else { return };
    let Some(schema) = body.pointer_mut("/content/application~1json/schema") else { return };
    let alternatives = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let given: Vec<_> = alternatives.filter(|given| **given != json!({ "type": "null" })).cloned().collect();
    if let [given] = given.as_slice() {
        *schema = given.clone();
    }
}

fn has_query(operation: &Map<String, Value>) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    parameters.into_iter().any(|parameter| parameter.get("in") == Some(&json!("query")))
}

/// Whether an operation accepts a token of this kind.
fn accepts(operation: &Map<String, Value>, kind: &str) -> bool {
    let kinds = operation.get("security").and_then(Value::as_array).into_iter().flatten();
    kinds.into_iter().any(|accepted| accepted.get(kind).is_some())
}

fn add_parameter(operation: &mut Map<String, Value>, parameter: Value) {
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(parameter);
    }
}

/// Adds the headers that every answer of this kind has.
fn complete_response(path: &str, method: &str, status: &str, response: &mut Value) {
    let Some(response) = response.as_object_mut() else { return };
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else { return };
    let header = |what: &str, schema: Value| json!({ "description": what, "schema": schema });
    let mut add = |name: &str, value: Value| {
        headers.entry(name.to_owned()).or_insert(value);
    };
    add("X-Request-Id", header("The id of this request", json!({ "type": "string", "format": "uuid" })));
    if matches!(status, "429" | "503") {
        let seconds = json!({ "type": "integer", "minimum": 0 });
        add("Retry-After", header("The number of seconds after which to try again", seconds));
    }
    if status == "429" {
        let used_up =
            "The limit that is used up, and the seconds until it allows more, such as `\"searches\";r=0;t=2`";
        add("RateLimit", header(used_up, json!({ "type": "string" })));
    }
    if status == "204" {
        let position = json!({ "type": "integer", "minimum": 0 });
        add("Loquet-Position", header("The log position of the command's events", position));
    }
    if method == "get" && status == "200" && path.starts_with("/v1/") {
        let tag = "Send it back as If-None-Match: the answer is 304 as long as nothing but the position has changed. Or send it as If-Match with a command at this path";
        add("ETag", header(tag, json!({ "type": "string" })));
    }
}

/// A part whose fields stand among those of the whole, and may all be absent, is described as `null`, which the whole never is.
/// Its fields take its place.
fn let_flattened_parts_be_absent(api: &mut Value) {
    let Some(schemas) = api.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let described = schemas.clone();
    let mut taken = Vec::new();
    let parts = schemas.values_mut().filter_map(|schema| schema.get_mut("allOf")?.as_array_mut()).flatten();
    for part in parts {
        let Some(alternatives) = part.get("oneOf").and_then(Value::as_array) else { continue };
        let named = alternatives.iter().find_map(|given| given.get("$ref")?.as_str()?.rsplit('/').next());
        if let Some((name, properties)) =
            named.and_then(|name| Some((name, described.get(name)?.get("properties")?)))
        {
            taken.push(name.to_owned());
            *part = json!({ "type": "object", "properties": properties });
        }
    }
    // Nothing else refers to such a part.
    schemas.retain(|name, _| !taken.contains(name));
}

/// Lets the items of a page refer to the schema that describes them.
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
