//! The stored form of the events of a logo. Version 1 was not encrypted, and belonged to no site.

use serde::Deserialize;

use super::{Private, Sealable};
use crate::ids::SiteId;
use crate::logo::{Event, Logo};
use crate::values::erasable::Erasable;

stored_events!(Logo:
    "logo-kept" 2 => LogoKept { site as "site_id": Option<SiteId> } sealed { logo } opened { 1 => LogoKeptV1 },
);

#[derive(Debug, Deserialize)]
struct LogoKeptV1 {
    logo: Logo,
}

impl From<LogoKeptV1> for Event {
    fn from(old: LogoKeptV1) -> Self {
        Self::LogoKept { site: None, logo: Erasable::Known(old.logo) }
    }
}

impl Sealable for Logo {
    fn seal(self, private: &mut Private) {
        private.logo = Some(self);
    }

    fn open(private: &Private) -> Option<Self> {
        private.logo.clone()
    }
}
