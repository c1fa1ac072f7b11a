//! `loquet audit timeline` and `diff`.

use anyhow::{Context, bail};
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::{EventCodec, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::values::language::Language;
use loquet_domain::{access, account, administration, company, receipt, terminals};
use loquet_http::{EventBody, event_in_words};
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::terminals::TerminalRow;
use uuid::Uuid;

use crate::cli::{DataDirectory, Timeline};
use crate::commands::known::Known;
use crate::commands::{account as accounts, terminal as of_terminals};
use crate::moments::{Point, point};
use crate::output::{Reader, line, note};
use crate::system::System;

/// Events that are read at once.
const PAGE: usize = 1000;

/// What a timeline is about.
enum About {
    /// Everything.
    All,
    /// These streams.
    Streams(Vec<StreamId>),
    /// Everything that names this id.
    Naming(String),
}

pub(super) async fn run(directory: &DataDirectory, asked: &Timeline) -> anyhow::Result<()> {
    let read = |text: &Option<String>| text.as_deref().map(point).transpose();
    let (from, to) = (read(&asked.from)?, read(&asked.to)?);
    let language = Language::parse(&asked.language).context("the languages are en, fr and nl")?;
    let system = System::open_to_read(directory).await?;
    let shown = Shown { system: &system, from, to, language, as_json: asked.json };
    let count = match about(directory, &system, asked.whose.as_deref()).await? {
        About::Streams(streams) => {
            let mut events = Vec::new();
            for stream in streams {
                events.extend(system.store.read_stream(&stream, Revision::default()).await?);
            }
            events.sort_by_key(|event| event.position);
            shown.print(&events).await?.0
        }
        About::All => shown.pages(|_| true).await?,
        About::Naming(id) => shown.pages(|event| names(event, &id)).await?,
    };
    if count == 0 {
        note("nothing happened there");
    }
    Ok(())
}

/// Whether an event is in a stream of this id, or names it.
fn names(event: &RecordedEvent, id: &str) -> bool {
    event.stream.id() == id || event.event.data.windows(id.len()).any(|part| part == id.as_bytes())
}

async fn about(directory: &DataDirectory, system: &System, whose: Option<&str>) -> anyhow::Result<About> {
    let Some(whose) = whose else { return Ok(About::All) };
    if whose == administration::CATEGORY {
        return Ok(About::Streams(vec![administration::stream()]));
    }
    if let Ok(id) = Uuid::parse_str(whose) {
        if system.app.account(AccountId(id)).await?.profile().is_some() {
            return Ok(About::Streams(vec![account::stream(AccountId(id))]));
        }
        return match of_company(system, CompanyId(id)).await? {
            Some(streams) => Ok(About::Streams(streams)),
            None => Ok(About::Naming(id.to_string())),
        };
    }
    if whose.contains('@') {
        return Ok(About::Streams(vec![account::stream(accounts::find(system, whose).await?)]));
    }
    if let Ok(found) = Known::open::<CompanyRow>(directory).await?.company(whose).await {
        let streams = of_company(system, found.company_id).await?;
        return Ok(About::Streams(streams.unwrap_or_default()));
    }
    let known = Known::open::<TerminalRow>(directory).await?;
    match of_terminals::find(&known, whose).await {
        Ok(found) => Ok(About::Naming(found.terminal_id.to_string())),
        Err(_) => bail!(
            "'{whose}' is no account, company, site or terminal of this log: give an id, an e-mail address, an enterprise \
             number, a serial number, or `administration`"
        ),
    }
}

/// The streams of a company, with the receipts of its sites. Returns `None` if there never was such a company.
async fn of_company(system: &System, id: CompanyId) -> anyhow::Result<Option<Vec<StreamId>>> {
    let stream = company::stream(id);
    if system.store.read_stream(&stream, Revision::default()).await?.is_empty() {
        return Ok(None);
    }
    let state = system.app.company(id).await?.state;
    let receipts = state.sites.iter().map(|(site, _)| receipt::stream(site));
    Ok(Some([stream, terminals::stream(id), access::stream(id)].into_iter().chain(receipts).collect()))
}

/// How events are printed.
struct Shown<'a> {
    system: &'a System,
    from: Option<Point>,
    to: Option<Point>,
    language: Language,
    as_json: bool,
}

impl Shown<'_> {
    /// Prints the events of the whole log that are wanted. Returns their number.
    async fn pages(&self, is_wanted: impl Fn(&RecordedEvent) -> bool) -> anyhow::Result<usize> {
        let (mut at, mut count) = (Position::default(), 0);
        loop {
            let mut page = self.system.store.read_all(at, PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            at = last.position;
            page.retain(&is_wanted);
            let (printed, reader) = self.print(&page).await?;
            count += printed;
            if reader == Reader::Gone {
                return Ok(count);
            }
        }
    }

    async fn print(&self, events: &[RecordedEvent]) -> anyhow::Result<(usize, Reader)> {
        let mut count = 0;
        for event in events {
            let at = self.system.codec.decode_open(event)?.context.at;
            let is_before = |point: Point| point.is_after(event.position, at);
            if self.from.is_some_and(is_before) || !self.to.is_none_or(is_before) {
                continue;
            }
            count += 1;
            let body = EventBody::read(self.system.codec.as_ref(), event).await?;
            let body = serde_json::to_value(&body)?;
            let reader = match self.as_json {
                true => line(&body),
                false => line(format_args!(
                    "{:>8}  {}",
                    event.position,
                    event_in_words(self.language, &body).trim_end()
                )),
            };
            if reader == Reader::Gone {
                return Ok((count, Reader::Gone));
            }
        }
        Ok((count, Reader::There))
    }
}
