//! Value types. A constructor at the edge checks the value once and may refuse it. Code inside does not check it
//! again.
//!
//! These modules import only [`crate::ids`] and each other.

pub mod address;
pub mod address_key;
pub mod email_address;
pub mod enterprise_number;
pub mod erasable;
pub mod language;
pub mod latin;
pub mod mail_kind;
pub mod one_time_code;
pub mod password;
pub mod permission;
pub mod person;
pub mod places;
pub mod plain_text;
pub mod serial_number;
pub mod terminal_model;
