//! The server key and everything derived from it: sealing, the event codec, signed tokens. Also makes random
//! ids.
#![forbid(unsafe_code)]

pub mod account_keys;
pub mod event_codec;
pub mod key_ring;
pub mod key_rotation;
pub mod keyed_hash;
pub mod memory_keys;
pub mod random_ids;
pub mod sealing;
pub mod server_key;
pub mod tokens;
