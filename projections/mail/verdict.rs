//! What a mail server said about a mail: the stage and the codes. The server's text is never stored, because it names
//! the recipient and this record is kept after an erasure. The stored words are our own.

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray};

/// The stage of the SMTP conversation at which a reply came, or was missing (RFC 5321, 3.1 and 4.1.1).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray,
)]
pub enum Stage {
    /// The connection is being made.
    #[strum(serialize = "connect")]
    Connect,
    /// TLS is being set up.
    #[strum(serialize = "secure")]
    Secure,
    /// The server's first line.
    #[strum(serialize = "greeting")]
    Greeting,
    /// EHLO.
    #[strum(serialize = "hello")]
    Hello,
    /// STARTTLS (RFC 3207).
    #[strum(serialize = "starttls")]
    StartTls,
    /// AUTH (RFC 4954).
    #[strum(serialize = "login")]
    Login,
    /// MAIL FROM.
    #[strum(serialize = "sender")]
    Sender,
    /// RCPT TO.
    #[strum(serialize = "recipient")]
    Recipient,
    /// DATA.
    #[strum(serialize = "data")]
    Data,
    /// The message is being sent, and its end has not been sent. So the server has not accepted it.
    #[strum(serialize = "body")]
    Body,
    /// The final dot has been sent. The server may have accepted the message, even without a reply.
    #[strum(serialize = "end")]
    End,
}

impl Stage {
    /// All stages, in the order of a conversation.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name, in the journal and on the command line. It is stored: never change one.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name. Returns `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The time of the server's answer, in words.
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "at the connection",
            Self::Secure => "at TLS",
            Self::Greeting => "at its greeting",
            Self::Hello => "at EHLO",
            Self::StartTls => "at STARTTLS",
            Self::Login => "at AUTH",
            Self::Sender => "at MAIL FROM",
            Self::Recipient => "at RCPT TO",
            Self::Data => "at DATA",
            Self::Body => "within the message",
            Self::End => "after the message",
        }
    }
}

/// An enhanced status code `class.subject.detail` (RFC 3463; the registry is that of RFC 5248).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Enhanced {
    /// The first number. 2: success, 4: temporary failure, 5: permanent failure.
    pub class: u8,
    /// The second number. 1: address, 2: mailbox, 3: mail system, 4: network, 5: protocol, 6: content, 7: security
    /// and policy.
    pub subject: u16,
    /// The third number, which gives the detail.
    pub detail: u16,
}

impl Enhanced {
    /// Reads a code such as `5.1.1`. Returns `None` if the text is not an enhanced status code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| {
            let fits = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| part.parse::<u16>().ok()).flatten()
        });
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        parts.next().is_none().then_some(Self { class, subject, detail })
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// Why there is no reply that says yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
pub enum Missing {
    /// The server's name can't be resolved, or no server accepts the connection.
    #[strum(serialize = "unreachable")]
    Unreachable,
    /// There was no reply in time.
    #[strum(serialize = "too-long")]
    TooLong,
    /// The connection ended.
    #[strum(serialize = "broken")]
    Broken,
    /// TLS failed, or unencrypted bytes came where they are not allowed.
    #[strum(serialize = "not-private")]
    NotPrivate,
    /// The reply was not SMTP.
    #[strum(serialize = "not-smtp")]
    NotSmtp,
    /// The server does not offer what the settings require: STARTTLS, or a login method that we support.
    #[strum(serialize = "not-offered")]
    NotOffered,
    /// An address is not ASCII, and the server accepts only ASCII (RFC 6531).
    #[strum(serialize = "ascii-only")]
    AsciiOnly,
}

impl Missing {
    /// All variants.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name, in the journal and on the command line. It is stored: never change one.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name. Returns `None` for an unknown one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "the mail server could not be reached",
            Self::TooLong => "the mail server took too long",
            Self::Broken => "the mail server ended the connection",
            Self::NotPrivate => "the connection to the mail server could not be made private",
            Self::NotSmtp => "the mail server's answer was no SMTP",
            Self::NotOffered => "the mail server does not offer what the settings ask for",
            Self::AsciiOnly => "the mail server takes addresses in ASCII alone",
        }
    }
}

/// The server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A reply.
    Reply {
        /// The reply's code: three digits (RFC 5321, 4.2), here 400 or more.
        code: u16,
        /// The enhanced status code, if the server sent one.
        enhanced: Option<Enhanced>,
    },
    /// There is no reply that says yes or no.
    Missing(Missing),
}

/// What a mail server said about a mail that it did not accept, or may not have accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The stage at which it said it.
    pub stage: Stage,
    /// The answer.
    pub answer: Answer,
}

impl Verdict {
    /// Makes a verdict of a reply.
    #[must_use]
    pub fn reply(stage: Stage, code: u16, enhanced: Option<Enhanced>) -> Self {
        Self { stage, answer: Answer::Reply { code, enhanced } }
    }

    /// Makes a verdict of a missing reply.
    #[must_use]
    pub fn missing(stage: Stage, missing: Missing) -> Self {
        Self { stage, answer: Answer::Missing(missing) }
    }

    /// The reply's code. Returns `None` if there was no reply.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.answer {
            Answer::Reply { code, .. } => Some(code),
            Answer::Missing(_) => None,
        }
    }

    /// The enhanced status code. Returns `None` if the server sent none.
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        match self.answer {
            Answer::Reply { enhanced, .. } => enhanced,
            Answer::Missing(_) => None,
        }
    }

    /// Whether the server may have accepted the mail: the final dot was sent, and the answer was lost.
    #[must_use]
    pub fn may_be_taken(&self) -> bool {
        self.stage == Stage::End && matches!(self.answer, Answer::Missing(_))
    }

    /// The stored form: `recipient 550 5.1.1`, `greeting 421`, `end too-long`.
    #[must_use]
    pub fn stored(&self) -> String {
        let stage = self.stage.name();
        match self.answer {
            Answer::Reply { code, enhanced: Some(enhanced) } => format!("{stage} {code} {enhanced}"),
            Answer::Reply { code, enhanced: None } => format!("{stage} {code}"),
            Answer::Missing(missing) => format!("{stage} {}", missing.name()),
        }
    }

    /// Reads what [`Self::stored`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (stage, answer) = (Stage::parse(words.next()?)?, words.next()?);
        let enhanced = words.next().map(Enhanced::parse);
        match (Missing::parse(answer), enhanced) {
            (Some(missing), None) => Some(Self::missing(stage, missing)),
            (None, None) => Some(Self::reply(stage, answer.parse().ok()?, None)),
            (None, Some(Some(enhanced))) => Some(Self::reply(stage, answer.parse().ok()?, Some(enhanced))),
            _ => None,
        }
    }
}

/// The verdict in our own words, without personal data.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answer {
            Answer::Reply { code, enhanced } => {
                write!(f, "the mail server said {code}")?;
                if let Some(enhanced) = enhanced {
                    write!(f, " {enhanced}")?;
                }
                write!(f, " {}", self.stage.words())?;
                self.topic().words().map_or(Ok(()), |words| write!(f, ": {words}"))
            }
            Answer::Missing(missing @ (Missing::Unreachable | Missing::NotPrivate | Missing::AsciiOnly)) => {
                f.write_str(missing.words())
            }
            Answer::Missing(missing) => write!(f, "{} {}", missing.words(), self.stage.words()),
        }
    }
}

/// Why a mail was not sent, without personal data. It has the mail server's verdict if the server was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Trouble {
    /// The reason in words.
    pub why: String,
    /// The mail server's verdict.
    pub verdict: Option<Verdict>,
}

impl Trouble {
    /// The stored form of the verdict.
    #[must_use]
    pub fn stored_verdict(&self) -> Option<String> {
        self.verdict.map(|verdict| verdict.stored())
    }
}

impl From<Verdict> for Trouble {
    fn from(verdict: Verdict) -> Self {
        Self { why: verdict.to_string(), verdict: Some(verdict) }
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self { why, verdict: None }
    }
}

impl From<&str> for Trouble {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}
