//! Decides what a mail server's verdict is about: us, or one mail.
//!
//! A verdict on the session, the sender or a quota would apply to every mail. It holds the queue, and no mail is
//! given up. A verdict on the recipient or the message concerns only that mail. Some replies can mean either. For
//! example, a server replies `5.7.1` at RCPT TO if it relays nothing for us, and also if one recipient accepts
//! nothing from us. A wrong setting must not give up every mail, and one recipient must not hold the queue. So such a
//! mail is tried again later, and the queue goes on. Only after several recipients in a row got such a reply does it
//! count as a verdict on us (`pace.rs`).

use super::verdict::{Answer, Enhanced, Missing, Stage, Verdict};

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// About us: the session, our sender or our quota. Every mail would get the same reply, so the queue waits.
    AboutUs,
    /// About this mail, for now. It is tried again, and given up after a while.
    NotNow,
    /// About this mail or us. The mail is tried again, and the queue waits if other mails get the same reply.
    Unclear,
    /// About this mail, for good. It is given up.
    Never,
}

/// The topic of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The recipient's address does not exist.
    Address,
    /// The recipient's mailbox accepts nothing: it is disabled, has moved, or refuses our mails.
    Mailbox,
    /// The recipient's mailbox is full.
    MailboxFull,
    /// The mail server can't reach the recipient's server.
    Route,
    /// The message is too large.
    TooLarge,
    /// The message's content or form.
    Content,
    /// A rule forbids it. The rule may be the recipient's or may concern us.
    Policy,
    /// Our sender's address.
    Sender,
    /// We send too many mails, or too fast.
    Quota,
    /// Our user name and password.
    Login,
    /// Evidence about our domain and IP address: SPF, DKIM, DMARC, reverse DNS, block lists.
    Reputation,
    /// A problem of the mail server itself: it closes the connection, its disk is full, or it is set up wrongly.
    System,
    /// The mail server and this program do not understand each other (SMTP errors).
    Protocol,
    /// The reply says only yes or no.
    Unsaid,
}

impl Topic {
    /// The topic in words, to follow "the mail server said 550". Returns `None` for [`Topic::Unsaid`].
    pub(super) fn words(self) -> Option<&'static str> {
        Some(match self {
            Self::Address => "it knows no such address",
            Self::Mailbox => "the mailbox takes no mail",
            Self::MailboxFull => "the mailbox is full",
            Self::Route => "it finds no way to the recipient's mail server",
            Self::TooLarge => "the message is too large",
            Self::Content => "it does not take this content",
            Self::Policy => "a rule forbids it, the recipient's or one about us",
            Self::Sender => "it does not take our sender's address",
            Self::Quota => "we send too much or too fast",
            Self::Login => "it does not let us in",
            Self::Reputation => {
                "it does not trust our domain or address (SPF, DKIM, DMARC, DNS, block lists)"
            }
            Self::System => "it has trouble of its own",
            Self::Protocol => "it does not understand us",
            Self::Unsaid => return None,
        })
    }
}

/// The topic of a reply. The enhanced status code describes it best (RFC 3463, the registry of RFC 5248, and the
/// codes that large providers add). Without one, the code and the stage decide (RFC 5321, 4.2.3).
#[must_use]
pub fn topic(stage: Stage, code: u16, enhanced: Option<Enhanced>) -> Topic {
    match code {
        // The server closes the connection, whatever the command was (RFC 5321, 3.8), or accepts no mail at all (RFC
        // 7504).
        421 | 521 => return Topic::System,
        // RFC 4954, 6.
        530 | 534 | 535 | 538 => return Topic::Login,
        _ => {}
    }
    let Some(Enhanced { subject, detail, .. }) = enhanced else { return of_code(stage, code) };
    match (subject, detail) {
        // No recipient has been named yet.
        (1, _) | (7, 1) if stage == Stage::Sender => Topic::Sender,
        (7, 0 | 1) if stage < Stage::Sender => Topic::Reputation,
        (1, 7 | 8) => Topic::Sender,
        (1, 90) => Topic::Quota, // Microsoft: too many recipients in a day
        (1, _) => Topic::Address,
        (2, 2) => Topic::MailboxFull,
        (2, 3) | (3, 4) => Topic::TooLarge,
        (2, 252) => Topic::Sender, // Microsoft: not allowed to send as this sender
        (2, 0) => of_code(stage, code),
        (2, _) => Topic::Mailbox,
        (3, 0) => of_code(stage, code),
        (3, _) | (4, 3) => Topic::System,
        (4, 5) | (5, 3) | (7, 28) => Topic::Quota,
        (4, _) => Topic::Route,
        (6, _) => Topic::Content,
        (7, 2 | 17..=19) => Topic::Mailbox,
        (7, 3..=7 | 15 | 16 | 30) => Topic::Content,
        (7, 8..=14) => Topic::Login,
        (7, 20..=27 | 29) => Topic::Reputation,
        (7, 57 | 60 | 64) => Topic::Sender, // Microsoft: anonymous, not allowed to send as, relay denied
        (7, 500..) => Topic::Reputation,    // Microsoft: banned senders and addresses, exceeded thresholds
        (7, _) => Topic::Policy,
        _ => of_code(stage, code),
    }
}

fn of_code(stage: Stage, code: u16) -> Topic {
    match (stage, code) {
        (Stage::Sender, 501 | 550 | 553) => Topic::Sender,
        (Stage::Recipient, 501 | 550 | 551 | 553 | 555) | (_, 556) => Topic::Address,
        (Stage::Recipient, 552) => Topic::MailboxFull,
        (Stage::Data | Stage::Body | Stage::End, 552) => Topic::TooLarge,
        (_, 500..=504 | 555) => Topic::Protocol,
        _ => Topic::Unsaid,
    }
}

/// What a reply of 400 or more is about.
#[must_use]
pub fn judge(stage: Stage, code: u16, enhanced: Option<Enhanced>) -> Judgement {
    let lasting = |judgement| if code < 500 { Judgement::NotNow } else { judgement };
    match topic(stage, code, enhanced) {
        // Before MAIL FROM the server knows nothing about the mail. At MAIL FROM it may know the size and the form.
        Topic::TooLarge | Topic::Content if stage >= Stage::Sender => lasting(Judgement::Never),
        _ if stage < Stage::Recipient => Judgement::AboutUs,
        Topic::Sender | Topic::Quota | Topic::Login | Topic::Reputation | Topic::System | Topic::Protocol => {
            Judgement::AboutUs
        }
        Topic::Address
        | Topic::Mailbox
        | Topic::MailboxFull
        | Topic::Route
        | Topic::TooLarge
        | Topic::Content => lasting(Judgement::Never),
        Topic::Policy => lasting(Judgement::Unclear),
        // The server's disk or a mailbox is full: servers use this code for both.
        Topic::Unsaid if code == 452 => Judgement::Unclear,
        // A filter refused the message.
        Topic::Unsaid if stage == Stage::End => lasting(Judgement::Never),
        Topic::Unsaid => lasting(Judgement::Unclear),
    }
}

impl Verdict {
    /// The topic of this verdict.
    #[must_use]
    pub fn topic(&self) -> Topic {
        match self.answer {
            Answer::Reply { code, enhanced } => topic(self.stage, code, enhanced),
            Answer::Missing(Missing::AsciiOnly) if self.stage == Stage::Recipient => Topic::Address,
            Answer::Missing(Missing::AsciiOnly) => Topic::Sender,
            Answer::Missing(_) => Topic::System,
        }
    }

    /// What this verdict is about. A missing reply at RCPT TO or later may be due to that recipient or message. A
    /// server that fails on one mail must not hold the others.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        match self.answer {
            Answer::Reply { code, enhanced } => judge(self.stage, code, enhanced),
            Answer::Missing(Missing::AsciiOnly) if self.stage == Stage::Recipient => Judgement::Never,
            Answer::Missing(_) if self.stage < Stage::Recipient => Judgement::AboutUs,
            Answer::Missing(_) => Judgement::Unclear,
        }
    }

    /// Whether the server explained its reply with an enhanced status code. Some servers send a bare 550 for every
    /// recipient of a client for which they relay nothing.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        self.enhanced().is_some_and(|enhanced| enhanced.subject != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{AboutUs, Never, NotNow, Unclear};

    /// Each answer, in the form that the journal stores, and what it is about.
    const TABLE: &[(&str, Judgement)] = &[
        // The session.
        ("connect unreachable", AboutUs),
        ("secure not-private", AboutUs),
        ("greeting 554 5.7.1", AboutUs),
        ("greeting 554", AboutUs),
        ("greeting 521", AboutUs),
        ("greeting 421 4.7.0", AboutUs),
        ("greeting too-long", AboutUs),
        ("greeting not-smtp", AboutUs),
        ("hello 550", AboutUs),
        ("hello 504", AboutUs),
        ("starttls 454 4.7.0", AboutUs),
        ("starttls not-offered", AboutUs),
        ("login 535 5.7.8", AboutUs),
        ("login 454 4.7.0", AboutUs),
        ("login 550 5.7.14", AboutUs),
        ("login not-offered", AboutUs),
        // The sender.
        ("sender 553 5.7.1", AboutUs),
        ("sender 553", AboutUs),
        ("sender 550 5.1.8", AboutUs),
        ("sender 501 5.1.7", AboutUs),
        ("sender 530 5.7.0", AboutUs),
        ("sender 451 4.3.0", AboutUs),
        ("sender 452 4.3.1", AboutUs),
        ("sender broken", AboutUs),
        ("sender ascii-only", AboutUs),
        ("recipient 550 5.1.8", AboutUs),
        ("recipient 553 5.1.7", AboutUs),
        ("end 554 5.2.252", AboutUs),
        ("end 550 5.7.60", AboutUs),
        // Quotas and rates.
        ("end 550 5.4.5", AboutUs),
        ("recipient 450 4.4.5", AboutUs),
        ("recipient 452 4.5.3", AboutUs),
        ("recipient 550 5.7.28", AboutUs),
        ("end 450 4.7.28", AboutUs),
        ("recipient 550 5.1.90", AboutUs),
        ("recipient 421", AboutUs),
        ("data 421 4.3.2", AboutUs),
        ("end 421 4.7.0", AboutUs),
        ("end 452 4.3.1", AboutUs),
        ("recipient 432 4.3.2", AboutUs),
        // The evidence about our domain and IP address.
        ("end 550 5.7.26", AboutUs),
        ("recipient 550 5.7.23", AboutUs),
        ("recipient 550 5.7.25", AboutUs),
        ("end 550 5.7.20", AboutUs),
        ("end 451 4.7.26", AboutUs),
        ("recipient 550 5.7.511", AboutUs),
        ("recipient 550 5.7.708", AboutUs),
        // Our login.
        ("recipient 530", AboutUs),
        ("recipient 535 5.7.8", AboutUs),
        ("recipient 550 5.7.13", AboutUs),
        ("recipient 503 5.5.1", AboutUs),
        ("data 503", AboutUs),
        // The recipient, for good.
        ("recipient 550 5.1.1", Never),
        ("recipient 550 5.1.2", Never),
        ("recipient 550 5.1.0", Never),
        ("recipient 501 5.1.3", Never),
        ("recipient 551 5.1.6", Never),
        ("recipient 556 5.1.10", Never),
        ("recipient 550 5.2.1", Never),
        ("recipient 552 5.2.2", Never),
        ("recipient 550 5.4.1", Never),
        ("recipient 550 5.4.4", Never),
        ("recipient 550 5.7.17", Never),
        ("recipient 550", Never),
        ("recipient 551", Never),
        ("recipient 552", Never),
        ("recipient 553", Never),
        ("recipient 501", Never),
        ("recipient 550 5.0.0", Never),
        ("recipient ascii-only", Never),
        ("end 550 5.1.1", Never),
        // The recipient, for now.
        ("recipient 450", NotNow),
        ("recipient 451", NotNow),
        ("recipient 451 4.7.1", NotNow),
        ("recipient 450 4.2.0", NotNow),
        ("recipient 452 4.2.2", NotNow),
        ("recipient 450 4.2.1", NotNow),
        ("recipient 451 4.3.0", NotNow),
        ("recipient 450 4.1.1", NotNow),
        ("recipient 451 4.4.1", NotNow),
        ("data 451", NotNow),
        ("end 451", NotNow),
        ("end 451 4.7.1", NotNow),
        ("end 450 4.6.0", NotNow),
        // The message.
        ("sender 552 5.3.4", Never),
        ("end 552 5.3.4", Never),
        ("end 552", Never),
        ("end 554 5.6.0", Never),
        ("end 550 5.6.7", Never),
        ("end 554", Never),
        ("end 550", Never),
        ("end 552 5.2.3", Never),
        // The recipient, the message or us.
        ("recipient 550 5.7.1", Unclear),
        ("recipient 554 5.7.1", Unclear),
        ("recipient 550 5.7.0", Unclear),
        ("recipient 554", Unclear),
        ("recipient 452", Unclear),
        ("recipient too-long", Unclear),
        ("recipient broken", Unclear),
        ("data 554", Unclear),
        ("data 554 5.7.1", Unclear),
        ("body broken", Unclear),
        ("end 554 5.7.1", Unclear),
        ("end broken", Unclear),
        ("end too-long", Unclear),
        ("end not-smtp", Unclear),
    ];

    #[test]
    fn a_verdict_is_about_us_or_about_one_mail_as_the_table_says() {
        for (said, expected) in TABLE {
            let verdict = Verdict::parse(said).unwrap();
            assert_eq!(verdict.judgement(), *expected, "{said}: {verdict}");
            assert_eq!(verdict.stored(), *said);
        }
    }

    #[test]
    fn the_words_for_a_verdict_blame_no_recipient_before_one_was_named() {
        let words = |said: &str| Verdict::parse(said).unwrap().to_string();
        assert_eq!(
            words("sender 553 5.7.1"),
            "the mail server said 553 5.7.1 at MAIL FROM: it does not take our sender's address"
        );
        assert_eq!(
            words("recipient 550 5.1.1"),
            "the mail server said 550 5.1.1 at RCPT TO: it knows no such address"
        );
        assert_eq!(words("greeting 554"), "the mail server said 554 at its greeting");
        assert_eq!(words("end too-long"), "the mail server took too long after the message");
        for stage in Stage::ALL.iter().copied().filter(|stage| *stage < Stage::Recipient) {
            for code in [501, 550, 553, 554] {
                for enhanced in ["5.1.0", "5.1.1", "5.1.8", "5.7.0", "5.7.1", "5.7.26"] {
                    let verdict = Verdict::reply(stage, code, Enhanced::parse(enhanced));
                    let at_fault = verdict.topic();
                    assert!(stage < Stage::Sender || at_fault != Topic::Address, "{verdict}");
                    assert!(at_fault != Topic::Policy || stage == Stage::Sender, "{verdict}");
                }
            }
        }
    }

    /// For every possible reply of a server: a reply before the recipient gives no mail up, unless it is about the
    /// message; a reply that is not permanent gives no mail up; and the text is in our words, on one line.
    #[test]
    fn no_reply_before_the_recipient_and_none_that_is_not_lasting_gives_a_mail_up() {
        for stage in Stage::ALL.iter().copied() {
            for code in 400..=599 {
                let every = (0..=10).flat_map(|subject| (0..=30).map(move |detail| (subject, detail)));
                let class = if code < 500 { 4 } else { 5 };
                let enhanced = every.map(|(subject, detail)| Some(Enhanced { class, subject, detail }));
                for enhanced in enhanced.chain([None]) {
                    let verdict = Verdict::reply(stage, code, enhanced);
                    if verdict.judgement() == Never {
                        let of_message = matches!(verdict.topic(), Topic::TooLarge | Topic::Content);
                        assert!(code >= 500, "{verdict}");
                        assert!(
                            stage >= Stage::Recipient || stage == Stage::Sender && of_message,
                            "{verdict}"
                        );
                    }
                    assert!(verdict.to_string().starts_with(&format!("the mail server said {code}")));
                    assert_eq!(Verdict::parse(&verdict.stored()), Some(verdict));
                }
            }
        }
    }

    #[test]
    fn what_is_kept_of_a_verdict_can_be_read_and_nothing_else_can() {
        for stage in Stage::ALL.iter().copied() {
            for missing in Missing::ALL.iter().copied() {
                let verdict = Verdict::missing(stage, missing);
                assert_eq!(Verdict::parse(&verdict.stored()), Some(verdict));
            }
        }
        for text in ["", "recipient", "recipient x", "nowhere 550", "recipient 550 5.1", "end broken 5.1.1"] {
            assert_eq!(Verdict::parse(text), None, "{text}");
        }
        let codes = ["5.1.1", "4.7.28", "2.0.0", "5.7.511"];
        assert!(codes.iter().all(|code| Enhanced::parse(code).unwrap().to_string() == *code));
        for text in ["5.1", "5.1.1.1", "3.1.1", "5.1.", "5..1", "5.1.1000", "+5.1.1", "5.+1.1", "é.1.1"] {
            assert_eq!(Enhanced::parse(text), None, "{text}");
        }
    }
}
