//! Text in Latin letters, without the differences that do not matter to a person who searches or compares: case,
//! accents, ligatures, full-width letters, and the kinds of dashes and apostrophes.

use unicode_normalization::UnicodeNormalization;

/// The lower-case letters of a text without accents (Unicode NFKD without marks). Composed and decomposed accents give
/// the same result. Letters that Unicode does not decompose, such as `ł` and `ø`, become the letter that people
/// write instead.
#[must_use]
pub fn plain(text: &str) -> Vec<char> {
    let mut plain = Vec::with_capacity(text.len());
    // Some letters have a compatibility form in capitals, such as `K` for kelvins, so case is dropped afterwards.
    for c in text.nfkd().filter(|c| !is_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'æ' => plain.extend(['a', 'e']),
            'œ' => plain.extend(['o', 'e']),
            'ß' => plain.extend(['s', 's']),
            'þ' => plain.extend(['t', 'h']),
            c => plain.push(bare(c)),
        }
    }
    plain
}

/// A text with composed accents (Unicode NFC): `e` and an accent behind it become `é`.
#[must_use]
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The words of a text without accents, capitals and punctuation.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let plain = plain(text);
    let words = plain.split(|c| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(|word| word.iter().collect()).collect()
}

/// A name without the differences by which people do not tell two names apart: case, accents, the kinds of spaces,
/// dashes and apostrophes, and the number of spaces.
#[must_use]
pub fn alike(name: &str) -> String {
    let plain: String = plain(name).into_iter().map(|c| if is_dash(c) { '-' } else { c }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ")
}

/// Whether a character is a hyphen, a dash or a minus sign.
#[must_use]
pub fn is_dash(character: char) -> bool {
    matches!(
        character,
        '-' | '\u{ad}' | '\u{2010}'
            ..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// The ASCII character of a full-width one, as Japanese keyboards write it. Other characters stay.
#[must_use]
pub fn narrow(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(character).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(character)
        }
        other => other,
    }
}

/// Whether a character is an accent that is put on Latin, Greek and Cyrillic letters. The vowels of other scripts are
/// marks too, but a word without them is another word.
fn is_mark(character: char) -> bool {
    matches!(
        character,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// The letter that stands for one that Unicode does not decompose. Apostrophes of all kinds become one.
fn bare(c: char) -> char {
    match c {
        'ⱥ' => 'a',
        'ƀ' | 'ɓ' => 'b',
        'ȼ' | 'ƈ' => 'c',
        'đ' | 'ð' | 'ɖ' | 'ɗ' => 'd',
        'ɇ' | 'ə' | 'ɛ' | 'ǝ' => 'e',
        'ƒ' => 'f',
        'ǥ' | 'ɠ' | 'ɣ' => 'g',
        'ħ' | 'ⱨ' => 'h',
        'ı' | 'ɨ' | 'ɩ' => 'i',
        'ȷ' | 'ɉ' => 'j',
        'ĸ' | 'ƙ' | 'ⱪ' => 'k',
        'ł' | 'ƚ' | 'ɫ' | 'ⱡ' => 'l',
        'ŋ' | 'ɲ' | 'ƞ' => 'n',
        'ø' | 'ɔ' | 'ɵ' => 'o',
        'ƥ' => 'p',
        'ɍ' => 'r',
        'ȿ' | 'ʂ' => 's',
        'ŧ' | 'ƭ' | 'ⱦ' | 'ʈ' => 't',
        'ʉ' | 'ʊ' => 'u',
        'ʋ' => 'v',
        'ƴ' | 'ɏ' => 'y',
        'ƶ' | 'ȥ' | 'ⱬ' | 'ʒ' => 'z',
        '\u{2b9}'..='\u{2bf}' | '\u{2c8}' | '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{2035}' | '`' => '\'',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(of: &str) -> String {
        plain(of).into_iter().collect()
    }

    #[test]
    fn every_latin_letter_has_a_plain_one() {
        for (written, expected) in [
            ("Nguyễn", "nguyen"),
            ("Trần Đức Ươ", "tran duc uo"),
            ("Kalniņš", "kalnins"),
            ("Łukasz Żółć", "lukasz zolc"),
            ("Søren Ångström", "soren angstrom"),
            ("Đorđević", "dordevic"),
            ("Guðrún Þórðardóttir", "gudrun thordardottir"),
            ("Straße, STRAẞE", "strasse, strasse"),
            ("İstanbul Iğdır ışık", "istanbul igdir isik"),
            ("Ħamrun Ġorġ", "hamrun gorg"),
            ("Țară Şerban Ștefan", "tara serban stefan"),
            ("Dvořák Ťažký Ľudovít", "dvorak tazky ludovit"),
            ("Þingvellir Æsir Œuvre", "thingvellir aesir oeuvre"),
            ("Ŋgala Ɛkua Ɔsei Ɓello Ɗan Ƙwari", "ngala ekua osei bello dan kwari"),
            ("Əliyev", "eliyev"),
            ("Ĳmuiden ﬁn", "ijmuiden fin"),
            ("Ｍａｒｉｅ", "marie"),
            ("De\u{301}sire\u{301}e", "desiree"),
            ("e\u{323}\u{302}", "e"),
        ] {
            assert_eq!(text(written), expected, "{written}");
        }
    }

    #[test]
    fn other_scripts_keep_their_letters() {
        for (written, expected) in
            [("Αθηνά", "αθηνα"), ("Йосип", "иосип"), ("हिन्दी", "हिन्दी"), ("李小龍", "李小龍")]
        {
            assert_eq!(text(written), expected, "{written}");
        }
    }

    #[test]
    fn names_that_people_would_confuse_are_alike_and_others_are_not() {
        for other in ["EQUIPE  a-1", "Équipe a-1", "E\u{301}quipe\u{a0}A–1", " équipe A\u{2011}1 "] {
            assert_eq!(alike("Équipe A-1"), alike(other), "{other:?}");
        }
        for other in ["Équipe A1", "Équipe A-2", "Équipes A-1", "Équipe A/1"] {
            assert_ne!(alike("Équipe A-1"), alike(other), "{other:?}");
        }
    }

    #[test]
    fn an_apostrophe_of_any_kind_ends_a_word() {
        for written in ["d'Hondt", "d’Hondt", "dʼHondt", "d‘Hondt", "d`Hondt", "d´Hondt"] {
            assert_eq!(words(written), ["d", "hondt"], "{written}");
        }
    }

    proptest! {
        #[test]
        fn plain_text_is_its_own_plain_text(written in "\\PC{0,30}") {
            prop_assert_eq!(text(&text(&written)), text(&written));
        }

        #[test]
        fn every_accent_on_a_latin_letter_is_dropped(letter in "[a-z]", marks in "[\u{300}-\u{344}\u{346}-\u{36f}]{1,3}") {
            prop_assert_eq!(text(&format!("{letter}{marks}")), letter.clone());
            prop_assert_eq!(text(&format!("{letter}{marks}").to_uppercase()), letter);
        }
    }
}
