//! The models of terminals.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The self-service models, by the supplier's names.
const PAX: [&str; 3] = ["PAX A80 Duo Base", "PAX A920 Mobile", "PAX A77 Compact"];
/// The names of models that support serves begin with this.
const VERIFONE: &str = "Verifone ";

/// A model of terminal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TerminalModel(String);

/// The maker of a model. It decides who serves the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The owner changes settings without help.
    Pax,
    /// Support changes settings for the owner.
    Verifone,
    /// An unknown maker: the terminal was ordered before models were checked.
    Unknown,
}

/// The text is not a model that is sold here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the models are PAX A80 Duo Base, PAX A920 Mobile, PAX A77 Compact, and Verifone models by their full name"
)]
pub struct UnknownModel;

impl TerminalModel {
    /// Reads a model as an order names it. Case does not matter, and `PAX` may be left out.
    ///
    /// # Errors
    /// [`UnknownModel`] for a model that is not sold here.
    pub fn parse(text: &str) -> Result<Self, UnknownModel> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        let same = |model: &&&str| {
            let short = model.strip_prefix("PAX ").unwrap_or(model);
            text.eq_ignore_ascii_case(model) || text.eq_ignore_ascii_case(short)
        };
        if let Some(model) = PAX.iter().find(same) {
            return Ok(Self((*model).to_owned()));
        }
        let (maker, name) = text.split_at_checked(VERIFONE.len()).ok_or(UnknownModel)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '/');
        let named = (1..=40).contains(&name.len()) && name.chars().all(allowed);
        if maker.eq_ignore_ascii_case(VERIFONE) && named {
            Ok(Self(format!("{VERIFONE}{name}")))
        } else {
            Err(UnknownModel)
        }
    }

    /// The model that an order in the log names. It may be unknown.
    #[must_use]
    pub fn ordered(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self(text.trim().to_owned()))
    }

    /// The maker of this model.
    #[must_use]
    pub fn maker(&self) -> Maker {
        match self.0.as_str() {
            name if PAX.contains(&name) => Maker::Pax,
            name if name.starts_with(VERIFONE) => Maker::Verifone,
            _ => Maker::Unknown,
        }
    }

    /// The model's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TerminalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_whatever_its_case_and_with_or_without_its_maker() {
        for text in ["PAX A920 Mobile", "pax a920 mobile", " A920  Mobile "] {
            let model = TerminalModel::parse(text).map(|model| (model.maker(), model.to_string()));
            assert_eq!(model, Ok((Maker::Pax, "PAX A920 Mobile".to_owned())), "{text:?}");
        }
        let verifone = TerminalModel::parse("verifone V400m").map(|model| (model.maker(), model.to_string()));
        assert_eq!(verifone, Ok((Maker::Verifone, "Verifone V400m".to_owned())));
    }

    #[test]
    fn what_is_not_sold_here_is_no_model() {
        for text in ["", "PAX", "PAX A920", "Ingenico Move 5000", "Verifone", "Verifone ", "Verifoné x"] {
            assert_eq!(TerminalModel::parse(text), Err(UnknownModel), "{text:?}");
        }
        assert_eq!(TerminalModel::ordered("Yomani XR").maker(), Maker::Unknown);
    }
}
