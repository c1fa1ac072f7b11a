//! Explains why a body, a query or a path does not have the required shape: every fault at once, in the reader's
//! language. The description of the API is what it is compared with.
//!
//! This runs only when a request could not be decoded, so requests of the right shape pay nothing for it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{LazyLock, OnceLock};

use axum::extract::MatchedPath;
use axum::http::{Extensions, Method, Uri};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::{Map, Value, json};

use crate::responses::problem::Fault;

/// The most faults that one answer lists.
const MOST: usize = 100;

/// Where the description has the schemas to which others refer.
const SCHEMAS: &str = "/components/schemas/";

/// Makes the description of the API.
static MAKE: OnceLock<fn() -> Value> = OnceLock::new();
/// What is kept of the description. The whole would take ten megabytes as values.
static DESCRIPTION: LazyLock<Description> =
    LazyLock::new(|| MAKE.get().map(|make| Description::of(&make())).unwrap_or_default());

/// Nothing has a described shape before [`describe_by`] says how the description is made.
#[derive(Default)]
struct Description {
    /// The described operations, by path and method.
    operations: HashMap<String, HashMap<String, Operation>>,
    /// The schemas to which others refer, by name, as JSON.
    schemas: HashMap<String, String>,
}

impl Description {
    fn of(description: &Value) -> Self {
        let paths = description.get("paths").and_then(Value::as_object).into_iter().flatten();
        let operations = |operations: &Value| {
            let operations = operations.as_object().into_iter().flatten();
            operations.map(|(method, operation)| (method.to_uppercase(), Operation::of(operation))).collect()
        };
        let schemas = description.pointer("/components/schemas").and_then(Value::as_object);
        let as_json = |(name, schema): (&String, &Value)| (name.clone(), schema.to_string());
        Self {
            operations: paths.map(|(path, all)| (path.clone(), operations(all))).collect(),
            schemas: schemas.into_iter().flatten().map(as_json).collect(),
        }
    }

    /// The schemas that a schema refers to, directly or through others. A validator keeps a copy of all that it is given.
    fn needed_by(&self, schema: &Value) -> Map<String, Value> {
        let (mut needed, mut names) = (Map::new(), Vec::new());
        references(schema, &mut names);
        while let Some(name) = names.pop() {
            if needed.contains_key(&name) {
                continue;
            }
            let schema = self.schemas.get(&name).and_then(|json| serde_json::from_str(json).ok());
            let schema: Value = schema.unwrap_or_default();
            references(&schema, &mut names);
            needed.insert(name, schema);
        }
        needed
    }
}

/// Adds the names of the schemas to which a value refers.
fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.split_once(SCHEMAS));
            names.extend(name.map(|(_, name)| name.to_owned()));
            fields.values().for_each(|value| references(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, names)),
        _ => {}
    }
}

/// What one operation accepts.
pub(crate) struct Operation {
    body: Option<Schema>,
    query: BTreeMap<String, Parameter>,
    path: BTreeMap<String, Parameter>,
}

struct Parameter {
    schema: Schema,
    required: bool,
}

/// A schema, and its validator, which is made when it is first needed.
struct Schema {
    schema: Value,
    validator: OnceLock<Option<Validator>>,
}

impl Schema {
    fn of(schema: &Value) -> Self {
        Self { schema: schema.clone(), validator: OnceLock::new() }
    }

    fn validator(&self) -> Option<&Validator> {
        let make = || {
            let whole = json!({ "allOf": [self.schema], "components": { "schemas": DESCRIPTION.needed_by(&self.schema) } });
            jsonschema::options().should_validate_formats(true).build(&whole).ok()
        };
        self.validator.get_or_init(make).as_ref()
    }

    /// Adds what does not fit. `pointer` replaces the place of a fault of a parameter.
    fn faults(&self, value: &Value, pointer: Option<&str>, faults: &mut Vec<Fault>) {
        for error in self.validator().into_iter().flat_map(|validator| validator.iter_errors(value)) {
            explain(&error, pointer, faults);
            if faults.len() >= MOST {
                faults.truncate(MOST);
                return;
            }
        }
    }

    /// A parameter's text as the type that the schema asks for.
    fn typed(&self, text: &str) -> Value {
        let asks = |kind: &str| match self.schema.get("type") {
            Some(Value::String(one)) => one == kind,
            Some(Value::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        };
        let parsed = match (asks("integer") || asks("number"), asks("boolean")) {
            (true, _) => serde_json::from_str(text).ok().filter(Value::is_number),
            (_, true) => serde_json::from_str(text).ok().filter(Value::is_boolean),
            _ => None,
        };
        parsed.unwrap_or_else(|| Value::String(text.to_owned()))
    }
}

/// Says how the description of the API is made. The description is made of the routes, and the routes read their input with
/// this module. So it can't be named here.
pub(crate) fn describe_by(make: fn() -> Value) {
    MAKE.get_or_init(|| make);
}

/// The described operation of a request.
pub(crate) fn of(method: &Method, extensions: &Extensions) -> Option<&'static Operation> {
    operation(method, extensions.get::<MatchedPath>()?.as_str())
}

/// A described operation, by its method and its path as the description writes it.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static Operation> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    DESCRIPTION.operations.get(path)?.get(method.as_str())
}

impl Operation {
    fn of(operation: &Value) -> Self {
        let body = operation.pointer("/requestBody/content/application~1json/schema").map(Schema::of);
        let (mut query, mut path) = (BTreeMap::new(), BTreeMap::new());
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| parameter.get(name).and_then(Value::as_str);
            let (Some(name), Some(schema)) = (text("name"), parameter.get("schema")) else { continue };
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let described = Parameter { schema: Schema::of(schema), required };
            match text("in") {
                Some("query") => query.insert(name.to_owned(), described),
                Some("path") => path.insert(name.to_owned(), described),
                _ => None,
            };
        }
        Self { body, query, path }
    }

    /// Everything in a body that does not fit.
    pub(crate) fn body_faults(&self, body: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(schema) = &self.body {
            schema.faults(body, None, &mut faults);
        }
        // What has the wrong type is no known word either. That the words are named says it all.
        let named = faults.iter().filter(|fault| fault.rule == "value-unknown");
        let named: HashSet<_> = named.map(|fault| fault.pointer.clone()).collect();
        faults.retain(|fault| !fault.rule.starts_with("type-") || !named.contains(&fault.pointer));
        faults
    }

    /// Whether a query has a parameter that the operation does not know.
    pub(crate) fn has_unknown_parameter(&self, uri: &Uri) -> bool {
        parameters(uri).iter().any(|(name, _)| !self.query.contains_key(name))
    }

    /// Everything in a query that does not fit.
    pub(crate) fn query_faults(&self, uri: &Uri) -> Vec<Fault> {
        let (mut faults, mut seen) = (Vec::new(), HashSet::new());
        let given = parameters(uri);
        for (name, text) in &given {
            let pointer = format!("?{name}");
            match self.query.get(name) {
                None if self.query.is_empty() => faults.push(fault(pointer, "no-parameters")),
                None => {
                    let known: Vec<_> = self.query.keys().map(String::as_str).collect();
                    faults.push(Fault {
                        places: vec![("known", known.join(", "))],
                        ..fault(pointer, "parameter-unknown")
                    });
                }
                Some(_) if !seen.insert(name) => faults.push(fault(pointer, "field-twice")),
                Some(known) => known.schema.faults(&known.schema.typed(text), Some(&pointer), &mut faults),
            }
        }
        // What is given twice is not judged by one of its values.
        let twice: HashSet<_> = faults
            .iter()
            .filter(|fault| fault.rule == "field-twice")
            .map(|fault| fault.pointer.clone())
            .collect();
        faults.retain(|fault| fault.rule == "field-twice" || !twice.contains(&fault.pointer));
        let missing = self.query.iter().filter(|(name, known)| known.required && !seen.contains(name));
        faults.extend(missing.map(|(name, _)| fault(format!("?{name}"), "field-missing")));
        faults.truncate(MOST);
        faults
    }

    /// Everything in a path that does not fit. `matched` is the path as the description writes it.
    pub(crate) fn path_faults(&self, matched: &str, uri: &Uri) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, text) in matched.split('/').zip(uri.path().split('/')) {
            let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            if let Some((name, known)) = name.and_then(|name| Some((name, self.path.get(name)?))) {
                known.schema.faults(&known.schema.typed(text), Some(&format!("{{{name}}}")), &mut faults);
            }
        }
        faults
    }
}

/// The parameters of a query, as names and values.
pub(crate) fn parameters(uri: &Uri) -> Vec<(String, String)> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.map(|pairs| pairs.0).unwrap_or_default()
}

fn fault(pointer: String, rule: &'static str) -> Fault {
    Fault { pointer, rule, places: Vec::new() }
}

/// Says in our own words what a validator found.
fn explain(error: &ValidationError<'_>, pointer: Option<&str>, faults: &mut Vec<Fault>) {
    let here = pointer.map_or_else(|| error.instance_path().as_str().to_owned(), ToOwned::to_owned);
    let beneath = |name: &str| format!("{here}/{}", name.replace('~', "~0").replace('/', "~1"));
    let mut add = |pointer: String, rule, places| faults.push(Fault { pointer, rule, places });
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            add(beneath(property.as_str().unwrap_or_default()), "field-missing", Vec::new());
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_fields(error.schema_path().as_str());
            for name in unexpected.iter().take(MOST) {
                add(beneath(name), "field-unknown", vec![("known", known.clone())]);
            }
        }
        ValidationErrorKind::Enum { options } => {
            add(here, "value-unknown", vec![("known", words(options.as_array().into_iter().flatten()))]);
        }
        ValidationErrorKind::Constant { expected_value } => {
            add(here, "value-unknown", vec![("known", words([&**expected_value]))]);
        }
        ValidationErrorKind::Type { kind } => add(here, type_rule(kind), Vec::new()),
        ValidationErrorKind::Format { format } => match format.as_str() {
            "uuid" => add(here, "format-uuid", Vec::new()),
            "date-time" => add(here, "format-date-time", Vec::new()),
            "date" => add(here, "format-date", Vec::new()),
            _ => {}
        },
        // The rules of the domain say what is wrong with a text of the right shape.
        ValidationErrorKind::Pattern { .. }
        | ValidationErrorKind::MinLength { .. }
        | ValidationErrorKind::MaxLength { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
            if pointer.is_none() => {}
        ValidationErrorKind::Minimum { limit } => {
            add(here, "number-too-small", vec![("limit", limit.to_string())]);
        }
        ValidationErrorKind::Maximum { limit } => {
            add(here, "number-too-large", vec![("limit", limit.to_string())]);
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // The alternative that is nearest: not `null`, and with the fewest faults.
            let alternatives = context.iter().filter(|errors| !errors.iter().any(asks_for_null));
            match alternatives.min_by_key(|errors| errors.len()) {
                Some(nearest) => nearest.iter().for_each(|error| explain(error, pointer, faults)),
                None => add(here, "parameter-malformed", Vec::new()),
            }
        }
        _ => add(here, "parameter-malformed", Vec::new()),
    }
}

fn asks_for_null(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) })
}

fn type_rule(kind: &TypeKind) -> &'static str {
    let asked = match kind {
        TypeKind::Single(one) => Some(*one),
        TypeKind::Multiple(several) => several.iter().find(|one| *one != JsonType::Null),
    };
    match asked {
        Some(JsonType::String) => "type-string",
        Some(JsonType::Integer) => "type-integer",
        Some(JsonType::Number) => "type-number",
        Some(JsonType::Boolean) => "type-boolean",
        Some(JsonType::Array) => "type-array",
        Some(JsonType::Object) => "type-object",
        _ => "parameter-malformed",
    }
}

fn words<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let known: Vec<_> = values.into_iter().filter(|value| !value.is_null()).map(text).collect();
    known.join(", ")
}

/// The fields of the object whose `additionalProperties` is at this place of the description.
fn known_fields(place: &str) -> String {
    let find = || {
        let within = place.split_once(SCHEMAS)?.1.rsplit_once('/')?.0;
        let name = within.split('/').next()?;
        let schema: Value = serde_json::from_str(DESCRIPTION.schemas.get(name)?).ok()?;
        let object = format!("{}/properties", within.strip_prefix(name)?);
        let fields: Vec<_> = schema.pointer(&object)?.as_object()?.keys().cloned().collect();
        Some(fields.join(", "))
    };
    find().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(method: &Method, path: &str) -> Option<&'static Operation> {
        describe_by(crate::openapi);
        operation(method, path)
    }

    #[test]
    fn a_validator_gets_the_schemas_that_its_own_refers_to_and_no_others() {
        let operation = described(&Method::POST, "/v1/orders").unwrap();
        let needed = DESCRIPTION.needed_by(&operation.body.as_ref().unwrap().schema);
        let names: Vec<_> = needed.keys().collect();
        assert!((1..10).contains(&names.len()), "{names:?}");
        assert!(DESCRIPTION.schemas.len() > 100, "the whole description has {}", DESCRIPTION.schemas.len());
        let list = described(&Method::GET, "/v1/accounts").unwrap();
        assert_eq!(DESCRIPTION.needed_by(&list.query["limit"].schema.schema), Map::new());
    }

    fn told(faults: Vec<Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.rule)).collect()
    }

    #[test]
    fn every_fault_of_a_bodys_shape_is_listed_at_its_place_with_the_known_words() {
        let order = described(&Method::POST, "/v1/orders").unwrap();
        let body = json!({
            "order_id": 7, "channel": "onlin", "placed_at": "yesterday", "emial": 1,
            "company": { "country": "BE", "enterprise_number": "1", "legal_name": "x", "registered_office": [] },
            "lines": [{ "model": "x", "quantity": "two", "delivery_address": {}, "a/b": 1 }],
        });
        let faults = order.body_faults(&body);
        let known = faults.iter().find(|fault| fault.pointer == "/channel").unwrap().places.clone();
        assert_eq!(known, [("known", "online, offline".to_owned())]);
        let unknown = faults.iter().find(|fault| fault.pointer == "/emial").unwrap();
        assert!(unknown.places.iter().any(|(_, known)| known.contains("order_id")), "{unknown:?}");
        let mut told = told(faults);
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "/channel value-unknown",
                "/company/registered_office type-object",
                "/contact field-missing",
                "/emial field-unknown",
                "/lines/0/a~1b field-unknown",
                "/lines/0/delivery_address/country field-missing",
                "/lines/0/delivery_address/number field-missing",
                "/lines/0/delivery_address/postal_code field-missing",
                "/lines/0/delivery_address/street field-missing",
                "/lines/0/delivery_address/town field-missing",
                "/lines/0/quantity type-integer",
                "/order_id type-string",
                "/placed_at format-date-time",
            ]
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_in_the_place_of_a_known_word_has_one_fault_that_names_the_words() {
        let order = described(&Method::POST, "/v1/orders").unwrap();
        for wrong in [json!(null), json!(7), json!(["online"]), json!("onlin")] {
            let faults = order.body_faults(&json!({ "channel": wrong }));
            let told: Vec<_> = faults.iter().filter(|fault| fault.pointer == "/channel").collect();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told.first().unwrap().rule, "value-unknown");
        }
    }

    #[test]
    fn every_fault_of_a_query_and_of_a_path_is_listed() {
        let accounts = described(&Method::HEAD, "/v1/accounts").unwrap();
        let uri = "/v1/accounts?emial=x&limit=many&at_least=-1".parse().unwrap();
        assert!(accounts.has_unknown_parameter(&uri));
        let mut faults = told(accounts.query_faults(&uri));
        faults.sort_unstable();
        assert_eq!(faults, ["?at_least number-too-small", "?emial parameter-unknown", "?limit type-integer"]);
        assert!(!accounts.has_unknown_parameter(&"/v1/accounts?email=x".parse().unwrap()));
        let matched = "/v1/accounts/{account_id}";
        let account = described(&Method::GET, matched).unwrap();
        let faults = account.path_faults(matched, &"/v1/accounts/me".parse().unwrap());
        assert_eq!(told(faults), ["{account_id} format-uuid"]);
    }
}
