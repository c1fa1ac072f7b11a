//! Events in Kafka, and orders from it: against the real Apache Kafka broker, read by a consumer that nobody here wrote.
#![cfg(test)]

mod contract;
mod crashes;
mod notices;
mod publisher;
mod world;
