//! The stored form of the events of a receipt layout. Version 1 contained the logo itself, once in every saved
//! layout. Version 2 contains the logo's id.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Private, Stored};
use crate::company::CompanyName;
use crate::ids::{CompanyId, LogoId};
use crate::logo::Logo;
use crate::receipt::{Event, Layout, ReceiptText};
use crate::values::erasable::Erasable;

pub(super) const NAMES: &[&str] = &["receipt-layout-saved"];

/// A saved layout, with the logo in the form of its version.
#[derive(Debug, Serialize, Deserialize)]
pub struct Saved<L> {
    company_id: CompanyId,
    layout: StoredLayout<L>,
}

/// A layout.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredLayout<L> {
    header: ReceiptText,
    middle: ReceiptText,
    footer: ReceiptText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trading_name: Option<CompanyName>,
    #[serde(flatten)]
    logo: L,
}

/// The logo itself.
#[derive(Debug, Deserialize)]
struct Held {
    #[serde(default)]
    logo: Option<Logo>,
}

/// The id of the logo, which has its own stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct Named {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logo_id: Option<LogoId>,
}

impl<L> Saved<L> {
    fn event(self, logo: impl FnOnce(L) -> (Option<LogoId>, Option<Logo>)) -> Event {
        let StoredLayout { header, middle, footer, trading_name, logo: said } = self.layout;
        let (logo, held) = logo(said);
        let layout = Box::new(Layout { header, middle, footer, trading_name, logo });
        Event::ReceiptLayoutSaved { company: self.company_id, layout, held }
    }
}

/// The newest shape.
pub(super) type Data = Saved<Named>;

pub(super) fn write(event: &Event) -> Stored {
    let Event::ReceiptLayoutSaved { company, layout, .. } = event;
    let Layout { header, middle, footer, trading_name, logo } = layout.as_ref().clone();
    let layout = StoredLayout { header, middle, footer, trading_name, logo: Named { logo_id: logo } };
    let data = super::Data::Receipt(Saved { company_id: *company, layout });
    Stored { name: "receipt-layout-saved", version: 2, data, private: Private::default(), subject: None }
}

pub(super) fn read<'de, D: Deserializer<'de>>(
    name: &str,
    version: u16,
    data: D,
    _: Erasable<Private>,
) -> Result<Option<Event>, D::Error> {
    let event = match (name, version) {
        ("receipt-layout-saved", 1) => {
            Saved::<Held>::deserialize(data)?.event(|held| (held.logo.as_ref().map(LogoId::of), held.logo))
        }
        ("receipt-layout-saved", 2) => {
            Saved::<Named>::deserialize(data)?.event(|named| (named.logo_id, None))
        }
        _ => return Ok(None),
    };
    Ok(Some(event))
}
