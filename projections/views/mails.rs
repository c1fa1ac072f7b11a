//! The results of the newest mails to each account.

use loquet_domain::Moment;
use loquet_domain::account::Event;
use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::mail_kind::MailKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::index::Entry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// The number of mails in a row. The log has all.
const KEPT: usize = 20;

/// A mail that was sent or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct EndedMail {
    pub mail_id: Uuid,
    pub kind: MailKind,
    pub about: EventId,
    pub at: Moment,
    /// Why it was given up. `None` if the mail server took it.
    pub given_up: Option<String>,
}

/// The newest mails to one account, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct MailsRow {
    pub account_id: AccountId,
    pub mails: Vec<EndedMail>,
}

impl Row for MailsRow {
    const VIEW: ViewId = ViewId { name: "mails", version: 1 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        Vec::new()
    }
}

/// The view of mails.
pub struct Mails;

impl View for Mails {
    type Row = MailsRow;

    fn apply(&self, rows: &mut Table<'_, MailsRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let (mail, kind, about, given_up) = match event {
            Event::MailSent { mail, kind, about } => (mail, kind, about, None),
            Event::MailGivenUp { mail, kind, about, why } => (mail, kind, about, Some(why.clone())),
            _ => return Ok(()),
        };
        let key = envelope.stream.id();
        let at = envelope.fact.context.at;
        let ended = EndedMail { mail_id: *mail, kind: *kind, about: *about, at, given_up };
        let first = || MailsRow { account_id: account, mails: Vec::new() };
        rows.change_or(key, first, |row| {
            let surplus = (row.mails.len() + 1).saturating_sub(KEPT);
            row.mails.drain(..surplus);
            row.mails.push(ended);
        })
    }
}
