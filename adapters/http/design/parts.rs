//! Parts of pages.

use maud::{Markup, html};

use super::Look;

/// The latch: the mark of the portal.
pub(crate) fn latch() -> Markup {
    html! {
        svg.latch viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false" {
            rect x="2" y="2" width="28" height="28" rx="8" {}
            path d="M9 12h9a4 4 0 0 1 0 8h-9z" {}
            circle cx="22.5" cy="16" r="1.8" {}
        }
    }
}

/// A list of names and values.
pub(crate) fn facts(rows: &[(String, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// What stands in place of an empty list.
pub(crate) fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// A short word with a colour: how something is.
pub(crate) fn badge(kind: &'static str, text: &str) -> Markup {
    html! { span class=(format!("badge {kind}")) { (text) } }
}

/// A button that does one thing at once.
pub(crate) fn act(
    look: &Look,
    path: &str,
    word: &str,
    class: &'static str,
    hidden: &[(&str, &str)],
) -> Markup {
    html! {
        form.inline method="post" action=(look.to(path)) {
            @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
            button class=(class) type="submit" { (look.t(word)) }
        }
    }
}

/// A question before something that can't be taken back. It opens without a script.
pub(crate) fn ask_first(look: &Look, word: &str, question: &str, form: &Markup) -> Markup {
    html! {
        details.ask {
            summary.button.danger { (look.t(word)) }
            p { (question) }
            (form)
        }
    }
}
