//! Follows the log, and publishes what is public of it, exactly once.
//!
//! The records of a batch and the position after it are one transaction of Kafka. After a crash, the next publisher
//! fences the one before (`init_transactions`), reads the position, and goes on behind it. A consumer that reads
//! committed records alone sees neither a gap nor a repetition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use loquet_domain::ports::{EventCodec, EventStore, Position, ReadError, RecordedEvent, Subscribed};
use loquet_projections::causes::Causes;
use loquet_projections::leader::Leadership;
use loquet_projections::runner::{Follower, ServiceState, Status};
use loquet_public_events::{Contract, Topic};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use crate::position::{self, Extent, LONGEST_TRANSACTION, OPERATOR, PublishedPosition};
use crate::settings::{Connection, Publishing};
use crate::topics::{self, Checked};
use crate::transactions::{Record, Transactions};
use crate::trouble::{Heard, Trouble};

/// The name under which the publisher shows its state.
pub const NAME: &str = "kafka";
/// The first pause after a failure. Each further one is twice as long.
const RETRY: Duration = Duration::from_millis(500);
/// The longest pause after a failure.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// How often a publisher that was fenced looks whether it is needed.
const STANDBY_LOOK: Duration = Duration::from_secs(2);
/// How long a publisher whose lease is over may take to end its transaction.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How long the position may stand still behind the log before a publisher on standby takes over without the lease. The
/// holder of the lease may be the only node that does not reach Kafka.
const STANDBY_PATIENCE: Duration = Duration::from_secs(30);
/// How often the position is written while no event is public, and looked at. It is shorter than the patience of a publisher on standby.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Publishes the events of a log in Kafka.
pub struct Publisher {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// What is public.
    pub contract: Arc<Contract>,
    /// How Kafka is reached.
    pub connection: Connection,
    /// What is published, and where.
    pub publishing: Publishing,
    /// Shows how far it is, and what keeps it from publishing.
    pub status: Status,
    /// Counts published events.
    pub published: loquet_metrics::PublishMetrics,
    /// The name of this publisher: the node's, and an id that no other run has.
    pub who: String,
    /// Whether this node holds the lease on the work that one node at a time does. Its holder publishes.
    pub leadership: watch::Receiver<Leadership>,
}

/// Events of the log that are published together.
struct Batch {
    records: Vec<Record>,
    position: Position,
    event_id: Uuid,
}

impl Publisher {
    /// Publishes until told to stop, while this node holds the lease. Says what is wrong and tries again, however long it
    /// takes. A publisher that was fenced does not fight: it waits until the other one no longer publishes, unless the
    /// other one's lease is older than its own.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let (mut pause, mut refused, mut fenced) = (RETRY, Position::default(), false);
        while !*stop.borrow() {
            if fenced || self.leadership() == Leadership::NotHeld {
                tokio::select! {
                    () = self.stand_by() => {}
                    () = told(&mut stop) => return,
                }
            }
            let (heard, leadership) = (Heard::default(), self.leadership());
            let ended = tokio::select! {
                ended = self.follow(leadership, &mut stop, &heard, &mut pause, refused) => ended,
                // Kafka does not answer. Whoever has the lease now ends this transaction.
                () = self.is_long_over(leadership) => Err(Trouble::LeaseOver),
            };
            let trouble = match ended {
                Ok(()) => return,
                Err(trouble) => trouble,
            };
            if let Trouble::Refused { position, .. } = &trouble {
                refused = *position;
            }
            fenced = matches!(trouble, Trouble::Fenced(_));
            if fenced || matches!(trouble, Trouble::LeaseOver) {
                continue;
            }
            self.tell(ServiceState::Failing(Causes(&trouble).to_string()));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told(&mut stop) => return,
            }
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    /// Shows a state. Logs it if it is new.
    fn tell(&self, state: ServiceState) {
        if !self.status.tell(NAME, state.clone()) {
            return;
        }
        match state {
            ServiceState::Working => tracing::info!("events are published in Kafka"),
            ServiceState::Standby(why) if self.leadership() == Leadership::NotHeld => {
                tracing::info!(%why, "events are not published by this node");
            }
            ServiceState::Standby(why) => tracing::warn!(%why, "events are not published by this node"),
            ServiceState::Failing(why) => {
                tracing::error!(%why, "events are not published in Kafka; trying again");
            }
        }
    }

    fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }

    /// Waits until this node has lost the lease that it held, or has got one.
    async fn is_over(&self, before: Leadership) {
        let mut leadership = self.leadership.clone();
        if leadership.wait_for(|now| *now != before).await.is_err() {
            // Whoever knew has ended. The process is about to stop.
            std::future::pending::<()>().await;
        }
    }

    async fn is_long_over(&self, before: Leadership) {
        self.is_over(before).await;
        tokio::time::sleep(HAND_OVER).await;
    }

    /// Takes over, and publishes until told to stop or until the lease is over. Up to the position `refused`, each event has a transaction of its own,
    /// so that those before it are published, and the one that Kafka refuses is alone.
    ///
    /// # Errors
    /// What keeps it from going on.
    async fn follow(
        &self,
        leadership: Leadership,
        stop: &mut watch::Receiver<bool>,
        heard: &Heard,
        pause: &mut Duration,
        refused: Position,
    ) -> Result<(), Trouble> {
        let checked = topics::check(&self.connection, &self.publishing).await?;
        for name in &checked.created {
            tracing::info!(topic = %name, "the topic was created");
        }
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        // Looked at before anybody is fenced: a publisher that could not go on leaves the one alone that can.
        let known = self.known_position(Duration::ZERO, heard).await;
        let now = watermarks(&self.connection, self.partitions(&checked), heard).await?;
        // An open transaction may be the other publisher's. It is waited for below, when it can't be that any more.
        let known = match known {
            Err(Trouble::OpenTransaction { .. }) => None,
            known => Some(known?),
        };
        if let Some(known) = known {
            verify(self.store.as_ref(), known.as_ref(), &now, &checked, &self.publishing).await?;
        }
        let who = (self.who.as_str(), leadership.fence().map(|fence| fence.0));
        let mut producer =
            Transactions::take_over(&self.connection, &self.publishing, &checked, who, heard.clone()).await?;
        let known = self.known_position(LONGEST_TRANSACTION, heard).await?;
        let now = watermarks(&self.connection, self.partitions(&checked), heard).await?;
        let (position, event_id) =
            verify(self.store.as_ref(), known.as_ref(), &now, &checked, &self.publishing).await?;
        producer.begin_from(log_id(self.store.as_ref()).await?, now);
        // Whoever was fenced sees by this record who took over.
        producer.publish(Vec::new(), position, event_id).await?;
        self.status.reached(Follower::Publisher(NAME), position);
        self.tell(ServiceState::Working);
        *pause = RETRY;
        let (batches, mut next) = mpsc::channel(1);
        let reader = tokio::spawn(read(
            self.store.clone(),
            self.codec.clone(),
            self.contract.clone(),
            self.publishing.clone(),
            (position, refused),
            batches,
        ));
        let _reader = AbortOnDrop(reader);
        let (mut noted, mut noted_at, mut seen) = (position, Instant::now(), (position, event_id));
        let mut look = tokio::time::interval(Duration::from_secs(1));
        let mut begun = Instant::now();
        let (watching, over) = (self.watch(&checked, heard), self.is_over(leadership));
        tokio::pin!(watching, over);
        loop {
            let batch = tokio::select! {
                batch = next.recv() => batch,
                () = told(stop) => return Ok(()),
                trouble = &mut watching => return Err(trouble),
                () = &mut over => return Err(Trouble::LeaseOver),
                _ = look.tick() => {
                    // Without events, only the client itself notices that the brokers are away.
                    match heard.down() {
                        Some(why) => self.tell(ServiceState::Failing(why)),
                        None => self.tell(ServiceState::Working),
                    }
                    // Events that are not public move the position too. Otherwise a publisher on standby would think that
                    // this one stands still.
                    if seen.0 > noted && noted_at.elapsed() > NOTE_EVERY {
                        producer.publish(Vec::new(), seen.0, seen.1).await?;
                        (noted, noted_at) = (seen.0, Instant::now());
                    }
                    continue;
                }
            };
            let Some(batch) = batch else {
                return Err(Trouble::Log(ReadError("nothing more is read from it".to_owned())));
            };
            // What failed after these events is said when they are published.
            let batch = batch?;
            let (batch, failed) = match batch.position <= refused {
                true => (batch, None),
                false => self.gather(batch, &mut next, begun + self.publishing.interval).await,
            };
            let Batch { records, position, event_id } = batch;
            begun = Instant::now();
            seen = (position, Some(event_id));
            if !records.is_empty() {
                let count = u64::try_from(records.len()).unwrap_or(0);
                self.within_sight(heard, producer.publish(records, position, Some(event_id))).await?;
                (noted, noted_at) = (position, Instant::now());
                self.published.events.inc_by(count);
                self.published.transactions.inc();
            }
            self.status.reached(Follower::Publisher(NAME), position);
            if let Some(trouble) = failed {
                return Err(trouble);
            }
        }
    }

    /// Looks now and then whether somebody else wrote the newest position, and whether partitions were added. Without
    /// events, nothing else would tell that this publisher was fenced. Ends with what it found.
    async fn watch(&self, checked: &Checked, heard: &Heard) -> Trouble {
        loop {
            tokio::time::sleep(NOTE_EVERY).await;
            let known = match self.known_position(Duration::ZERO, heard).await {
                Ok(Some(known)) if known.publisher != self.who => return Trouble::Fenced(known.publisher),
                Ok(Some(known)) => known,
                Ok(None) | Err(Trouble::OpenTransaction { .. }) => continue,
                Err(trouble) => return trouble,
            };
            if let Err(trouble) = self.has_these_partitions(checked, known.position).await {
                return trouble;
            }
        }
    }

    /// Looks whether partitions were added. Keys stay where they are, but consumers and other tools would look elsewhere.
    async fn has_these_partitions(&self, checked: &Checked, position: Position) -> Result<(), Trouble> {
        let now = topics::look(&self.connection, &self.publishing).await?;
        for ((topic, before), (_, now)) in self.partitions(checked).into_iter().zip(self.partitions(&now)) {
            if before != now {
                return Err(Trouble::PartitionsChanged { topic, before, now, position });
            }
        }
        Ok(())
    }

    /// Adds events to a batch until it is full, or until the next transaction may begin. Returns the batch, and what
    /// keeps later events from being published.
    async fn gather(
        &self,
        mut batch: Batch,
        next: &mut mpsc::Receiver<Result<Batch, Trouble>>,
        until: Instant,
    ) -> (Batch, Option<Trouble>) {
        while batch.records.len() < self.publishing.batch {
            match tokio::time::timeout_at(until, next.recv()).await {
                Ok(Some(Ok(more))) => {
                    batch.records.extend(more.records);
                    (batch.position, batch.event_id) = (more.position, more.event_id);
                }
                Ok(Some(Err(trouble))) => return (batch, Some(trouble)),
                Ok(None) | Err(_) => break,
            }
        }
        (batch, None)
    }

    /// Waits for a transaction. Meanwhile shows whether the brokers are away.
    async fn within_sight<T>(&self, heard: &Heard, publishing: impl Future<Output = T>) -> T {
        tokio::pin!(publishing);
        let mut look = tokio::time::interval(Duration::from_secs(1));
        look.tick().await;
        loop {
            tokio::select! {
                published = &mut publishing => return published,
                _ = look.tick() => {
                    if let Some(why) = heard.down() {
                        self.tell(ServiceState::Failing(why));
                    }
                }
            }
        }
    }

    fn partitions(&self, checked: &Checked) -> Vec<(String, usize)> {
        partitions(&self.publishing, checked)
    }

    async fn known_position(
        &self,
        wait: Duration,
        heard: &Heard,
    ) -> Result<Option<PublishedPosition>, Trouble> {
        known_position(&self.connection, &self.publishing, wait, heard).await
    }

    /// Waits until this publisher is needed: this node got the lease, the other publisher's lease is older, the other one no
    /// longer publishes, an operator set the position, or it was this publisher's own transaction that timed out.
    async fn stand_by(&self) {
        let begun = self.leadership();
        let mut unchanged: Option<(Option<PublishedPosition>, Instant)> = None;
        loop {
            let leadership = self.leadership();
            if leadership != begun && leadership != Leadership::NotHeld {
                return;
            }
            match self.known_position(Duration::ZERO, &Heard::default()).await {
                Err(Trouble::OpenTransaction { .. }) => {}
                Ok(None) if leadership != Leadership::NotHeld => return,
                Ok(Some(known)) if leadership != Leadership::NotHeld && self.is_free(&known) => {
                    // The other publisher writes its name at once. So it is worth a second look.
                    let known = Some(known);
                    if unchanged.as_ref().is_some_and(|(before, _)| *before == known) {
                        return;
                    }
                    unchanged = Some((known, Instant::now()));
                }
                Ok(Some(known)) if leadership.fence().is_some_and(|own| known.fence < Some(own.0)) => return,
                Ok(known) => {
                    self.tell(ServiceState::Standby(self.why(known.as_ref())));
                    let position = known.as_ref().map(|known| known.position).unwrap_or_default();
                    self.status.reached(Follower::Publisher(NAME), position);
                    let head = self.store.head().await.unwrap_or_default();
                    match &unchanged {
                        Some((before, since)) if *before == known && head > position => {
                            if since.elapsed() > STANDBY_PATIENCE {
                                tracing::warn!("the other publisher stands still; taking over");
                                return;
                            }
                        }
                        _ => unchanged = Some((known, Instant::now())),
                    }
                }
                Err(trouble) => self.tell(ServiceState::Failing(Causes(&trouble).to_string())),
            }
            tokio::select! {
                () = tokio::time::sleep(STANDBY_LOOK) => {}
                () = self.is_over(leadership) => {}
            }
        }
    }

    /// Whether no other publisher wrote a position.
    fn is_free(&self, known: &PublishedPosition) -> bool {
        known.publisher == self.who || known.publisher == OPERATOR
    }

    /// Why this node does not publish.
    fn why(&self, known: Option<&PublishedPosition>) -> String {
        match known {
            Some(known) if !self.is_free(known) => {
                format!("{} publishes since it took over", known.publisher)
            }
            _ => "another node publishes".to_owned(),
        }
    }
}

/// The topics of events, with the number of their partitions.
pub(crate) fn partitions(publishing: &Publishing, checked: &Checked) -> Vec<(String, usize)> {
    let topics = Topic::ALL.map(|topic| publishing.name(topic).to_owned());
    let counted = topics.into_iter().map(|name| {
        let count = checked.topics.get(&name).map_or(0, |state| state.partitions);
        (name, count)
    });
    counted.collect()
}

/// Reads the position of the publisher. Returns `None` if nothing was published yet.
///
/// # Errors
/// [`Trouble`] if Kafka can't be read.
pub async fn current_position(
    connection: &Connection,
    publishing: &Publishing,
) -> Result<Option<PublishedPosition>, Trouble> {
    known_position(connection, publishing, Duration::ZERO, &Heard::default()).await
}

/// Reads the position that was written last.
pub(crate) async fn known_position(
    connection: &Connection,
    publishing: &Publishing,
    wait: Duration,
    heard: &Heard,
) -> Result<Option<PublishedPosition>, Trouble> {
    let (connection, heard) = (connection.clone(), heard.clone());
    let (topic, id) = (publishing.positions_topic.clone(), publishing.transactional_id.clone());
    let read = tokio::task::spawn_blocking(move || position::read(&connection, &topic, &id, wait, &heard));
    read.await.unwrap_or_else(|_| Err(Trouble::Kafka("reading the position failed".to_owned())))
}

/// Where each partition of these topics begins and ends now.
pub(crate) async fn watermarks(
    connection: &Connection,
    topics: Vec<(String, usize)>,
    heard: &Heard,
) -> Result<BTreeMap<String, Vec<Extent>>, Trouble> {
    let (connection, heard) = (connection.clone(), heard.clone());
    let read = tokio::task::spawn_blocking(move || position::extents(&connection, topics, &heard));
    read.await.unwrap_or_else(|_| Err(Trouble::Kafka("reading where the topics end failed".to_owned())))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Reads the log ahead of the transaction that is under way. Ends at the first event that can't be published.
async fn read(
    store: Arc<dyn EventStore>,
    codec: Arc<dyn EventCodec>,
    contract: Arc<Contract>,
    publishing: Publishing,
    (after, refused): (Position, Position),
    batches: mpsc::Sender<Result<Batch, Trouble>>,
) {
    let mut at = after;
    loop {
        let limit = if at < refused { 1 } else { publishing.batch.max(1) };
        let page = match store.read_all(at, limit).await {
            Ok(page) => page,
            Err(error) => return drop(batches.send(Err(error.into())).await),
        };
        let Some(last) = page.last() else {
            match wait_for_more(store.as_ref(), at).await {
                Ok(true) => continue,
                Ok(false) => return,
                Err(error) => return drop(batches.send(Err(error.into())).await),
            }
        };
        at = last.position;
        let (batch, failed) = prepare(codec.as_ref(), &contract, &publishing, &page).await;
        // What comes before a failing event is published.
        for next in batch.map(Ok).into_iter().chain(failed.map(Err)) {
            let ends = next.is_err();
            if batches.send(next).await.is_err() || ends {
                return;
            }
        }
    }
}

/// Waits until the log has an event after a position. Returns whether it has: a closed log gets no more.
async fn wait_for_more(store: &dyn EventStore, after: Position) -> Result<bool, ReadError> {
    let mut log = store.subscribe(after);
    while let Some(next) = log.next().await {
        if let Subscribed::Event(_) = next? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the records of events, up to the first that can't be published.
async fn prepare(
    codec: &dyn EventCodec,
    contract: &Contract,
    publishing: &Publishing,
    page: &[RecordedEvent],
) -> (Option<Batch>, Option<Trouble>) {
    let mut batch: Option<Batch> = None;
    for event in page {
        let (position, event_id) = (event.position, event.event.id.0);
        match record(codec, contract, publishing, event).await {
            Ok(record) => {
                let batch = batch.get_or_insert_with(|| Batch { records: Vec::new(), position, event_id });
                batch.records.extend(record);
                (batch.position, batch.event_id) = (position, event_id);
            }
            Err(trouble) => return (batch, Some(trouble)),
        }
    }
    (batch, None)
}

pub(crate) async fn record(
    codec: &dyn EventCodec,
    contract: &Contract,
    publishing: &Publishing,
    event: &RecordedEvent,
) -> Result<Option<Record>, Trouble> {
    let failed = |source| Trouble::Event { position: event.position, source };
    let Some(public) = contract.publish(codec, event).await.map_err(failed)? else { return Ok(None) };
    let topic = publishing.name(public.topic).to_owned();
    Record::of(public, &topic, publishing.mode).map(Some).map_err(|error| failed(error.into()))
}

/// The id of the first event of a log. Returns `None` if it is empty.
pub(crate) async fn log_id(store: &dyn EventStore) -> Result<Option<Uuid>, ReadError> {
    Ok(store.read_all(Position::default(), 1).await?.first().map(|event| event.event.id.0))
}

/// Compares the position with the log and the topics. Returns the position to go on from, with the id of its event.
pub(crate) async fn verify(
    store: &dyn EventStore,
    known: Option<&PublishedPosition>,
    now: &BTreeMap<String, Vec<Extent>>,
    checked: &Checked,
    publishing: &Publishing,
) -> Result<(Position, Option<Uuid>), Trouble> {
    let Some(known) = known else {
        let written = now.iter().find(|(_, extents)| extents.iter().any(|extent| extent.end > 0));
        return match written {
            None => Ok((Position::default(), None)),
            Some((topic, _)) => Err(Trouble::PositionLost {
                topic: topic.clone(),
                positions: publishing.positions_topic.clone(),
            }),
        };
    };
    let position = known.position;
    if known.log_id.is_some() && known.log_id != log_id(store).await? {
        return Err(Trouble::AnotherLog { position });
    }
    let head = store.head().await?;
    if position > head {
        return Err(Trouble::AheadOfLog { position, head });
    }
    if position > Position::default() {
        let here = store.event_at(position).await?;
        if here.map(|event| event.event.id.0) != known.event_id {
            return Err(Trouble::AnotherLog { position });
        }
    }
    if let Some(topic) = now.keys().find(|topic| !known.topics.contains_key(*topic)) {
        return Err(Trouble::NewTopic { topic: topic.clone(), position });
    }
    for (topic, extents) in &known.topics {
        // A topic that has another name now is no longer ours.
        let Some(found) = now.get(topic) else { continue };
        if found.len() != extents.len() {
            let (before, now) = (extents.len(), found.len());
            return Err(Trouble::PartitionsChanged { topic: topic.clone(), before, now, position });
        }
        let keeps_everything = checked.topics.get(topic).is_some_and(topics::TopicState::keeps_everything);
        for (partition, (before, now)) in (0i32..).zip(extents.iter().zip(found)) {
            if now.end < before.end {
                let (end, expected) = (now.end, before.end);
                return Err(Trouble::Truncated { topic: topic.clone(), partition, end, expected, position });
            }
            if keeps_everything && now.begin > before.begin {
                return Err(Trouble::BeginningDeleted {
                    topic: topic.clone(),
                    partition,
                    begin: now.begin,
                    position,
                });
            }
        }
    }
    Ok((position, known.event_id))
}
