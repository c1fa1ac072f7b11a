//! The file of a person's data as text to read.

use chrono::{DateTime, Utc};
use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use loquet_projections::local_time::{Precision, TimeZone, tell};
use serde_json::{Map, Value};

use crate::responses::localize::{say, words};

/// The lists of events. Each event is a line of its own.
const EVENTS: [&str; 2] = ["events", "other_events"];
/// The field whose items are whole sentences.
const SENTENCES: &str = "left_out";

/// Who reads.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    pub(super) language: Language,
    /// The time zone in which moments are told. `None`: in UTC, as the log has them.
    pub(super) time_zone: Option<TimeZone>,
}

impl Reader {
    /// A moment as this reader reads it. `None` if the text is none.
    fn moment(self, text: &str) -> Option<String> {
        let moment = text.parse::<DateTime<Utc>>().ok()?;
        // These words have no "on" before the day.
        let told = |zone| {
            crate::words::catalogue().map(|words| tell(words, self.language, zone, moment, Precision::Minute))
        };
        self.time_zone.and_then(told)
    }
}

/// The parts of the file in the order in which they are read.
const PARTS: [&str; 11] = [
    "made_at",
    "account",
    "company",
    "login",
    "groups",
    "orders",
    "mails",
    "events",
    "other_events",
    "left_out",
    "format",
];

/// Writes the whole file as text: each part with a heading, each value with its name, in a language.
pub(super) fn write(to: Reader, file: &Value) -> String {
    let mut text = format!("{}\n", say(to.language, "data-title", &[]));
    let own = file.pointer("/account/account_id").and_then(Value::as_str).unwrap_or_default();
    let parts = PARTS.iter().filter_map(|name| Some((*name, file.get(*name)?)));
    for (name, value) in parts {
        match value {
            Value::Object(fields) => {
                text.push_str(&heading(to, name));
                write_fields(&mut text, to, fields, 0);
            }
            Value::Array(items) => {
                text.push_str(&heading(to, name));
                if items.is_empty() {
                    add(&mut text, &say(to.language, "data-none", &[]));
                }
                for item in items {
                    match item {
                        Value::Object(event) if EVENTS.contains(&name) => {
                            text.push_str(&event_lines(to, event, own));
                        }
                        Value::Object(fields) => {
                            write_fields(&mut text, to, fields, 0);
                            text.push('\n');
                        }
                        other if name == SENTENCES => add(&mut text, &format!("- {}", plain(other))),
                        other => add(&mut text, &plain(other)),
                    }
                }
            }
            value => write_field(&mut text, to, (name, value), 0),
        }
    }
    text
}

/// Adds a line.
fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn heading(to: Reader, name: &str) -> String {
    let heading = say(to.language, &label_name(name), &[]);
    format!("\n{heading}\n{}\n", "-".repeat(heading.chars().count()))
}

fn write_fields(text: &mut String, to: Reader, fields: &Map<String, Value>, depth: usize) {
    for (name, value) in fields {
        write_field(text, to, (name, value), depth);
    }
}

/// A field on a line, or with the fields in it below. A field without a value is left out.
fn write_field(text: &mut String, to: Reader, (name, value): (&str, &Value), depth: usize) {
    let begin = |text: &mut String| {
        let named = say(to.language, "data-list", &[("label", &label(to, name))]);
        add(text, &(indent(depth) + &named));
    };
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            begin(text);
            for fields in items.iter().filter_map(Value::as_object) {
                write_fields(text, to, fields, depth + 1);
                text.push('\n');
            }
        }
        Value::Object(fields) => {
            begin(text);
            write_fields(text, to, fields, depth + 1);
        }
        Value::Null if name != EVERYWHERE => {}
        value => text.push_str(&line(to, name, value, depth)),
    }
}

fn line(to: Reader, name: &str, value: &Value, depth: usize) -> String {
    let value = match value {
        Value::Bool(true) => say(to.language, "data-yes", &[]),
        Value::Bool(false) => say(to.language, "data-no", &[]),
        Value::Null => say(to.language, "data-everywhere", &[]),
        Value::String(word) if WORDS.contains(&name) => meaning(to, word),
        Value::String(text) => to.moment(text).unwrap_or_else(|| visible(text).into_owned()),
        other => plain(other),
    };
    let label = label(to, name);
    let line = say(to.language, "data-line", &[("label", &label), ("value", &value)]);
    format!("{}{line}\n", indent(depth))
}

/// The field that means everywhere if it has no value.
const EVERYWHERE: &str = "site_ids";

/// The fields whose values are words of the API.
const WORDS: [&str; 13] = [
    "role",
    "status",
    "language",
    "contact_language",
    "outcome",
    "channel",
    "to",
    "cleared",
    "locked",
    "by",
    "cause",
    "reason",
    "kind",
];

/// What a word of the API means. A word without a meaning of its own is shown as it is.
fn meaning(to: Reader, word: &str) -> String {
    let name = format!("data-value-{}", word.to_lowercase().replace('_', "-"));
    let known = words().is_some_and(|words| words.has(to.language, &name));
    if known { say(to.language, &name, &[]) } else { visible(word).into_owned() }
}

/// The label of a field. Every field that an event has today has one.
fn label(to: Reader, field: &str) -> String {
    let name = label_name(field);
    let known = words().is_some_and(|words| words.has(to.language, &name));
    if known { say(to.language, &name, &[]) } else { field.to_owned() }
}

/// An event in words, in the parts of which a timeline is made.
pub(crate) struct Sentence {
    pub(crate) what: String,
    pub(crate) by: String,
    /// The reason that the actor gave.
    pub(crate) why: Option<String>,
}

impl Sentence {
    /// An event in the form that the API gives it.
    pub(crate) fn of(language: Language, event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let who = text("/actor/name").or_else(|| text("/actor/account_id")).unwrap_or_default();
        let kind = text("/actor/kind").unwrap_or_default();
        Self {
            what: Self::what(language, text("/type").unwrap_or_default()),
            by: say(language, &format!("data-actor-{kind}"), &[("who", who)]),
            // An extract of the history has no subject whose key could encrypt its reason.
            why: text("/personal/reason")
                .or_else(|| text("/data/export/reason"))
                .map(|reason| visible(reason).into_owned()),
        }
    }

    /// What a word of the API means, such as the kind of a mail.
    pub(crate) fn word(language: Language, word: &str) -> String {
        meaning(Reader { language, time_zone: None }, word)
    }

    /// What an event of a type means.
    pub(crate) fn what(language: Language, kind: &str) -> String {
        say(language, &event_name(kind), &[])
    }
}

/// An event in sentences, from the form that the API gives it: when, what and by whom, and below it what it says.
#[must_use]
pub fn event_in_words(language: Language, event: &Value) -> String {
    let to = Reader { language, time_zone: None };
    event.as_object().map(|event| event_lines(to, event, "")).unwrap_or_default()
}

/// An event: when, what and by whom, and below it what it says.
fn event_lines(to: Reader, event: &Map<String, Value>, own: &str) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let in_utc = || format!("{} UTC", text("at").get(..19).unwrap_or_default().replace('T', " "));
    let when = to.moment(text("at")).unwrap_or_else(in_utc);
    let what = say(to.language, &event_name(text("type")), &[]);
    let actor = event.get("actor").and_then(Value::as_object);
    let of_actor = |name: &str| actor.and_then(|actor| actor.get(name)).and_then(Value::as_str);
    let who = of_actor("name").or_else(|| of_actor("account_id")).unwrap_or_default();
    let kind = if !own.is_empty() && who == own { "you" } else { of_actor("kind").unwrap_or_default() };
    let by = say(to.language, &format!("data-actor-{kind}"), &[("who", who)]);
    let line = say(to.language, "data-event", &[("when", &when), ("what", &what), ("by", &by)]);
    let mut lines = format!("{line}\n");
    for part in ["personal", "data"] {
        for (name, value) in event.get(part).and_then(Value::as_object).into_iter().flatten() {
            write_field(&mut lines, to, (name, value), 1);
        }
    }
    lines
}

/// A value on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text).into_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn indent(depth: usize) -> String {
    "    ".repeat(depth)
}

/// The name in the texts of a field's label.
pub(super) fn label_name(field: &str) -> String {
    format!("data-{}", field.replace('_', "-"))
}

/// The name in the texts of what an event means.
pub(super) fn event_name(stored: &str) -> String {
    format!("data-event-{stored}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use loquet_domain::schema;

    use super::*;

    /// Names that are no fields: the keys of maps are ids.
    fn is_id(name: &str) -> bool {
        name.len() == 36
    }

    fn fields(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object.iter().filter(|(name, _)| !is_id(name)) {
                    found.insert(name.clone());
                    fields(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_field_of_every_event_has_a_label_in_every_language() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../domain/schema/golden");
        let (mut found, words) = (BTreeSet::new(), words().unwrap());
        // What operators do concerns no customer.
        let of_operators = ["backup-", "history-", "policies-", "server-key-", "token-"];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if of_operators.iter().any(|begin| name.starts_with(begin)) {
                continue;
            }
            let event: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for part in ["data", "private"] {
                event.get(part).iter().for_each(|part| fields(part, &mut found));
            }
        }
        assert!(found.len() > 50, "{found:?}");
        for language in Language::ALL {
            let lacking: Vec<_> =
                found.iter().filter(|name| !words.has(language, &label_name(name))).collect();
            assert!(lacking.is_empty(), "{language:?} lacks {lacking:?}");
        }
    }

    #[test]
    fn every_event_has_words_in_every_language() {
        let words = words().unwrap();
        for language in Language::ALL {
            for stored in schema::names() {
                assert!(words.has(language, &event_name(stored)), "{language:?} lacks {stored}");
            }
        }
    }
}
