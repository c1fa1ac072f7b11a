//! Reads the TOML file. Keeps the line of every value and of every fault.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Fault, SETTINGS, Setting, Source, unknown};

/// A value in the file: its setting, its text and its line.
pub(super) type Value = (&'static Setting, String, usize);

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    values: Vec<Value>,
    faults: Vec<Fault>,
}

/// Returns every value that belongs to a setting, and every fault in the rest of the file.
pub(super) fn read(path: &Path) -> (Vec<Value>, Vec<Fault>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let at = Source::File(path.to_owned(), 0);
            return (
                Vec::new(),
                vec![Fault { at, key: String::new(), why: format!("can't be read: {error}") }],
            );
        }
    };
    let mut reader = Reader { path, text: &text, values: Vec::new(), faults: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.fault(at, String::new(), error.message().to_owned());
    }
    reader.table("", table.get_ref());
    (reader.values, reader.faults)
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text.get(..at).map_or(0, |before| before.matches('\n').count()) + 1
    }

    fn fault(&mut self, at: usize, key: String, why: String) {
        let at = Source::File(self.path.to_owned(), self.line(at));
        self.faults.push(Fault { at, key, why });
    }

    fn table(&mut self, under: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if under.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{under}.{}", name.get_ref())
            };
            let at = name.span().start;
            let section = format!("{key}.");
            let setting = SETTINGS.iter().find(|setting| setting.key == key);
            match (setting, value.get_ref()) {
                (Some(setting), _) => self.value(setting, at, value),
                (None, DeValue::Table(deeper)) if SETTINGS.iter().any(|s| s.key.starts_with(&section)) => {
                    self.table(&key, deeper);
                }
                (None, DeValue::Table(_)) => {
                    let sections =
                        SETTINGS.iter().filter_map(|s| s.key.split_once('.')).map(|(s, _)| s.to_owned());
                    self.fault(at, String::new(), unknown("section", &key, sections));
                }
                (None, _) => {
                    let keys = SETTINGS.iter().map(|setting| setting.key.to_owned());
                    self.fault(at, String::new(), unknown("setting", &key, keys));
                }
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, at: usize, value: &Spanned<DeValue<'_>>) {
        let text = match value.get_ref() {
            DeValue::String(text) if !setting.kind.is_bare() => Some(text.to_string()),
            DeValue::Integer(number) if setting.kind.is_bare() => Some(number.to_string()),
            DeValue::Float(number) if setting.kind.is_bare() => Some(number.to_string()),
            DeValue::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
                texts.map(|texts| texts.join(", "))
            }
            _ => None,
        };
        match text {
            Some(text) => self.values.push((setting, text, self.line(at))),
            None => {
                let wanted =
                    if setting.kind.is_bare() { "a number without quotes" } else { "text in quotes" };
                self.fault(
                    at,
                    setting.key.to_owned(),
                    format!("it must be {wanted} ({})", setting.kind.range()),
                );
            }
        }
    }
}
