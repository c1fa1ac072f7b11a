//! The mailer: sends mails to a mail server.

use loquet_domain::ports::BoxFuture;
use uuid::Uuid;

use super::StoreFailed;
use crate::mail::{Judgement, Message, Trouble, Verdict};

/// Why a mail was not sent. Each variant says whether another try can succeed, and which mails are concerned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server can't be reached, or accepts nothing from us. Every mail would get the same reply.
    #[error("{0}")]
    Away(Trouble),
    /// The server does not accept this mail now. Another try may succeed.
    #[error("{0}")]
    Transient(Trouble),
    /// The server does not accept this mail, or accepts nothing from us. The reply can mean either.
    #[error("{0}")]
    Unclear(Trouble),
    /// The server will never accept this mail, or the address can't be used. Another try is useless.
    #[error("{0}")]
    Permanent(Trouble),
}

impl From<Verdict> for SendError {
    fn from(verdict: Verdict) -> Self {
        match verdict.judgement() {
            Judgement::AboutUs => Self::Away(verdict.into()),
            Judgement::NotNow => Self::Transient(verdict.into()),
            Judgement::Unclear => Self::Unclear(verdict.into()),
            Judgement::Never => Self::Permanent(verdict.into()),
        }
    }
}

/// Sends mails to a mail server, or writes them to a directory during development.
///
/// A mailer tries once. The mail sender decides when to try again. A mailer has no queue; the journal has it.
pub trait Mailer: Send + Sync {
    /// Sends one message. Returns `Ok` once the mail server has said that it accepted the message. The Message-ID
    /// contains the message's id, so that a server or a reader can recognise a copy.
    ///
    /// # Errors
    /// [`SendError`] says whether the reason is this mail or us. If the connection broke at the end of a message, the
    /// server may have accepted it: see [`Verdict::may_be_taken`].
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>>;

    /// Deletes the copies of these mails that the mailer keeps, because a person was erased. A mailer that keeps no
    /// copies does nothing. Deleting again changes nothing.
    ///
    /// # Errors
    /// [`StoreFailed`] if a copy may still be there. The caller tries again.
    fn forget(&self, _mails: Vec<Uuid>) -> BoxFuture<'_, Result<(), StoreFailed>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
