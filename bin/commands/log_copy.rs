//! `loquet log copy`: moves everything from one engine to another.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use futures_util::future::maybe_done;
use futures_util::poll;
use loquet_domain::ports::{AppendError, Appended, NewEvent, Position, RecordedEvent, Revision, StreamId};
use loquet_projections::ports::{MovableRows, MovedTable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::show::progress;
use crate::adapters::{self, Moved};
use crate::cli::{DataDirectory, LogCopy};
use crate::config::Config;
use crate::output::outcome;

/// The number of events that are read at once.
const PAGE: usize = 500;
/// The number of rows that are read at once.
const ROWS: u32 = 1000;

pub(crate) async fn run(copy: &LogCopy) -> anyhow::Result<()> {
    let (from, to) = (open(&copy.from, "--from").await?, open(&copy.to, "--to").await?);
    ensure!(
        from.store.head().await? > Position::default(),
        "the source has no events: does {} name the right data_dir, or the right store?",
        copy.from.display()
    );
    let head = copy_log(&from, &to).await?;
    let mut positions = Positions { from: &from, to: &to, known: BTreeMap::new() };
    let mut rows = 0;
    // What refers to something else is removed before it, and added after it.
    for table in MovedTable::ALL.iter().rev() {
        to.rows.clear(*table).await.with_context(|| format!("can't remove the {} there", table.name()))?;
    }
    for table in MovedTable::ALL {
        rows += copy_table(&mut positions, *table).await?;
    }
    let (here, there) = (hash(&from, "hashing the source").await?, hash(&to, "hashing the copy").await?);
    ensure!(
        here.log == there.log && here.rows == there.rows,
        "the copy differs from its source: nothing was removed from the source; delete the copy, and begin again"
    );
    outcome(format_args!("{} events and {rows} rows were copied, and read again on both sides", here.events));
    outcome(format_args!("SHA-256 of the log:  {}", base16ct::lower::encode_string(&here.log)));
    outcome(format_args!("SHA-256 of the rows: {}", base16ct::lower::encode_string(&here.rows)));
    outcome("Read models are not copied: each node makes its own when it starts.");
    if head != from.store.head().await? {
        bail!("a server wrote to the source meanwhile: stop it, and run the command again");
    }
    (from.close)().await;
    (to.close)().await;
    Ok(())
}

/// Opens the stores of a configuration file. Its environment variables and flags are not looked at: both sides would get
/// the same.
async fn open(file: &Path, flag: &str) -> anyhow::Result<Moved> {
    let mut config = Config::of_file(file);
    let directory = DataDirectory::of(&mut config);
    super::config::refuse_faults(&config).with_context(|| format!("{flag} {}", file.display()))?;
    directory.make_folder()?;
    adapters::moved(&directory).await.with_context(|| format!("{flag} {}", file.display()))
}

/// Copies the events that the copy does not have yet, in their order. Returns the end of the source.
async fn copy_log(from: &Moved, to: &Moved) -> anyhow::Result<Position> {
    let head = from.store.head().await?;
    let mut at = where_to_go_on(from, to).await?;
    let bar = progress(head.0, "copying events")?;
    while at < head {
        let page = from.store.read_all(at, PAGE).await?;
        let last = page.last().context("the source has no events before its end")?;
        bar.set_position(last.position.0);
        at = last.position;
        append(to, page).await?;
    }
    bar.finish_and_clear();
    Ok(head)
}

/// The position in the source of the newest event that the copy has.
async fn where_to_go_on(from: &Moved, to: &Moved) -> anyhow::Result<Position> {
    let Some(newest) = to.store.newest(1).await?.pop() else { return Ok(Position::default()) };
    let before = Revision(newest.revision.0.saturating_sub(1));
    let twin = from.store.read_stream(&newest.stream, before).await?.into_iter().next();
    match twin.filter(|twin| twin.event == newest.event) {
        Some(twin) => Ok(twin.position),
        None => bail!("the log there is not empty, and is not the beginning of a copy of this one"),
    }
}

/// Appends events in their order. Neighbours of one stream are one append.
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
    let told = |stream: &StreamId, error: AppendError| anyhow::anyhow!("can't append to {stream}: {error}");
    if to.keeps_the_order_of_callers {
        let waiting = appends.iter().map(|(stream, before, events)| async move {
            to.store.append(stream, *before, events.clone()).await.map_err(|error| told(stream, error))
        });
        let appended = in_order(waiting).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        let is_behind = |pair: &[Appended]| matches!(pair, [one, next] if one.position < next.position);
        ensure!(
            appended.windows(2).all(is_behind),
            "the events are in another order there: delete the copy, and begin again"
        );
        return Ok(());
    }
    for (stream, before, events) in appends {
        to.store.append(&stream, before, events).await.map_err(|error| told(&stream, error))?;
    }
    Ok(())
}

/// Begins each future before the next one, and then waits for all of them. `join_all` begins many futures in an order of
/// its own.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut begun: Vec<_> = futures.map(|future| Box::pin(maybe_done(future))).collect();
    // Otherwise the runtime would pause some of them, once this task has done much.
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

/// Finds where the events of the source are in the copy. Some engines count positions in other steps.
struct Positions<'a> {
    from: &'a Moved,
    to: &'a Moved,
    known: BTreeMap<u64, u64>,
}

impl Positions<'_> {
    async fn of(&mut self, position: u64) -> anyhow::Result<u64> {
        if position == 0 || (self.from.has_no_gaps && self.to.has_no_gaps) {
            return Ok(position);
        }
        if let Some(known) = self.known.get(&position) {
            return Ok(*known);
        }
        let event = self.from.store.event_at(Position(position)).await?;
        let event = event.with_context(|| format!("the source has no event at position {position}"))?;
        let before = Revision(event.revision.0.saturating_sub(1));
        let twin = self.to.store.read_stream(&event.stream, before).await?.into_iter().next();
        let there = twin.context("an event is missing in the copy")?.position.0;
        self.known.insert(position, there);
        Ok(there)
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
                if let Some(fields) = row.as_object_mut() {
                    fields.insert("position".to_owned(), json!(there));
                }
            }
        }
        let put = positions.to.rows.put(table, &rows).await;
        put.with_context(|| format!("can't add the {} there", table.name()))?;
    }
}

fn key_of(row: &Value) -> anyhow::Result<String> {
    row.get("key").and_then(Value::as_str).map(str::to_owned).context("a row has no key")
}

/// What both sides must agree on.
struct Hashes {
    events: u64,
    log: [u8; 32],
    rows: [u8; 32],
}

/// Hashes every event in its order, and every row. Positions are left out, since engines count them differently.
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
                if let Some(fields) = row.as_object_mut() {
                    // Engines count positions differently, and the key of a delivery has one.
                    fields.remove("position");
                    if *table == MovedTable::Deliveries {
                        fields.remove("key");
                    }
                }
                all.update(row.to_string());
            }
        }
    }
    Ok(all.finalize().into())
}
