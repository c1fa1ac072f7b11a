//! What a new password must be.

use crate::password::Password;

/// The characters of which a password needs one, with the default rules.
pub const SPECIAL: &str = "!@#$%^&*()_+=-[]}{<>?";

/// The rules, as a value. The default is the customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_characters: usize,
    max_characters: usize,
    composition: bool,
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
    /// None of [`SPECIAL`].
    #[error("at least one of ! @ # $ % ^ & * ( ) _ + = - [ ] }} {{ < > ?")]
    Special,
}

/// A setting that would make the policy worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafePasswordPolicy {
    /// Fewer than 8 characters asked for.
    #[error("a password policy asks for at least 8 characters")]
    MinimumTooLow,
    /// A maximum below 128.
    #[error("a password policy allows at least 128 characters and at most 4096")]
    MaximumOutOfRange,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_characters: 8, max_characters: 1024, composition: true }
    }
}

impl PasswordPolicy {
    /// A policy of at least `min` and at most `max` characters, with or without the customer's
    /// composition rules.
    ///
    /// # Errors
    /// [`UnsafePasswordPolicy`] for bounds that would protect nobody, or cut long passwords off.
    pub fn new(min: usize, max: usize, composition: Composition) -> Result<Self, UnsafePasswordPolicy> {
        if min < 8 {
            return Err(UnsafePasswordPolicy::MinimumTooLow);
        }
        if !(128..=4096).contains(&max) || max < min {
            return Err(UnsafePasswordPolicy::MaximumOutOfRange);
        }
        Ok(Self {
            min_characters: min,
            max_characters: max,
            composition: composition == Composition::Required,
        })
    }

    /// Judges a new password.
    ///
    /// # Errors
    /// Every rule that it breaks, at once.
    pub fn check(&self, password: &Password) -> Result<(), Vec<PasswordRule>> {
        let text = password.expose();
        let length = text.chars().count();
        let has = |class: fn(char) -> bool| text.chars().any(class);
        let composed = [
            (PasswordRule::UpperCase, has(char::is_uppercase)),
            (PasswordRule::LowerCase, has(char::is_lowercase)),
            (PasswordRule::Digit, has(|c| c.is_ascii_digit())),
            (PasswordRule::Special, has(|c| SPECIAL.contains(c))),
        ];
        let mut broken = Vec::new();
        if length < self.min_characters {
            broken.push(PasswordRule::TooShort(self.min_characters));
        }
        if length > self.max_characters {
            broken.push(PasswordRule::TooLong(self.max_characters));
        }
        if self.composition {
            broken.extend(composed.into_iter().filter(|(_, kept)| !kept).map(|(rule, _)| rule));
        }
        if broken.is_empty() { Ok(()) } else { Err(broken) }
    }
}

/// Whether a password must mix letters, digits and special characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// The customer's rules.
    Required,
    /// Length alone, as NIST SP 800-63B asks.
    Free,
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

    proptest! {
        #[test]
        fn judging_never_panics(text in "\\PC{0,200}") {
            let _ = broken(&text);
        }
    }
}
