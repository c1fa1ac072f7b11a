//! The words of the portal: its pages in `portal.*.ftl`, its help articles in `help.*.ftl`.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use loquet_projections::words::{Places, UnreadableWords, Words};

/// The catalogue. `None` if it can't be read; a test makes sure that it can.
pub(crate) fn catalogue() -> Option<&'static Words> {
    static WORDS: OnceLock<Result<Words, UnreadableWords>> = OnceLock::new();
    let read = || {
        Words::read(
            concat!(include_str!("portal.fr.ftl"), "\n", include_str!("help.fr.ftl")),
            concat!(include_str!("portal.nl.ftl"), "\n", include_str!("help.nl.ftl")),
            concat!(include_str!("portal.en.ftl"), "\n", include_str!("help.en.ftl")),
        )
    };
    WORDS.get_or_init(read).as_ref().ok()
}

/// A sentence with the values of its variables, which may repeat input. Returns its name if there is none.
pub(crate) fn say(language: Language, name: &str, places: Places<'_>) -> String {
    let places: Vec<_> = places.iter().map(|(place, text)| (*place, visible(text))).collect();
    let places: Vec<_> = places.iter().map(|(place, text)| (*place, text.as_ref())).collect();
    catalogue().map_or_else(|| name.to_owned(), |words| words.say(language, name, &places))
}

/// Whether there is a sentence of this name.
pub(crate) fn has(name: &str) -> bool {
    catalogue().is_some_and(|words| words.has(Language::default(), name))
}
