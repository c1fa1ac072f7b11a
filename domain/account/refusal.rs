//! Why an account refuses a command.

use crate::Moment;
use crate::policies::lockout::LockEnd;

/// Why a command is refused. A refused command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The account was created before.
    #[error("the account exists already")]
    AlreadyExists,
    /// There is no such account, or it was deleted.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Its owner has not chosen a password yet.
    #[error("the account is not active yet")]
    NotActive,
    /// The account is in use already.
    #[error("the account is active already")]
    AlreadyActive,
    /// The limit of activation mails in one hour is reached.
    #[error("the limit of activation mails is reached until {again_at}")]
    EnoughActivationMails {
        /// The first moment at which another one may be requested.
        again_at: Moment,
    },
    /// The link was followed before, or a newer one has been sent.
    #[error("this link was used before, or a newer one was sent")]
    LinkVoid,
    /// The link has expired.
    #[error("this link has expired")]
    LinkExpired,
    /// Too many wrong guesses: the account is locked.
    #[error("locked {until}")]
    Locked {
        /// When the lockout ends.
        until: LockEnd,
    },
    /// The password changed while it was being verified. Verify it again.
    #[error("the credential changed while it was being verified")]
    StaleProof,
    /// The account is not a temporary administrator, so it cannot be converted.
    #[error("the account is not a temporary administrator")]
    NotTemporary,
    /// The account belongs to the supplier's staff, who have no role in a company.
    #[error("the account belongs to the supplier's staff")]
    OfStaff,
    /// The account is a temporary administrator. Convert it first.
    #[error("the account is a temporary administrator")]
    AwaitingConversion,
    /// There is no lockout to release.
    #[error("the account is not locked")]
    NotLocked,
    /// There is no such session, or it has ended.
    #[error("there is no such session")]
    NoSuchSession,
    /// The challenge never existed, has expired, or is void.
    #[error("the challenge has expired or is void: log in again")]
    ChallengeVoid,
    /// The second step is on already.
    #[error("the second step is on already")]
    SecondStepOn,
    /// The second step is not on.
    #[error("the second step is not on")]
    NoSecondStep,
    /// That device is not trusted.
    #[error("there is no such device")]
    NoSuchDevice,
    /// No secret was shown, or the secret has expired.
    #[error("no secret was shown, or too long ago")]
    NoProposal,
}
