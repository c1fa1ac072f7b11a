//! What the HTTP interface asks of stores. It names no technology, so that the interface and a store are built without one
//! another.
#![forbid(unsafe_code)]

pub mod answers;
pub mod dev_mails;
pub mod scope;
pub mod service_tokens;
