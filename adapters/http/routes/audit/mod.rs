//! For auditors: the proof of the log, what lockouts would have done under other policies, and extracts of the history.

pub(crate) mod checkpoints;
pub(crate) mod exports;
pub(crate) mod what_if;
