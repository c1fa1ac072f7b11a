//! The commands of an account. The time and the actor are in the context, not in the command.

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
use crate::values::person::{Person, PersonName};
use uuid::Uuid;

/// A command to an account. The rules may refuse it.
#[derive(Clone, Debug)]
pub enum Command {
    /// Create the account.
    Create(Creation),
    /// Send the activation link again. The asker decides which limit applies.
    RequestActivation(Asker),
    /// Follow the activation link.
    Activate(Activation),
    /// Admit a temporary administrator as administrator or as user.
    Convert(Admission),
    /// Make an administrator a user, or a user an administrator.
    ChangeRole(Admission),
    /// Change the owner's name, or the language of their mails and pages.
    ChangeProfile(NewProfile),
    /// Hand out a copy of everything that is held on the owner.
    ExportData,
    /// Move the account to another company, because a take-over moved its company's sites there.
    Move {
        /// The take-over that moves it.
        takeover: TakeOverId,
        /// The company that it moves to.
        company: CompanyId,
    },
    /// Log in. The password has been verified before.
    LogIn(Attempt),
    /// Answer the challenge that followed a right password.
    AnswerChallenge(Answer),
    /// Show a secret for a second step. The password has been verified before.
    ProposeSecondStep {
        /// The result of verifying the password.
        proof: Proof,
        /// The secret that is shown.
        secret: TotpSecret,
    },
    /// Turn the second step on. A code proves that the owner's app has the secret.
    ConfirmSecondStep {
        /// The result of checking the code against the proposed secret.
        proof: SecondProof,
        /// The device that the code comes from.
        from: Option<DeviceId>,
        /// The session in which the command was given. It goes on; all others end.
        session: SessionId,
        /// The hashes of the recovery codes that are shown.
        recovery: Vec<RecoveryHash>,
    },
    /// Show new recovery codes. They replace the codes that are left.
    ReplaceRecoveryCodes {
        /// The result of verifying the password.
        proof: Proof,
        /// The result of checking the code.
        second: SecondProof,
        /// The hashes of the codes that are shown.
        recovery: Vec<RecoveryHash>,
    },
    /// Turn the second step off.
    DisableSecondStep {
        /// The result of verifying the password.
        proof: Proof,
        /// The result of checking the code.
        second: SecondProof,
    },
    /// Support turns the second step off, because the owner lost it.
    ResetSecondStep {
        /// Why, and how support checked the identity of the person who asked.
        reason: String,
    },
    /// Count a wrong password that was given for something other than a login.
    RejectGuess(Proof),
    /// End a lockout early.
    Release {
        /// Why.
        reason: String,
    },
    /// Mail a reset link, because somebody who says that they are the owner asks for it.
    RequestPasswordReset,
    /// Mail a reset link, because support decided so.
    SendPasswordReset,
    /// Follow the reset link.
    ResetPassword(Reset),
    /// Choose a new password. The owner knows the old one.
    ChangePassword(NewPassword),
    /// End one session.
    EndSession {
        /// The session to end.
        session: SessionId,
        /// Why.
        reason: super::SessionEnd,
    },
    /// End every session.
    EndSessions,
    /// Record whether a mail to the account's owner was sent or given up.
    NoteMail(MailFate),
    /// Trust the device on which a reset link was opened.
    TrustForReset {
        /// The event that the link names.
        link: EventId,
        /// The device. Each link has one device.
        device: DeviceId,
    },
    /// Stop trusting one device, or every device if none is named.
    ForgetDevices {
        /// The device. `None`: every device.
        device: Option<DeviceId>,
    },
    /// Delete the account.
    Delete {
        /// Why.
        reason: String,
    },
    /// Erase the person's data. An account that still exists is deleted first.
    Erase {
        /// Why.
        reason: String,
    },
}

/// The right by which somebody changes another person's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The supplier may change any account.
    Supplier,
    /// An administrator may change the accounts of this company only. An account that moves to another company during
    /// the request is refused.
    Administrator(CompanyId),
}

impl Authority {
    /// The request for a command given with this right.
    #[must_use]
    pub fn asks(self, command: Command) -> Request {
        let within = match self {
            Self::Supplier => None,
            Self::Administrator(company) => Some(company),
        };
        Request { command, within }
    }

    /// The kind of asker that they count as when they ask for an activation mail.
    #[must_use]
    pub fn asker(self) -> Asker {
        match self {
            Self::Supplier => Asker::Supplier,
            Self::Administrator(_) => Asker::Company,
        }
    }
}

/// A command, and the limit on the accounts that it may change.
#[derive(Clone, Debug)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// The company that the account must belong to. `None`: any company.
    pub within: Option<CompanyId>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, within: None }
    }
}

/// The details of a new account.
#[derive(Clone, Debug)]
pub struct Creation {
    /// The company that it belongs to.
    pub company: CompanyId,
    /// Its role.
    pub role: Role,
    /// The language of its mails.
    pub language: Language,
    /// The keyed hash of its e-mail address. Finds the account by address.
    pub email_hash: EmailHash,
    /// How it was created.
    pub origin: Origin,
    /// The person who owns it.
    pub person: Person,
}

/// What an owner changes of their account. `None`: it stays as it is.
#[derive(Clone, Debug, Default)]
pub struct NewProfile {
    /// The language of mails and pages.
    pub language: Option<Language>,
    /// The given name.
    pub given_name: Option<PersonName>,
    /// The family name.
    pub family_name: Option<PersonName>,
}

/// What somebody sends who follows an activation link.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The event that the link names.
    pub link: EventId,
    /// The hash of the chosen password.
    pub hash: PasswordHash,
}

/// What somebody sends who follows a reset link.
#[derive(Clone, Debug)]
pub struct Reset {
    /// The event that the link names.
    pub link: EventId,
    /// The hash of the chosen password.
    pub hash: PasswordHash,
}

/// The result of verifying a password against a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right.
    Match {
        /// The same password hashed with the current parameters, if the stored hash has older ones.
        rehashed: Option<PasswordHash>,
    },
    /// Wrong.
    Mismatch,
}

/// A verified password. It is valid for the named credential only.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The credential that the password was verified against.
    pub credential: EventId,
    /// The result.
    pub verdict: Verdict,
    /// The device that the password came from.
    pub from: Option<DeviceId>,
}

/// What a complete login creates.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The id of the new session.
    pub session: SessionId,
    /// The device to trust from now on, if the login came from a device that is not trusted yet.
    pub device: Option<NewDevice>,
}

/// A login after its password has been verified.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The result of verifying the password.
    pub proof: Proof,
    /// What the login creates if it is complete.
    pub opening: Opening,
    /// The result of checking the code, if one was given.
    pub second: Option<SecondProof>,
}

/// An answer to a challenge.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The event that opened the challenge.
    pub challenge: EventId,
    /// The result of checking the code.
    pub proof: SecondProof,
    /// What the login creates if it is complete.
    pub opening: Opening,
}

/// A change of password by the account's owner.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// The result of verifying the old password.
    pub proof: Proof,
    /// The hash of the new password.
    pub hash: PasswordHash,
}

/// The final result of a mail: it was sent, or it will not be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFate {
    /// The id of the mail. Its Message-ID begins with this id.
    pub mail: Uuid,
    /// The kind of mail.
    pub kind: MailKind,
    /// The event that caused the mail.
    pub about: EventId,
    /// Why the mail was given up, without personal data. `None` if the mail server took the mail.
    pub given_up: Option<String>,
}
