//! Mail by SMTP, and mail into a folder for development.
#![forbid(unsafe_code)]

pub mod folder;
mod mime;
pub mod smtp;
