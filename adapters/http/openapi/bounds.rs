//! What the rules of the domain say about inputs, in the words of JSON Schema: lengths, patterns, formats and known words.
//!
//! A rule that a schema can't state, such as a check digit, has a `format` of its own and is told in the description.

use std::collections::BTreeSet;

use loquet_domain::receipt::{MOST_COLUMNS, MOST_LINES};
use loquet_domain::schema;
use loquet_public_events::types as public_types;
use serde_json::{Map, Value, json};

use crate::routes::{accounts, feed, orders, takeovers};

/// A text for people: 1 to `most` characters. The domain wants characters that can be displayed, one of which is visible.
fn text(most: usize) -> Value {
    json!({ "minLength": 1, "maxLength": most })
}

fn words<'a>(known: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "enum": known.into_iter().collect::<Vec<_>>() })
}

/// A serial number. Case and spaces do not matter.
const SERIAL: &str = "^[ -]*[A-Za-z0-9][A-Za-z0-9 -]*$";

fn pattern(pattern: &str, most: usize) -> Value {
    json!({ "minLength": 1, "maxLength": most, "pattern": pattern })
}

/// The lines of a part of a receipt.
fn lines() -> Value {
    let most = MOST_LINES * (MOST_COLUMNS + 1) - 1;
    let line = format!("[^\\n]{{0,{MOST_COLUMNS}}}");
    json!({ "maxLength": most, "pattern": format!("^({line}\\n){{0,{}}}{line}$", MOST_LINES - 1) })
}

/// An e-mail address (RFC 5321, 4.5.3.1).
fn email() -> Value {
    json!({ "format": "email", "minLength": 5, "maxLength": 254 })
}

/// What the domain says about the field of this name, in the bodies of requests.
fn of_field(schema: &str, field: &str) -> Option<Value> {
    Some(match (schema, field) {
        (_, "email") => email(),
        (_, "language") => words(["fr", "nl", "en"]),
        (_, "given_name" | "family_name") => with_format(text(64), "person-name"),
        ("NewLayoutBody", "trading_name") | (_, "legal_name" | "trading_name") => {
            with_format(text(200), "company-name")
        }
        ("NewGroupBody" | "GroupChange", "name") => text(100),
        (_, "name") => with_format(text(100), "company-name"),
        ("NewGroupBody" | "GroupChange", "description") => json!({ "maxLength": 500 }),
        (_, "reason" | "identity_proof") => text(500),
        (_, "reference") => text(64),
        ("OrderingCompany", "country") => words(["BE", "NL"]),
        (_, "country") => with_format(pattern("^[A-Z]{2}$", 2), "iso-3166-alpha-2"),
        (_, "street" | "number" | "box" | "town") => text(100),
        (_, "postal_code") => with_format(text(16), "postal-code"),
        (_, "enterprise_number") => with_format(text(100), "enterprise-number"),
        (_, "order_id") => pattern("^[A-Za-z0-9._-]+$", 64),
        (_, "model") => pattern(
            "^((PAX )?(A80 Duo Base|A920 Mobile|A77 Compact)|Verifone [A-Za-z0-9/-]([A-Za-z0-9 /-]{0,38}[A-Za-z0-9/-])?)$",
            49,
        ),
        (_, "serial") => pattern(SERIAL, 64),
        (_, "quantity") => json!({ "minimum": 1, "maximum": 10_000 }),
        (_, "attempts" | "cap") => json!({ "minimum": 1, "maximum": 100 }),
        (_, "duration_seconds") => json!({ "minimum": 1, "maximum": 2_592_000 }),
        (_, "policies") => json!({ "minItems": 1, "maxItems": 8 }),
        (_, "lines") => json!({ "minItems": 1, "maxItems": 1_000 }),
        ("NewLayoutBody", "header" | "middle" | "footer") => lines(),
        (_, "token" | "challenge") => json!({ "minLength": 1, "maxLength": 500 }),
        (_, "code" | "recovery_code") => json!({ "minLength": 1, "maxLength": 100 }),
        (_, "logo") => json!({ "contentEncoding": "base64", "contentMediaType": "image/png" }),
        _ => return None,
    })
}

fn with_format(mut schema: Value, format: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("format".to_owned(), json!(format));
    }
    schema
}

/// Adds to the fields of every body of a request what the domain says about them.
pub(super) fn add_to_bodies(api: &mut Value) {
    let names = schemas_of_bodies(api);
    let Some(schemas) = api.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    for name in names {
        let alternatives = schemas.get_mut(&name).and_then(|schema| schema.get_mut("oneOf"));
        for alternative in alternatives.and_then(Value::as_array_mut).into_iter().flatten() {
            close(alternative);
        }
        let fields = schemas.get_mut(&name).and_then(|schema| schema.get_mut("properties"));
        for (field, schema) in fields.and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(bounds) = of_field(&name, field) {
                add(schema, bounds);
            }
            if field == "serials"
                && let (Some(items), Some(bounds)) = (schema.get_mut("items"), of_field(&name, "serial"))
            {
                add(items, bounds);
            }
        }
    }
}

/// An object of an enumeration has the one field that names its kind.
fn close(alternative: &mut Value) {
    if let Some(object) = alternative.as_object_mut()
        && object.contains_key("properties")
    {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// Bounds of a text leave a field that may be null nullable.
fn add(schema: &mut Value, bounds: Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let nullable =
        schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&json!("null")));
    for (name, mut bound) in bounds.as_object().cloned().unwrap_or_default() {
        if let (true, "enum", Some(known)) = (nullable, name.as_str(), bound.as_array_mut()) {
            known.push(Value::Null);
        }
        schema.entry(name).or_insert(bound);
    }
}

/// The names of the schemas that the bodies of requests are made of.
fn schemas_of_bodies(api: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let operations = api.get("paths").and_then(Value::as_object).into_iter().flatten();
    let operations = operations.flat_map(|(_, operations)| operations.as_object().into_iter().flatten());
    for (_, operation) in operations {
        if let Some(body) = operation.get("requestBody") {
            add_named(api, body, &mut names);
        }
    }
    names
}

fn add_named(api: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let named = fields.get("$ref").and_then(Value::as_str);
            if let Some(name) = named.and_then(|named| named.rsplit('/').next())
                && names.insert(name.to_owned())
                && let Some(schema) = api.pointer(&format!("/components/schemas/{name}"))
            {
                add_named(api, schema, names);
            }
            fields.values().for_each(|schema| add_named(api, schema, names));
        }
        Value::Array(several) => several.iter().for_each(|schema| add_named(api, schema, names)),
        _ => {}
    }
}

/// Adds to the parameters of an operation what the domain says about them.
pub(super) fn add_to_parameters(operation: &mut Map<String, Value>) {
    let name = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        let Some(place) = parameter.get("name").and_then(Value::as_str) else { continue };
        let Some(bounds) = of_parameter(&name, place) else { continue };
        if let Some(schema) = parameter.get_mut("schema") {
            add_over(schema, bounds);
        }
    }
}

/// The bounds of a parameter are narrower than those of its type in Rust.
fn add_over(schema: &mut Value, bounds: Value) {
    if let (Some(schema), Value::Object(bounds)) = (schema.as_object_mut(), bounds) {
        schema.extend(bounds);
    }
}

fn of_parameter(operation: &str, name: &str) -> Option<Value> {
    Some(match (operation, name) {
        (_, "limit") => json!({ "minimum": 1, "maximum": 200 }),
        (_, "email") => email(),
        (_, "reason") => text(500),
        (_, "serial") => pattern(SERIAL, 64),
        // An id, or a serial number.
        (_, "terminal") => pattern("^[A-Za-z0-9 -]+$", 64),
        ("list_companies", "enterprise_number") => with_format(text(100), "enterprise-number"),
        ("list_companies", "name") => text(200),
        (_, "cursor") => text(4096),
        (_, "Loquet-Device") => text(500),
        ("follow_events", "type") => types_of_events(),
        ("follow_events", "format") => words(feed::FORMATS),
        ("follow_events", "category") => words(schema::CATEGORIES.iter().copied()),
        (_, "order_id") => pattern("^[A-Za-z0-9._-]+$", 64),
        ("list_accounts", "status") => words(accounts::finding::STATUSES),
        ("list_orders", "status") => words(orders::STATUSES),
        ("list_takeovers", "status") => words(takeovers::STATUSES),
        (_, "side") => words(["transferor", "acquirer"]),
        (_, "sort") => sorting(operation)?,
        _ => return None,
    })
}

/// Types of events, stored or public, separated by commas.
fn types_of_events() -> Value {
    let names = schema::names().into_iter().chain(public_types().map(|known| known.name));
    let one = names.map(|name| name.replace('.', "\\.")).collect::<Vec<_>>().join("|");
    json!({ "minLength": 1, "pattern": format!("^({one})(,({one}))*$") })
}

/// The orders in which a list can be had.
fn sorting(operation: &str) -> Option<Value> {
    let orders: &[&str] = match operation {
        "list_accounts" => &["created_at", "-created_at"],
        "list_account_events" | "list_company_events" => &["position", "-position"],
        "list_companies" => &["registered_at", "-registered_at"],
        "list_orders" => &["received_at", "-received_at"],
        "list_sites" => &["name", "-name", "opened_at", "-opened_at"],
        "list_takeovers" => &["opened_at", "-opened_at"],
        "list_terminals" => &["added_at", "-added_at"],
        _ => return None,
    };
    Some(words(orders.iter().copied()))
}

#[cfg(test)]
mod tests {
    use loquet_domain::company::{CompanyName, SiteName};
    use loquet_domain::ids::OrderId;
    use loquet_domain::values::email_address::EmailAddress;
    use loquet_domain::values::person::PersonName;
    use loquet_domain::values::plain_text::is_text;
    use loquet_domain::values::serial_number::SerialNumber;
    use loquet_domain::values::terminal_model::TerminalModel;
    use proptest::prelude::*;
    use proptest::string::string_regex;

    use super::*;

    /// Whether the domain takes a text.
    type Rule = fn(&str) -> bool;

    /// The fields whose description says all that the domain asks of them.
    const EXACT: [(&str, Rule); 3] = [
        ("order_id", |text| OrderId::parse(text).is_ok()),
        ("serial", |text| SerialNumber::parse(text).is_ok()),
        ("model", |text| TerminalModel::parse(text).is_ok()),
    ];
    /// Fields with a rule that a description can't state.
    const LOOSER: [(&str, Rule); 7] = [
        ("email", |text| EmailAddress::parse(text).is_ok()),
        ("reason", |text| is_text(text, 500)),
        ("reference", |text| is_text(text, 64)),
        ("given_name", |text| PersonName::parse(text).is_ok()),
        ("family_name", |text| PersonName::parse(text).is_ok()),
        ("legal_name", |text| CompanyName::parse(text).is_ok()),
        ("name", |text| SiteName::parse(text).is_ok()),
    ];

    fn described(field: &str, text: &str) -> bool {
        let schema = of_field("", field).unwrap();
        // A format is a note to the reader, except that of an address.
        jsonschema::is_valid(&schema, &json!(text))
    }

    /// A text that the description of some field allows.
    fn allowed(field: &'static str) -> impl Strategy<Value = String> {
        let schema = of_field("", field).unwrap();
        let pattern = schema["pattern"].as_str().unwrap().trim_start_matches('^').trim_end_matches('$');
        let within = move |text: &String| described(field, text);
        string_regex(pattern).unwrap().prop_filter("its length", within)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn the_domain_takes_what_the_description_allows(
            order in allowed("order_id"), serial in allowed("serial"), model in allowed("model"),
        ) {
            for ((field, takes), text) in EXACT.iter().zip([order, serial, model]) {
                prop_assert!(takes(&text), "{field}: {text:?}");
            }
        }

        #[test]
        fn the_description_allows_what_the_domain_takes(
            text in prop_oneof![
                "\\PC{1,40}", "[a-zA-Z0-9 ._@-]{1,30}", "[a-z.]{1,5}@[a-z-]{1,5}\\.[a-z]{1,3}", "[ \t\u{300}\u{200b}x]{1,4}",
                "(PAX )?A80 Duo Base|Verifone [A-Za-z/-]{1,9}",
            ],
        ) {
            for (field, takes) in EXACT.iter().chain(&LOOSER) {
                // Spaces around a text are dropped, and dashes of every kind are hyphens; a description names the plain way.
                let plain = text.trim() == text && (*field != "serial" || text.is_ascii()) && (*field != "model" || !text.contains("  "));
                prop_assert!(!plain || !takes(&text) || described(field, &text), "{field}: {text:?}");
            }
        }
    }

    #[test]
    fn the_longest_text_of_each_field_is_the_one_that_the_domain_takes() {
        for (field, takes) in
            EXACT.iter().chain(&LOOSER).filter(|(field, _)| !matches!(*field, "email" | "model"))
        {
            let most = of_field("", field).unwrap()["maxLength"].as_u64().unwrap();
            let longest = "x".repeat(usize::try_from(most).unwrap());
            assert!(takes(&longest) && described(field, &longest), "{field}");
            let longer = format!("{longest}x");
            assert!(!takes(&longer) && !described(field, &longer), "{field}");
        }
    }
}
