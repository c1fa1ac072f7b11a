//! Messages as MIME (RFC 2045), for SMTP and for the folder.

use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use loquet_projections::mail::Message;

/// A mail can't be written as MIME.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotComposed {
    /// The recipient's address is none.
    #[error("the recipient's address")]
    Address(#[source] lettre::address::AddressError),
    /// The message has no recipient.
    #[error("the mail has no recipient")]
    NoRecipient,
    /// lettre does not take the message.
    #[error(transparent)]
    Message(#[from] lettre::error::Error),
}

/// Builds a MIME message with the effect's id as its Message-ID (law 5).
pub(crate) fn compose(
    message: &Message,
    from: &Mailbox,
    encoding: ContentTransferEncoding,
) -> Result<lettre::Message, NotComposed> {
    let address = message.to.parse().map_err(NotComposed::Address)?;
    let to = Mailbox::new(Some(message.to_name.clone()), address);
    let part =
        |kind: ContentType, text: &str| SinglePart::builder().header(kind).body(encode(text, encoding));
    let alternatives = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
        .singlepart(part(ContentType::TEXT_HTML, &message.html));
    Ok(lettre::Message::builder()
        .from(from.clone())
        .to(to)
        .subject(message.subject.clone())
        .message_id(Some(format!("<{}@{}>", message.effect, from.email.domain())))
        .header(ContentLanguage(message.language.to_owned()))
        .header(AutoSubmitted)
        .multipart(alternatives)?)
}

/// Writes 8-bit text unchanged. Our lines are far shorter than the 998 bytes that RFC 5322, 2.1.1 allows, but
/// lettre would encode lines above 76.
fn encode(text: &str, encoding: ContentTransferEncoding) -> Body {
    match encoding {
        ContentTransferEncoding::EightBit => {
            let lines = text.replace("\r\n", "\n").replace('\n', "\r\n");
            Body::dangerous_pre_encoded(lines.into_bytes(), encoding)
        }
        _ => Body::new_with_encoding(text.to_owned(), encoding).unwrap_or_else(Body::new),
    }
}

/// The date in the format of RFC 3282.
#[derive(Clone)]
struct ContentLanguage(String);

impl Header for ContentLanguage {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Language")
    }
    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// Asks for no automatic replies (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
