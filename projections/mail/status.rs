//! The status of an account's mails, for support: the mail, the time, the server's answer, and what helps.

use loquet_domain::Moment;
use loquet_domain::ports::Position;
use loquet_domain::values::mail_kind::MailKind;
use uuid::Uuid;

use super::judge::{Judgement, Topic};
use super::ledger::{LedgerEntry, MailState};
use super::verdict::{Trouble, Verdict};
use crate::ports::Hold;

/// The delivery status of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It waits for its turn.
    Waiting,
    /// It is being sent.
    Sending,
    /// It waits because the mail server accepts nothing from us. No mail is being sent.
    Held {
        /// Since when no mail is being sent.
        since: Moment,
    },
    /// The mail server did not accept it for now. It is tried again.
    Deferred {
        /// When it is tried again.
        until: Moment,
    },
    /// The mail server accepted it. Only that server knows whether it arrived.
    Sent {
        /// When it was sent.
        at: Moment,
    },
    /// It was refused for good, or tried for too long.
    GivenUp {
        /// When it was given up.
        at: Moment,
    },
    /// It was out of date, because there was a newer link or the link had expired. It was not sent.
    Void {
        /// When that was noticed.
        at: Moment,
    },
}

/// One mail to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailStatus {
    /// Its id. The Message-ID begins with it.
    pub mail: Uuid,
    /// The kind of mail.
    pub kind: MailKind,
    /// The position of its event in the log.
    pub about: Position,
    /// When it was queued.
    pub queued_at: Moment,
    /// The number of tries.
    pub tries: u32,
    /// When it was last tried. `None` before the first try.
    pub tried_at: Option<Moment>,
    /// Its delivery status.
    pub delivery: Delivery,
    /// Why it was not sent yet, or never will be: its last failure, or the reason that holds the queue.
    pub trouble: Option<Trouble>,
}

impl MailStatus {
    /// The status of a mail, from its entry in the journal. `tried_at` is when it was last tried, and `hold` is why no
    /// mail is being sent.
    #[must_use]
    pub fn of(entry: LedgerEntry, tried_at: Option<Moment>, hold: Option<&Hold>) -> Self {
        let LedgerEntry { mail, state, tries, queued_at, due_at, ended_at, why, verdict, .. } = entry;
        // A mail that an operator put back into the queue starts over.
        let own = why.filter(|_| tries > 0).map(|why| Trouble { why, verdict });
        let at = ended_at.unwrap_or(due_at);
        let (delivery, trouble) = match state {
            MailState::Pending => pending(due_at, own, hold),
            MailState::Sending => (Delivery::Sending, own),
            MailState::Sent => (Delivery::Sent { at }, None),
            MailState::Void => (Delivery::Void { at }, None),
            MailState::Dead => (Delivery::GivenUp { at }, own),
        };
        let (kind, about) = (mail.kind, mail.position);
        Self { mail: mail.effect, kind, about, queued_at, tries, tried_at, delivery, trouble }
    }

    /// What helps, in the order in which to do it. Empty if nothing needs to be done.
    #[must_use]
    pub fn what_helps(&self) -> Vec<MailHelp> {
        let verdict = self.trouble.as_ref().and_then(|trouble| trouble.verdict);
        what_helps(self.delivery, verdict, self.kind)
    }
}

/// Returns why a mail waits: for its own next try after a verdict, or together with all other mails.
fn pending(due_at: Moment, own: Option<Trouble>, hold: Option<&Hold>) -> (Delivery, Option<Trouble>) {
    let is_about_us =
        |trouble: &Trouble| trouble.verdict.is_some_and(|verdict| verdict.judgement() == Judgement::AboutUs);
    match (own, hold) {
        (Some(own), _) if !is_about_us(&own) => (Delivery::Deferred { until: due_at }, Some(own)),
        (_, Some(hold)) => (Delivery::Held { since: hold.since }, Some(hold.trouble.clone())),
        (own, None) => (Delivery::Waiting, own),
    }
}

/// What helps if a mail has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailHelp {
    /// Wait: it is sent automatically.
    Wait,
    /// Look for it in the mailbox and among spam. The mail server accepted it.
    LookForIt,
    /// The address is wrong. Delete the account and create one with the right address: an account's address
    /// never changes.
    CorrectAddress,
    /// The recipient asks the provider of their mailbox, which is full, closed, or accepts nothing from us.
    AskTheirProvider,
    /// The operator looks at the mail server and its settings (`loquet doctor`, `loquet mail list`).
    TellOperator,
    /// Send a new link: the link in this mail has expired, or was not sent.
    SendAgain,
}

/// What helps with a mail of this kind, in this delivery status, after the mail server's last verdict.
#[must_use]
pub fn what_helps(delivery: Delivery, verdict: Option<Verdict>, kind: MailKind) -> Vec<MailHelp> {
    use MailHelp::{LookForIt, SendAgain, TellOperator, Wait};
    let has_link =
        matches!(kind, MailKind::Activation | MailKind::PasswordReset | MailKind::PasswordResetBySupport);
    match delivery {
        Delivery::Waiting | Delivery::Sending => vec![Wait],
        Delivery::Held { .. } => vec![TellOperator],
        Delivery::Sent { .. } => vec![LookForIt],
        Delivery::Void { .. } if has_link => vec![SendAgain],
        Delivery::Void { .. } => Vec::new(),
        Delivery::Deferred { .. } => match verdict {
            Some(verdict) => deferred(&verdict),
            None => vec![TellOperator],
        },
        Delivery::GivenUp { .. } => {
            let mut helps = verdict.map_or_else(|| vec![TellOperator], |verdict| given_up(&verdict));
            if has_link && !helps.contains(&MailHelp::CorrectAddress) {
                helps.push(SendAgain);
            }
            helps
        }
    }
}

fn deferred(verdict: &Verdict) -> Vec<MailHelp> {
    match (verdict.judgement(), verdict.topic()) {
        (Judgement::AboutUs | Judgement::Unclear, _) => vec![MailHelp::TellOperator],
        (_, Topic::Mailbox | Topic::MailboxFull) => vec![MailHelp::AskTheirProvider],
        _ => vec![MailHelp::Wait],
    }
}

fn given_up(verdict: &Verdict) -> Vec<MailHelp> {
    match (verdict.judgement(), verdict.topic()) {
        (Judgement::AboutUs, _) => vec![MailHelp::TellOperator],
        (Judgement::Never, Topic::Address) if verdict.is_explained() => vec![MailHelp::CorrectAddress],
        (Judgement::Never, Topic::Address) => vec![MailHelp::CorrectAddress, MailHelp::AskTheirProvider],
        (_, Topic::Mailbox | Topic::MailboxFull | Topic::Route) => vec![MailHelp::AskTheirProvider],
        (Judgement::Unclear, _) => vec![MailHelp::AskTheirProvider, MailHelp::TellOperator],
        (Judgement::NotNow, _) => vec![MailHelp::AskTheirProvider],
        _ => vec![MailHelp::TellOperator],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MailHelp::{AskTheirProvider, CorrectAddress, LookForIt, SendAgain, TellOperator, Wait};

    #[test]
    fn what_helps_a_mail_follows_from_where_it_is_and_what_the_server_said() {
        let at = Moment::UNIX_EPOCH;
        let (deferred, given_up) = (Delivery::Deferred { until: at }, Delivery::GivenUp { at });
        let (link, notice) = (MailKind::Activation, MailKind::PasswordChanged);
        let table: &[(Delivery, &str, MailKind, &[MailHelp])] = &[
            (Delivery::Waiting, "", link, &[Wait]),
            (Delivery::Sending, "recipient 451", link, &[Wait]),
            (Delivery::Held { since: at }, "sender 553 5.7.1", link, &[TellOperator]),
            (Delivery::Sent { at }, "", notice, &[LookForIt]),
            (Delivery::Void { at }, "", link, &[SendAgain]),
            (Delivery::Void { at }, "", notice, &[]),
            (deferred, "recipient 451 4.7.1", link, &[Wait]),
            (deferred, "recipient 452 4.2.2", link, &[AskTheirProvider]),
            (deferred, "recipient 550 5.7.1", link, &[TellOperator]),
            (deferred, "sender 553", link, &[TellOperator]),
            (deferred, "", link, &[TellOperator]),
            (given_up, "recipient 550 5.1.1", link, &[CorrectAddress]),
            (given_up, "recipient 550", notice, &[CorrectAddress, AskTheirProvider]),
            (given_up, "recipient 552 5.2.2", link, &[AskTheirProvider, SendAgain]),
            (given_up, "recipient 552 5.2.2", notice, &[AskTheirProvider]),
            (given_up, "recipient 550 5.7.1", notice, &[AskTheirProvider, TellOperator]),
            (given_up, "recipient 451", link, &[AskTheirProvider, SendAgain]),
            (given_up, "end 554", notice, &[TellOperator]),
            (given_up, "end 552 5.3.4", link, &[TellOperator, SendAgain]),
            (given_up, "", notice, &[TellOperator]),
        ];
        for (delivery, said, kind, expected) in table {
            assert_eq!(what_helps(*delivery, Verdict::parse(said), *kind), *expected, "{delivery:?} {said}");
        }
    }
}
