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

/// How long the server may take to answer a whole message (RFC 5321, 4.5.3.2.6), whatever the other time limits are.
/// A client that gives up sooner sends the mail twice.
const FINAL_REPLY: Duration = Duration::from_mins(10);
/// How long a command may take while somebody waits for the result of a test connection.
const GREETING: Duration = Duration::from_secs(30);

/// How the connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 465, RFC 8314).
    Tls,
    /// STARTTLS; nothing is sent without it (port 587).
    StartTls,
    /// In the clear: for a relay on this machine only.
    None,
}

/// Where and how mail is handed over.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// The server's name, as its certificate has it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub security: Security,
    /// User name and password, where the server asks for them.
    pub credentials: Option<(String, String)>,
    /// The sender: `Name <address>`.
    pub from: String,
    /// A certificate authority to trust besides the usual ones, PEM.
    pub extra_ca: Option<Vec<u8>>,
    /// How long one command may take. The answer to a whole message may take ten minutes at least.
    pub timeout: Duration,
    /// How many connections are open at most.
    pub connections: u32,
}

/// Invalid settings.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSmtp {
    /// The sender is no address.
    #[error("the mail server's settings do not hold: sender '{sender}'")]
    Sender {
        /// The sender of the settings.
        sender: String,
        /// What is wrong with it.
        source: lettre::address::AddressError,
    },
    /// The host is neither a name nor an address.
    #[error("the mail server's settings do not hold: '{0}' is neither a name nor an address")]
    Host(String),
    /// The certificate authority can't be used.
    #[error("the mail server's settings do not hold")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Whether a text is a sender: an address, or `Name <address>`.
#[must_use]
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// Hands mails over to a mail server.
pub struct Smtp {
    peer: Peer,
    from: Mailbox,
    patience: Patience,
    kept: Arc<Kept>,
    open: Semaphore,
}

impl SmtpSettings {
    /// Checks the settings without connecting, and without a runtime.
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
    /// Checks the settings; connects when the first mail is sent.
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
        // Closed only with the mailer itself.
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

    /// Keeps the connection for the next mail, if it can be used again.
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

/// Whether a verdict may be due to a connection that was kept for too long: the server closed it, or accepts only a
/// limited number of mails on each connection. The message was not sent to its end, so it can be sent again.
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
