//! `loquet events tail`.

use std::time::Duration;

use loquet_domain::ports::{Position, RecordedEvent};
use loquet_http::EventBody;

use crate::cli::{DataDirectory, Output, Tail};
use crate::output::{Reader, line};
use crate::system::System;

const PAGE: usize = 500;
/// The number of events that are printed without `--after`.
const SHOWN: usize = 20;
const POLL: Duration = Duration::from_millis(300);

pub(crate) async fn run(directory: &DataDirectory, tail: Tail) -> anyhow::Result<()> {
    let system = System::open_to_read(directory).await?;
    let mut events = match tail.after {
        Some(after) => system.store.read_all(Position(after), PAGE).await?,
        None => system.store.newest(SHOWN).await?,
    };
    let mut at = Position(tail.after.unwrap_or_default());
    loop {
        for recorded in &events {
            at = recorded.position;
            let body = EventBody::read(system.codec.as_ref(), recorded).await?;
            if print(&body, Output::of(tail.json))? == Reader::Gone {
                return Ok(());
            }
        }
        if events.is_empty() {
            if !tail.follow {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        events = system.store.read_all(at, PAGE).await?;
    }
}

/// Prints an event.
pub(super) fn print(body: &EventBody, output: Output) -> anyhow::Result<Reader> {
    Ok(match output {
        Output::Json => line(serde_json::to_string(body)?),
        Output::Text => line(body.line()),
    })
}

/// Reads a stream's events for printing.
pub(super) async fn bodies(system: &System, events: &[RecordedEvent]) -> anyhow::Result<Vec<EventBody>> {
    let mut bodies = Vec::with_capacity(events.len());
    for recorded in events {
        bodies.push(EventBody::read(system.codec.as_ref(), recorded).await?);
    }
    Ok(bodies)
}
