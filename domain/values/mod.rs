//! Value types: made once at the edge by a constructor that can refuse, and not checked again inside.
//!
//! They import identities ([`crate::ids`]) and each other, and nothing else of the crate.

pub mod address;
pub mod address_key;
pub mod email_address;
pub mod enterprise_number;
pub mod erasable;
pub mod language;
pub mod mail_kind;
pub mod one_time_code;
pub mod password;
pub mod permission;
pub mod person;
pub mod plain_text;
pub mod serial_number;
pub mod terminal_model;
