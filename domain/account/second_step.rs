//! The second step of a login: codes of an app (RFC 6238) and single-use recovery codes.
//!
//! A code is accepted one step either side of now, and never twice: the step that it was of is in the log. What
//! verifies a code is not decided here; a proof says of which step the code is, and for which secret.

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
    /// The event that proposed the secret: a proof names it, so that a proof for an older secret is void.
    pub id: EventId,
    /// What makes the codes.
    pub secret: Erasable<TotpSecret>,
    /// The step of the newest code that was accepted.
    pub used: u64,
    /// Recovery codes that are left, by their number.
    pub recovery: BTreeMap<u32, Erasable<RecoveryHash>>,
    /// Since when it is on.
    pub since: Moment,
}

/// A secret that was shown and not confirmed by a code yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The event that proposed it, and until when it can be confirmed.
    pub link: Link,
    /// What makes the codes.
    pub secret: Erasable<TotpSecret>,
}

/// What somebody typed for the second step, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondProof {
    /// Six digits of an app.
    Code {
        /// For which secret they were looked at: the event that proposed it.
        secret: EventId,
        /// Of which step they are, one step either side of now; none where they are of no such step.
        step: Option<u64>,
    },
    /// A recovery code.
    Recovery {
        /// Its hash.
        hash: RecoveryHash,
    },
}

impl SecondStep {
    /// What follows from a proof: the event that says what was used, or nothing where it proves nothing.
    ///
    /// # Errors
    /// [`Refusal::StaleProof`] where the secret is another meanwhile: look again.
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
