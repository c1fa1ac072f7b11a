//! The public events in Kafka topics, exactly once, and orders from a topic.
//!
//! [`publisher`] follows the log. `transactions` writes records and the position that counts them in one transaction.
//! [`orders`] takes orders, and [`dead_letters`] holds those that can't be taken. [`topics`] checks what is there.
//! [`trouble`] says in words what is wrong.

#![forbid(unsafe_code)]

pub mod checkpoints;
pub mod dead_letters;
pub mod orders;
mod partitioner;
pub mod position;
pub mod publisher;
pub mod replay;
pub mod settings;
pub mod topics;
mod transactions;
pub mod trouble;

pub use checkpoints::CheckpointTopic;
pub use dead_letters::{DeadLetters, Letter};
pub use orders::OrderIntake;
pub use publisher::Publisher;
pub use replay::{Replay, set_position};
pub use settings::{
    Connection, Identity, Mechanism, MissingTopics, Orders, Protection, Publishing, Sasl, Tls,
};
pub use trouble::Trouble;
