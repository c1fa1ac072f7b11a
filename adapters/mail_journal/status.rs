//! Whether mails go, and what became of an account's, for support.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_projections::mail::{Delivery, Judgement, MailStatus, Trouble, Verdict};
use loquet_projections::ports::Hold;
use rusqlite::{Connection, OptionalExtension, Row};

use super::ledger::MailState;
use super::{MAIL, kept, moment, queued};

pub(super) fn hold(connection: &Connection, hold: Option<&Hold>) -> rusqlite::Result<()> {
    let Some(hold) = hold else { return connection.execute("DELETE FROM held", []).map(drop) };
    let (why, verdict) = kept(Some(&hold.trouble));
    let note = "INSERT OR REPLACE INTO held (id, since, why, verdict) VALUES (1, ?, ?, ?)";
    connection.execute(note, (hold.since.timestamp_micros(), why, verdict)).map(drop)
}

pub(super) fn held(connection: &Connection) -> rusqlite::Result<Option<Hold>> {
    let query = "SELECT since, why, verdict FROM held";
    let hold = connection.query_row(query, [], |row| {
        let trouble = Trouble { why: row.get(1)?, verdict: verdict(row, 2)? };
        Ok(Hold { since: moment(row, 0)?, trouble })
    });
    hold.optional()
}

/// The verdict in a column; `None` where there is none that this version knows.
pub(super) fn verdict(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Verdict>> {
    let kept: Option<String> = row.get(column)?;
    Ok(kept.as_deref().and_then(Verdict::parse))
}

pub(super) fn mails_of(
    connection: &mut Connection,
    account: AccountId,
    limit: u32,
) -> rusqlite::Result<Vec<MailStatus>> {
    // Both as of one moment.
    let transaction = connection.transaction()?;
    let hold = held(&transaction)?;
    let query = format!(
        "SELECT {MAIL}, state, tries, queued_at, due_at, ended_at, tried_at, why, verdict FROM mails
         WHERE recipient = ? ORDER BY queued_at DESC, position DESC, effect LIMIT ?"
    );
    let mut select = transaction.prepare_cached(&query)?;
    let mails = select.query_map((account.0.as_bytes(), limit), |row| status(row, hold.as_ref()))?;
    mails.collect()
}

fn status(row: &Row<'_>, hold: Option<&Hold>) -> rusqlite::Result<MailStatus> {
    let mail = queued(row)?;
    let state: String = row.get(4)?;
    let unknown = || rusqlite::Error::InvalidColumnType(4, state.clone(), rusqlite::types::Type::Text);
    let state = MailState::parse(&state).ok_or_else(unknown)?;
    let (tries, ended, tried): (u32, Option<i64>, Option<i64>) = (row.get(5)?, row.get(8)?, row.get(9)?);
    let verdict = verdict(row, 11)?;
    let why: Option<String> = row.get(10)?;
    // One that was put back by hand begins anew.
    let own = why.filter(|_| tries > 0).map(|why| Trouble { why, verdict });
    let at = ended.and_then(Moment::from_timestamp_micros).map_or_else(|| moment(row, 7), Ok)?;
    let (delivery, trouble) = match state {
        MailState::Pending => pending(moment(row, 7)?, own, hold),
        MailState::Sending => (Delivery::Sending, own),
        MailState::Sent => (Delivery::Sent { at }, None),
        MailState::Void => (Delivery::Void { at }, None),
        MailState::Dead => (Delivery::GivenUp { at }, own),
    };
    Ok(MailStatus {
        mail: mail.effect,
        kind: mail.kind,
        about: mail.position,
        queued_at: moment(row, 6)?,
        tries,
        tried_at: tried.and_then(Moment::from_timestamp_micros),
        delivery,
        trouble,
    })
}

/// Where a mail is that waits: for its own next try after a verdict on it, or with all others.
fn pending(due: Moment, own: Option<Trouble>, hold: Option<&Hold>) -> (Delivery, Option<Trouble>) {
    let is_about_us =
        |trouble: &Trouble| trouble.verdict.is_some_and(|verdict| verdict.judgement() == Judgement::AboutUs);
    match (own, hold) {
        (Some(own), _) if !is_about_us(&own) => (Delivery::Deferred { until: due }, Some(own)),
        (_, Some(hold)) => (Delivery::Held { since: hold.since }, Some(hold.trouble.clone())),
        (own, None) => (Delivery::Waiting, own),
    }
}
