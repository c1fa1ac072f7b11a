//! What can be asked of an account. The moment and the actor come beside it, in the context.

use crate::account::activation::Asker;
use crate::account::device::NewDevice;
use crate::account::event::{Admission, Origin, Role};
use crate::account::second_step::SecondProof;
use crate::ids::{CompanyId, DeviceId, EventId, SessionId, TakeOverId};
use crate::values::email_address::EmailHash;
use crate::values::language::Language;
use crate::values::mail_kind::MailKind;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::PasswordHash;
use crate::values::person::Person;
use uuid::Uuid;

/// A wish that the rules may refuse.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make the account.
    Create(Creation),
    /// Mail the activation link again, for this asker.
    RequestActivation(Asker),
    /// Follow the activation link.
    Activate(Activation),
    /// Admit a temporary administrator.
    Convert(Admission),
    /// Make a user of an administrator, or the other way round.
    ChangeRole(Admission),
    /// Have it follow its company's sites to another company.
    Move {
        /// By which take-over.
        takeover: TakeOverId,
        /// To which company.
        company: CompanyId,
    },
    /// Log in, the password having been verified.
    LogIn(Attempt),
    /// Answer the challenge that a right password led to.
    AnswerChallenge(Answer),
    /// Show a secret for a second step, the password having been verified.
    ProposeSecondStep {
        /// What was proved of the password.
        proof: Proof,
        /// The secret that is shown.
        secret: TotpSecret,
    },
    /// Turn the second step on: a code shows that the secret arrived.
    ConfirmSecondStep {
        /// What the code proves, of the proposed secret.
        proof: SecondProof,
        /// The device that it comes from.
        from: Option<DeviceId>,
        /// The session in which the command was given. It goes on; all others end.
        session: SessionId,
        /// The hashes of the recovery codes that are shown.
        recovery: Vec<RecoveryHash>,
    },
    /// Show other recovery codes in place of those that are left.
    ReplaceRecoveryCodes {
        /// What was proved of the password.
        proof: Proof,
        /// What was proved of the second step.
        second: SecondProof,
        /// The hashes of the codes that are shown.
        recovery: Vec<RecoveryHash>,
    },
    /// Turn the second step off.
    DisableSecondStep {
        /// What was proved of the password.
        proof: Proof,
        /// What was proved of the second step.
        second: SecondProof,
    },
    /// Take a lost second step away, by support.
    ResetSecondStep {
        /// Why, and how it was made sure who asks.
        reason: String,
    },
    /// Count a wrong password that was given for something else than logging in.
    RejectGuess(Proof),
    /// End a lockout early.
    Release {
        /// Why.
        reason: String,
    },
    /// Mail a reset link.
    RequestPasswordReset,
    /// Follow the reset link.
    ResetPassword(Reset),
    /// Choose a new password, knowing the old one.
    ChangePassword(NewPassword),
    /// End one session.
    EndSession {
        /// Which.
        session: SessionId,
        /// Why.
        reason: super::SessionEnd,
    },
    /// End every session.
    EndSessions,
    /// Note what became of a mail to the account's owner.
    NoteMail(MailFate),
    /// Trust the device on which a reset link was opened.
    TrustForReset {
        /// The event that the link names.
        link: EventId,
        /// The device: of one link, one.
        device: DeviceId,
    },
    /// Trust a device no more; every one where none is named.
    ForgetDevices {
        /// Which.
        device: Option<DeviceId>,
    },
    /// Delete the account.
    Delete {
        /// Why.
        reason: String,
    },
    /// Forget the person; deletes the account first, if that has not been done.
    Erase {
        /// Why.
        reason: String,
    },
}

/// Who has somebody else's account changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The supplier: any account.
    Supplier,
    /// An administrator: the accounts of this company, and of no other to which one may be on its way.
    Administrator(CompanyId),
}

impl Authority {
    /// A command that they give.
    #[must_use]
    pub fn asks(self, command: Command) -> Request {
        let within = match self {
            Self::Supplier => None,
            Self::Administrator(company) => Some(company),
        };
        Request { command, within }
    }

    /// As whom they ask for an activation mail.
    #[must_use]
    pub fn asker(self) -> Asker {
        match self {
            Self::Supplier => Asker::Supplier,
            Self::Administrator(_) => Asker::Company,
        }
    }
}

/// A command, and the accounts that it may change.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked.
    pub command: Command,
    /// The company that the account must be of. `None`: any company.
    pub within: Option<CompanyId>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, within: None }
    }
}

/// A new account.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Of which company.
    pub company: CompanyId,
    /// As what.
    pub role: Role,
    /// In which language it is written to.
    pub language: Language,
    /// What finds it by address.
    pub email_hash: EmailHash,
    /// How it comes about.
    pub origin: Origin,
    /// Whose it is.
    pub person: Person,
}

/// An activation link, followed.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The event that the link names.
    pub link: EventId,
    /// The hash of the password chosen.
    pub hash: PasswordHash,
}

/// A reset link, followed.
#[derive(Clone, Debug)]
pub struct Reset {
    /// The event that the link names.
    pub link: EventId,
    /// The hash of the password chosen.
    pub hash: PasswordHash,
}

/// What verifying a password against a credential said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Match {
        /// The same password under newer parameters, where its hash had older ones.
        rehashed: Option<PasswordHash>,
    },
    /// Wrong.
    Mismatch,
}

/// A password verified: it holds for that credential alone.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Against which credential.
    pub credential: EventId,
    /// With what outcome.
    pub verdict: Verdict,
    /// The device that it came from.
    pub from: Option<DeviceId>,
}

/// What a complete login opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The id that its session gets.
    pub session: SessionId,
    /// What a device that is not trusted yet gets.
    pub device: Option<NewDevice>,
}

/// A login whose password has been verified.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What was proved.
    pub proof: Proof,
    /// What it opens if it is complete.
    pub opening: Opening,
    /// What was given for the second step, where anything was.
    pub second: Option<SecondProof>,
}

/// An answer to a challenge.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The event that the challenge names.
    pub challenge: EventId,
    /// What was proved.
    pub proof: SecondProof,
    /// What it opens.
    pub opening: Opening,
}

/// A change of password by its owner.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// What was proved of the old password.
    pub proof: Proof,
    /// The hash of the new one.
    pub hash: PasswordHash,
}

/// A mail that will not be tried again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFate {
    /// Its identity: its Message-ID begins with it.
    pub mail: Uuid,
    /// Which mail.
    pub kind: MailKind,
    /// The event that it follows from.
    pub about: EventId,
    /// Why the mail server was given up, in words that name nobody; none where it took the mail.
    pub given_up: Option<String>,
}
