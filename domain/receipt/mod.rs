//! The receipt layout of a site: what its PAX terminals print around a payment.

use std::convert::Infallible;

use crate::Moment;
use crate::decider::Decider;
use crate::policies::Policies;
use serde::{Deserialize, Serialize};

use crate::company::CompanyName;
use crate::fact::Fact;
use crate::ids::{CompanyId, LogoId, SiteId};
use crate::logo::Logo;
use crate::stream::StreamId;
use crate::values::plain_text::is_text;

/// What the names of receipt layouts' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "receipt";

/// The stream of a site's receipt layout.
#[must_use]
pub fn stream(site: SiteId) -> StreamId {
    StreamId::new(CATEGORY, &site.to_string())
}

/// How many lines a part of a receipt has at most.
pub const MOST_LINES: usize = 10;
/// How many characters a line has at most: what a 58 mm printer prints in its small font.
pub const MOST_COLUMNS: usize = 42;

/// A part of a receipt: up to ten lines of up to 42 printable characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptText(Vec<String>);

/// Why a text is no part of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of a receipt has at most {MOST_LINES} lines of {MOST_COLUMNS} printable characters")]
pub struct InvalidReceiptText;

impl ReceiptText {
    /// Takes lines separated by line ends; space at the end of lines and empty lines at the end are dropped.
    ///
    /// # Errors
    /// [`InvalidReceiptText`] where there are too many lines, one is too long, or one holds control characters.
    pub fn parse(text: &str) -> Result<Self, InvalidReceiptText> {
        let lines: Vec<String> = text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect();
        let fits = |line: &String| line.is_empty() || is_text(line, MOST_COLUMNS);
        if lines.len() <= MOST_LINES && lines.iter().all(fits) {
            Ok(Self(lines))
        } else {
            Err(InvalidReceiptText)
        }
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

/// What a site's receipts look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Above the payment.
    pub header: ReceiptText,
    /// Between the payment and the cardholder's part.
    pub middle: ReceiptText,
    /// Below everything.
    pub footer: ReceiptText,
    /// The name over the door; the company's where none is said.
    pub trading_name: Option<CompanyName>,
    /// The picture on top.
    pub logo: Option<LogoId>,
}

/// What can happen to a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was saved; terminals fetch it when they next synchronise.
    ReceiptLayoutSaved {
        /// Whose site it was then.
        company: CompanyId,
        /// What it is now.
        layout: Box<Layout>,
        /// The picture itself, where it stands here and not in a stream of its own, as it did once.
        held: Option<Logo>,
    },
}

/// The layout of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How often it was saved; zero says never.
    pub version: u64,
    /// What was saved last.
    pub layout: Layout,
    /// Its picture, where that is in no stream of its own.
    pub held: Option<Logo>,
}

/// What can be asked of a layout.
#[derive(Clone, Debug)]
pub enum Command {
    /// Save it.
    Save {
        /// Whose site it is.
        company: CompanyId,
        /// What it is to be.
        layout: Box<Layout>,
    },
}

/// Decides a command; saving what is there already changes nothing.
#[must_use]
pub fn decide(receipt: &Receipt, command: Command) -> Vec<Event> {
    let Command::Save { company, layout } = command;
    let same = receipt.version > 0 && receipt.layout == *layout;
    (!same).then_some(Event::ReceiptLayoutSaved { company, layout, held: None }).into_iter().collect()
}

impl Decider for Receipt {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Infallible;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Infallible> {
        Ok(decide(self, command))
    }

    fn evolve(self, fact: &Fact<Event>) -> Self {
        evolve(self, fact)
    }
}

/// The layout after one more fact.
#[must_use]
pub fn evolve(receipt: Receipt, fact: &Fact<Event>) -> Receipt {
    let Event::ReceiptLayoutSaved { layout, held, .. } = &fact.event;
    Receipt { version: receipt.version + 1, layout: (**layout).clone(), held: held.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_ten_lines_of_42_characters() {
        let parse = |text: &str| ReceiptText::parse(text).map(|text| text.0);
        assert_eq!(parse("Merci \nà bientôt\n\n"), Ok(vec!["Merci".to_owned(), "à bientôt".to_owned()]));
        assert_eq!(parse(""), Ok(Vec::new()));
        assert!(parse(&"é".repeat(42)).is_ok());
        for text in ["x".repeat(43), "x\n".repeat(11), "a\u{7}b".to_owned()] {
            assert_eq!(parse(&text), Err(InvalidReceiptText), "{text:?}");
        }
    }
}
