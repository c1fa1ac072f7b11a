//! The order of names as a reader expects it: the Unicode Collation Algorithm with the root order of CLDR. It serves
//! French, Dutch and English alike. Case and accents decide only between names that are equal without them.
//!
//! An index sorts its values by their bytes. So a value is the sort key of the name, in hexadecimal digits.

use std::fmt::Write;
use std::sync::OnceLock;

use icu_collator::options::{CollatorOptions, Strength};
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use loquet_domain::values::latin::alike;

/// A name as a value of an index. The values sort in the order of the names.
#[must_use]
pub fn sortable_name(name: &str) -> String {
    // A dot comes before all digits: a name comes before those that begin with it.
    format!("{}.{}", beginning_of_name(name), sort_key(Strength::Tertiary, name))
}

/// What the values of all names begin with that begin with this text, in any case and accents. Other values may begin
/// with it too, so ask [`name_begins`] in addition.
#[must_use]
pub fn beginning_of_name(text: &str) -> String {
    sort_key(Strength::Primary, text)
}

/// Whether a name begins with a text, in any case and accents.
#[must_use]
pub fn name_begins(name: &str, text: &str) -> bool {
    alike(name).starts_with(&alike(text))
}

fn sort_key(strength: Strength, text: &str) -> String {
    static PRIMARY: OnceLock<Option<CollatorBorrowed<'static>>> = OnceLock::new();
    static TERTIARY: OnceLock<Option<CollatorBorrowed<'static>>> = OnceLock::new();
    let held = if strength == Strength::Primary { &PRIMARY } else { &TERTIARY };
    let collator = held.get_or_init(|| {
        let mut options = CollatorOptions::default();
        options.strength = Some(strength);
        CollatorBorrowed::try_new(CollatorPreferences::default(), options).ok()
    });
    let mut key: Vec<u8> = Vec::new();
    // The data is part of the program, and writing into memory does not fail.
    let written = collator.as_ref().map(|collator| collator.write_sort_key_to(text, &mut key));
    if !matches!(written, Some(Ok(()))) {
        key = text.to_lowercase().into_bytes();
    }
    let mut digits = String::with_capacity(key.len() * 2);
    for byte in key {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_come_in_the_order_in_which_a_reader_looks_for_them() {
        let mut names = [
            "Zulu",
            "Écluse",
            "eclat",
            "Ecluse",
            "Érable",
            "Étoile",
            "Epi",
            "Œuvre",
            "Oasis",
            "Ours",
            "Łódź",
            "Lyon",
            "ångström",
            "Anvers",
            "anvers",
            "Åre",
            "'t Hof",
            "2 Frères",
            "Ørsted",
            "Orient",
            "de Bakker",
            "De Zaak",
            "Dewit",
        ];
        names.sort_by_cached_key(|name| sortable_name(name));
        assert_eq!(
            names,
            [
                "'t Hof",
                "2 Frères",
                "ångström",
                "anvers",
                "Anvers",
                "Åre",
                "de Bakker",
                "De Zaak",
                "Dewit",
                "eclat",
                "Ecluse",
                "Écluse",
                "Epi",
                "Érable",
                "Étoile",
                "Łódź",
                "Lyon",
                "Oasis",
                "Œuvre",
                "Orient",
                "Ørsted",
                "Ours",
                "Zulu",
            ]
        );
    }

    /// Views hold these keys. If a newer version of the library makes others, give a new version to the views that hold
    /// them, so that they are built again: `companies` and `sites`.
    #[test]
    fn the_keys_are_those_that_the_views_hold() {
        assert_eq!(
            sortable_name("Épi d'Or 2"),
            "33493b04310970474d0416.33493b04310970474d04160145880d01dcc0dc07"
        );
    }

    #[test]
    fn a_name_begins_with_a_text_in_any_case_and_accents() {
        for text in ["e", "É", "epi", "l'", "ÉPI D"] {
            let names = ["Épi d'Or", "épi d'argent", "L'Épi"];
            let there = names.iter().filter(|name| {
                let by_key = sortable_name(name).starts_with(&beginning_of_name(text));
                assert_eq!(by_key, name_begins(name, text), "{name} {text}");
                by_key
            });
            assert!(there.count() > 0, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_begins_with_a_text_is_found_by_it(name in "[A-Za-zÀ-ÿĀ-žǍ-ǰА-яα-ω0-9 '&.,()-]{1,20}", letters in 1_usize..8) {
            let text: String = name.chars().take(letters).collect();
            prop_assert!(sortable_name(&name).starts_with(&beginning_of_name(&text)), "{} {}", name, text);
        }

        #[test]
        fn any_text_has_a_value_that_an_index_can_hold(name in "\\PC{0,40}") {
            prop_assert!(sortable_name(&name).bytes().all(|b| b.is_ascii_hexdigit() || b == b'.'));
        }
    }
}
