//! The second step of a login: codes of an app (TOTP, RFC 6238) and single-use recovery codes.
//!
//! A code is accepted one time step either side of now, and never twice: the log holds the time step of each accepted
//! code. The code itself is checked elsewhere. A proof says which time step and which secret the code belongs to.

use std::collections::BTreeMap;

use crate::Moment;
use crate::account::event::Event;
use crate::account::link::Link;
use crate::account::refusal::Refusal;
use crate::ids::EventId;
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};

/// A second step that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondStep {
    /// The event that proposed the secret. A proof names this event, so a proof for an older secret is void.
    pub id: EventId,
    /// The secret that codes are made from.
    pub secret: Erasable<TotpSecret>,
    /// The time step of the newest accepted code.
    pub used: u64,
    /// The recovery codes that are left, by number.
    pub recovery: BTreeMap<u32, Erasable<RecoveryHash>>,
    /// When it was turned on.
    pub since: Moment,
}

/// A secret that was shown and that no code has confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The event that proposed it, and when it expires.
    pub link: Link,
    /// The secret that codes are made from.
    pub secret: Erasable<TotpSecret>,
}

/// The result of checking what somebody typed for the second step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondProof {
    /// A six-digit code of an app.
    Code {
        /// The secret that the code was checked against: the event that proposed it.
        secret: EventId,
        /// The time step that the code belongs to, one step either side of now. `None` if the code is wrong.
        step: Option<u64>,
    },
    /// A recovery code.
    Recovery {
        /// Its hash.
        hash: RecoveryHash,
    },
}

impl SecondStep {
    /// The event that says which code was used. Returns `None` if the code is wrong.
    ///
    /// # Errors
    /// [`Refusal::StaleProof`] if the account has another secret by now: check the code again.
    pub(super) fn accept(&self, proof: &SecondProof) -> Result<Option<Event>, Refusal> {
        match proof {
            SecondProof::Code { secret, .. } if *secret != self.id => Err(Refusal::StaleProof),
            SecondProof::Code { step, .. } => {
                Ok(step.filter(|step| *step > self.used).map(|step| Event::CodeAccepted { step }))
            }
            SecondProof::Recovery { hash } => {
                let known = self.recovery.iter().find(|(_, held)| held.known() == Some(hash));
                Ok(known.map(|(number, _)| Event::RecoveryCodeUsed { number: *number }))
            }
        }
    }
}
