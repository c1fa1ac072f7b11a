//! A receipt logo. Its stream is named by its site and its content. So a logo is in the log once for a site, however
//! often the site's layout is saved. It is encrypted with the key of the site.

use std::convert::Infallible;

use crate::Moment;
use crate::decider::Decider;
use crate::policies::Policies;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fact::Fact;
use crate::ids::{LOQUET, LogoId, SiteId};
use crate::stream::StreamId;
use crate::values::erasable::Erasable;

/// The category of logo streams: the first part of their names. Part of the storage format: never change it.
pub const CATEGORY: &str = "logo";

/// The stream of a logo.
#[must_use]
pub fn stream(logo: LogoId) -> StreamId {
    StreamId::new(CATEGORY, &logo.to_string())
}

impl LogoId {
    /// The id of a logo of a site, derived from its content. The same picture always has the same id there.
    #[must_use]
    pub fn of_site(site: SiteId, logo: &Logo) -> Self {
        let Logo { png, width, height } = logo;
        Self(Uuid::new_v5(&LOQUET, format!("site/{site}/logo/{width}/{height}/{png}").as_bytes()))
    }

    /// The id of a logo in older logs, where sites shared the logos. It is derived from the content alone.
    #[must_use]
    pub fn of(logo: &Logo) -> Self {
        let Logo { png, width, height } = logo;
        Self(Uuid::new_v5(&LOQUET, format!("logo/{width}/{height}/{png}").as_bytes()))
    }
}

/// A stored logo. It is drawn anew from the uploaded picture. The uploaded file itself is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// The picture as a grey PNG, in base64.
    pub png: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// The state of a logo's stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptLogo {
    /// The logo, if it is stored.
    pub logo: Option<Logo>,
}

/// Something that happened to a logo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The logo was stored. Layouts refer to it by its id.
    LogoKept {
        /// The site whose layout prints it. `None` in older logs, where sites shared the logos.
        site: Option<SiteId>,
        /// The logo.
        logo: Erasable<Logo>,
    },
}

/// The commands of a logo.
#[derive(Clone, Debug)]
pub enum Command {
    /// Store the logo.
    Keep {
        /// The site whose layout prints it.
        site: SiteId,
        /// The logo.
        logo: Logo,
    },
}

/// Decides a command. A logo that is stored already is not stored again.
#[must_use]
pub fn decide(kept: &KeptLogo, command: Command) -> Vec<Event> {
    let Command::Keep { site, logo } = command;
    match kept.logo {
        None => vec![Event::LogoKept { site: Some(site), logo: Erasable::Known(logo) }],
        Some(_) => Vec::new(),
    }
}

impl Decider for KeptLogo {
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

/// The logo after one more event.
#[must_use]
pub fn evolve(kept: KeptLogo, fact: &Fact<Event>) -> KeptLogo {
    let Event::LogoKept { logo, .. } = &fact.event;
    KeptLogo { logo: kept.logo.or_else(|| logo.known().cloned()) }
}
