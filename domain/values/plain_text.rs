//! Keeps texts harmless for their readers: no hidden characters, and no unexpected links.
//!
//! One person writes a name and another reads it, in a mail with our letterhead or in a terminal. A reader would
//! follow a link in it because they trust the letterhead (fxa-auth-server #520, FusionAuth #675). A control character
//! could change what is displayed (CWE-150, CVE-2021-42574).

use std::borrow::Cow;
use std::fmt::Write;

use unicode_normalization::char::is_combining_mark;

/// Whether a character can be displayed as it is. These cannot: control characters, line and paragraph separators,
/// marks that change the direction of text, zero-width letters, fillers, tags, and the 66 code points that Unicode
/// never assigns (noncharacters), some of which XML forbids. The two joiners and the variation selectors are allowed,
/// because some scripts and emoji need them.
#[must_use]
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let code = u32::from(character);
    let hidden = matches!(
        code,
        0x00ad | 0x061c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b | 0x200e | 0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfdd0..=0xfdef | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe00ff | 0xe01f0..=0xe0fff
            // The areas for private use: each font shows something else there, or nothing.
            | 0xe000..=0xf8ff | 0xf0000..=0x0010_ffff
    );
    !character.is_control() && !hidden && code & 0xfffe != 0xfffe
}

/// Whether a reader sees a character when it stands alone. Spaces, joiners, variation selectors, accents without a
/// letter and the empty Braille pattern can be displayed, but are not visible.
fn is_visible(character: char) -> bool {
    let blank = matches!(
        u32::from(character),
        0x034f | 0x200c | 0x200d | 0x2800 | 0xfe00..=0xfe0f | 0xe0100..=0xe01ef
    );
    is_printable(character) && !blank && !character.is_whitespace() && !is_combining_mark(character)
}

/// The most accents on one letter. No language needs as many; more of them cover the lines above and below.
const MOST_MARKS: usize = 8;

/// Whether a text has 1 to `most` characters, all of them can be displayed, at least one is visible, and no letter has more
/// accents than any language puts on one.
#[must_use]
pub fn is_text(text: &str, most: usize) -> bool {
    let mut marks = 0;
    let is_piled = text.chars().any(|character| {
        marks = if is_combining_mark(character) { marks + 1 } else { 0 };
        marks > MOST_MARKS
    });
    let is_displayed = text.chars().any(is_visible) && text.chars().all(is_printable);
    is_displayed && !is_piled && text.chars().count() <= most
}

/// Returns the text for display on one line. A character that cannot be displayed is escaped as in JSON (RFC 8259,
/// 7), such as `\u001b`, so that JSON keeps its meaning. All code that shows input to a person uses this function.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_printable)
}

/// The same as [`visible`] for a text of several lines. Line ends stay.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character == '\n' || is_printable(character))
}

fn escaped(text: &str, shown: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&shown) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if shown(character) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

/// Whether a text contains a URL scheme and something after it: `https://x`, `ftp://x`.
#[must_use]
pub fn names_scheme(text: &str) -> bool {
    plain(text).contains("://")
}

/// Whether a person's name contains something that a mail client would show as a link: a scheme, `www.`, a slash, an
/// `@`, or a domain such as `win.example`. Initials such as `J.P.` or `J.Jansen` are not links.
#[must_use]
pub fn carries_link(name: &str) -> bool {
    let name = plain(name);
    let www = name.to_lowercase().contains("www.");
    www || name.contains(['/', '\\', '@'])
        || begins_scheme(&name)
        || name.split_whitespace().any(holds_domain)
}

/// The text with Unicode variants of signs, such as other dots, replaced by ASCII.
fn plain(text: &str) -> String {
    let ascii = |character| match character {
        '。' | '．' | '｡' | '․' | '﹒' => '.',
        '／' | '⁄' | '∕' => '/',
        '＼' | '﹨' => '\\',
        '＠' | '﹫' => '@',
        '：' | '﹕' => ':',
        other => other,
    };
    text.chars().map(ascii).collect()
}

/// Whether a name begins as `mailto:x` does: two or more letters, a colon, and no space. The Swedish `H:son` has one
/// letter, so it is allowed.
fn begins_scheme(name: &str) -> bool {
    let parts: Vec<&str> = name.split(':').collect();
    parts.windows(2).any(|pair| {
        let [before, after] = pair else { return false };
        let letters = before.chars().rev().take_while(|letter| letter.is_alphanumeric()).count();
        letters >= 2 && after.starts_with(|letter: char| !letter.is_whitespace())
    })
}

fn holds_domain(word: &str) -> bool {
    let trimmed = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    let labels: Vec<&str> = trimmed.split('.').collect();
    labels.windows(2).any(|pair| {
        let [before, after] = pair else { return false };
        let before = label(before.rsplit(no_label).next());
        let after = label(after.split(no_label).next());
        !before.is_empty() && after.chars().count() >= 2 && !are_initials(before, after)
    })
}

fn label(part: Option<&str>) -> &str {
    part.unwrap_or_default().trim_matches('-')
}

fn no_label(letter: char) -> bool {
    !letter.is_alphanumeric() && letter != '-'
}

/// Whether the text has the form of `J.Jansen`: one capital before the dot, and after it a capital and small letters.
fn are_initials(before: &str, after: &str) -> bool {
    let mut letters = after.chars();
    before.chars().count() == 1
        && before.chars().all(char::is_uppercase)
        && letters.next().is_some_and(char::is_uppercase)
        && letters.any(char::is_lowercase)
}

/// A zero-width space. It separates two characters that a mail client would otherwise read as one word.
const APART: char = '\u{200b}';

/// A name as mails show it: on one line, with at most `most` characters, and without anything that a mail client
/// shows as a link. A zero-width space follows each colon, each `@`, and each dot that is not part of a number, as in
/// the mails of GOV.UK Notify. The name looks the same, but is not an address any more.
#[must_use]
pub fn without_links(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().filter(|letter| is_printable(*letter)).collect();
    let mut shown = String::with_capacity(name.len());
    let mut before = ' ';
    for (n, letter) in letters.iter().copied().enumerate().take(most) {
        shown.push(letter);
        let next = letters.get(n + 1).copied().unwrap_or(' ');
        let number = before.is_ascii_digit() && next.is_ascii_digit();
        let joins = match plain(letter.encode_utf8(&mut [0; 4])).as_str() {
            "." => !number,
            ":" | "@" => true,
            _ => false,
        };
        if joins && !next.is_whitespace() {
            shown.push(APART);
        }
        before = letter;
    }
    if letters.len() > most {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_holds_what_can_never_be_shown() {
        for hidden in [
            '\u{0}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{9f}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{61c}',
            '\u{85}',
            '\u{ad}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202b}',
            '\u{202d}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{115f}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{1d173}',
            '\u{2069}',
            '\u{feff}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{e0041}',
            '\u{10ffff}',
            '\u{e000}',
            '\u{f8ff}',
            '\u{f0000}',
            '\u{10fffd}',
        ] {
            assert!(!is_text(&format!("a{hidden}"), 10), "{hidden:?}");
        }
        for shown in ['\u{a0}', '\u{200d}', '\u{fdcf}', '\u{fdf0}', '\u{fffd}', '\u{10000}', '\u{efffd}'] {
            assert!(is_text(&format!("a{shown}"), 10), "{shown:?}");
        }
    }

    #[test]
    fn a_letter_has_no_more_accents_than_any_language_puts_on_one() {
        let piled = |marks: usize| format!("Zoe{}", "\u{301}".repeat(marks));
        assert!(is_text(&piled(8), 100) && !is_text(&piled(9), 100) && !is_text(&piled(40), 100));
        assert!(is_text(&"e\u{301}".repeat(20), 100));
    }

    #[test]
    fn a_text_has_at_least_one_visible_character() {
        for blank in [
            "",
            " ",
            "\u{a0}",
            "\u{2003}\u{3000}",
            "\u{200d}",
            "\u{200c}\u{200d}",
            "\u{fe0f}",
            "\u{34f}",
            "\u{301}",
            "\u{2800}",
            " \u{200d} ",
            "\u{e0100}",
        ] {
            assert!(!is_text(blank, 10), "{blank:?}");
        }
        for seen in [
            "X",
            "é",
            "e\u{301}",
            "-",
            "李",
            "☕\u{fe0f}",
            "👩\u{200d}🍳",
            "葛\u{e0100}",
            "हि",
            "نام\u{200c}ها",
        ] {
            assert!(is_text(seen, 10), "{seen:?}");
        }
    }

    #[test]
    fn a_link_in_a_name_is_seen_however_it_is_written() {
        for link in [
            "http://win.example/",
            "Claim at https://x",
            "www.win",
            "www.x",
            "WWW.WIN.EXAMPLE",
            "win.example",
            "go to win.example!",
            "(win.example)",
            "t.co",
            "T.CO",
            "a-b.xn--p1ai",
            "Jan,win.example",
            "win．example",
            "win。example",
            "a/b",
            "a\\b",
            "／／win",
            "jan@win",
            "jan＠win",
            "mailto:jan",
            "javascript:alert(1)",
            "192.168.0.1",
            "St.John",
        ] {
            assert!(carries_link(link), "{link:?}");
        }
    }

    #[test]
    fn what_people_are_called_is_no_link() {
        for name in [
            "Marie",
            "J.P.",
            "J.-P.",
            "J.Jansen",
            "A.B.C. de Vries",
            "St. John",
            "Jr.",
            "Anne-Marie",
            "O'Brien",
            "d’Hondt",
            "van 't Hoff",
            "Pehr H:son",
            "Müller",
            "Nguyễn Văn A",
            "Αθηνά",
            "محمد",
            "李小龍",
            "Dr. Who: the second",
        ] {
            assert!(!carries_link(name), "{name:?}");
        }
    }

    #[test]
    fn a_company_may_be_called_as_its_address_but_not_by_a_scheme() {
        assert!(!names_scheme("Booking.com BV") && !names_scheme("A/B Design @ Home"));
        assert!(names_scheme("http://win.example") && names_scheme("Prize：／／win"));
    }

    #[test]
    fn what_a_mail_shows_reads_as_it_is_and_is_no_link() {
        assert_eq!(without_links("Booking.com BV", 80), "Booking.\u{200b}com BV");
        assert_eq!(without_links("http://win.example/", 80), "http:\u{200b}//win.\u{200b}example/");
        assert_eq!(without_links("jan@win.example", 80), "jan@\u{200b}win.\u{200b}example");
        assert_eq!(without_links("Firefox/140.0, 127.0.0.1", 80), "Firefox/140.0, 127.0.0.1");
        assert_eq!(without_links("Marie Dupont jr.", 80), "Marie Dupont jr.");
        assert_eq!(without_links("a\r\nBcc: b\u{1b}[2J\u{202e}", 80), "aBcc: b[2J");
        assert_eq!(without_links(&"x".repeat(90), 80), format!("{}…", "x".repeat(80)));
    }

    /// Any text. The strings of proptest contain no control characters.
    fn any_text() -> impl Strategy<Value = String> {
        let hidden = prop::sample::select(vec![
            '\0',
            '\n',
            '\r',
            '\u{1b}',
            '\u{9b}',
            '\u{200b}',
            '\u{202e}',
            '\u{e0041}',
        ]);
        let letter = prop_oneof![2 => any::<char>(), 1 => hidden];
        prop::collection::vec(letter, 0..30).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_shown_and_json_means_the_same(text in any_text()) {
            prop_assert!(visible(&text).chars().all(is_printable));
            prop_assert!(visible_lines(&text).chars().all(|one| one == '\n' || is_printable(one)));
            let json = serde_json::to_string(&text).unwrap();
            let shown = visible(&json);
            prop_assert!(shown.chars().all(is_printable));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }

        #[test]
        fn no_mail_shows_a_link_of_a_name(text in "([a-zA-Z0-9./:@\\\\ -]|(?s).){0,60}") {
            let shown = without_links(&text, 80);
            prop_assert!(!names_scheme(&shown), "{shown:?}");
            prop_assert!(!shown.split(APART).any(|part| part.trim_end().contains('@') && !part.trim_end().ends_with('@')
                && part.split('@').nth(1).is_some_and(|after| after.starts_with(|c: char| !c.is_whitespace()))), "{shown:?}");
            // No word that a mail client sees has a dot before a letter.
            let letters: Vec<char> = shown.chars().collect();
            for pair in letters.windows(2) {
                prop_assert!(pair[0] != '.' || !pair[1].is_alphabetic(), "{shown:?}");
            }
        }
    }
}
