//! Why an account refuses a command.

use crate::Moment;
use crate::policies::lockout::LockEnd;

/// Why a command changes nothing.
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
    /// It is in use already.
    #[error("the account is active already")]
    AlreadyActive,
    /// The limit of activation mails in one hour is reached.
    #[error("enough activation mails were asked for until {again_at}")]
    EnoughActivationMails {
        /// The first moment at which a further one may be asked for.
        again_at: Moment,
    },
    /// The link was followed before, or a newer one has been sent.
    #[error("this link was used before, or a newer one was sent")]
    LinkVoid,
    /// The link's time is over.
    #[error("this link has expired")]
    LinkExpired,
    /// Too many wrong guesses.
    #[error("locked {until}")]
    Locked {
        /// The end of the lockout.
        until: LockEnd,
    },
    /// The password changed while it was being verified: verify again.
    #[error("the credential changed meanwhile")]
    StaleProof,
    /// Only a temporary administrator is converted.
    #[error("the account is no temporary administrator")]
    NotTemporary,
    /// It is converted first.
    #[error("the account is a temporary administrator")]
    AwaitingConversion,
    /// Nothing to release.
    #[error("the account is not locked")]
    NotLocked,
    /// That session is over.
    #[error("there is no such session")]
    NoSuchSession,
    /// The challenge was not given, is over, or is void.
    #[error("the challenge is over or void: log in again")]
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
    /// No secret was shown, or too long ago.
    #[error("no secret was shown, or too long ago")]
    NoProposal,
}
