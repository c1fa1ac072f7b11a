//! The file of a person's data as text to read.

use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use serde_json::{Map, Value};

use crate::responses::localize::{say, words};

/// The lists of events. Each event is a line of its own.
const EVENTS: [&str; 2] = ["events", "other_events"];
/// The field whose items are whole sentences.
const SENTENCES: &str = "left_out";

/// Writes the whole file as text: each part with a heading, each value with its name, in a language.
pub(super) fn write(language: Language, file: &Value) -> String {
    let mut text = format!("{}\n", say(language, "data-title", &[]));
    let own = file.pointer("/account/account_id").and_then(Value::as_str).unwrap_or_default();
    for (name, value) in file.as_object().into_iter().flatten() {
        match value {
            Value::Object(fields) => {
                text.push_str(&heading(language, name));
                write_fields(&mut text, language, fields, 0);
            }
            Value::Array(items) => {
                text.push_str(&heading(language, name));
                if items.is_empty() {
                    add(&mut text, &say(language, "data-none", &[]));
                }
                for item in items {
                    match item {
                        Value::Object(event) if EVENTS.contains(&name.as_str()) => {
                            text.push_str(&event_lines(language, event, own));
                        }
                        Value::Object(fields) => {
                            write_fields(&mut text, language, fields, 0);
                            text.push('\n');
                        }
                        other if name == SENTENCES => add(&mut text, &format!("- {}", plain(other))),
                        other => add(&mut text, &plain(other)),
                    }
                }
            }
            value => write_field(&mut text, language, (name, value), 0),
        }
    }
    text
}

/// Adds a line.
fn add(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn heading(language: Language, name: &str) -> String {
    let heading = say(language, &label_name(name), &[]);
    format!("\n{heading}\n{}\n", "-".repeat(heading.chars().count()))
}

fn write_fields(text: &mut String, language: Language, fields: &Map<String, Value>, depth: usize) {
    for (name, value) in fields {
        write_field(text, language, (name, value), depth);
    }
}

/// A field on a line, or with the fields in it below. A field without a value is left out.
fn write_field(text: &mut String, language: Language, (name, value): (&str, &Value), depth: usize) {
    let begin = |text: &mut String| {
        let named = say(language, "data-list", &[("label", &label(language, name))]);
        add(text, &(indent(depth) + &named));
    };
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => {
            begin(text);
            for fields in items.iter().filter_map(Value::as_object) {
                write_fields(text, language, fields, depth + 1);
                text.push('\n');
            }
        }
        Value::Object(fields) => {
            begin(text);
            write_fields(text, language, fields, depth + 1);
        }
        Value::Null if name != EVERYWHERE => {}
        value => text.push_str(&line(language, name, value, depth)),
    }
}

fn line(language: Language, name: &str, value: &Value, depth: usize) -> String {
    let value = match value {
        Value::Bool(true) => say(language, "data-yes", &[]),
        Value::Bool(false) => say(language, "data-no", &[]),
        Value::Null => say(language, "data-everywhere", &[]),
        Value::String(word) if WORDS.contains(&name) => meaning(language, word),
        other => plain(other),
    };
    let label = label(language, name);
    let line = say(language, "data-line", &[("label", &label), ("value", &value)]);
    format!("{}{line}\n", indent(depth))
}

/// The field that means everywhere if it has no value.
const EVERYWHERE: &str = "site_ids";

/// The fields whose values are words of the API.
const WORDS: [&str; 6] = ["role", "status", "language", "outcome", "channel", "to"];

/// What a word of the API means. A word without a meaning of its own is shown as it is.
fn meaning(language: Language, word: &str) -> String {
    let name = format!("data-value-{}", word.to_lowercase().replace('_', "-"));
    let known = words().is_some_and(|words| words.has(language, &name));
    if known { say(language, &name, &[]) } else { visible(word).into_owned() }
}

/// The label of a field. A field of an event that has no label keeps its own name, by which `docs/events.md` explains it.
fn label(language: Language, field: &str) -> String {
    let name = label_name(field);
    let known = words().is_some_and(|words| words.has(language, &name));
    if known { say(language, &name, &[]) } else { field.to_owned() }
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
            why: text("/personal/reason").map(|reason| visible(reason).into_owned()),
        }
    }

    /// What an event of a type means.
    pub(crate) fn what(language: Language, kind: &str) -> String {
        say(language, &event_name(kind), &[])
    }
}

/// An event in sentences, from the form that the API gives it: when, what and by whom, and below it what it says.
#[must_use]
pub fn event_in_words(language: Language, event: &Value) -> String {
    event.as_object().map(|event| event_lines(language, event, "")).unwrap_or_default()
}

/// An event: when, what and by whom, and below it what it says.
fn event_lines(language: Language, event: &Map<String, Value>, own: &str) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let when = text("at").get(..19).unwrap_or_default().replace('T', " ");
    let what = say(language, &event_name(text("type")), &[]);
    let actor = event.get("actor").and_then(Value::as_object);
    let of_actor = |name: &str| actor.and_then(|actor| actor.get(name)).and_then(Value::as_str);
    let who = of_actor("name").or_else(|| of_actor("account_id")).unwrap_or_default();
    let kind = if !own.is_empty() && who == own { "you" } else { of_actor("kind").unwrap_or_default() };
    let by = say(language, &format!("data-actor-{kind}"), &[("who", who)]);
    let line = say(language, "data-event", &[("when", &when), ("what", &what), ("by", &by)]);
    let mut lines = format!("{line}\n");
    for part in ["personal", "data"] {
        for (name, value) in event.get(part).and_then(Value::as_object).into_iter().flatten() {
            write_field(&mut lines, language, (name, value), 1);
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
    use loquet_domain::schema;

    use super::*;

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
