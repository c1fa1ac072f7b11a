//! Decides when two addresses are the same: they differ only in case, accents, punctuation, spacing or the usual
//! abbreviations.
//!
//! Keys are not stored. They are computed from the addresses in the log. So a change of this file is enough to treat
//! more addresses as the same. Such a change does not join sites that are open already; it only keeps a second site
//! from being opened.

mod abbreviations;

use std::fmt;

use uuid::Uuid;

use abbreviations::{ENDINGS, LAST_WORDS, LATE_ENDINGS, ORDINALS, QUEENS, TITLES, TYPES};

use crate::ids::LOQUET;
use crate::values::address::{Address, folded_code};
use crate::values::latin::{plain, words};
use crate::values::places::folded_town;

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
        let region = Region::of(&country, &self.postal_code);
        let code = folded_code(&country, &self.postal_code);
        let house = House::read(region, &self.number, self.r#box.as_deref());
        let (street, town) = (street(region, &self.street), folded_town(&country, &code, &self.town));
        format!("{country}|{code}|{town}|{street}|{}|{}", house.number, house.r#box)
    }
}

/// Where an address is. The meaning of some abbreviations depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    /// The Netherlands.
    Dutch,
    /// A country, or the part of Belgium, in which streets have German names.
    German,
    /// Elsewhere.
    Other,
}

impl Region {
    fn of(country: &str, code: &str) -> Self {
        match country {
            "NL" => Self::Dutch,
            "DE" | "AT" | "CH" | "LI" | "LU" => Self::German,
            // Eupen, Sankt Vith and the places around them.
            "BE" if folded_code(country, code).starts_with("47") => Self::German,
            _ => Self::Other,
        }
    }
}

/// The words of a street without abbreviations, joined.
fn street(region: Region, text: &str) -> String {
    let words = spelled_out(region, devotions(words(text)));
    let named_first = words.first().is_some_and(|first| full(first, &TYPES).is_some() || is_type(first));
    let last = words.len().saturating_sub(1);
    let mut folded = Vec::with_capacity(words.len());
    for (n, word) in words.iter().enumerate() {
        let next = words.get(n + 1).map_or("", String::as_str);
        let before = n.checked_sub(1).and_then(|n| words.get(n)).map_or("", String::as_str);
        folded.push(full_word(
            region,
            Place { word, before, next, first: n == 0, last: n == last, named_first },
        ));
    }
    joined_van(&folded).replace("onzelievevrouwe", "onzelievevrouw").replace("ij", "y")
}

/// A word of a street, and where it is.
struct Place<'a> {
    word: &'a str,
    before: &'a str,
    next: &'a str,
    first: bool,
    last: bool,
    /// The street begins with its type, as in French: `Rue`, `Av.`.
    named_first: bool,
}

/// A word without its abbreviation. A type of street is at the beginning in French, and at the end in Dutch and German.
/// Elsewhere the same letters are a name: `Rue Ave Maria`.
fn full_word(region: Region, at: Place<'_>) -> String {
    let Place { word, before, next, first, last, named_first } = at;
    if let Some(number) = ordinal(word) {
        return number;
    }
    // A king: `Rue Albert I`. A single letter after a type of street is a name: `Rue I`.
    if word == "i" && before.len() > 2 && !is_type(before) && full(before, &TYPES).is_none() {
        return "#1".to_owned();
    }
    // `Dr.` is a doctor, except before these words: `Dr. des Pins`.
    if first && word == "dr" && matches!(next, "des" | "du" | "aux") {
        return "dreve".to_owned();
    }
    if first
        && !last
        && let Some(full) = first_type(region, word)
    {
        return full.to_owned();
    }
    if matches!(word, "gr" | "grt" | "gde" | "gd" | "grd" | "grande" | "grand" | "grote") {
        return great(word, next).to_owned();
    }
    if last
        && !first
        && !named_first
        && let Some(full) = last_type(region, word, before)
    {
        return full.to_owned();
    }
    if matches!(word, "kon" | "kgn") && !last {
        let is_queen = QUEENS.iter().any(|queen| next.starts_with(queen));
        return if is_queen { "koningin" } else { "koning" }.to_owned();
    }
    if matches!(word, "pr" | "pcs" | "pcesse") && !last {
        let is_princess = word != "pr" || QUEENS.iter().any(|queen| next.starts_with(queen));
        return if is_princess { "prinses" } else { "prins" }.to_owned();
    }
    let is_name = last && named_first;
    let word = match full(word, &TITLES) {
        // A mayor has one title in French, and another one in Dutch.
        Some("burgemeester") if !last && named_first && word.starts_with("bgm") => "bourgmestre".to_owned(),
        // A title stands before a name.
        Some(full) if !last => full.to_owned(),
        _ if is_name => full(word, &LAST_WORDS).unwrap_or(word).to_owned(),
        _ => long_ending(region, word),
    };
    saint(word)
}

fn full(word: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(short, _)| *short == word).map(|(_, full)| *full)
}

/// The type of street at the beginning: `Av. Louise`, `Stwg op Gent`.
fn first_type(region: Region, word: &str) -> Option<&'static str> {
    match word {
        "str" if region == Region::German => Some("strasse"),
        word => full(word, &TYPES).or_else(|| full(word, &ENDINGS)),
    }
}

/// Whether a word is a type of street, in full.
fn is_type(word: &str) -> bool {
    TYPES.iter().any(|(_, full)| *full == word)
}

/// `Gr.` is `grand` before a French word, and `grote` before a Dutch one. `Grande Rue` and `Grand-Rue` are one.
fn great(word: &str, next: &str) -> &'static str {
    let french =
        matches!(next, "rue" | "r" | "place" | "pl" | "route" | "rte" | "chemin" | "cour" | "pre" | "champ");
    match word {
        "grote" => "grote",
        "grt" => "grote",
        "gr" if !french => "grote",
        "grande" | "gde" if !french => "grande",
        _ => "grand",
    }
}

/// The type of street at the end: `Kerk str.`, `Main St.`, `Grand-Pl.`.
fn last_type(region: Region, word: &str, before: &str) -> Option<&'static str> {
    let of_grand = matches!(before, "grand" | "gd" | "gr" | "grande" | "gde" | "grd");
    Some(match word {
        "st" => "street",
        "str" if region == Region::German => "strasse",
        "pl" if region == Region::German => "platz",
        "w" if region == Region::German => "weg",
        // `Gr. Pl.` is more often the French Grand-Place than a Dutch square.
        "pl" if of_grand => "place",
        "pl" => "plein",
        "r" if of_grand => "rue",
        "av" | "ave" => "avenue",
        "bd" | "bld" | "blvd" | "boul" => "boulevard",
        "rd" => "road",
        "hwy" => "highway",
        "ct" => "court",
        "sq" => "square",
        word => return full(word, &ENDINGS),
    })
}

fn long_ending(region: Region, word: &str) -> String {
    let german = match region {
        Region::German => [("str", "strasse"), ("pl", "platz")].as_slice(),
        Region::Dutch | Region::Other => &[],
    };
    let tables = [(german, 2), (ENDINGS.as_slice(), 2), (LATE_ENDINGS.as_slice(), 4)];
    let longer = tables.into_iter().find_map(|(endings, least)| {
        endings.iter().find_map(|(short, long)| {
            let stem = word.strip_suffix(short)?;
            (stem.chars().count() >= least).then(|| format!("{stem}{long}"))
        })
    });
    longer.unwrap_or_else(|| word.to_owned())
}

/// `St` means saint in French and in Dutch.
fn saint(word: String) -> String {
    match word.as_str() {
        "st" | "sint" | "sankt" | "skt" => "saint".to_owned(),
        "ste" | "sinte" => "sainte".to_owned(),
        _ => word,
    }
}

/// Words that are abbreviated to several letters with points between them: `Z.I. Nord`, `Rd-Pt Schuman`, and in the
/// Netherlands `N.Z. Voorburgwal`.
fn spelled_out(region: Region, words: Vec<String>) -> Vec<String> {
    let mut full: Vec<String> = Vec::with_capacity(words.len());
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        let next = after.first().map_or("", String::as_str);
        let (taken, said) = match (word.as_str(), next) {
            ("z", "i" | "ind" | "industr") if full.is_empty() => (2, "zoneindustrielle"),
            ("z", "a" | "art") if full.is_empty() => (2, "zoneartisanale"),
            ("zone", "ind" | "industr") => (2, "zoneindustrielle"),
            ("rd" | "rond", "pt" | "point") => (2, "rondpoint"),
            ("n", "z") if region == Region::Dutch => (2, "nieuwezijds"),
            ("o", "z") if region == Region::Dutch => (2, "oudezijds"),
            ("nz", _) if region == Region::Dutch && !next.is_empty() => (1, "nieuwezijds"),
            ("oz", _) if region == Region::Dutch && !next.is_empty() => (1, "oudezijds"),
            (other, _) => (1, other),
        };
        full.push(said.to_owned());
        rest = rest.get(taken..).unwrap_or_default();
    }
    full
}

/// `O.L.V.` means `Onze-Lieve-Vrouw`, and `N.-D.` means `Notre-Dame`.
fn devotions(words: Vec<String>) -> Vec<String> {
    let mut full: Vec<String> = Vec::with_capacity(words.len());
    let mut rest = words.as_slice();
    while let Some((word, after)) = rest.split_first() {
        let next = |n: usize| after.get(n).map_or("", String::as_str);
        let (taken, said) = match (word.as_str(), next(0), next(1)) {
            ("o" | "onze", "l" | "lieve", "v" | "vr") => (3, vec!["onzelievevrouw".to_owned()]),
            ("o" | "onze", "l" | "lieve", lady) if begins_lady(lady) => (3, vec![format!("onzelieve{lady}")]),
            ("o", lady, _) if lady.starts_with("lv") => (2, lady_of(&format!("o{lady}"))),
            ("ol", "v" | "vr", _) => (2, vec!["onzelievevrouw".to_owned()]),
            ("ol", lady, _) if begins_lady(lady) => (2, vec![format!("onzelieve{lady}")]),
            ("n" | "notre", "d" | "dame", after) if word != "n" || is_after_lady(after) => {
                (2, vec!["notre".to_owned(), "dame".to_owned()])
            }
            ("n", "dame", _) => (2, vec!["notre".to_owned(), "dame".to_owned()]),
            ("nd", after, _) if !full.is_empty() && is_after_lady(after) => {
                (1, vec!["notre".to_owned(), "dame".to_owned()])
            }
            (olv, ..) if olv.starts_with("olv") => (1, lady_of(olv)),
            (other, ..) => (1, vec![other.to_owned()]),
        };
        full.extend(said);
        rest = rest.get(taken..).unwrap_or_default();
    }
    full
}

fn begins_lady(word: &str) -> bool {
    word.starts_with("vrouw") || ["vstr", "vplein", "vlaan"].iter().any(|short| word.starts_with(short))
}

/// What may follow `N.-D.`, so that the letters are not the initials of a person.
fn is_after_lady(word: &str) -> bool {
    matches!(word, "" | "de" | "du" | "des" | "d" | "aux" | "au" | "la")
}

/// `OLV`, `OLVrouwstraat`, `OLVstraat`.
fn lady_of(word: &str) -> Vec<String> {
    let rest = word.strip_prefix("olv").unwrap_or_default();
    let rest = rest
        .strip_prefix("rouw")
        .or_else(|| rest.strip_prefix('r').filter(|rest| rest.is_empty()))
        .unwrap_or(rest);
    vec![format!("onzelievevrouw{rest}")]
}

/// A number in a street's name: `1e`, `1ste`, `1er`, `eerste`, `premier`, `II`.
fn ordinal(word: &str) -> Option<String> {
    let ends = ["", "e", "ste", "de", "er", "ere", "re", "eme", "me", "nd", "nde", "ier"];
    let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
    let ending = word.strip_prefix(digits)?;
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && ends.contains(&ending) {
        return Some(format!("#{digits}"));
    }
    ORDINALS.iter().find(|(_, words)| words.contains(&word)).map(|(number, _)| format!("#{number}"))
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
const BOXES: [&str; 16] = [
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
    "postbus",
    "bp",
];
/// Words before a house number.
const NUMBERS: [&str; 7] = ["nr", "no", "num", "numero", "nummer", "huisnr", "huisnummer"];
/// Words between the two numbers of a range: `12 tot 14`, `12 t/m 14`.
const RANGES: [&str; 5] = ["tot", "tm", "et", "en", "und"];
/// How people say that a house has no number, without spaces and signs.
const NO_NUMBER: [&str; 14] = [
    "",
    "sn",
    "zn",
    "ssn",
    "sansnumero",
    "sansno",
    "sansn",
    "sansnum",
    "zondernummer",
    "zondernr",
    "ohnenummer",
    "ohnenr",
    "nonumber",
    "nvt",
];

impl House {
    fn read(region: Region, number: &str, r#box: Option<&str>) -> Self {
        // Punctuation between digits separates two numbers. Punctuation before a letter does not matter.
        let number = number.to_lowercase().replace(['°', 'º'], "o ").replace("t/m", "tm").replace('à', "-");
        let mut all = parts(&number);
        let has_number = !drop_no_number(&mut all);
        let (mut house, mut rest) = (String::new(), String::new());
        let mut in_box = false;
        for (n, (before, part)) in all.iter().enumerate() {
            let names_number = NUMBERS.contains(&part.as_str()) || part == "n" && house.is_empty();
            if (house.is_empty() || in_box && rest.is_empty()) && names_number {
                continue;
            }
            // A box marker counts only after a number: in `B 12` the letter is the name of a block.
            let is_marker = BOXES.contains(&part.as_str()) && !is_letter_of_number(part, all.get(n + 1));
            if is_marker && !(has_number && house.is_empty()) {
                in_box = true;
                continue;
            }
            let digits = part.starts_with(|c: char| c.is_ascii_digit());
            let next = all.get(n + 1).map_or("", |(_, next)| next.as_str());
            let is_range = RANGES.contains(&part.as_str()) && next.starts_with(|c: char| c.is_ascii_digit());
            if is_range && before.is_some() && house.ends_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            // In the Netherlands letters behind a number are an addition, whatever stands between: `12-II`, `12/II`.
            let slash =
                matches!(before, Some('/' | '#')) && !house.is_empty() && (digits || region != Region::Dutch);
            in_box |= slash
                && !(region != Region::Dutch && !in_box && next.is_empty() && is_range_of(&house, part));
            // A second number is an addition in the Netherlands and part of a range in Belgium.
            in_box |= region == Region::Dutch && before.is_some() && digits && !house.is_empty();
            let house_is_empty = house.is_empty();
            let target = if in_box { &mut rest } else { &mut house };
            if digits && target.ends_with(|c: char| c.is_ascii_digit()) {
                target.push('-');
            }
            target.push_str(match part.as_str() {
                // The ground floor of a house in Amsterdam.
                "hs" | "huis" if region == Region::Dutch && !house_is_empty => "h",
                part => without_zeros(part),
            });
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

/// Whether `12/14` is a house that has several numbers: both are on one side of the street, and near. `12/3` and
/// `12/13` are a house and a box.
fn is_range_of(house: &str, part: &str) -> bool {
    let (Ok(first), Ok(last)) = (house.parse::<u32>(), part.parse::<u32>()) else { return false };
    part.len() == without_zeros(part).len() && last > first && last - first <= 20 && (last - first) % 2 == 0
}

/// Drops the words that say that there is no number, before a box or alone. Returns whether there are such words.
fn drop_no_number(parts: &mut Vec<(Option<char>, String)>) -> bool {
    let end = parts
        .iter()
        .position(|(_, part)| part.len() > 1 && BOXES.contains(&part.as_str()))
        .unwrap_or(parts.len());
    let said: String = parts.iter().take(end).map(|(_, part)| part.as_str()).collect();
    let says_so = NO_NUMBER.contains(&said.as_str());
    if says_so {
        parts.drain(..end);
    }
    says_so
}

/// Whether a letter that could mark a box belongs to the number: nothing follows it, or a marker or a sign that begins the box
/// by itself (`12B`, `12B bus 3`, `12B/3`).
fn is_letter_of_number(part: &str, next: Option<&(Option<char>, String)>) -> bool {
    part == "b"
        && next
            .is_none_or(|(before, next)| matches!(before, Some('/' | '#')) || BOXES.contains(&next.as_str()))
}

/// A box without its marker.
fn box_of(text: &str) -> String {
    let text = text.replace(['°', 'º'], "o ");
    let mut said = String::new();
    let all = parts(&text);
    for (n, (_, part)) in all.iter().enumerate() {
        let names_number = NUMBERS.contains(&part.as_str()) || part == "n";
        if said.is_empty() && (BOXES.contains(&part.as_str()) || names_number) {
            // A box may also be called `b`.
            if part != "b" || n + 1 < all.len() {
                continue;
            }
        }
        let digits = part.starts_with(|c: char| c.is_ascii_digit());
        if digits && said.ends_with(|c: char| c.is_ascii_digit()) {
            said.push('-');
        }
        said.push_str(without_zeros(part));
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
            between = Some(if matches!(between, Some('/' | '#')) && c != '#' { '/' } else { c });
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

#[cfg(test)]
mod tests;
