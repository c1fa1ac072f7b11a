//! The ports that the HTTP interface needs. They name no technology, so the interface and the stores can be
//! built separately.
#![forbid(unsafe_code)]

pub mod answers;
pub mod dead_letters;
pub mod dev_mails;
pub mod exports;
pub mod log_proof;
pub mod scope;
pub mod service_tokens;
