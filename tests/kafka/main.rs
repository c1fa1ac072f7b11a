//! Events in Kafka, and orders from it: against the real Apache Kafka broker, read by a consumer that nobody here wrote.
#![cfg(test)]

mod certificates;
mod consumers;
mod contract;
mod crashes;
mod notices;
mod orders;
mod publisher;
mod replay;
mod world;
mod wrong_settings;
