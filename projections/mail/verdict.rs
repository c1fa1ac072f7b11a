//! What a mail server said of a mail: at which stage, and with which code. The server's text is never kept: it names
//! the recipient, and this record outlives an erasure. The words are our own.

use std::fmt;

/// The stage of the conversation with a mail server at which a reply came, or did not come (RFC 5321, 3.1 and 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The connection is made.
    Connect,
    /// TLS is agreed on.
    Secure,
    /// The server's first line.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS (RFC 3207).
    StartTls,
    /// AUTH (RFC 4954).
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The message is being sent, but not its end: the server has not taken it.
    Body,
    /// The final dot is sent: the server may have taken the message, whether it says so or not.
    End,
}

impl Stage {
    /// Every stage, in the order of a conversation.
    pub const ALL: [Self; 11] = [
        Self::Connect,
        Self::Secure,
        Self::Greeting,
        Self::Hello,
        Self::StartTls,
        Self::Login,
        Self::Sender,
        Self::Recipient,
        Self::Data,
        Self::Body,
        Self::End,
    ];

    /// Its name, in the journal and on the command line. Stored: never change one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Secure => "secure",
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::StartTls => "starttls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Data => "data",
            Self::Body => "body",
            Self::End => "end",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// When the server answered, in words.
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
    /// 2: done, 4: not now, 5: never.
    pub class: u8,
    /// Of what it speaks: 1 the address, 2 the mailbox, 3 the system, 4 the network, 5 the protocol, 6 the
    /// content, 7 security and policy.
    pub subject: u16,
    /// What of it.
    pub detail: u16,
}

impl Enhanced {
    /// Reads `5.1.1`; Returns `None` if a text is no enhanced status code.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The server's name is not known, or no server accepts the connection.
    Unreachable,
    /// No reply in time.
    TooLong,
    /// The connection ended.
    Broken,
    /// TLS failed, or bytes came in the clear where none may be.
    NotPrivate,
    /// The reply was no SMTP.
    NotSmtp,
    /// The server does not offer what the settings ask for: STARTTLS, or an authentication method that we know.
    NotOffered,
    /// An address is not ASCII, and the server takes no other (RFC 6531).
    AsciiOnly,
}

impl Missing {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::TooLong,
        Self::Broken,
        Self::NotPrivate,
        Self::NotSmtp,
        Self::NotOffered,
        Self::AsciiOnly,
    ];

    /// Its name, in the journal and on the command line. Stored: never change one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TooLong => "too-long",
            Self::Broken => "broken",
            Self::NotPrivate => "not-private",
            Self::NotSmtp => "not-smtp",
            Self::NotOffered => "not-offered",
            Self::AsciiOnly => "ascii-only",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|missing| missing.name() == name)
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

/// What the server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A reply's code.
    Reply {
        /// Three digits (RFC 5321, 4.2); here 400 or more.
        code: u16,
        /// The enhanced status code, where the server gave one.
        enhanced: Option<Enhanced>,
    },
    /// There is no reply that says yes or no.
    Missing(Missing),
}

/// What a mail server said of a mail that it did not take, or that is not known to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// When it said it.
    pub stage: Stage,
    /// What it said.
    pub answer: Answer,
}

impl Verdict {
    /// A reply's verdict.
    #[must_use]
    pub fn reply(stage: Stage, code: u16, enhanced: Option<Enhanced>) -> Self {
        Self { stage, answer: Answer::Reply { code, enhanced } }
    }

    /// A verdict when there is no reply.
    #[must_use]
    pub fn missing(stage: Stage, missing: Missing) -> Self {
        Self { stage, answer: Answer::Missing(missing) }
    }

    /// The reply's code, where there was one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.answer {
            Answer::Reply { code, .. } => Some(code),
            Answer::Missing(_) => None,
        }
    }

    /// The enhanced status code, where the server gave one.
    #[must_use]
    pub fn enhanced(&self) -> Option<Enhanced> {
        match self.answer {
            Answer::Reply { enhanced, .. } => enhanced,
            Answer::Missing(_) => None,
        }
    }

    /// Whether the server may have taken the mail: the final dot was sent, and its answer was lost.
    #[must_use]
    pub fn may_be_taken(&self) -> bool {
        self.stage == Stage::End && matches!(self.answer, Answer::Missing(_))
    }

    /// As it is kept: `recipient 550 5.1.1`, `greeting 421`, `end too-long`.
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

/// In our own words, which name nobody.
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

/// Why a mail was not sent, in words that name nobody, with the mail server's verdict if the server was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Trouble {
    /// In words.
    pub why: String,
    /// What the mail server said.
    pub verdict: Option<Verdict>,
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
