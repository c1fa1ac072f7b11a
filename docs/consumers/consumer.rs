//! Keeps which accounts are locked, in a file, together with the offsets up to which it has read.
//!
//! Usage: consumer BROKERS FILE [--once]. With --once, it ends when no event has come for three seconds.
//! It needs the crates rdkafka, serde and `serde_json`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

const TOPIC: &str = "loquet.accounts.v1";
const UNLOCKS: [&str; 4] = ["lockout-released", "password-reset", "deleted", "erased"];

#[derive(Default, Serialize, Deserialize)]
struct State {
    offsets: BTreeMap<i32, i64>,
    locked: BTreeMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Lockout {
    locked: String,
    until: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "a program of its own")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (brokers, file) =
        arguments.next().zip(arguments.next()).ok_or("usage: consumer BROKERS FILE [--once]")?;
    let once = arguments.next().is_some();
    let held = std::fs::read(&file).ok();
    let mut state: State = held.map(|held| serde_json::from_slice(&held)).transpose()?.unwrap_or_default();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "locked-accounts")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(TOPIC), Duration::from_secs(30))?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let read =
            state.offsets.get(&partition.id()).map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
        assignment.add_partition_offset(TOPIC, partition.id(), read)?;
    }
    consumer.assign(&assignment)?;
    loop {
        let Some(record) = consumer.poll(Duration::from_secs(3)).transpose()? else {
            if once {
                return Ok(());
            }
            continue;
        };
        let account = String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned();
        let kind = record.headers().and_then(|headers| headers.iter().find(|header| header.key == "ce_type"));
        let kind = String::from_utf8_lossy(kind.and_then(|header| header.value).unwrap_or_default());
        if kind == "loquet.account.locked.v1" {
            let lockout: Lockout = serde_json::from_slice(record.payload().unwrap_or_default())?;
            // A lockout of one device keeps nobody else out.
            if lockout.locked != "device" {
                state.locked.insert(account, lockout.until);
            }
        } else if UNLOCKS.iter().any(|name| kind == format!("loquet.account.{name}.v1")) {
            state.locked.remove(&account);
        }
        // What was learned and the offset change together. So a crash loses nothing and repeats nothing.
        state.offsets.insert(record.partition(), record.offset() + 1);
        std::fs::write(format!("{file}.new"), serde_json::to_vec(&state)?)?;
        std::fs::rename(format!("{file}.new"), &file)?;
    }
}
