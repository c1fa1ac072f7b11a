//! Forms: fields with their labels, hints and faults.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::Look;

/// What is wrong, in the reader's language.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) title: String,
    pub(crate) detail: String,
    /// Each broken rule: the field, as a JSON pointer, and what is wrong with it.
    pub(crate) errors: Vec<(String, String)>,
}

/// What was filled in, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    values: BTreeMap<String, String>,
    told: Option<Told>,
}

/// The description of a field.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The name in the form.
    pub(crate) name: &'a str,
    /// Where the API says what is wrong with it: a JSON pointer.
    pub(crate) pointer: &'a str,
    /// The label.
    pub(crate) label: &'a str,
    /// The type of the input.
    pub(crate) kind: &'a str,
    /// What a browser may fill in.
    pub(crate) autocomplete: &'a str,
    /// What explains it. Empty: nothing does.
    pub(crate) hint: &'a str,
    pub(crate) required: bool,
}

impl<'a> Field<'a> {
    /// A line of text.
    pub(crate) fn text(name: &'a str, pointer: &'a str, label: &'a str) -> Self {
        Self { name, pointer, label, kind: "text", autocomplete: "off", hint: "", required: true }
    }

    /// A password.
    pub(crate) fn password(name: &'a str, pointer: &'a str, label: &'a str) -> Self {
        Self { kind: "password", autocomplete: "current-password", ..Self::text(name, pointer, label) }
    }
}

impl Form {
    /// A form with these values.
    pub(crate) fn of<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { values, told: None }
    }

    /// The form again, with what was filled in and what is wrong.
    pub(crate) fn again(values: BTreeMap<String, String>, told: Told) -> Self {
        Self { values, told: Some(told) }
    }

    /// The same form, with what is wrong.
    pub(crate) fn told(self, told: Told) -> Self {
        Self { told: Some(told), ..self }
    }

    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// What is wrong with a field.
    fn faults(&self, pointer: &str) -> Vec<&str> {
        let errors = self.told.iter().flat_map(|told| &told.errors);
        errors.filter(|(at, _)| at == pointer).map(|(_, message)| message.as_str()).collect()
    }

    /// What is wrong, above the form. Faults without a field of their own are listed there.
    pub(crate) fn summary(&self, pointers: &[&str]) -> Markup {
        html! {
            @if let Some(told) = &self.told {
                div.problem role="alert" {
                    p { strong { (told.title) } " " (told.detail) }
                    @let others: Vec<_> = told.errors.iter().filter(|(at, _)| !pointers.contains(&at.as_str())).collect();
                    @if !others.is_empty() { ul { @for (_, message) in others { li { (message) } } } }
                }
            }
        }
    }

    /// A field.
    pub(crate) fn field(&self, field: Field<'_>) -> Markup {
        let faults = self.faults(field.pointer);
        let (hint, wrong) = (format!("{}-hint", field.name), format!("{}-wrong", field.name));
        let mut described = Vec::new();
        if !field.hint.is_empty() {
            described.push(hint.as_str());
        }
        if !faults.is_empty() {
            described.push(wrong.as_str());
        }
        let described = (!described.is_empty()).then(|| described.join(" "));
        // A password is never sent back.
        let value = if field.kind == "password" { "" } else { self.value(field.name) };
        html! {
            div.field {
                label for=(field.name) { (field.label) }
                input id=(field.name) name=(field.name) type=(field.kind) value=(value) autocomplete=(field.autocomplete)
                    required[field.required] aria-describedby=[described]
                    aria-invalid=[(!faults.is_empty()).then_some("true")];
                (faults_of(&wrong, &faults))
                @if !field.hint.is_empty() { p.hint id=(hint) { (field.hint) } }
            }
        }
    }

    /// A text of several lines.
    pub(crate) fn area(&self, field: Field<'_>, rows: u8) -> Markup {
        let faults = self.faults(field.pointer);
        let (hint, wrong) = (format!("{}-hint", field.name), format!("{}-wrong", field.name));
        html! {
            div.field {
                label for=(field.name) { (field.label) }
                textarea id=(field.name) name=(field.name) rows=(rows) aria-describedby=[(!field.hint.is_empty()).then_some(&hint)]
                    aria-invalid=[(!faults.is_empty()).then_some("true")] { (self.value(field.name)) }
                (faults_of(&wrong, &faults))
                @if !field.hint.is_empty() { p.hint id=(hint) { (field.hint) } }
            }
        }
    }

    /// A choice of one from a list: the value and the text of each.
    pub(crate) fn choice(&self, field: Field<'_>, options: &[(String, String)]) -> Markup {
        let (faults, wrong) = (self.faults(field.pointer), format!("{}-wrong", field.name));
        let chosen = self.value(field.name);
        html! {
            div.field {
                label for=(field.name) { (field.label) }
                select id=(field.name) name=(field.name) required[field.required] aria-invalid=[(!faults.is_empty()).then_some("true")] {
                    @for (value, text) in options { option value=(value) selected[value == chosen] { (text) } }
                }
                (faults_of(&wrong, &faults))
                @if !field.hint.is_empty() { p.hint { (field.hint) } }
            }
        }
    }

    /// A choice of one, all of them in sight.
    pub(crate) fn radios(&self, legend: &str, name: &str, options: &[(String, String)]) -> Markup {
        let chosen = self.value(name);
        html! {
            fieldset {
                legend { (legend) }
                @for (value, text) in options {
                    label.tick { input type="radio" name=(name) value=(value) required checked[value == chosen]; span { (text) } }
                }
            }
        }
    }
}

fn faults_of(id: &str, faults: &[&str]) -> Markup {
    html! {
        @if !faults.is_empty() { ul.wrong id=(id) { @for fault in faults { li { (fault) } } } }
    }
}

/// A choice of several. `chosen` says which are chosen.
pub(crate) fn ticks(
    legend: &str,
    name: &str,
    options: &[(String, String)],
    chosen: impl Fn(&str) -> bool,
) -> Markup {
    html! {
        fieldset {
            legend { (legend) }
            @for (value, text) in options {
                label.tick { input type="checkbox" name=(name) value=(value) checked[chosen(value)]; span { (text) } }
            }
        }
    }
}

/// The button that sends a form. Pressed twice, the form is taken once: the key is that of one command.
pub(crate) fn send(look: &Look, word: &str) -> Markup {
    html! { button type="submit" { (look.t(word)) } }
}
