//! `loquet log copy`: moves an installation to another engine.
//!
//! It copies the events first, and then the rows of the other tables. Then it reads both sides again and compares them.
//! A copy that was interrupted continues with the first event that is missing, and copies all rows again.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use futures_util::future::maybe_done;
use futures_util::poll;
use loquet_domain::ports::{AppendError, Appended, NewEvent, Position, RecordedEvent, Revision, StreamId};
use loquet_http::{answer_with_positions, positions_of_answer};
use loquet_projections::ports::{MovableRows, MovedTable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::show::{place_of, progress};
use crate::adapters::moved::{self, Moved, Side};
use crate::cli::{DataDirectory, LogCopy};
use crate::config::Config;
use crate::output::{outcome, result};

/// The number of events that are read at once.
const PAGE: usize = 500;
/// The number of rows that are read at once.
const ROWS: u32 = 1000;

pub(crate) async fn run(copy: &LogCopy) -> anyhow::Result<()> {
    let from = open(&copy.from, Side::Source, &[]).await?;
    let copied = copy_from(&from, copy).await;
    from.close().await;
    copied
}

/// Opens the target only after the source was found to be one. So a wrong source leaves nothing behind.
async fn copy_from(from: &Moved, copy: &LogCopy) -> anyhow::Result<()> {
    let source = place_of(&copy.from);
    ensure!(
        from.store.head().await? > Position::default(),
        "the source (--from) has no events: does {source} name the right data_dir, or the right store?"
    );
    ensure!(
        !from.rows.rows(MovedTable::ServerKeys, "", 1).await?.is_empty(),
        "the source (--from) has events, but no keys, and without its keys nobody can read personal data: restore keys.db, \
         or correct postgres.keys_url in {source}"
    );
    let to = open(&copy.to, Side::Target, &from.places).await?;
    let copied = copy_all(from, &to).await;
    to.close().await;
    copied
}

/// Opens one side by its configuration file. Environment variables and flags are ignored, because both sides would get
/// the same values from them.
async fn open(file: &Path, side: Side, places_of_the_other: &[String]) -> anyhow::Result<Moved> {
    let mut config = Config::of_file(file);
    let directory = DataDirectory::of(&mut config);
    let what = || format!("can't use {side}, {}", place_of(file));
    super::config::refuse_faults(&config).with_context(what)?;
    moved::open(&directory, side, places_of_the_other).await.with_context(what)
}

async fn copy_all(from: &Moved, to: &Moved) -> anyhow::Result<()> {
    let head = copy_log(from, to).await?;
    let mut positions = Positions { from, to, known: BTreeMap::new() };
    let mut rows = 0;
    // Rows refer to rows of earlier tables. So tables are emptied from the last to the first, and filled the other way.
    for table in MovedTable::ALL.iter().rev() {
        let cleared = to.rows.clear(*table).await;
        cleared.with_context(|| format!("can't remove the {} of the target (--to)", table.name()))?;
    }
    for table in MovedTable::ALL {
        rows += copy_table(&mut positions, *table).await?;
    }
    let (source, target) = (hash(from, "reading the source").await?, hash(to, "reading the target").await?);
    // A server that wrote to one side is the likely reason for a difference, so this comes first.
    refuse_other_writers(from, to, head).await?;
    ensure!(
        source.log == target.log,
        "the events in the target (--to) differ from those in the source (--from). Nothing was changed in the source. Empty \
         the target, and run the command again"
    );
    ensure!(
        source.rows == target.rows,
        "the keys, mails, webhooks, tokens or answers in the target (--to) differ from those in the source (--from). Nothing \
         was changed in the source. Stop all servers and commands of both sides, and run the command again"
    );
    let digest = |bytes: &[u8]| base16ct::lower::encode_string(bytes);
    let (log, table_rows) = (digest(&source.log), digest(&source.rows));
    result(
        format_args!(
            "{} events and {rows} rows were copied. Both sides were read again, and are equal.\n\
             SHA-256 of the log:  {log}\nSHA-256 of the rows: {table_rows}",
            source.events
        ),
        &json!({ "events": source.events, "rows": rows, "log_sha256": log, "rows_sha256": table_rows }),
    );
    outcome("Read models are not copied: each node builds its own when it starts.");
    Ok(())
}

/// Fails if a server wrote to one of the sides, or ran its reactions, since the copy began. `head` is the end of the source
/// at that time.
async fn refuse_other_writers(from: &Moved, to: &Moved, head: Position) -> anyhow::Result<()> {
    ensure!(
        from.store.head().await? == head,
        "a server wrote to the source (--from) during the copy: stop all its nodes, and run the command again. It then \
         copies what is new"
    );
    ensure!(
        newest_copied(from, to).await?.is_some_and(|copied| copied == head),
        "a server wrote to the target (--to) during the copy, so the target is not a copy: stop all its nodes, empty the \
         target, and run the command again"
    );
    for (side, name) in [(from, Side::Source), (to, Side::Target)] {
        side.refuse_other_leaders().await.with_context(|| format!("{name} changed during the copy"))?;
    }
    Ok(())
}

/// Copies the events that the target does not have yet, in their order. Returns the end of the source.
async fn copy_log(from: &Moved, to: &Moved) -> anyhow::Result<Position> {
    let head = from.store.head().await?;
    let mut at = newest_copied(from, to).await?.context(
        "the target (--to) is not empty, and it is not a copy of this source (--from) either: its newest event is not in \
         the source. Use an empty target",
    )?;
    let bar = progress(head.0, "copying events")?;
    while at < head {
        let page = from.store.read_all(at, PAGE).await?;
        let last = page
            .last()
            .context("the source (--from) has no events before its end: run `loquet doctor` on it")?;
        bar.set_position(last.position.0);
        at = last.position;
        append(to, page).await?;
    }
    bar.finish_and_clear();
    Ok(head)
}

/// Returns the position in the source of the newest event of the target. Returns zero if the target has no events, and
/// `None` if the source does not have this event.
async fn newest_copied(from: &Moved, to: &Moved) -> anyhow::Result<Option<Position>> {
    let Some(newest) = to.store.newest(1).await?.pop() else { return Ok(Some(Position::default())) };
    let before = Revision(newest.revision.0.saturating_sub(1));
    let twin = from.store.read_stream(&newest.stream, before).await?.into_iter().next();
    Ok(twin.filter(|twin| twin.event == newest.event).map(|twin| twin.position))
}

/// Appends events in their order. Consecutive events of one stream are one append.
async fn append(to: &Moved, events: Vec<RecordedEvent>) -> anyhow::Result<()> {
    let mut appends: Vec<(StreamId, Revision, Vec<NewEvent>)> = Vec::new();
    for recorded in events {
        match appends.last_mut() {
            Some((stream, _, more)) if *stream == recorded.stream => more.push(recorded.event),
            _ => {
                let before = Revision(recorded.revision.0.saturating_sub(1));
                appends.push((recorded.stream, before, vec![recorded.event]));
            }
        }
    }
    let told = |stream: &StreamId, error: AppendError| {
        anyhow!("can't append to the stream {stream} of the target (--to): {error}")
    };
    if to.keeps_the_order_of_callers {
        let waiting = appends.iter().map(|(stream, before, events)| async move {
            to.store.append(stream, *before, events.clone()).await.map_err(|error| told(stream, error))
        });
        let appended = in_order(waiting).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let is_behind = |pair: &[Appended]| matches!(pair, [one, next] if one.position < next.position);
        ensure!(
            appended.windows(2).all(is_behind),
            "the target (--to) has the events in another order than the source (--from): empty the target, and run the \
             command again"
        );
        return Ok(());
    }
    for (stream, before, events) in appends {
        to.store.append(&stream, before, events).await.map_err(|error| told(&stream, error))?;
    }
    Ok(())
}

/// Starts the futures one after the other, and then waits for all of them. `join_all` may start many futures in another
/// order.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut begun: Vec<_> = futures.map(|future| Box::pin(maybe_done(future))).collect();
    // Without `unconstrained`, tokio makes a future wait when this task has run for long, and the order would be lost.
    let begin = async {
        for future in &mut begun {
            let _ = poll!(future.as_mut());
        }
    };
    tokio::task::unconstrained(begin).await;
    let mut outputs = Vec::with_capacity(begun.len());
    for mut future in begun {
        future.as_mut().await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}

/// Translates positions of the source into positions of the target. KurrentDB counts bytes, the other engines count events.
struct Positions<'a> {
    from: &'a Moved,
    to: &'a Moved,
    known: BTreeMap<u64, u64>,
}

impl Positions<'_> {
    /// Whether both sides count in the same way.
    fn are_the_same(&self) -> bool {
        self.from.has_no_gaps && self.to.has_no_gaps
    }

    async fn of(&mut self, position: u64) -> anyhow::Result<u64> {
        let translated = self.if_there(position).await?;
        translated.with_context(|| format!("the source (--from) has no event at position {position}"))
    }

    /// Returns `None` if the source has no event at this position.
    async fn if_there(&mut self, position: u64) -> anyhow::Result<Option<u64>> {
        if position == 0 || self.are_the_same() {
            return Ok(Some(position));
        }
        if let Some(known) = self.known.get(&position) {
            return Ok(Some(*known));
        }
        let Some(event) = self.from.store.event_at(Position(position)).await? else { return Ok(None) };
        let before = Revision(event.revision.0.saturating_sub(1));
        let twin = self.to.store.read_stream(&event.stream, before).await?.into_iter().next();
        let missing =
            || format!("the target (--to) lacks the event at position {position} of the source (--from)");
        let translated = twin.with_context(missing)?.position.0;
        self.known.insert(position, translated);
        Ok(Some(translated))
    }

    /// Translates the positions in a stored answer. A caller sends such a position back to see at least what the command
    /// wrote. So the end of the target stands for a position at which the source has no event.
    async fn of_answer(&mut self, answer: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut translated = BTreeMap::new();
        for position in positions_of_answer(answer) {
            let there = match self.if_there(position).await? {
                Some(there) => there,
                None => self.to.store.head().await?.0,
            };
            translated.insert(position, there);
        }
        Ok(answer_with_positions(answer, |position| translated.get(&position).copied().unwrap_or(position)))
    }
}

/// Copies the rows of a table. Returns their number.
async fn copy_table(positions: &mut Positions<'_>, table: MovedTable) -> anyhow::Result<usize> {
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let mut rows = positions.from.rows.rows(table, &after, ROWS).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = key_of(last)?;
        count += rows.len();
        for row in &mut rows {
            if let Some(position) = row.get("position").and_then(Value::as_u64) {
                let there = positions.of(position).await?;
                replace(row, "position", json!(there));
            }
            if table == MovedTable::Answers && !positions.are_the_same() {
                let answer = positions.of_answer(&answer_of(row)?).await?;
                replace(row, "answer", json!(base16ct::lower::encode_string(&answer)));
            }
        }
        let put = positions.to.rows.put(table, &rows).await;
        put.with_context(|| format!("can't add the {} to the target (--to)", table.name()))?;
    }
}

fn replace(row: &mut Value, field: &str, value: Value) {
    if let Some(fields) = row.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// The bytes of a stored answer.
fn answer_of(row: &Value) -> anyhow::Result<Vec<u8>> {
    let text =
        row.get("answer").and_then(Value::as_str).context("a row of the stored answers has no answer")?;
    base16ct::lower::decode_vec(text).map_err(|_| anyhow!("a stored answer is not hexadecimal text"))
}

fn key_of(row: &Value) -> anyhow::Result<String> {
    row.get("key").and_then(Value::as_str).map(str::to_owned).context("a row has no key")
}

/// The hashes of one side. Both sides must have the same.
struct Hashes {
    events: u64,
    log: [u8; 32],
    rows: [u8; 32],
}

/// Hashes every event in its order, and every row. Positions are left out, because engines count them differently.
async fn hash(side: &Moved, what: &str) -> anyhow::Result<Hashes> {
    let bar = progress(side.store.head().await?.0, what)?;
    let (mut log, mut events, mut at) = (Sha256::new(), 0, Position::default());
    loop {
        let page = side.store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        bar.set_position(at.0);
        for recorded in &page {
            events += 1;
            hash_event(&mut log, recorded);
        }
    }
    bar.finish_and_clear();
    Ok(Hashes { events, log: log.finalize().into(), rows: hash_rows(side.rows.as_ref()).await? })
}

fn hash_event(log: &mut Sha256, recorded: &RecordedEvent) {
    let RecordedEvent { position: _, stream, revision, event } = recorded;
    let (subject, sealed) = event.sealed.as_ref().map_or((&[][..], &[][..]), |sealed| {
        (sealed.subject.0.as_bytes().as_slice(), sealed.bytes.as_slice())
    });
    let (revision, version) = (revision.0.to_be_bytes(), event.version.to_be_bytes());
    let parts = [
        stream.as_str().as_bytes(),
        &revision,
        event.id.0.as_bytes(),
        event.name.as_bytes(),
        &version,
        &event.data,
        &event.metadata,
        subject,
        sealed,
    ];
    for part in parts {
        log.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        log.update(part);
    }
}

async fn hash_rows(rows: &dyn MovableRows) -> anyhow::Result<[u8; 32]> {
    let mut all = Sha256::new();
    for table in MovedTable::ALL {
        let mut after = String::new();
        loop {
            let mut page = rows.rows(*table, &after, ROWS).await?;
            let Some(last) = page.last() else { break };
            after = key_of(last)?;
            for row in &mut page {
                // Engines count positions differently.
                replace(row, "position", Value::Null);
                match table {
                    // This key contains a position.
                    MovedTable::Deliveries => replace(row, "key", Value::Null),
                    MovedTable::Answers => {
                        let answer = answer_with_positions(&answer_of(row)?, |_| 0);
                        replace(row, "answer", json!(base16ct::lower::encode_string(&answer)));
                    }
                    _ => {}
                }
                all.update(row.to_string());
            }
        }
    }
    Ok(all.finalize().into())
}
