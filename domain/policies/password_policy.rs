//! The rules for a new password.

use serde::{Deserialize, Serialize};

use crate::values::password::Password;

/// The special characters. With the default rules a password needs one of them.
pub const SPECIAL: &str = "!@#$%^&*()_+=-[]}{<>?";

/// The maximum number of earlier passwords that can be refused. Each comparison costs one hash.
pub const MOST_HISTORY: usize = 10;

/// The rules for new passwords. The default is the customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_characters: usize,
    max_characters: usize,
    composition: Composition,
    history: usize,
    blocklist: Blocklisted,
    context: Context,
}

/// A rule that a password breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRule {
    /// Too few characters.
    #[error("at least {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("at most {0} characters")]
    TooLong(usize),
    /// No upper-case letter.
    #[error("at least one upper-case letter")]
    UpperCase,
    /// No lower-case letter.
    #[error("at least one lower-case letter")]
    LowerCase,
    /// No digit.
    #[error("at least one digit")]
    Digit,
    /// No character of [`SPECIAL`].
    #[error("at least one of ! @ # $ % ^ & * ( ) _ + = - [ ] }} {{ < > ?")]
    Special,
    /// No letter.
    #[error("at least one letter")]
    Letter,
    /// On the blocklist of common or breached passwords.
    #[error("not a common password, nor one known from a breach")]
    Common,
    /// Little more than a word of its context, such as the person's name.
    #[error("more than a name, an address or a word of this company")]
    Context,
    /// One of the account's last passwords; the number says how many count.
    #[error("not one of the last {0} passwords")]
    Reused(usize),
}

/// A setting that would make the policy useless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePasswordPolicy {
    /// The minimum length is below 8 characters.
    #[error("a password policy must ask for at least 8 characters")]
    MinimumTooLow,
    /// The maximum length is below 128 or above 4096 characters.
    #[error("the maximum length of a password must be from 128 to 4096 characters")]
    MaximumOutOfRange,
    /// More than [`MOST_HISTORY`] earlier passwords.
    #[error("at most {MOST_HISTORY} earlier passwords can be compared, because each costs a hash")]
    HistoryTooLong,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_characters: 8,
            max_characters: 1024,
            composition: Composition::Required,
            history: 0,
            blocklist: Blocklisted::Allowed,
            context: Context::Free,
        }
    }
}

impl PasswordPolicy {
    /// Makes a policy of at least `min` and at most `max` characters, with this rule of composition.
    ///
    /// # Errors
    /// [`UnsafePasswordPolicy`] if the minimum is too low, or if the maximum would refuse long passwords.
    pub fn new(min: usize, max: usize, composition: Composition) -> Result<Self, UnsafePasswordPolicy> {
        if min < 8 {
            return Err(UnsafePasswordPolicy::MinimumTooLow);
        }
        if !(128..=4096).contains(&max) || max < min {
            return Err(UnsafePasswordPolicy::MaximumOutOfRange);
        }
        Ok(Self { min_characters: min, max_characters: max, composition, ..Self::default() })
    }

    /// The same policy. It also refuses the account's last `passwords` passwords, the present one included.
    ///
    /// # Errors
    /// [`UnsafePasswordPolicy::HistoryTooLong`] for more than [`MOST_HISTORY`].
    pub fn with_history(self, passwords: usize) -> Result<Self, UnsafePasswordPolicy> {
        match passwords <= MOST_HISTORY {
            true => Ok(Self { history: passwords, ..self }),
            false => Err(UnsafePasswordPolicy::HistoryTooLong),
        }
    }

    /// The same policy with this rule for passwords on the blocklist.
    #[must_use]
    pub fn with_blocklist(self, blocklist: Blocklisted) -> Self {
        Self { blocklist, ..self }
    }

    /// The same policy with this rule for words of the context.
    #[must_use]
    pub fn with_context(self, context: Context) -> Self {
        Self { context, ..self }
    }

    /// How many of the account's last passwords are refused, the present one included.
    #[must_use]
    pub fn history(&self) -> usize {
        self.history
    }

    /// Whether passwords on the blocklist are refused.
    #[must_use]
    pub fn blocklist(&self) -> Blocklisted {
        self.blocklist
    }

    /// Whether words of the context are refused, and which.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The rules as an event stores them.
    #[must_use]
    pub fn in_force(&self) -> PasswordPolicyInForce {
        PasswordPolicyInForce {
            min_characters: self.min_characters,
            max_characters: self.max_characters,
            composition: self.composition,
            history: self.history,
            refuses_blocklisted: self.blocklist == Blocklisted::Refused,
            refuses_context: matches!(self.context, Context::Refused { .. }),
        }
    }

    /// All rules in force, to show to a person who chooses a password.
    #[must_use]
    pub fn rules(&self) -> Vec<PasswordRule> {
        let common = (self.blocklist == Blocklisted::Refused).then_some(PasswordRule::Common);
        let context = matches!(self.context, Context::Refused { .. }).then_some(PasswordRule::Context);
        let reused = (self.history > 0).then_some(PasswordRule::Reused(self.history));
        std::iter::once(PasswordRule::TooShort(self.min_characters))
            .chain(self.composition.rules().iter().copied())
            .chain(common)
            .chain(context)
            .chain(reused)
            .collect()
    }

    /// Checks a new password's length and composition. The blocklist, the context and earlier passwords are checked
    /// elsewhere.
    ///
    /// # Errors
    /// All rules that the password breaks.
    pub fn check(&self, password: &Password) -> Result<(), Vec<PasswordRule>> {
        let text = password.expose();
        let length = text.chars().count();
        let mut broken = Vec::new();
        if length < self.min_characters {
            broken.push(PasswordRule::TooShort(self.min_characters));
        }
        if length > self.max_characters {
            broken.push(PasswordRule::TooLong(self.max_characters));
        }
        broken.extend(self.composition.rules().iter().filter(|rule| !is_composed(**rule, text)));
        if broken.is_empty() { Ok(()) } else { Err(broken) }
    }
}

/// Whether a text meets a rule of composition.
fn is_composed(rule: PasswordRule, text: &str) -> bool {
    let has = |class: fn(char) -> bool| text.chars().any(class);
    match rule {
        PasswordRule::UpperCase => has(char::is_uppercase),
        PasswordRule::LowerCase => has(char::is_lowercase),
        PasswordRule::Digit => has(|c| c.is_ascii_digit()),
        PasswordRule::Special => has(|c| SPECIAL.contains(c)),
        PasswordRule::Letter => has(char::is_alphabetic),
        _ => true,
    }
}

/// The rules for new passwords, as an event stores them. **This shape is part of the storage format.**
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicyInForce {
    /// The minimum number of characters.
    pub min_characters: usize,
    /// The maximum number of characters.
    pub max_characters: usize,
    /// What a password must contain.
    pub composition: Composition,
    /// How many of the last passwords are refused.
    pub history: usize,
    /// Whether passwords on the blocklist are refused.
    pub refuses_blocklisted: bool,
    /// Whether words of the person and the company are refused.
    pub refuses_context: bool,
}

/// Whether a password must contain letters, digits and special characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Composition {
    /// The customer's rules: an upper-case letter, a lower-case letter, a digit and a special character.
    Required,
    /// A letter and a digit (PCI DSS 4.0, 8.3.6).
    LettersAndDigits,
    /// Only the length matters (NIST SP 800-63B-4, 3.1.1.2).
    Free,
}

impl Composition {
    fn rules(self) -> &'static [PasswordRule] {
        use PasswordRule::{Digit, Letter, LowerCase, Special, UpperCase};
        match self {
            Self::Required => &[UpperCase, LowerCase, Digit, Special],
            Self::LettersAndDigits => &[Letter, Digit],
            Self::Free => &[],
        }
    }
}

/// Whether passwords on the blocklist are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocklisted {
    /// Allowed. Nothing is looked up.
    Allowed,
    /// Refused (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2.4 and 6.2.12).
    Refused,
}

/// Whether passwords are refused that are little more than a word of their context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// Allowed. Nothing is compared.
    Free,
    /// Refused (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2.11). The context is the person's and the company's
    /// own words, and `words` for everybody.
    Refused {
        /// The brand, and the words that the operator lists.
        words: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn broken(text: &str) -> Vec<PasswordRule> {
        PasswordPolicy::default().check(&Password::new(text.to_owned())).err().unwrap_or_default()
    }

    #[test]
    fn a_password_that_keeps_every_rule_is_taken() {
        for text in ["Boulange7!", "Ab1!Ab1!", "Élan-été 2026", "パスワードAa1?"] {
            assert_eq!(broken(text), [], "{text}");
        }
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        use PasswordRule::*;
        assert_eq!(broken(""), [TooShort(8), UpperCase, LowerCase, Digit, Special]);
        assert_eq!(broken("abcdefgh"), [UpperCase, Digit, Special]);
        assert_eq!(broken("ABCDEF1"), [TooShort(8), LowerCase, Special]);
    }

    #[test]
    fn each_of_the_listed_characters_counts_as_special() {
        for special in SPECIAL.chars() {
            assert_eq!(broken(&format!("Abcdefg1{special}")), [], "{special}");
        }
        assert_eq!(SPECIAL.chars().count(), 21);
    }

    #[test]
    fn characters_are_counted_not_bytes_and_128_are_always_taken() {
        assert_eq!(broken("Aa1!ééé"), [PasswordRule::TooShort(8)]);
        assert_eq!(broken(&format!("Aa1!{}", "é".repeat(124))), []);
        assert!(PasswordPolicy::new(8, 127, Composition::Required).is_err());
        assert!(PasswordPolicy::new(7, 128, Composition::Required).is_err());
    }

    #[test]
    fn pci_asks_for_a_letter_and_a_digit_of_any_script_and_case() {
        let policy = PasswordPolicy::new(12, 1024, Composition::LettersAndDigits).unwrap();
        let broken = |text: &str| policy.check(&Password::new(text.to_owned())).err().unwrap_or_default();
        assert_eq!(broken("twelveletter"), [PasswordRule::Digit]);
        assert_eq!(broken("123456789012"), [PasswordRule::Letter]);
        assert_eq!(broken("elevenchar1"), [PasswordRule::TooShort(12)]);
        assert_eq!(broken("twelveletter1"), []);
    }

    #[test]
    fn the_rules_in_force_are_told_before_anybody_chooses() {
        use PasswordRule::{
            Common, Context as OfContext, Digit, Letter, LowerCase, Reused, Special, TooShort, UpperCase,
        };
        let default = PasswordPolicy::default();
        assert_eq!(default.rules(), [TooShort(8), UpperCase, LowerCase, Digit, Special]);
        let pci = PasswordPolicy::new(12, 1024, Composition::LettersAndDigits).unwrap();
        assert_eq!(pci.with_history(4).unwrap().rules(), [TooShort(12), Letter, Digit, Reused(4)]);
        let nist = PasswordPolicy::new(15, 1024, Composition::Free).unwrap();
        let nist =
            nist.with_blocklist(Blocklisted::Refused).with_context(Context::Refused { words: Vec::new() });
        assert_eq!(nist.rules(), [TooShort(15), Common, OfContext]);
    }

    #[test]
    fn more_than_ten_former_passwords_are_never_compared() {
        assert!(PasswordPolicy::default().with_history(MOST_HISTORY).is_ok());
        assert_eq!(
            PasswordPolicy::default().with_history(MOST_HISTORY + 1),
            Err(UnsafePasswordPolicy::HistoryTooLong)
        );
    }

    proptest! {
        #[test]
        fn judging_never_panics(text in "\\PC{0,200}") {
            let _ = broken(&text);
        }
    }
}
