use loquet_domain::language::Language;

use super::localize::words;

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
        include_str!("words/http.fr.ftl"),
        include_str!("words/http.nl.ftl"),
        include_str!("words/http.en.ftl"),
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
