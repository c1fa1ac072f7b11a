//! One connection to a mail server, command by command. Each failure says at which stage it happened.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use loquet_projections::mail::{Missing, Stage, Verdict};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Security;
use super::reply::{self, Reply};

/// The longest time to connect to one address.
const CONNECT: Duration = Duration::from_secs(30);
/// The longest time to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// The number of bytes of a message that are sent under one time limit (RFC 5321, 4.5.3.2.5).
const BLOCK: usize = 16 * 1024;

/// How long a server may take for each step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The limit for each command, the greeting, TLS, and each block of a message.
    pub(super) command: Duration,
    /// The limit for the reply to the final dot.
    pub(super) end: Duration,
}

/// The server's address, and how to connect to it.
pub(super) struct Peer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) credentials: Option<(String, String)>,
    pub(super) hello: ClientId,
}

/// A mail that is ready to be sent.
pub(super) struct Parcel {
    pub(super) from: Address,
    pub(super) to: Address,
    /// Headers and body (RFC 5322).
    pub(super) message: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// The capabilities that the server offers (RFC 5321, 4.1.1.1). Keywords are read in upper and lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a server offers each or not, whatever else it offers")]
struct Offers {
    starttls: bool,
    eight_bits: bool,
    utf8: bool,
    plain: bool,
    login: bool,
}

impl Offers {
    fn of(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            // Before there was a standard, servers wrote "AUTH=PLAIN LOGIN".
            let line = line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("8BITMIME") => offers.eight_bits = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("AUTH") => words.for_each(|mechanism| match mechanism {
                    "PLAIN" => offers.plain = true,
                    "LOGIN" => offers.login = true,
                    _ => {}
                }),
                _ => {}
            }
        }
        offers
    }
}

/// A connection that can send several mails, one after another.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    patience: Patience,
    offers: Offers,
    /// Whether the connection can be used again: no reply is outstanding, and neither side is closing it.
    in_step: bool,
}

impl Connection {
    /// Connects, secures the connection, greets the server and authenticates.
    ///
    /// # Errors
    /// The verdict. It concerns us and not a mail, since no mail was named yet.
    pub(super) async fn open(peer: &Peer, patience: Patience) -> Result<Self, Verdict> {
        let tcp = Box::new(connect(peer, patience).await?);
        let stream = match peer.security {
            Security::Tls => secure(tcp, peer, patience).await?,
            Security::StartTls | Security::None => tcp,
        };
        Self::begin(stream, peer, patience).await
    }

    /// Talks to the server from its greeting until it is ready for mails.
    async fn begin(stream: Box<dyn Stream>, peer: &Peer, patience: Patience) -> Result<Self, Verdict> {
        let stream = BufReader::new(stream);
        let mut connection = Self { stream, patience, offers: Offers::default(), in_step: true };
        connection.exchange(Stage::Greeting, b"", 2).await?;
        connection.hello(peer).await?;
        if peer.security == Security::StartTls {
            connection = connection.start_tls(peer).await?;
            connection.hello(peer).await?;
        }
        if let Some((user, password)) = &peer.credentials {
            connection.log_in(user, password).await?;
        }
        Ok(connection)
    }

    async fn hello(&mut self, peer: &Peer) -> Result<(), Verdict> {
        let reply = self.command(Stage::Hello, Ehlo::new(peer.hello.clone()), 2).await?;
        self.offers = Offers::of(&reply);
        Ok(())
    }

    /// Starts TLS (STARTTLS, RFC 3207). Refuses if unencrypted bytes follow the server's reply, since an
    /// attacker may have injected them.
    async fn start_tls(mut self, peer: &Peer) -> Result<Self, Verdict> {
        if !self.offers.starttls {
            return Err(Verdict::missing(Stage::StartTls, Missing::NotOffered));
        }
        self.command(Stage::StartTls, Starttls, 2).await?;
        if !self.stream.buffer().is_empty() {
            return Err(Verdict::missing(Stage::StartTls, Missing::NotPrivate));
        }
        let stream = secure(self.stream.into_inner(), peer, self.patience).await?;
        Ok(Self { stream: BufReader::new(stream), ..self })
    }

    /// Authenticates (AUTH, RFC 4954), with PLAIN (RFC 4616) or else LOGIN. The text of LOGIN's questions is
    /// ignored: the first one asks for the name.
    async fn log_in(&mut self, user: &str, password: &str) -> Result<(), Verdict> {
        let line = |text: String| format!("{text}\r\n");
        if self.offers.plain {
            let proof = STANDARD.encode(format!("\0{user}\0{password}"));
            self.exchange(Stage::Login, line(format!("AUTH PLAIN {proof}")).as_bytes(), 2).await?;
        } else if self.offers.login {
            self.exchange(Stage::Login, b"AUTH LOGIN\r\n", 3).await?;
            self.exchange(Stage::Login, line(STANDARD.encode(user)).as_bytes(), 3).await?;
            self.exchange(Stage::Login, line(STANDARD.encode(password)).as_bytes(), 2).await?;
        } else {
            return Err(Verdict::missing(Stage::Login, Missing::NotOffered));
        }
        Ok(())
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// The verdict. If no reply came after [`Stage::End`], the server may have accepted the mail.
    pub(super) async fn deliver(&mut self, parcel: &Parcel) -> Result<(), Verdict> {
        self.sender(parcel).await?;
        self.command(Stage::Recipient, Rcpt::new(parcel.to.clone(), Vec::new()), 2).await?;
        self.command(Stage::Data, Data, 3).await?;
        for block in transparent(&parcel.message).chunks(BLOCK) {
            self.send(Stage::Body, block).await?;
        }
        self.exchange(Stage::End, b".\r\n", 2).await.map(drop)
    }

    /// Sends MAIL FROM with the extensions that this mail needs: SMTPUTF8 (RFC 6531) if an address is not
    /// ASCII, 8BITMIME (RFC 6152) if the message is not ASCII.
    async fn sender(&mut self, parcel: &Parcel) -> Result<(), Verdict> {
        let mut parameters = Vec::new();
        for (address, stage) in [(&parcel.from, Stage::Sender), (&parcel.to, Stage::Recipient)] {
            if !AsRef::<str>::as_ref(address).is_ascii() {
                if !self.offers.utf8 {
                    return Err(Verdict::missing(stage, Missing::AsciiOnly));
                }
                parameters = vec![MailParameter::SmtpUtfEight];
            }
        }
        if self.offers.eight_bits && !parcel.message.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.command(Stage::Sender, Mail::new(Some(parcel.from.clone()), parameters), 2).await.map(drop)
    }

    /// Asks whether the server accepts mails from this sender. Sends no mail.
    ///
    /// # Errors
    /// The verdict.
    pub(super) async fn try_sender(&mut self, from: &Address) -> Result<(), Verdict> {
        self.command(Stage::Sender, Mail::new(Some(from.clone()), Vec::new()), 2).await.map(drop)
    }

    /// Sends RSET after a mail. Returns whether the connection can be used for another mail.
    pub(super) async fn reset(&mut self) -> bool {
        self.in_step && self.command(Stage::Sender, Rset, 2).await.is_ok()
    }

    /// Returns whether the connection can be used for another mail.
    pub(super) fn is_usable(&self) -> bool {
        self.in_step && self.stream.buffer().is_empty()
    }

    /// Says goodbye. Ignores the server's reply.
    pub(super) async fn quit(mut self) {
        if self.in_step {
            self.patience.command = self.patience.command.min(GOODBYE);
            let _ = self.command(Stage::Sender, Quit, 2).await;
        }
    }

    async fn command(&mut self, stage: Stage, command: impl Display, digit: u16) -> Result<Reply, Verdict> {
        self.exchange(stage, command.to_string().as_bytes(), digit).await
    }

    /// Sends a command and reads a reply whose code begins with a digit.
    async fn exchange(&mut self, stage: Stage, command: &[u8], digit: u16) -> Result<Reply, Verdict> {
        // A reply that came before the command does not answer it. It is usually a 421.
        let early = !self.stream.buffer().is_empty() && !command.is_empty();
        if !early {
            self.send(stage, command).await?;
        }
        let reply = self.reply(stage).await?;
        self.in_step = reply.whole && reply.code != 421 && !early;
        match reply.code {
            400.. => Err(Verdict::reply(stage, reply.code, reply.enhanced)),
            _ if reply.is(digit) && !early && (reply.whole || stage == Stage::End) => Ok(reply),
            _ => Err(self.out_of_step(stage, Missing::NotSmtp)),
        }
    }

    /// Sends bytes. If that fails, reads what the server may have said before it closed the connection.
    async fn send(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), Verdict> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout(self.patience.command, sending).await {
            Ok(Ok(())) => Ok(()),
            Err(_) => Err(self.out_of_step(stage, Missing::TooLong)),
            Ok(Err(_)) => {
                let said = self.reply(stage).await;
                self.in_step = false;
                match said {
                    Ok(reply) if reply.code >= 400 => Err(Verdict::reply(stage, reply.code, reply.enhanced)),
                    _ => Err(Verdict::missing(stage, Missing::Broken)),
                }
            }
        }
    }

    /// Reads a reply. If only a part came in time but the code is in it, the code decides.
    async fn reply(&mut self, stage: Stage) -> Result<Reply, Verdict> {
        let patience = if stage == Stage::End { self.patience.end } else { self.patience.command };
        let mut reply = None;
        let read = timeout(patience, reply::read(&mut self.stream, &mut reply)).await;
        match (reply, read) {
            (Some(reply), _) => Ok(reply),
            (None, Ok(Err(missing))) => Err(self.out_of_step(stage, missing)),
            (None, Ok(Ok(()))) => Err(self.out_of_step(stage, Missing::Broken)),
            (None, Err(_)) => Err(self.out_of_step(stage, Missing::TooLong)),
        }
    }

    fn out_of_step(&mut self, stage: Stage, missing: Missing) -> Verdict {
        self.in_step = false;
        Verdict::missing(stage, missing)
    }
}

/// Connects to the server. Tries each of its addresses.
async fn connect(peer: &Peer, patience: Patience) -> Result<TcpStream, Verdict> {
    let unreachable = || Verdict::missing(Stage::Connect, Missing::Unreachable);
    let limit = patience.command.min(CONNECT);
    let found = timeout(limit, tokio::net::lookup_host((peer.host.as_str(), peer.port))).await;
    let addresses: Vec<SocketAddr> = found.ok().and_then(Result::ok).ok_or_else(unreachable)?.collect();
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(limit, TcpStream::connect(address)).await {
            // Commands are small, and each one is waited for, so they are sent without delay. If this can't
            // be set, they are slower.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(unreachable())
}

async fn secure(
    stream: Box<dyn Stream>,
    peer: &Peer,
    patience: Patience,
) -> Result<Box<dyn Stream>, Verdict> {
    let connecting = TlsConnector::from(peer.tls.clone()).connect(peer.name.clone(), stream);
    match timeout(patience.command, connecting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(_)) => Err(Verdict::missing(Stage::Secure, Missing::NotPrivate)),
        Err(_) => Err(Verdict::missing(Stage::Secure, Missing::TooLong)),
    }
}

/// Returns a message as it is sent after DATA. Every line ends with CRLF, including the last one, and a dot
/// at the beginning of a line is doubled (RFC 5321, 2.3.8 and 4.5.2). So no line inside the message can end
/// it.
fn transparent(message: &[u8]) -> Vec<u8> {
    let mut sent = Vec::with_capacity(message.len() + 64);
    let mut bytes = message.iter().copied().peekable();
    let mut at_start = true;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if_eq(&b'\n');
                }
                sent.extend(b"\r\n");
                at_start = true;
            }
            _ => {
                if at_start && byte == b'.' {
                    sent.push(b'.');
                }
                sent.push(byte);
                at_start = false;
            }
        }
    }
    if !at_start {
        sent.extend(b"\r\n");
    }
    sent
}

#[cfg(test)]
mod tests;
