//! Whether mails can be sent, and what happened to the mails of an account, for support.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_projections::mail::{MailStatus, Trouble, Verdict};
use loquet_projections::ports::Hold;
use rusqlite::{Connection, OptionalExtension, Row};

use super::ledger::{ENTRY, entry};
use super::{MAIL, moment};

pub(super) fn hold(connection: &Connection, hold: Option<&Hold>) -> rusqlite::Result<()> {
    let Some(hold) = hold else { return connection.execute("DELETE FROM held", []).map(drop) };
    let note = "INSERT OR REPLACE INTO held (id, since, why, verdict) VALUES (1, ?, ?, ?)";
    let Hold { since, trouble } = hold;
    connection.execute(note, (since.timestamp_micros(), &trouble.why, trouble.stored_verdict())).map(drop)
}

pub(super) fn held(connection: &Connection) -> rusqlite::Result<Option<Hold>> {
    let query = "SELECT since, why, verdict FROM held";
    let hold = connection.query_row(query, [], |row| {
        let trouble = Trouble { why: row.get(1)?, verdict: verdict(row, 2)? };
        Ok(Hold { since: moment(row, 0)?, trouble })
    });
    hold.optional()
}

/// Reads a verdict from a column. Returns `None` if there is none, or if this version does not know it.
pub(super) fn verdict(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Verdict>> {
    let kept: Option<String> = row.get(column)?;
    Ok(kept.as_deref().and_then(Verdict::parse))
}

pub(super) fn mails_of(
    connection: &mut Connection,
    account: AccountId,
    limit: u32,
) -> rusqlite::Result<Vec<MailStatus>> {
    // Both are read in one transaction.
    let transaction = connection.transaction()?;
    let hold = held(&transaction)?;
    let query = format!(
        "SELECT {MAIL}, {ENTRY}, tried_at FROM mails
         WHERE recipient = ? ORDER BY queued_at DESC, position DESC, effect LIMIT ?"
    );
    let mut select = transaction.prepare_cached(&query)?;
    let mails = select.query_map((account.0.as_bytes(), limit), |row| {
        let tried: Option<i64> = row.get(12)?;
        Ok(MailStatus::of(entry(row)?, tried.and_then(Moment::from_timestamp_micros), hold.as_ref()))
    })?;
    mails.collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use loquet_domain::ports::Position;
    use loquet_projections::mail::{Delivery, MailHelp, MailKind};
    use loquet_projections::ports::{Acquired, Fence, Lease, MailOutcome, QueuedMail, ReactionJournal};
    use uuid::Uuid;

    use super::super::SqliteJournal;
    use super::*;

    fn at(second: i64) -> Moment {
        Moment::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn mail(number: u64, recipient: u128) -> QueuedMail {
        QueuedMail {
            effect: Uuid::from_u128(number.into()),
            kind: MailKind::Activation,
            recipient: AccountId(Uuid::from_u128(recipient)),
            position: Position(number),
        }
    }

    fn trouble(said: &str) -> Trouble {
        Verdict::parse(said).unwrap().into()
    }

    async fn conclude(journal: &SqliteJournal, number: u64, outcome: MailOutcome) {
        journal.conclude(Fence(1), mail(number, 1).effect, outcome, at(20)).await.unwrap();
    }

    #[tokio::test]
    async fn support_sees_of_each_mail_to_an_account_when_it_was_tried_what_was_said_and_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&folder.path().join("reactions.db")).unwrap();
        let account = mail(0, 1).recipient;
        let six = (1..=6).map(|number| mail(number, 1));
        let mails = six.chain([mail(7, 2)]).collect();
        assert_eq!(journal.acquire("test", at(0), at(100)).await, Ok(Acquired::Given(Fence(1))));
        journal.advance(Fence(1), "mails", Position(7), mails, at(0)).await.unwrap();
        let claimed = journal.claim_due(Fence(1), at(10), 5).await.unwrap();
        assert_eq!(claimed.len(), 5);
        let retry = |said, seconds| MailOutcome::Retry {
            at: at(seconds),
            waited: TimeDelta::seconds(5),
            trouble: trouble(said),
        };
        conclude(&journal, 1, MailOutcome::Sent).await;
        conclude(&journal, 2, retry("recipient 451 4.7.1", 60)).await;
        conclude(&journal, 3, retry("sender 553", 70)).await;
        conclude(&journal, 4, MailOutcome::Dead { trouble: trouble("recipient 550 5.1.1") }).await;
        let deliveries = async || {
            let mails = journal.mails_of(account, 10).await.unwrap();
            assert!(mails.iter().all(|mail| mail.queued_at == at(0)));
            let seen = mails.iter().map(|mail| {
                let verdict = mail.trouble.as_ref().and_then(|trouble| trouble.verdict);
                let verdict = verdict.map_or_else(String::new, |verdict| verdict.stored());
                (mail.about.0, mail.tries, mail.tried_at, mail.delivery, verdict, mail.what_helps())
            });
            seen.collect::<Vec<_>>()
        };
        let tried = Some(at(10));
        let none = String::new;
        let said = |verdict: &str| verdict.to_owned();
        let six = (6, 0, None, Delivery::Waiting, none(), vec![MailHelp::Wait]);
        let five = (5, 1, tried, Delivery::Sending, none(), vec![MailHelp::Wait]);
        let four = (
            4,
            1,
            tried,
            Delivery::GivenUp { at: at(20) },
            said("recipient 550 5.1.1"),
            vec![MailHelp::CorrectAddress],
        );
        let three = (3, 1, tried, Delivery::Waiting, said("sender 553"), vec![MailHelp::Wait]);
        let until = Delivery::Deferred { until: at(60) };
        let two = (2, 1, tried, until, said("recipient 451 4.7.1"), vec![MailHelp::Wait]);
        let one = (1, 1, tried, Delivery::Sent { at: at(20) }, none(), vec![MailHelp::LookForIt]);
        assert_eq!(deliveries().await, [six, five.clone(), four.clone(), three, two.clone(), one.clone()]);

        let hold = Hold { since: at(12), trouble: trouble("sender 553") };
        journal.hold(Fence(1), Some(hold.clone())).await.unwrap();
        journal.hold(Fence(1), Some(hold.clone())).await.unwrap();
        assert_eq!(journal.held().await.unwrap(), Some(hold));
        let held = |number, tries, tried| {
            let delivery = Delivery::Held { since: at(12) };
            (number, tries, tried, delivery, said("sender 553"), vec![MailHelp::TellOperator])
        };
        let expected = [held(6, 0, None), five, four, held(3, 1, tried), two, one];
        assert_eq!(deliveries().await, expected);
        journal.hold(Fence(1), None).await.unwrap();
        assert_eq!(journal.held().await.unwrap(), None);
        assert_eq!(journal.mails_of(account, 2).await.unwrap().len(), 2);
    }
}
