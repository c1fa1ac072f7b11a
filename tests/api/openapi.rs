//! The description of the API held against the API: linted by Redocly, fuzzed by Schemathesis.

use std::process::Command;

use loquet_tests::server::{Server, order};
use loquet_tests::skip;

#[tokio::test]
async fn the_description_has_no_fault_that_a_linter_finds() {
    let name = "the_description_has_no_fault_that_a_linter_finds";
    let Some(redocly) = skip::unless_tool(name, "node_modules/.bin/redocly") else { return };
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    let served = server.client.get(format!("{}/openapi.json", server.url)).send().await.unwrap();
    std::fs::write(&file, served.text().await.unwrap()).unwrap();
    let lint = Command::new(redocly).args(["lint", "--format", "json"]).arg(&file).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&lint.stdout).unwrap();
    assert_eq!(report["problems"], serde_json::json!([]), "{report:#}");
    // And it is what the program prints without a server.
    let printed = server.command().arg("openapi").output().unwrap().stdout;
    let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    let served: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(printed, served);
    // The viewer needs nothing from elsewhere.
    let viewer =
        server.client.get(format!("{}/docs/", server.url)).send().await.unwrap().text().await.unwrap();
    assert!(viewer.contains("swagger-ui") && !viewer.contains("https://"), "{viewer}");
}

/// A request that is as described is accepted, unless a token, the state, a condition of the caller's or a rule of the domain
/// (422) is against it. A wrong shape (400) is none of these. A cursor, and the token of a link, are what the server gave.
const ACCEPTED: &str = "
parameters = { 'query.cursor' = 'ADA' }
[checks.positive_data_acceptance]
expected-statuses = ['2xx', '401', '403', '404', '409', '410', '412', '422', '429']
[[operations]]
include-name = 'GET /v1/events'
parameters = { 'query.cursor' = '0' }
[[operations]]
include-name = ['POST /v1/activations', 'POST /v1/password-resets/confirm']
[operations.checks.positive_data_acceptance]
expected-statuses = ['2xx', '400', '410', '422', '429']
";

/// Whatever is sent, the answer is one that the description names, of the shape that it names, and never a
/// fault of ours. What is as described is accepted, and what is not is refused.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_the_answer_is_as_described() {
    let name = "whatever_is_sent_the_answer_is_as_described";
    let Some(schemathesis) = skip::unless_tool(name, "venv/bin/schemathesis") else { return };
    let server = Server::start().await;
    for n in 1..4 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), ACCEPTED).unwrap();
    let mut fuzz = Command::new(schemathesis);
    fuzz.current_dir(folder.path()).arg("run").arg(format!("{}/openapi.json", server.url));
    fuzz.args(["--checks", "all"]);
    fuzz.args(["--max-examples", "2", "--seed", "1", "--suppress-health-check", "all"]);
    fuzz.args(["--request-timeout", "30", "--exclude-path", "/v1/sessions/current"]);
    fuzz.arg("--header").arg(format!("Authorization: Bearer {}", server.token()));
    let ended = tokio::task::spawn_blocking(move || fuzz.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("Tested: "), "it tested nothing: {said}");
    assert!(!server.errors().contains("panicked"), "{}", server.errors());
}
