//! Decides when two addresses are the same: they differ only in case, accents, punctuation, spacing or the usual
//! abbreviations.
//!
//! Keys are not stored. They are computed from the addresses in the log. So a change of this file is enough to treat
//! more addresses as the same. Such a change does not join sites that are open already; it only keeps a second site
//! from being opened.

use std::fmt;

use uuid::Uuid;

use crate::ids::LOQUET;
use crate::values::address::Address;
use crate::values::latin::{plain, words};

/// A key of an address. Equal addresses have equal keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(Uuid);

impl From<AddressKey> for Uuid {
    fn from(key: AddressKey) -> Self {
        key.0
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AddressKey({})", self.0)
    }
}

impl Address {
    /// The key under which this address is compared with others.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey(Uuid::new_v5(&LOQUET, self.folded().as_bytes()))
    }

    /// The address without the differences that do not matter.
    fn folded(&self) -> String {
        let country = self.country.to_uppercase();
        let house = House::read(&country, &self.number, self.r#box.as_deref());
        let (street, town) = (street(&self.street), words(&self.town).into_iter().map(saint));
        let town: String = town.collect();
        let code = folded(&self.postal_code).replace(' ', "");
        format!("{country}|{code}|{town}|{street}|{}|{}", house.number, house.r#box)
    }
}

/// The words of a street without abbreviations, joined.
fn street(text: &str) -> String {
    let words = words(text);
    let last = words.len().saturating_sub(1);
    let full = words.into_iter().enumerate().map(|(n, word)| match (n, word.as_str()) {
        // In English `St` at the end is a street. In French `St` at the beginning is a saint.
        (n, "st") if n > 0 && n == last => "street".to_owned(),
        (0, "r") => "rue".to_owned(),
        (_, _) => saint(long_ending(long_word(word))),
    });
    joined_van(&full.collect::<Vec<_>>())
}

/// Abbreviations of whole words in the three languages, and the full words.
const WORDS: [(&str, &str); 56] = [
    ("av", "avenue"),
    ("ave", "avenue"),
    ("aven", "avenue"),
    ("bd", "boulevard"),
    ("bld", "boulevard"),
    ("blvd", "boulevard"),
    ("bvd", "boulevard"),
    ("boul", "boulevard"),
    ("chee", "chaussee"),
    ("chauss", "chaussee"),
    ("chem", "chemin"),
    ("che", "chemin"),
    ("pl", "place"),
    ("rte", "route"),
    ("imp", "impasse"),
    ("all", "allee"),
    ("sq", "square"),
    ("fg", "faubourg"),
    ("fbg", "faubourg"),
    ("res", "residence"),
    ("resid", "residence"),
    ("ch", "chaussee"),
    ("str", "straat"),
    ("ln", "laan"),
    ("stwg", "steenweg"),
    ("steenwg", "steenweg"),
    ("stw", "steenweg"),
    ("pln", "plein"),
    ("wg", "weg"),
    ("kl", "kleine"),
    ("gr", "grote"),
    ("burg", "burgemeester"),
    ("burgem", "burgemeester"),
    ("bgm", "burgemeester"),
    ("bourgm", "bourgmestre"),
    ("bgmstr", "bourgmestre"),
    ("docteur", "dr"),
    ("dokter", "dr"),
    ("doctor", "dr"),
    ("prof", "professeur"),
    ("professor", "professeur"),
    ("gen", "general"),
    ("gal", "general"),
    ("generaal", "general"),
    ("col", "colonel"),
    ("kol", "kolonel"),
    ("lt", "lieutenant"),
    ("luitenant", "lieutenant"),
    ("cap", "capitaine"),
    ("mgr", "monseigneur"),
    ("kard", "kardinaal"),
    ("card", "cardinal"),
    ("rd", "road"),
    ("hwy", "highway"),
    ("ct", "court"),
    ("min", "minister"),
];

/// Dutch abbreviations at the end of a word, longest first.
const ENDINGS: [(&str, &str); 6] = [
    ("steenwg", "steenweg"),
    ("stwg", "steenweg"),
    ("stw", "steenweg"),
    ("pln", "plein"),
    ("str", "straat"),
    ("ln", "laan"),
];

fn long_word(word: String) -> String {
    match WORDS.iter().find(|(short, _)| *short == word) {
        Some((_, long)) => (*long).to_owned(),
        None => word,
    }
}

fn long_ending(word: String) -> String {
    let longer = ENDINGS.iter().find_map(|(short, long)| {
        let stem = word.strip_suffix(short)?;
        (stem.chars().count() >= 2).then(|| format!("{stem}{long}"))
    });
    longer.unwrap_or(word)
}

/// `St` means saint in French and in Dutch.
fn saint(word: String) -> String {
    match word.as_str() {
        "st" | "sint" => "saint".to_owned(),
        "ste" => "sainte".to_owned(),
        _ => word,
    }
}

/// `v.d.` and `v/d` mean `van de`, `van der` or `van den`.
fn joined_van(words: &[String]) -> String {
    let mut joined = String::new();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let article = |next: &&str| matches!(*next, "de" | "der" | "den" | "d");
        match word {
            "vd" | "vander" | "vanden" | "vande" => joined.push_str("vd"),
            "van" | "v" if words.peek().is_some_and(article) => {
                words.next();
                joined.push_str("vd");
            }
            word => joined.push_str(word),
        }
    }
    joined
}

/// A house number and a box, separated, however they were written.
struct House {
    number: String,
    r#box: String,
}

/// Words and signs before a box.
const BOXES: [&str; 14] = [
    "bte",
    "boite",
    "bus",
    "box",
    "bt",
    "b",
    "app",
    "appt",
    "appartement",
    "apt",
    "apartment",
    "unit",
    "flat",
    "suite",
];
/// Words before a house number.
const NUMBERS: [&str; 5] = ["nr", "no", "num", "numero", "nummer"];

impl House {
    fn read(country: &str, number: &str, r#box: Option<&str>) -> Self {
        // Punctuation between digits separates two numbers. Punctuation before a letter does not matter.
        let number = number.replace(['°', 'º'], "o ");
        let (mut house, mut rest) = (String::new(), String::new());
        let mut in_box = false;
        for (before, part) in parts(&number) {
            let names_number = NUMBERS.contains(&part.as_str()) || part == "n" && house.is_empty();
            if house.is_empty() && names_number {
                continue;
            }
            // A box marker counts only after a number: in `B 12` the letter is the name of a block.
            if !house.is_empty() && BOXES.contains(&part.as_str()) && !alone(&number, &part) {
                in_box = true;
                continue;
            }
            let digits = part.starts_with(|c: char| c.is_ascii_digit());
            in_box |= before == Some('/') && !house.is_empty();
            // A second number is an addition in the Netherlands and part of a range in Belgium.
            in_box |= country == "NL" && before.is_some() && digits && !house.is_empty();
            let target = if in_box { &mut rest } else { &mut house };
            if digits && target.ends_with(|c: char| c.is_ascii_digit()) {
                target.push('-');
            }
            target.push_str(without_zeros(&part));
        }
        let given = r#box.map(box_of).unwrap_or_default();
        let r#box = match (rest.is_empty(), given.is_empty()) {
            (false, false) if rest != given => format!("{rest}+{given}"),
            (true, _) => given,
            (false, _) => rest,
        };
        Self { number: house, r#box }
    }
}

/// Whether a letter that could mark a box belongs to the number, because nothing follows it.
fn alone(number: &str, part: &str) -> bool {
    part == "b" && parts(number).last().is_some_and(|(_, last)| last == part)
}

/// A box without its marker.
fn box_of(text: &str) -> String {
    let mut said = String::new();
    for (_, part) in parts(text) {
        if said.is_empty() && (BOXES.contains(&part.as_str()) || NUMBERS.contains(&part.as_str())) {
            // A box may also be called `b`.
            if !alone(text, &part) {
                continue;
            }
        }
        let digits = part.starts_with(|c: char| c.is_ascii_digit());
        if digits && said.ends_with(|c: char| c.is_ascii_digit()) {
            said.push('-');
        }
        said.push_str(without_zeros(&part));
    }
    said
}

fn without_zeros(part: &str) -> &str {
    let shorter = part.trim_start_matches('0');
    if shorter.is_empty() && !part.is_empty() { "0" } else { shorter }
}

/// Splits a text into runs of digits and runs of letters, each with the character before it.
fn parts(text: &str) -> Vec<(Option<char>, String)> {
    let mut parts: Vec<(Option<char>, String)> = Vec::new();
    let mut between = None;
    for c in plain(text) {
        if !c.is_alphanumeric() {
            between = Some(if c == '/' || between == Some('/') { '/' } else { c });
            continue;
        }
        let same = |last: &String| last.ends_with(|l: char| l.is_ascii_digit()) == c.is_ascii_digit();
        match parts.last_mut() {
            Some((_, last)) if between.is_none() && same(last) => last.push(c),
            _ => parts.push((between, c.to_string())),
        }
        between = None;
    }
    parts
}

fn folded(text: &str) -> String {
    plain(text).into_iter().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests;
