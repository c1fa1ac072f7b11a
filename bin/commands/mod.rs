//! The commands, one file each.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod company;
pub(crate) mod config;
#[cfg(feature = "kafka")]
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod diagnose;
pub(crate) mod doctor;
pub(crate) mod event_contract;
pub(crate) mod events_tail;
pub(crate) mod find;
pub(crate) mod health;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub(crate) mod keys;
mod known;
pub(crate) mod lockout;
pub(crate) mod log_copy;
pub(crate) mod mail;
pub(crate) mod man;
pub(crate) mod openapi;
pub(crate) mod order_import;
pub(crate) mod permission;
pub(crate) mod projections;
#[cfg(feature = "kafka")]
pub(crate) mod publish;
mod remote;
pub(crate) mod serve;
mod show;
pub(crate) mod site;
pub(crate) mod staff;
pub(crate) mod takeover;
pub(crate) mod terminal;
pub(crate) mod token;
pub(crate) mod webhook;
