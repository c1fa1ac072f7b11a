//! One file a command.

pub(crate) mod account;
pub(crate) mod events_tail;
pub(crate) mod key_create;
pub(crate) mod openapi;
pub(crate) mod order_import;
pub(crate) mod serve;
pub(crate) mod token_create;
