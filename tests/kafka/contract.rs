//! The printed contract, judged by tools of others: the AsyncAPI parser of the AsyncAPI initiative, and the Python
//! package `jsonschema`.

use std::path::Path;
use std::process::Command;

use loquet_tests::server::Server;
use loquet_tests::skip;

use crate::world::of_the_log;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_description_of_the_topics_has_no_fault_that_the_asyncapi_parser_finds() {
    let name = "the_description_of_the_topics_has_no_fault_that_the_asyncapi_parser_finds";
    let Some(parser) = skip::unless_tool(name, "node_modules/@asyncapi/parser") else { return };
    let judge = r"
        const { Parser } = require(process.argv[1]);
        const text = require('fs').readFileSync(process.argv[2], 'utf8');
        new Parser().parse(text).then(({ document, diagnostics }) => {
            const found = diagnostics.map(d => `${d.severity} ${d.path.join('.')}: ${d.message}`)
                // Which version of the standard is newest is no fault.
                .filter(line => !line.includes('latest version'));
            console.log(JSON.stringify({ found, messages: document ? document.allMessages().length : 0 }));
        });
    ";
    let file = root().join("docs/asyncapi.json");
    let judged = Command::new("node").args(["-e", judge]).arg(parser).arg(file).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&judged.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&judged.stderr)));
    assert_eq!(said["found"], serde_json::json!([]));
    assert_eq!(said["messages"], loquet_public_events::types().count());
}

/// Each schema is a schema, and each event of a real history is as its schema says.
#[tokio::test]
async fn the_schemas_describe_the_events_of_a_real_history() {
    let name = "the_schemas_describe_the_events_of_a_real_history";
    let Some(python) = skip::unless_tool(name, "venv/bin/python3") else { return };
    let server = Server::start().await;
    server.active(1, "marie@boulangerie.example", "Bonjour2026!").await;
    server.login("marie@boulangerie.example", "wrong").await;
    server.login("marie@boulangerie.example", "Bonjour2026!").await;
    let events = of_the_log(&server).await;
    assert!(events.len() > 8);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    std::fs::write(&file, serde_json::to_vec(&events).unwrap()).unwrap();
    let judge = r"
import json, pathlib, sys
from jsonschema import Draft202012Validator
schemas = {f.stem: json.loads(f.read_text()) for f in pathlib.Path(sys.argv[1]).glob('*.json')}
for schema in schemas.values():
    Draft202012Validator.check_schema(schema)
events = json.loads(pathlib.Path(sys.argv[2]).read_text())
for event in events:
    Draft202012Validator(schemas[event['type']], format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event['data'])
print(len(schemas), len(events))
";
    let judged = Command::new(python)
        .args(["-c", judge])
        .arg(root().join("docs/schemas"))
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    assert_eq!(said.trim(), format!("{} {}", loquet_public_events::types().count(), events.len()));
}
