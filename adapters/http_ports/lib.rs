//! The ports that the HTTP interface needs. They name no technology, so the interface and the stores can be
//! built separately.
#![forbid(unsafe_code)]

pub mod answers;
pub mod dev_mails;
pub mod scope;
pub mod service_tokens;
