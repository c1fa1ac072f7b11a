//! The contract against every event that was ever stored, and against its first publication.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use loquet_domain::fact::{Actor, Context, Fact};
use loquet_domain::ids::{CorrelationId, EventId};
use loquet_domain::ports::{NewEvent, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::schema::{self, Private};
use loquet_domain::values::erasable::Erasable;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asyncapi;
use crate::catalog::{type_of, types};
use crate::cloud_event::{CloudEvent, data_of_structured};
use crate::contract::Contract;
use crate::personal_fields::PersonalFields;
use crate::topic::Topic;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json_files(folder: &str) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(here(folder)).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), value)
    };
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "json")).map(read).collect()
}

/// Every version of every event that was ever stored, as it is read today.
fn stored() -> Vec<(RecordedEvent, Fact<schema::DomainEvent>)> {
    let golden = json_files("../../domain/schema/golden");
    assert!(golden.len() > 60, "the golden files are gone");
    golden.into_iter().map(|(stem, value)| recorded(&stem, &value, false)).collect()
}

fn recorded(stem: &str, value: &Value, erased: bool) -> (RecordedEvent, Fact<schema::DomainEvent>) {
    let (name, version) = stem.rsplit_once(".v").unwrap();
    let version = version.parse().unwrap();
    let private: Private = serde_json::from_value(value["private"].clone()).unwrap();
    let private = if erased { Erasable::Erased } else { Erasable::Known(private) };
    let event = schema::read(name, version, &value["data"], private).unwrap();
    let id = EventId(Uuid::from_u128(7));
    let context = Context {
        at: "2026-11-23T09:30:00.123456Z".parse().unwrap(),
        actor: Actor::Operator,
        correlation: CorrelationId(Uuid::from_u128(8)),
        causation: None,
        client: None,
        reason: None,
    };
    let new =
        NewEvent { id, name: name.to_owned(), version, data: Vec::new(), metadata: Vec::new(), sealed: None };
    // The category does not matter: the event says to which aggregate it belongs.
    let stream = StreamId::new("any", &Uuid::from_u128(9).to_string());
    let recorded = RecordedEvent { position: Position(42), stream, revision: Revision(3), event: new };
    (recorded, Fact { id, context, event })
}

fn everything() -> Contract {
    let all =
        |topic| PersonalFields::parse(topic, &Vec::from_iter(PersonalFields::of(topic)).join(", ")).unwrap();
    let (of_accounts, of_companies) = (all(Topic::Accounts), all(Topic::Companies));
    Contract { source: "/loquet".to_owned(), of_accounts, of_companies }
}

fn nothing_personal() -> Contract {
    Contract::without_personal_data("/loquet".to_owned())
}

fn publish(
    contract: &Contract,
    recorded: &RecordedEvent,
    fact: &Fact<schema::DomainEvent>,
) -> Option<CloudEvent> {
    let known = type_of(&recorded.event.name)?;
    contract.wrap(known, recorded, fact).unwrap()
}

fn data(event: &CloudEvent) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

#[test]
fn an_event_is_published_if_and_only_if_the_contract_lists_it_and_under_that_type() {
    let mut seen = BTreeSet::new();
    for (recorded, fact) in stored() {
        let name = &recorded.event.name;
        let public = publish(&everything(), &recorded, &fact);
        assert_eq!(public.as_ref().map(|event| event.name), type_of(name).map(|known| known.name), "{name}");
        seen.extend(public.map(|event| event.name));
    }
    assert_eq!(seen, types().map(|known| known.name).collect(), "types that no stored event leads to");
    let stored_names: Vec<_> = types().flat_map(|known| known.stored).collect();
    let known = schema::names();
    assert!(stored_names.iter().all(|name| known.contains(*name)));
    assert_eq!(stored_names.iter().collect::<BTreeSet<_>>().len(), stored_names.len(), "published twice");
}

#[test]
fn an_event_has_the_fields_of_its_schema_and_no_others() {
    for (recorded, fact) in stored() {
        let Some(public) = publish(&everything(), &recorded, &fact) else { continue };
        let schema = Value::from(type_of(&recorded.event.name).unwrap().schema());
        fits(&data(&public), &schema, public.name);
    }
}

/// Panics unless every field of a value is described, and every required field is there. Looks into lists and objects.
#[track_caller]
fn fits(value: &Value, schema: &Value, place: &str) {
    if let (Some(fields), Some(described)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            let field = described.get(name).unwrap_or_else(|| panic!("{place}.{name} is not described"));
            assert!(!value.is_null(), "{place}.{name} is null");
            fits(value, field, &format!("{place}.{name}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"], place);
    }
}

/// The examples of the stored events name Marie Dupont, her bakery and where it stands.
const PERSONAL: [&str; 8] =
    ["marie", "Marie", "Dupont", "Fournil", "Rue Neuve", "Bruxelles", "0123456749", "Comptables"];

#[test]
fn nothing_that_names_a_person_or_a_company_is_published_unless_the_operator_asks_for_it() {
    for (recorded, fact) in stored() {
        let Some(public) = publish(&nothing_personal(), &recorded, &fact) else { continue };
        let text = String::from_utf8(public.structured().unwrap()).unwrap();
        for personal in PERSONAL {
            assert!(!text.contains(personal), "{} publishes {personal}: {text}", public.name);
        }
        for field in type_of(&recorded.event.name).unwrap().personal {
            assert!(data(&public).get(field).is_none(), "{}: {field}", public.name);
        }
    }
}

#[test]
fn a_field_that_the_operator_names_is_published_and_no_other_personal_one() {
    let mut contract = nothing_personal();
    contract.of_accounts = PersonalFields::parse(Topic::Accounts, " email ").unwrap();
    let golden = json_files("../../domain/schema/golden");
    let (event, fact) = recorded("account-created.v2", &golden["account-created.v2"], false);
    let published = data(&publish(&contract, &event, &fact).unwrap());
    assert_eq!(published["email"], "marie@boulangerie.example");
    assert!(published.get("given_name").is_none() && published.get("family_name").is_none(), "{published}");
    let unknown = PersonalFields::parse(Topic::Accounts, "email, password_hash").unwrap_err().to_string();
    assert_eq!(
        unknown,
        "'password_hash' is no personal field of accounts. The personal fields are email, family_name, given_name"
    );
}

#[test]
fn the_erased_are_in_no_event_whatever_the_operator_publishes() {
    // Version 1 of these events stored in the open what is sealed today.
    let open_once = |stem: &str| {
        ["company-", "site-", "sites-received"].iter().any(|name| stem.starts_with(name))
            && stem.rsplit('.').next() == Some("v1")
    };
    for (stem, value) in json_files("../../domain/schema/golden") {
        let (recorded, fact) = recorded(&stem, &value, true);
        let Some(public) = publish(&everything(), &recorded, &fact) else { continue };
        let text = String::from_utf8(public.data.clone()).unwrap();
        assert!(!text.contains("marie@") && !text.contains("\"Marie\""), "{text}");
        for of_company in ["Fournil", "Rue Neuve", "0123456749", "0987654394"] {
            assert!(open_once(&stem) || !text.contains(of_company), "{stem}: {text}");
        }
        let erasures = ["loquet.account.erased.v1", "loquet.company.erased.v1"];
        assert_eq!(public.forgets, erasures.contains(&public.name));
    }
}

#[test]
fn the_envelope_is_a_cloud_event_in_both_modes() {
    let golden = json_files("../../domain/schema/golden");
    let (event, fact) = recorded("account-activated.v1", &golden["account-activated.v1"], false);
    let public = publish(&nothing_personal(), &event, &fact).unwrap();
    let subject = Uuid::from_u128(9).to_string();
    let headers: BTreeMap<_, _> = public.headers().into_iter().collect();
    let expected = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", "00000000-0000-0000-0000-000000000007"),
        ("ce_source", "/loquet"),
        ("ce_type", "loquet.account.activated.v1"),
        ("ce_subject", subject.as_str()),
        ("ce_time", "2026-11-23T09:30:00.123456Z"),
        ("ce_sequence", "00000000000000000042"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())).into());
    let structured = public.structured().unwrap();
    let whole: Value = serde_json::from_slice(&structured).unwrap();
    assert_eq!(
        whole,
        json!({
            "specversion": "1.0", "id": "00000000-0000-0000-0000-000000000007", "source": "/loquet",
            "type": "loquet.account.activated.v1", "subject": subject, "time": "2026-11-23T09:30:00.123456Z",
            "sequence": "00000000000000000042", "datacontenttype": "application/json",
            "data": { "account_id": subject },
        })
    );
    assert_eq!(data_of_structured(&structured).unwrap(), public.data);
    for (other, why) in
        [(&b"[]"[..], "invalid"), (br#"{"specversion":"0.3","data":{}}"#, "0.3"), (b"{", "EOF")]
    {
        assert!(data_of_structured(other).unwrap_err().contains(why));
    }
}

/// What of a new schema breaks a consumer that was written for the old one. `place` says where in the data.
fn breaks(old: &Value, new: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["type", "format", "const"] {
        if old.get(keyword) != new.get(keyword) {
            found.push(format!("{place}: {keyword} was {} and is {}", old[keyword], new[keyword]));
        }
    }
    let values = |schema: &Value| -> BTreeSet<String> {
        let choices = schema["oneOf"].as_array().into_iter().flatten();
        choices.map(|choice| choice["const"].to_string()).collect()
    };
    let (before, now) = (values(old), values(new));
    found.extend(now.difference(&before).map(|value| format!("{place}: it may now be {value}")));
    let required = |schema: &Value| -> BTreeSet<String> {
        let names = schema["required"].as_array().into_iter().flatten();
        names.map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
    };
    for name in required(old).difference(&required(new)) {
        found.push(format!("{place}.{name} may now be absent"));
    }
    for (name, field) in old["properties"].as_object().into_iter().flatten() {
        match new["properties"].get(name) {
            Some(now) => found.extend(breaks(field, now, &format!("{place}.{name}"))),
            None => found.push(format!("{place}.{name} is gone")),
        }
    }
    if let Some(items) = old.get("items") {
        found.extend(breaks(items, &new["items"], &format!("{place}[]")));
    }
    found
}

type Change = fn(&mut Value);

#[test]
fn what_breaks_a_consumer_is_found() {
    let old = json!({
        "type": "object", "required": ["id", "role"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "role": { "oneOf": [{ "const": "user" }, { "const": "owner" }] },
            "sites": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "string" } } } },
        },
    });
    let changed = |change: Change| {
        let mut new = old.clone();
        change(&mut new);
        breaks(&old, &new, "e")
    };
    // A consumer that ignores what it does not know notices none of these.
    let harmless: [Change; 3] = [
        |new| new["properties"]["more"] = json!({ "type": "string" }),
        |new| new["required"].as_array_mut().unwrap().push(json!("sites")),
        |new| new["properties"]["id"]["description"] = json!("clearer"),
    ];
    assert!(harmless.into_iter().all(|change| changed(change).is_empty()));
    let harmful: [(Change, &str); 7] = [
        (|new| drop(new["properties"].as_object_mut().unwrap().remove("id")), "e.id is gone"),
        (|new| new["properties"]["id"]["type"] = json!("integer"), "e.id: type was"),
        (|new| new["properties"]["id"]["format"] = json!("date"), "e.id: format was"),
        (|new| new["required"] = json!(["id"]), "e.role may now be absent"),
        (
            |new| {
                new["properties"]["role"]["oneOf"].as_array_mut().unwrap().push(json!({ "const": "guest" }));
            },
            "e.role: it may now be \"guest\"",
        ),
        (|new| new["properties"]["sites"]["items"]["properties"] = json!({}), "e.sites[].a is gone"),
        (|new| new["properties"]["sites"] = json!({ "type": "string" }), "e.sites: type was"),
    ];
    for (change, said) in harmful {
        assert!(changed(change).iter().any(|found| found.contains(said)), "{said}: {:?}", changed(change));
    }
}

/// `published/` holds each schema as it was first published. A file is added, and never changed: consumers rely on it.
#[test]
#[expect(clippy::disallowed_methods, reason = "whoever adds a type asks for its file so")]
fn no_type_breaks_the_consumers_of_its_first_publication() {
    if std::env::var_os("LOQUET_FREEZE_NEW_EVENTS").is_some() {
        for known in types() {
            let file = here("published").join(format!("{}.json", known.name));
            if !file.exists() {
                std::fs::write(file, serde_json::to_string_pretty(&known.schema()).unwrap() + "\n").unwrap();
            }
        }
    }
    let published = json_files("published");
    for (name, old) in &published {
        let known = types().find(|known| known.name == name);
        let known = known.unwrap_or_else(|| panic!("{name} was published once and is gone"));
        let found = breaks(old, &known.schema().into(), name);
        assert_eq!(found, Vec::<String>::new(), "give the type the next version instead");
    }
    let missing: Vec<_> =
        types().map(|known| known.name).filter(|name| !published.contains_key(*name)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "set LOQUET_FREEZE_NEW_EVENTS=1 to add their files");
}

#[test]
fn the_printed_contract_in_docs_is_up_to_date() {
    let printed = json_files("../../docs/schemas");
    let made: BTreeMap<String, Value> =
        types().map(|known| (known.name.to_owned(), known.schema().into())).collect();
    assert_eq!(printed, made, "run: loquet schema --to docs/schemas");
    let described: Value =
        serde_json::from_slice(&std::fs::read(here("../../docs/asyncapi.json")).unwrap()).unwrap();
    assert_eq!(
        described,
        asyncapi::document(env!("CARGO_PKG_VERSION")),
        "run: loquet asyncapi > docs/asyncapi.json"
    );
}

#[test]
fn the_guide_lists_every_type_with_what_it_means() {
    let guide = std::fs::read_to_string(here("../../docs/consumers.md")).unwrap();
    for known in types() {
        let schema = Value::from(known.schema());
        let (short, name) = (known.name.trim_start_matches("loquet.").trim_end_matches(".v1"), known.name);
        let means = schema["description"].as_str().unwrap().replace('\n', " ");
        let row = format!("| [`{short}`](schemas/{name}.json) | {means} |");
        assert!(guide.contains(&row), "docs/consumers.md lacks: {row}");
    }
}

#[test]
fn every_type_says_what_it_means_and_so_does_every_field() {
    for known in types() {
        let schema = Value::from(known.schema());
        assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", known.name);
        for (name, field) in schema["properties"].as_object().unwrap() {
            assert!(
                field["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{}.{name}",
                known.name
            );
            let personal = field.get("x-personal-data").is_some();
            assert_eq!(personal, known.personal.contains(&name.as_str()), "{}.{name}", known.name);
        }
    }
}
