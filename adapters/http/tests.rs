use loquet_domain::Moment;
use loquet_domain::company::Company;
use loquet_domain::terminals::Terminals;
use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::is_printable;
use loquet_projections::local_time::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::request_parts::RequestId;
use crate::responses::localize;
use crate::responses::localize::words;
use crate::responses::problem::{Fault, Problem};
use crate::routes::orders::OrderBody;
use loquet_crypto::server_key::ServerKey;
use loquet_crypto::tokens::HmacTokens;

/// Every message of one language, by name.
fn names(file: &str) -> Vec<&str> {
    file.lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with('#'))
        .collect()
}

#[test]
fn every_sentence_of_problems_and_pages_exists_in_every_language() {
    let words = words().unwrap();
    let (fr, nl, en) = (
        include_str!("responses/words/http.fr.ftl"),
        include_str!("responses/words/http.nl.ftl"),
        include_str!("responses/words/http.en.ftl"),
    );
    assert_eq!(names(fr), names(en));
    assert_eq!(names(nl), names(en));
    for language in Language::ALL {
        for name in names(en) {
            assert!(words.has(language, name), "{language:?} lacks {name}");
        }
    }
}

#[test]
fn the_description_of_the_api_names_every_route_once_and_is_openapi_3_1() {
    let json = super::openapi();
    assert!(json["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths: Vec<_> = json["paths"].as_object().unwrap().keys().cloned().collect();
    for path in [
        "/v1/orders",
        "/v1/activations",
        "/v1/logins",
        "/v1/password-resets",
        "/v1/password-resets/confirm",
        "/v1/accounts",
        "/v1/accounts/{account_id}",
        "/v1/accounts/{account_id}/lockout",
        "/v1/accounts/{account_id}/events",
        "/v1/accounts/{account_id}/sessions",
        "/v1/sessions/current",
        "/healthz",
        "/readyz",
    ] {
        assert!(paths.contains(&path.to_owned()), "{path} is missing in {paths:?}");
    }
}

/// Every text in an answer.
fn texts(value: &Value, told: &mut Vec<String>) {
    match value {
        Value::String(text) => told.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, told)),
        Value::Object(fields) => fields.iter().for_each(|(name, item)| {
            told.push(name.clone());
            texts(item, told);
        }),
        _ => {}
    }
}

/// What a problem is written with, in every language.
fn said(problem: &Problem) -> Vec<String> {
    let mut told = Vec::new();
    for language in Language::ALL {
        let reader = localize::Reader { language, time_zone: TimeZone::Europe__Brussels, page_of: None };
        let body = localize::write(&reader, problem.clone(), RequestId(Uuid::nil()));
        texts(&serde_json::to_value(body).unwrap(), &mut told);
    }
    told
}

fn nothing_hidden(told: &[String]) -> Result<(), TestCaseError> {
    for text in told {
        prop_assert!(text.chars().all(is_printable), "{text:?}");
    }
    Ok(())
}

/// Any text: the strings of proptest hold no control character.
fn any_text() -> impl Strategy<Value = String> {
    let hidden =
        prop::sample::select(vec!['\0', '\n', '\r', '\u{1b}', '\u{9b}', '\u{200b}', '\u{202e}', '\u{e0041}']);
    let letter = prop_oneof![2 => any::<char>(), 1 => hidden];
    prop::collection::vec(letter, 0..30).prop_map(String::from_iter)
}

fn any_order() -> impl Strategy<Value = Value> {
    let text = any_text;
    let texts = prop::collection::vec(text(), 20);
    (texts, text(), any::<u32>()).prop_map(|(texts, field, quantity)| {
        let address = |n: usize| {
            json!({ "street": texts[n], "number": texts[n + 1], "box": texts[n + 2], "postal_code": texts[n + 3],
                    "town": texts[n], "country": texts[n + 1] })
        };
        let mut order = json!({
            "order_id": texts[0], "channel": "online", "placed_at": "2026-11-23T09:30:00Z",
            "company": { "country": texts[4], "enterprise_number": texts[5], "legal_name": texts[6],
                         "trading_name": texts[7], "registered_office": address(8) },
            "contact": { "email": texts[12], "given_name": texts[13], "family_name": texts[14], "language": texts[15] },
            "lines": [{ "model": texts[16], "quantity": quantity, "serials": [texts[17], texts[18]], "delivery_address": address(8) }],
        });
        // A field that nobody asked for, a word for another, a type for another.
        match quantity % 4 {
            0 => order[&field] = json!(1),
            1 => order["contact"][&field] = json!(field),
            2 => order["channel"] = json!(field),
            _ => order["placed_at"] = json!(field),
        }
        order
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_answer_to_an_order_holds_a_control_character(order in any_order()) {
        let json = serde_json::to_vec(&order).unwrap();
        let told = crate::read_order(&json, &HmacTokens::new(&ServerKey::random()), Moment::default()).err().unwrap_or_default();
        nothing_hidden(&told)?;
        if let Err(problem) = crate::extractors::body::read::<OrderBody>(&json, crate::extractors::shape::operation(&axum::http::Method::POST, "/v1/orders")) {
            nothing_hidden(&said(&problem))?;
        }
    }

    #[test]
    fn no_answer_to_bytes_that_are_no_order_holds_a_control_character(bytes in any::<Vec<u8>>()) {
        let told = crate::read_order(&bytes, &HmacTokens::new(&ServerKey::random()), Moment::default()).err().unwrap_or_default();
        nothing_hidden(&told)?;
        if let Err(problem) = crate::extractors::body::read::<OrderBody>(&bytes, crate::extractors::shape::operation(&axum::http::Method::POST, "/v1/orders")) {
            nothing_hidden(&said(&problem))?;
        }
    }

    #[test]
    fn no_answer_to_a_file_of_assignments_holds_a_control_character(
        cells in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..12),
        heading in any::<bool>(),
    ) {
        let mut file = if heading { b"terminal,site\n".to_vec() } else { Vec::new() };
        for cell in cells {
            file.extend(cell);
            file.push(b',');
        }
        if let Err(problem) = crate::routes::bulk::read(&file, &Terminals::default(), &Company::default()) {
            nothing_hidden(&said(&problem))?;
        }
    }

    #[test]
    fn no_problem_repeats_a_control_character_of_its_places(text in any_text()) {
        let fault = Fault { pointer: format!("/{text}"), rule: "value-unknown", places: vec![("known", text.clone())] };
        let problem = Problem::invalid(vec![fault]).with("why", &text);
        nothing_hidden(&said(&problem))?;
        nothing_hidden(&said(&Problem { slug: "malformed", ..problem }))?;
    }
}

#[test]
fn the_description_of_the_event_feed_names_every_category() {
    let json = super::openapi();
    let parameters = json["paths"]["/v1/events"]["get"]["parameters"].as_array().unwrap();
    let category = parameters.iter().find(|parameter| parameter["name"] == "category").unwrap();
    let description = category["description"].as_str().unwrap();
    for name in loquet_domain::schema::CATEGORIES {
        assert!(description.contains(&format!("`{name}`")), "{name} is missing in {description}");
    }
}

/// The file of everything that is held on a person, as text to read, names each of its fields.
#[test]
fn every_field_of_the_file_has_a_label_in_every_language() {
    let described = super::openapi();
    let schemas = described.pointer("/components/schemas").and_then(Value::as_object).unwrap();
    let of_file = schemas.iter().filter(|(name, _)| name.starts_with("PersonalData"));
    let fields: Vec<_> = of_file
        .flat_map(|(_, schema)| schema.pointer("/properties").and_then(Value::as_object).unwrap().keys())
        .collect();
    assert!(fields.len() > 40, "{fields:?}");
    let words = words().unwrap();
    for (language, field) in
        Language::ALL.into_iter().flat_map(|language| fields.iter().map(move |field| (language, *field)))
    {
        assert!(
            words.has(language, &format!("data-{}", field.replace('_', "-"))),
            "{language:?} lacks {field}"
        );
    }
}

#[test]
fn what_makes_something_leads_to_what_takes_its_id() {
    let described = super::openapi();
    for (path, id, shown) in [
        ("/v1/accounts", "account_id", "show_account"),
        ("/v1/takeovers", "takeover_id", "show_takeover"),
        ("/v1/orders", "order_id", "show_order"),
        ("/v1/orders", "company_id", "show_company"),
    ] {
        let links = &described["paths"][path]["post"]["responses"]["201"]["links"];
        let expected = format!("$response.body#/{id}");
        assert_eq!(links[shown]["parameters"][id], expected, "{path}: {links}");
    }
}
