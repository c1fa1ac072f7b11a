//! Mail over SMTP (RFC 5321).
//!
//! lettre composes the messages and writes the commands. Its client is not used, for three reasons. It treats a reply
//! whose text is not UTF-8 as an error. Its error does not say at which stage a server refused. It has one time limit
//! for every command, also for the answer to a whole message. With it, neither the code nor the stage of a reply
//! would be known, and both decide what becomes of a mail. mail-send (Stalwart) drives commands one by one, but its
//! parser takes a reply over 4096 bytes for an error. So the conversation is here: `reply.rs` reads replies,
//! `connection.rs` has the commands and their time limits, this file keeps connections open from one mail to the
//! next. rustls makes them private, as in lettre.

mod connection;
mod kept;
mod reply;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;
use lettre::transport::smtp::extension::ClientId;
use loquet_domain::ports::BoxFuture;
use loquet_projections::causes::Causes;
use loquet_projections::mail::{Answer, Message, Stage, Verdict};
use loquet_projections::ports::{Mailer, SendError};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::mime::{NotComposed, compose};
use connection::{Connection, Parcel, Patience, Peer};
use kept::Kept;

/// How long the server may take to answer a whole message (RFC 5321, 4.5.3.2.6). The other time limits do not
/// shorten it. A client that gives up sooner may send the mail twice.
const FINAL_REPLY: Duration = Duration::from_mins(10);
/// How long a command may take during a connection test, where a person waits for the result.
const GREETING: Duration = Duration::from_secs(30);

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 465, RFC 8314).
    Tls,
    /// STARTTLS (port 587). Nothing is sent unencrypted.
    StartTls,
    /// Not encrypted. Only for a relay on this machine.
    None,
}

/// The mail server, and how to send mail to it.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// The server's name, as in its certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// User name and password, if the server asks for them.
    pub credentials: Option<(String, String)>,
    /// The sender: `Name <address>`.
    pub from: String,
    /// A file (PEM) with a certificate authority to trust besides the usual ones.
    pub extra_ca: Option<Vec<u8>>,
    /// How long one command may take. The reply to a whole message may always take at least ten minutes.
    pub timeout: Duration,
    /// The most connections that are open at once.
    pub connections: u32,
}

/// Invalid settings.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSmtp {
    /// The sender is no address.
    #[error("invalid mail server settings: sender '{sender}'")]
    Sender {
        /// The sender of the settings.
        sender: String,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// The host is neither a name nor an address.
    #[error("invalid mail server settings: '{0}' is neither a name nor an address")]
    Host(String),
    /// The certificate authority can't be used.
    #[error("invalid mail server settings")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Returns whether a text is a valid sender: an address, or `Name <address>`.
#[must_use]
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Sends mails to a mail server.
pub struct Smtp {
    peer: Peer,
    from: Mailbox,
    patience: Patience,
    kept: Arc<Kept>,
    open: Semaphore,
}

impl SmtpSettings {
    /// Checks the settings. Does not connect, and needs no async runtime.
    ///
    /// # Errors
    /// [`InvalidSmtp`] names the setting.
    pub fn check(&self) -> Result<(), InvalidSmtp> {
        self.sender()?;
        self.peer().map(drop)
    }

    fn sender(&self) -> Result<Mailbox, InvalidSmtp> {
        self.from.parse().map_err(|source| InvalidSmtp::Sender { sender: self.from.clone(), source })
    }

    fn peer(&self) -> Result<Peer, InvalidSmtp> {
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| InvalidSmtp::Host(self.host.clone()))?;
        Ok(Peer {
            host: self.host.clone(),
            port: self.port,
            security: self.security,
            tls: tls::config(self.extra_ca.as_deref()).map_err(|error| InvalidSmtp::Tls(error.into()))?,
            name,
            credentials: self.credentials.clone(),
            hello: ClientId::default(),
        })
    }
}

impl Smtp {
    /// Checks the settings. Connects when the first mail is sent.
    ///
    /// # Errors
    /// [`InvalidSmtp`] names the setting.
    pub fn new(settings: &SmtpSettings) -> Result<Self, InvalidSmtp> {
        let end = settings.timeout.max(FINAL_REPLY);
        Ok(Self {
            peer: settings.peer()?,
            from: settings.sender()?,
            patience: Patience { command: settings.timeout, end },
            kept: Arc::default(),
            open: Semaphore::new(usize::try_from(settings.connections).unwrap_or(usize::MAX)),
        })
    }

    async fn hand_over(&self, message: Message) -> Result<(), SendError> {
        let parcel =
            self.parcel(&message).map_err(|why| SendError::Permanent(Causes(&why).to_string().into()))?;
        // This ends only when the mailer itself is dropped.
        let _open = self.open.acquire().await;
        if let Some(mut connection) = self.kept.take() {
            match connection.deliver(&parcel).await {
                Err(verdict) if may_be_of_an_old_connection(&verdict) => {}
                ended => return self.end(connection, ended).await,
            }
        }
        let mut connection = Connection::open(&self.peer, self.patience).await?;
        let ended = connection.deliver(&parcel).await;
        self.end(connection, ended).await
    }

    fn parcel(&self, message: &Message) -> Result<Parcel, NotComposed> {
        let mime = compose(message, &self.from, ContentTransferEncoding::QuotedPrintable)?;
        let to = mime.envelope().to().first().cloned().ok_or(NotComposed::NoRecipient)?;
        Ok(Parcel { from: self.from.email.clone(), to, message: mime.formatted() })
    }

    /// Keeps the connection open for the next mail, if it can be used again.
    async fn end(&self, mut connection: Connection, ended: Result<(), Verdict>) -> Result<(), SendError> {
        if ended.is_ok() && connection.is_usable() || ended.is_err() && connection.reset().await {
            self.kept.keep(connection);
        }
        Ok(ended?)
    }

    /// Connects, secures the connection, authenticates, names the sender and says goodbye, without a mail.
    ///
    /// # Errors
    /// Why the mail server can't be used.
    pub async fn greet(&self) -> Result<(), Verdict> {
        let command = self.patience.command.min(GREETING);
        let mut connection = Connection::open(&self.peer, Patience { command, ..self.patience }).await?;
        let taken = connection.try_sender(&self.from.email).await;
        connection.quit().await;
        taken
    }
}

/// Returns whether a verdict may come from a connection that was open for too long: the server closed it, or
/// accepts only a limited number of mails on each connection. The message was not sent completely, so it can
/// be sent again.
fn may_be_of_an_old_connection(verdict: &Verdict) -> bool {
    matches!(
        (verdict.stage, verdict.answer),
        (Stage::Sender, _)
            | (Stage::Recipient | Stage::Data, Answer::Reply { code: 421, .. })
            | (Stage::Recipient | Stage::Data | Stage::Body, Answer::Missing(_))
    )
}

impl Mailer for Smtp {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(self.hand_over(message))
    }
}
