//! Mail over SMTP.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentTransferEncoding;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use loquet_domain::ports::BoxFuture;
use loquet_projections::mail::Message;
use loquet_projections::ports::{Mailer, SendError};

use crate::letters::compose;

/// How the connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (port 465, RFC 8314).
    Tls,
    /// STARTTLS, and nothing without it (port 587).
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
    /// How long one command may take.
    pub timeout: Duration,
    /// How many connections are open at most.
    pub connections: u32,
}

/// Settings that do not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mail server's settings do not hold: {0}")]
pub struct InvalidSmtp(String);

/// Whether a text is a sender: an address, or `Name <address>`.
#[must_use]
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

/// How many commands handing a mail over takes, from the connection to the server's last yes.
const COMMANDS: u32 = 10;
const TOO_LONG: &str = "the mail server took too long";

/// A pool of connections to a mail server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// How long all commands may take: the transport waits for ever for a server that says nothing.
    patience: Duration,
}

impl SmtpSettings {
    /// Checks the settings without connecting, and without a runtime.
    ///
    /// # Errors
    /// [`InvalidSmtp`] names the setting.
    pub fn check(&self) -> Result<(), InvalidSmtp> {
        self.sender()?;
        tls(self).map(drop)
    }

    fn sender(&self) -> Result<Mailbox, InvalidSmtp> {
        self.from.parse().map_err(|e| InvalidSmtp(format!("sender '{}': {e}", self.from)))
    }
}

impl Smtp {
    /// Checks the settings; connects when the first mail is sent.
    ///
    /// # Errors
    /// [`InvalidSmtp`] names the setting.
    pub fn new(settings: &SmtpSettings) -> Result<Self, InvalidSmtp> {
        let from = settings.sender()?;
        let tls = tls(settings)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout))
            .pool_config(
                PoolConfig::new().max_size(settings.connections).idle_timeout(Duration::from_secs(30)),
            );
        if let Some((user, password)) = &settings.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: builder.build(), from, patience: settings.timeout * COMMANDS })
    }

    async fn hand_over(&self, message: Message) -> Result<(), SendError> {
        let mime = compose(&message, &self.from, ContentTransferEncoding::QuotedPrintable)
            .map_err(SendError::Permanent)?;
        match tokio::time::timeout(self.patience, self.transport.send(mime)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(SendError::Away(TOO_LONG.to_owned())),
        }
    }
}

/// Whether the trouble is this mail's or the server's. What the server says of our name and password
/// (530, 534, 535, 538: RFC 4954) or of itself (421: RFC 5321, 3.8) is no verdict on a mail: with a
/// password that has run out, every mail would be given up.
fn judge(error: &lettre::transport::smtp::Error) -> SendError {
    let why = without_text(error);
    match error.status().map(u16::from) {
        None | Some(421 | 530 | 534 | 535 | 538) => SendError::Away(why),
        Some(500..) => SendError::Permanent(why),
        Some(_) => SendError::Transient(why),
    }
}

/// The server's code, or what kind of trouble it was; never the server's words: they name the
/// recipient, and what is said here outlives an erasure.
fn without_text(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server said {code}"),
        None if error.is_timeout() => TOO_LONG.to_owned(),
        None if error.is_tls() => {
            "the connection to the mail server could not be made private (TLS)".to_owned()
        }
        None if error.is_response() => "the mail server's answer was no SMTP".to_owned(),
        None if error.is_client() => "the mail server does not offer what the settings ask for".to_owned(),
        None => "the mail server could not be reached".to_owned(),
    }
}

fn tls(settings: &SmtpSettings) -> Result<Tls, InvalidSmtp> {
    let parameters = || {
        let mut builder = TlsParameters::builder(settings.host.clone());
        if let Some(pem) = &settings.extra_ca {
            let ca =
                Certificate::from_pem(pem).map_err(|e| InvalidSmtp(format!("certificate authority: {e}")))?;
            builder = builder.add_root_certificate(ca);
        }
        builder.build().map_err(|e| InvalidSmtp(e.to_string()))
    };
    Ok(match settings.security {
        Security::Tls => Tls::Wrapper(parameters()?),
        Security::StartTls => Tls::Required(parameters()?),
        Security::None => Tls::None,
    })
}

impl Smtp {
    /// Connects, secures the connection, authenticates and says goodbye, without a mail.
    ///
    /// # Errors
    /// In which way the mail server can't be used.
    pub async fn greet(&self) -> Result<(), String> {
        match tokio::time::timeout(self.patience, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the mail server did not answer as one".to_owned()),
            Ok(Err(error)) => Err(without_text(&error)),
            Err(_) => Err(TOO_LONG.to_owned()),
        }
    }
}

impl Mailer for Smtp {
    fn send(&self, message: Message) -> BoxFuture<'_, Result<(), SendError>> {
        Box::pin(self.hand_over(message))
    }
}
