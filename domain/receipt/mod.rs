//! The receipt layout of a site: the texts and the logo that its PAX terminals print around a payment.

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
use crate::values::erasable::Erasable;
use crate::values::plain_text::is_text;

/// The category of these streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "receipt";

/// The stream of a site's receipt layout.
#[must_use]
pub fn stream(site: SiteId) -> StreamId {
    StreamId::new(CATEGORY, &site.to_string())
}

/// The maximum number of lines in a part of a receipt.
pub const MOST_LINES: usize = 10;
/// The maximum number of characters in a line: the width of a 58 mm printer in its small font.
pub const MOST_COLUMNS: usize = 42;

/// One text of a receipt: at most ten lines of at most 42 printable characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptText(Vec<String>);

/// The text cannot be a part of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of a receipt has at most {MOST_LINES} lines of {MOST_COLUMNS} printable characters")]
pub struct InvalidReceiptText;

impl ReceiptText {
    /// Reads lines separated by line ends. Drops white space at the end of lines and empty lines at the end.
    ///
    /// # Errors
    /// [`InvalidReceiptText`] if there are too many lines, a line is too long, or a line contains control characters.
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

/// The layout of a site's receipts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The text above the payment.
    pub header: ReceiptText,
    /// The text between the payment and the cardholder's part.
    pub middle: ReceiptText,
    /// The text at the bottom.
    pub footer: ReceiptText,
    /// The trading name to print. `None`: the company's name.
    pub trading_name: Option<CompanyName>,
    /// The logo at the top.
    pub logo: Option<LogoId>,
}

/// Something that happened to a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The layout was saved. Terminals fetch it when they next synchronise. It is encrypted with the key of its site.
    ReceiptLayoutSaved {
        /// The company that the site belonged to.
        company: CompanyId,
        /// The new layout.
        layout: Erasable<Box<Layout>>,
        /// The logo itself. Only old events have it; today a logo has a stream of its own.
        held: Option<Logo>,
    },
}

/// The receipt layout of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The number of times it was saved. Zero means never.
    pub version: u64,
    /// The layout that was saved last.
    pub layout: Layout,
    /// Its logo, if the logo has no stream of its own.
    pub held: Option<Logo>,
}

/// The commands of a layout.
#[derive(Clone, Debug)]
pub enum Command {
    /// Save the layout.
    Save {
        /// The company that the site belongs to.
        company: CompanyId,
        /// The new layout.
        layout: Box<Layout>,
    },
}

/// Decides a command. Saving the same layout again changes nothing.
#[must_use]
pub fn decide(receipt: &Receipt, command: Command) -> Vec<Event> {
    let Command::Save { company, layout } = command;
    let same = receipt.version > 0 && receipt.layout == *layout;
    let layout = Erasable::Known(layout);
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

/// The layout after one more event.
#[must_use]
pub fn evolve(receipt: Receipt, fact: &Fact<Event>) -> Receipt {
    let Event::ReceiptLayoutSaved { layout, held, .. } = &fact.event;
    let layout = layout.known().map(|layout| (**layout).clone()).unwrap_or_default();
    Receipt { version: receipt.version + 1, layout, held: held.clone() }
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
