//! Refuses passwords made of words that a person's acquaintances try first: the person's names, address and company,
//! and the brand.

use crate::values::latin::plain;
use crate::values::password::Password;
use crate::values::person::Person;

/// Shorter words occur in too many good passwords by chance.
const SHORTEST_WORD: usize = 4;
/// A password made of a known word and up to this many more letters or digits, such as a year, is refused.
const LITTLE_MORE: usize = 4;

/// The context of one password: its words, reduced to letters and digits.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContextWords(Vec<String>);

impl ContextWords {
    /// The words of the person, of their company's names, and of the further texts.
    ///
    /// From each text come the whole, and each word of at least four letters or digits. From the e-mail address come
    /// its local part and each label of its domain.
    #[must_use]
    pub fn of(person: Option<&Person>, company: &[&str], more: &[String]) -> Self {
        let of_person = person.into_iter().flat_map(|person| {
            let email = person.email.as_str().split(['@', '.']);
            let local = person.email.as_str().split('@').next();
            email.chain(local).chain([person.given_name.as_str(), person.family_name.as_str()])
        });
        let texts = of_person.chain(company.iter().copied()).chain(more.iter().map(String::as_str));
        let mut words: Vec<String> = texts.flat_map(words_of).filter(|word| is_long_enough(word)).collect();
        // Longest first: a whole name is removed before a word that is part of it.
        words.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        words.dedup();
        Self(words)
    }

    /// Whether a password consists of little more than context words: it contains at least one, and at most four
    /// letters or digits are left without them. Case, accents, spaces and punctuation do not count. The characters
    /// `@`, `0`, `1`, `3`, `4`, `5`, `7` and `$` also count as the letters that they look like.
    #[must_use]
    pub fn are_nearly_all_of(&self, password: &Password) -> bool {
        let typed = password.expose();
        [reduced(typed), reduced(&spelled_out(typed, 'i')), reduced(&spelled_out(typed, 'l'))]
            .iter()
            .any(|text| self.leave_little_of(text))
    }

    fn leave_little_of(&self, text: &str) -> bool {
        let left = self.0.iter().fold(text.to_owned(), |left, word| left.replace(word.as_str(), ""));
        left.len() < text.len() && left.chars().count() <= LITTLE_MORE
    }
}

fn words_of(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).chain([text]).map(reduced)
}

fn is_long_enough(word: &str) -> bool {
    word.chars().count() >= SHORTEST_WORD
}

/// The letters and digits of a text, without case and accents.
fn reduced(text: &str) -> String {
    plain(text).into_iter().filter(|c| c.is_alphanumeric()).collect()
}

/// The text with look-alike characters replaced by letters. `1` looks like two letters, so the caller chooses one.
fn spelled_out(text: &str, one: char) -> String {
    let letter = |c| match c {
        '@' | '4' => 'a',
        '0' => 'o',
        '1' | '!' => one,
        '3' => 'e',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::email_address::EmailAddress;
    use crate::values::person::PersonName;

    fn marie() -> ContextWords {
        let person = Person {
            email: EmailAddress::parse("m.dupont-leroy@boulangerie.example").unwrap(),
            given_name: PersonName::parse("Marie-Hélène").unwrap(),
            family_name: PersonName::parse("Dupont").unwrap(),
        };
        ContextWords::of(Some(&person), &[], &["MyCCV".to_owned(), "pay terminal".to_owned()])
    }

    fn refuses(text: &str) -> bool {
        marie().are_nearly_all_of(&Password::new(text.to_owned()))
    }

    #[test]
    fn a_word_of_the_context_and_a_year_is_no_password() {
        for nearly in [
            "Dupont2026!",
            "dupont",
            "!!!MyCCV-1234!!!",
            "M@r1eHelene!",
            "MARIE.HÉLÈNE.DUPONT",
            "myccvmyccvmyccv",
            "payterminal#99",
            "Boulangerie.example",
            "m.dupont-leroy",
            "Dup0nt_Leroy_75",
        ] {
            assert!(refuses(nearly), "{nearly}");
        }
    }

    #[test]
    fn a_password_that_has_much_more_than_the_word_may_be_chosen() {
        for enough in
            ["Dupont-kx82q", "my cat hates tuesdays", "MyCCV?tulips", "Boulange7!", "", "!!!!", "2026"]
        {
            assert!(!refuses(enough), "{enough}");
        }
    }

    #[test]
    fn words_of_three_letters_are_too_common_to_count() {
        let words = ContextWords::of(None, &[], &["ING".to_owned(), "an".to_owned()]);
        assert!(!words.are_nearly_all_of(&Password::new("ing2026".to_owned())));
    }

    proptest! {
        #[test]
        fn comparing_never_panics_and_an_added_tail_of_five_letters_is_enough(text in "\\PC{0,60}", tail in "[b-df-hj-np-rw-z]{5}") {
            let _ = refuses(&text);
            let tailed = format!("Dupont{tail}");
            prop_assert!(!refuses(&tailed), "{}", tailed);
        }
    }
}
