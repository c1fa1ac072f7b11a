//! A logo of receipts: one stream a picture, named by what is in it, so that however many sites print it and
//! however often their layouts are saved, it is in the log once.

use std::convert::Infallible;

use crate::Moment;
use crate::decider::Decider;
use crate::policies::Policies;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fact::Fact;
use crate::ids::{LOQUET, LogoId};
use crate::stream::StreamId;

/// What the names of logos' streams begin with. Part of the storage format: never change it.
pub const CATEGORY: &str = "logo";

/// The stream of a picture.
#[must_use]
pub fn stream(logo: LogoId) -> StreamId {
    StreamId::new(CATEGORY, &logo.to_string())
}

impl LogoId {
    /// The picture that looks so: the same one, whoever sends it.
    #[must_use]
    pub fn of(logo: &Logo) -> Self {
        let Logo { png, width, height } = logo;
        Self(Uuid::new_v5(&LOQUET, format!("logo/{width}/{height}/{png}").as_bytes()))
    }
}

/// A logo as it is kept: drawn anew from what was sent, never what was sent itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// A grey PNG, in base64.
    pub png: String,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Whether the picture of a stream is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptLogo {
    /// The picture.
    pub logo: Option<Logo>,
}

/// What can happen to a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is kept, for every layout that names it.
    LogoKept {
        /// The picture.
        logo: Logo,
    },
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Keep it.
    Keep {
        /// The picture.
        logo: Logo,
    },
}

/// Decides a command; a picture that is kept is not kept again.
#[must_use]
pub fn decide(kept: &KeptLogo, command: Command) -> Vec<Event> {
    let Command::Keep { logo } = command;
    match kept.logo {
        None => vec![Event::LogoKept { logo }],
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

/// The picture after one more fact.
#[must_use]
pub fn evolve(kept: KeptLogo, fact: &Fact<Event>) -> KeptLogo {
    let Event::LogoKept { logo } = &fact.event;
    KeptLogo { logo: kept.logo.or_else(|| Some(logo.clone())) }
}
