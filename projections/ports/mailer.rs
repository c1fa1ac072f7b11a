//! Where mails are handed over.

use loquet_domain::ports::BoxFuture;
use uuid::Uuid;

use super::StoreFailed;
use crate::mail::{Judgement, Message, Trouble, Verdict};

/// Why a mail was not sent. Each variant says whether another try can succeed, and which mails it concerns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server can't be reached, or takes nothing from us. Every mail would get the same reply.
    #[error("{0}")]
    Away(Trouble),
    /// The server does not take this mail for now. Another try may succeed.
    #[error("{0}")]
    Transient(Trouble),
    /// The server does not take this mail, or takes nothing from us: its reply fits both.
    #[error("{0}")]
    Unclear(Trouble),
    /// The server never takes this mail, or the address can't be used. Another try is useless.
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

/// Hands mails to a mail server, or to a folder while the program is developed.
///
/// A mailer tries once and does not repeat: the sender decides when to try again. It keeps no queue; the journal does.
pub trait Mailer: Send + Sync {
    /// Hands over one message, which is written and addressed. Answers `Ok` once the mail server has said that it took
    /// the message. The message's identity stands in its Message-ID, so that a server or a reader can recognise a copy.
    ///
    /// # Errors
    /// [`SendError`] says whether the reason is this mail or us. After a connection that broke at the end of a message
    /// the server may have taken it: [`Verdict::may_be_taken`] says so.
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
