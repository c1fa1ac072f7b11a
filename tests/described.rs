//! Holds every problem that a test is answered against the description of the API: its operation must name its type.

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::Value;

use crate::server::{Answer, binary};

/// The description that the program prints.
fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(|| {
        let printed = std::process::Command::new(binary()).arg("openapi").output().unwrap();
        serde_json::from_slice(&printed.stdout).unwrap()
    })
}

/// The described operation of a request.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap();
    let fits = |described: &str| {
        let (given, described) = (path.split('/'), described.split('/'));
        given.clone().count() == described.clone().count()
            && given.zip(described).all(|(given, described)| described.starts_with('{') || given == described)
    };
    let paths = description()["paths"].as_object().unwrap();
    // A path without ids comes before one that has an id in the same place.
    let (_, operations) = paths
        .iter()
        .filter(|(described, _)| fits(described))
        .min_by_key(|(described, _)| described.matches('{').count())?;
    operations.get(method.as_str().to_lowercase())
}

/// Fails the test if the answer is a problem that the description of its operation does not name.
#[track_caller]
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let is_problem =
        answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
    if !is_problem || !path.starts_with("/v1/") {
        return;
    }
    let Some(operation) = operation(method, path) else { return };
    let status = answer.status.as_u16().to_string();
    let answered = &answer.json()["type"];
    let described = &operation["responses"][&status]["content"]["application/problem+json"]["schema"];
    let types = described["allOf"][1]["properties"]["type"]["enum"].as_array();
    let is_described = types.is_some_and(|types| types.contains(answered));
    assert!(
        is_described,
        "{} answers {status} with {answered}, which its description does not name",
        operation["operationId"]
    );
}
