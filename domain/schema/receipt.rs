//! The stored form of the events of a receipt layout. Version 1 contained the logo itself, once in every saved
//! layout. Version 2 contains the logo's id. In version 3 the layout is encrypted with the key of its site.

use serde::{Deserialize, Serialize};

use super::{Private, Sealable};
use crate::company::CompanyName;
use crate::ids::{CompanyId, LogoId};
use crate::logo::Logo;
use crate::receipt::{Event, Layout, ReceiptText};
use crate::values::erasable::Erasable;

stored_events!(Receipt:
    "receipt-layout-saved" 3 => ReceiptLayoutSaved {
        company as "company_id": CompanyId,
        held as #[serde(default, skip_serializing_if = "Option::is_none")] "held": Option<Logo>,
    } sealed { layout } opened { 1 => SavedV1, 2 => SavedV2 },
);

/// The texts of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Texts {
    header: ReceiptText,
    middle: ReceiptText,
    footer: ReceiptText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trading_name: Option<CompanyName>,
}

/// A layout, with the id of its logo, which has its own stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLayout {
    #[serde(flatten)]
    texts: Texts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logo_id: Option<LogoId>,
}

impl Texts {
    fn with(self, logo: Option<LogoId>) -> Layout {
        let Self { header, middle, footer, trading_name } = self;
        Layout { header, middle, footer, trading_name, logo }
    }
}

impl Sealable for Box<Layout> {
    fn seal(self, private: &mut Private) {
        let Layout { header, middle, footer, trading_name, logo } = *self;
        let texts = Texts { header, middle, footer, trading_name };
        private.layout = Some(StoredLayout { texts, logo_id: logo });
    }

    fn open(private: &Private) -> Option<Self> {
        private.layout.clone().map(|stored| Box::new(stored.texts.with(stored.logo_id)))
    }
}

#[derive(Debug, Deserialize)]
struct SavedV1 {
    company_id: CompanyId,
    layout: LayoutV1,
}

#[derive(Debug, Deserialize)]
struct LayoutV1 {
    #[serde(flatten)]
    texts: Texts,
    #[serde(default)]
    logo: Option<Logo>,
}

impl From<SavedV1> for Event {
    fn from(old: SavedV1) -> Self {
        let LayoutV1 { texts, logo } = old.layout;
        let layout = Erasable::Known(Box::new(texts.with(logo.as_ref().map(LogoId::of))));
        Self::ReceiptLayoutSaved { company: old.company_id, layout, held: logo }
    }
}

#[derive(Debug, Deserialize)]
struct SavedV2 {
    company_id: CompanyId,
    layout: StoredLayout,
}

impl From<SavedV2> for Event {
    fn from(old: SavedV2) -> Self {
        let StoredLayout { texts, logo_id } = old.layout;
        Self::ReceiptLayoutSaved {
            company: old.company_id,
            layout: Erasable::Known(Box::new(texts.with(logo_id))),
            held: None,
        }
    }
}
