//! Events published in Kafka a second, compared with a bare transactional producer that sends the same records in the
//! same batches. Then the delay from the commit in the log to a consumer, and what publishing costs logins.
//!
//! Both sides send each record with its key and headers, and a record in a compacted topic, in one transaction of up to
//! 1,000 events of the log. The bare side has its records ready in memory. Ours reads the log, decodes each event, makes
//! the public one, and commits its position.
//!
//! A broker is started beside (Apache Kafka from target/test-tools, which `make test` installs), on the same cores.
//! `-- --brokers HOST:PORT` uses another one. `-- --events N` chooses the length of the log. `-- --only throughput`, `delay`
//! or `logins` measures one part.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loquet_benches::history::{Extent, History};
use loquet_benches::people::logins_a_second;
use loquet_benches::{Comparison, Outcome, Spread, argument, cores, pause, print_head, print_row};
use loquet_credentials::password_hasher::Cost;
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::ServerKey;
use loquet_domain::account;
use loquet_domain::fact::Fact;
use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{EventCodec, EventStore, Identities, Position, Revision};
use loquet_domain::schema::DomainEvent;
use loquet_instructions::engine::{context, open};
use loquet_instructions::people::open_accounts;
use loquet_kafka::{Connection, MissingTopics, Protection, Publisher, Publishing};
use loquet_metrics::PublishMetrics;
use loquet_projections::leader::Leadership;
use loquet_projections::runner::{Follower, Status};
use loquet_public_events::{CloudEvent, Contract, Mode, Topic};
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::key_store::KeyStore;
use loquet_tests::kafka_broker::Broker;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

const ROUNDS: u32 = 5;
const EVENTS: u32 = 200_000;
const BATCH: usize = 1000;
const GOAL: f64 = 0.8;
const TIMEOUT: Duration = Duration::from_secs(30);
/// Events whose delay is measured, and the pause between two.
const DELAYED: u32 = 400;
const BETWEEN: Duration = Duration::from_millis(20);
const ACCOUNTS: usize = 200;
const CALLERS: usize = 64;
const WINDOW: Duration = Duration::from_secs(4);

fn main() -> Outcome<()> {
    let started = match argument::<String>("--brokers")? {
        Some(_) => None,
        None => Some(Broker::start("publish").ok_or("there is no broker: make test installs one")?),
    };
    let brokers = argument::<String>("--brokers")?;
    let brokers = brokers.or_else(|| started.as_ref().map(Broker::brokers)).unwrap_or_default();
    let runtime = Runtime::new()?;
    let connection =
        Connection { brokers, protection: Protection::Plaintext, sasl: None, client_id: "bench".to_owned() };
    println!(
        "{} cores, {}; the broker is on them too: {}",
        cores(),
        std::env::consts::ARCH,
        started.is_some()
    );
    let only = argument::<String>("--only")?;
    let asked = |part: &str| only.as_ref().is_none_or(|only| only == part);
    if asked("throughput") {
        throughput(&runtime, &connection)?;
    }
    if asked("delay") {
        delay(&runtime, &connection)?;
    }
    if asked("logins") {
        logins(&runtime, &connection)?;
    }
    Ok(())
}

/// A log with its codec.
struct Log {
    store: SqliteStore,
    codec: Arc<JsonCodec>,
}

fn publishing(round: &str) -> Publishing {
    Publishing {
        accounts_topic: format!("accounts-{round}"),
        companies_topic: format!("companies-{round}"),
        positions_topic: format!("positions-{round}"),
        transactional_id: format!("publisher-{round}"),
        missing: MissingTopics::Create { partitions: 12, replication: None },
        compression: "lz4".to_owned(),
        mode: Mode::Binary,
        batch: BATCH,
        interval: Duration::from_millis(10),
    }
}

/// A publisher that runs, how much it published, and how to stop it.
struct Running {
    published: PublishMetrics,
    status: Status,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn publisher(runtime: &Runtime, connection: &Connection, publishing: Publishing, log: &Log) -> Running {
    let (stop, stopped) = watch::channel(false);
    let (published, status) = (PublishMetrics::default(), Status::default());
    let publisher = Publisher {
        store: Arc::new(log.store.clone()),
        codec: log.codec.clone(),
        contract: Arc::new(Contract::without_personal_data("/bench".to_owned())),
        connection: connection.clone(),
        publishing,
        status: status.clone(),
        published: published.clone(),
        who: "bench".to_owned(),
        leadership: watch::channel(Leadership::Sole).1,
    };
    Running { published, status, stop, task: runtime.spawn(publisher.run(stopped)) }
}

impl Running {
    fn end(self, runtime: &Runtime) -> Outcome<()> {
        self.stop.send_replace(true);
        Ok(runtime.block_on(self.task)?)
    }

    fn position(&self) -> Position {
        self.status
            .all()
            .get(&Follower::Publisher("kafka"))
            .map(|progress| progress.position)
            .unwrap_or_default()
    }

    /// Waits until events up to a position are published.
    fn reach(&self, position: Position) -> Outcome<()> {
        let begun = Instant::now();
        while self.position() < position {
            pause(Duration::from_millis(1));
            if begun.elapsed() > TIMEOUT * 10 {
                return Err(format!("the publisher stands still: {:?}", self.status.services()).into());
            }
        }
        Ok(())
    }
}

/// The public events of a log, in the batches in which the publisher reads them.
fn batches(runtime: &Runtime, log: &Log, contract: &Contract) -> Outcome<Vec<Vec<CloudEvent>>> {
    runtime.block_on(async {
        let (mut all, mut at) = (Vec::new(), Position::default());
        loop {
            let page = log.store.read_all(at, BATCH).await?;
            let Some(last) = page.last() else { return Ok(all) };
            at = last.position;
            let mut batch = Vec::new();
            for event in &page {
                batch.extend(contract.publish(log.codec.as_ref(), event).await?);
            }
            all.push(batch);
        }
    })
}

fn throughput(runtime: &Runtime, connection: &Connection) -> Outcome<()> {
    let history = History::prepare(Extent::of_events(argument("--events")?.unwrap_or(EVENTS)))?;
    let key = ServerKey::load(&history.folder.join("server.key"))?;
    let keys = KeyStore::open(&history.folder.join("keys.db"), &key)?;
    let store = SqliteStore::open(&history.folder.join("log.db"))?;
    let log = Log { store, codec: Arc::new(JsonCodec::new(Arc::new(keys), "bench".to_owned())) };
    let head = runtime.block_on(log.store.head())?;
    let contract = Contract::without_personal_data("/bench".to_owned());
    let batches = batches(runtime, &log, &contract)?;
    let count: usize = batches.iter().map(Vec::len).sum();
    let bytes: usize = batches.iter().flatten().map(|event| event.data.len()).sum();
    println!(
        "{head} events, {count} of them public, of {} bytes on average besides the headers; {ROUNDS} rounds in turns; \
         median (least to greatest)",
        bytes / count.max(1)
    );
    let mut round = 0;
    let mut ours = || {
        round += 1;
        let running = publisher(runtime, connection, publishing(&format!("ours-{round}")), &log);
        while running.published.transactions.get() == 0 {
            pause(Duration::from_micros(200));
        }
        let (first, begun) = (running.published.events.get(), Instant::now());
        running.reach(head)?;
        let elapsed = begun.elapsed().as_secs_f64();
        let rate = f64::from(u32::try_from(running.published.events.get() - first)?) / elapsed;
        running.end(runtime)?;
        Ok(rate)
    };
    let mut other = 0;
    let bare = || {
        other += 1;
        bare_producer(runtime, connection, &publishing(&format!("bare-{other}")), &batches)
    };
    ours()?;
    let compared = Comparison::in_turns(ROUNDS, ours, bare)?;
    print_head("", "published events/s", "bare transactional producer/s");
    print_row("history", &compared, Some(GOAL));
    log.store.close();
    Ok(())
}

/// Sends the same records in the same batches, with a record of the same size in the place of the position.
fn bare_producer(
    runtime: &Runtime,
    connection: &Connection,
    publishing: &Publishing,
    batches: &[Vec<CloudEvent>],
) -> Outcome<f64> {
    // It makes the topics, so that both sides have the same.
    runtime.block_on(loquet_kafka::topics::check(connection, publishing))?;
    let producer: FutureProducer = connection
        .client()
        .set("transactional.id", &publishing.transactional_id)
        .set("compression.type", &publishing.compression)
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "0")
        .set("queue.buffering.max.messages", "1000000")
        .create()?;
    producer.init_transactions(TIMEOUT)?;
    let records: Vec<Vec<_>> = batches
        .iter()
        .map(|batch| {
            batch
                .iter()
                .map(|event| {
                    (publishing.name(event.topic), event.subject.to_string(), event.headers(), &event.data)
                })
                .collect()
        })
        .collect();
    let position = "x".repeat(450);
    let begun = Instant::now();
    let mut count = 0;
    for batch in &records {
        producer.begin_transaction()?;
        let mut on_their_way = Vec::with_capacity(batch.len());
        for (topic, key, headers, data) in batch {
            let held = headers.iter().fold(OwnedHeaders::new_with_capacity(8), |held, (key, value)| {
                held.insert(Header { key, value: Some(value) })
            });
            let record = FutureRecord::to(topic).key(key).payload(*data).headers(held);
            on_their_way.push(producer.send_result(record).map_err(|(error, _)| error)?);
            count += 1;
        }
        let record = FutureRecord::to(&publishing.positions_topic).key("bare").payload(&position);
        on_their_way.push(producer.send_result(record).map_err(|(error, _)| error)?);
        for delivered in runtime.block_on(join_all(on_their_way)) {
            delivered?.map_err(|(error, _)| error)?;
        }
        producer.commit_transaction(TIMEOUT)?;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// How long after its commit in the log an event is at a consumer.
fn delay(runtime: &Runtime, connection: &Connection) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let key = ServerKey::create(&folder.path().join("server.key"))?;
    let keys = KeyStore::open(&folder.path().join("keys.db"), &key)?;
    let store = SqliteStore::open(&folder.path().join("log.db"))?;
    let log = Log { store, codec: Arc::new(JsonCodec::new(Arc::new(keys), "bench".to_owned())) };
    let settings = publishing("delay");
    let running = publisher(runtime, connection, settings.clone(), &log);
    while running.published.transactions.get() == 0 && running.status.services().is_empty() {
        pause(Duration::from_millis(1));
    }
    let consumer: BaseConsumer = connection
        .client()
        .set("group.id", "bench-delay")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    consumer.subscribe(&[settings.name(Topic::Accounts)])?;
    let receiving = std::thread::spawn(move || receive(&consumer));
    // The consumer has joined its group by then.
    pause(Duration::from_secs(5));
    let mut committed = HashMap::new();
    for _ in 0..DELAYED {
        let id = append(runtime, &log)?;
        committed.insert(id, Instant::now());
        pause(BETWEEN);
    }
    let received = receiving.join().map_err(|_| "the consumer panicked")??;
    let mut delays: Vec<f64> = received
        .iter()
        .filter_map(|(id, at)| Some(at.duration_since(*committed.get(id)?).as_secs_f64() * 1000.0))
        .collect();
    delays.sort_by(f64::total_cmp);
    let at = |share: usize| delays.get(delays.len() * share / 100).copied().unwrap_or(f64::NAN);
    println!(
        "delay from the commit in the log to a consumer, {} events one by one: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms; \
         goal p50 under 20 ms",
        delays.len(),
        at(50),
        at(90),
        at(99)
    );
    running.end(runtime)?;
    log.store.close();
    Ok(())
}

fn receive(consumer: &BaseConsumer) -> Outcome<Vec<(Uuid, Instant)>> {
    let mut received = Vec::new();
    let begun = Instant::now();
    while received.len() < usize::try_from(DELAYED)? && begun.elapsed() < TIMEOUT * 2 {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let (message, now) = (message?, Instant::now());
        let id = message.headers().and_then(|headers| headers.iter().find(|header| header.key == "ce_id"));
        let id = id.and_then(|header| std::str::from_utf8(header.value?).ok()?.parse().ok());
        received.push((id.ok_or("a record has no id")?, now));
    }
    Ok(received)
}

/// Appends an event of an account of its own. Returns its id when it is durable.
fn append(runtime: &Runtime, log: &Log) -> Outcome<Uuid> {
    let (id, account) = (RandomIdentities.fresh(), AccountId(RandomIdentities.fresh()));
    let event = DomainEvent::Account(account::Event::RoleChanged { to: account::Admission::User });
    let fact =
        Fact { id: EventId(id), context: loquet_domain::fact::Context { client: None, ..context() }, event };
    let stream = account::stream(account);
    runtime.block_on(async {
        let encoded = log.codec.encode(&stream, vec![fact]).await?;
        log.store.append(&stream, Revision::default(), encoded).await?;
        Ok(id)
    })
}

/// Complete logins a second while their events are published, compared with the same without a publisher.
fn logins(runtime: &Runtime, connection: &Connection) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let (app, store) = open(folder.path(), Cost::default())?;
    let key = ServerKey::load(&folder.path().join("server.key"))?;
    let keys = KeyStore::open(&folder.path().join("keys.db"), &key)?;
    let log =
        Log { store: store.clone(), codec: Arc::new(JsonCodec::new(Arc::new(keys), "bench".to_owned())) };
    let addresses = Arc::new(runtime.block_on(open_accounts(&app, ACCOUNTS))?);
    let settings = publishing("logins");
    let (mut measured, mut processor, mut share) = (Vec::new(), Vec::new(), Vec::new());
    let logged_in = || {
        let before = processor_seconds()?;
        let rate = logins_a_second(runtime, &app, &addresses, CALLERS, WINDOW)?;
        let each = (processor_seconds()? - before) / (rate * WINDOW.as_secs_f64());
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((rate, each))
    };
    for _ in 0..ROUNDS {
        let running = publisher(runtime, connection, settings.clone(), &log);
        running.reach(runtime.block_on(store.head())?)?;
        let (before, all_before) = (client_seconds()?, processor_seconds()?);
        let (with, each_with) = logged_in()?;
        share.push((client_seconds()? - before) / (processor_seconds()? - all_before) * 100.0);
        running.end(runtime)?;
        let (without, each_without) = logged_in()?;
        measured.push((with, without));
        // Fewer logins for a second of the processor is what is compared, as the other ratios are.
        processor.push((1.0 / each_with, 1.0 / each_without));
    }
    let compared = Comparison::of(&measured)?;
    print_head("", "logins/s while publishing", "logins/s without");
    print_row("by the clock", &compared, None);
    print_row("by processor", &Comparison::of(&processor)?, None);
    println!(
        "by processor: logins for each second of the processor that this process took, without the broker's"
    );
    if let Some(share) = Spread::of(share) {
        println!(
            "the threads of the Kafka client took {share:.1} % of that; the hashes are slower beside a busy broker"
        );
    }
    let without: Vec<f64> = measured.iter().map(|(_, without)| *without).collect();
    if let Some(spread) = Spread::of(without) {
        println!(
            "the noise of one side alone: {:.3} to {:.3} of its median",
            spread.min / spread.median,
            spread.max / spread.median
        );
    }
    store.close();
    Ok(())
}

/// The seconds of the processor that this process has taken so far.
fn processor_seconds() -> Outcome<f64> {
    seconds(&std::fs::read_to_string("/proc/self/stat")?)
}

/// The seconds of the processor that the threads of the Kafka client have taken so far, of those that run now.
fn client_seconds() -> Outcome<f64> {
    let mut all = 0.0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let folder = thread?.path();
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if name.starts_with("rdk:") || name.starts_with("producer") {
            all += seconds(&std::fs::read_to_string(folder.join("stat"))?)?;
        }
    }
    Ok(all)
}

/// The seconds in a line of proc(5): the fields utime and stime, in hundredths.
fn seconds(stat: &str) -> Outcome<f64> {
    let (_, fields) = stat.rsplit_once(')').ok_or("an unknown format of /proc")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks =
        |index: usize| -> Outcome<f64> { Ok(fields.get(index).ok_or("a field is missing")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
