//! The event log and what is folded from it: damage, faults of the disk, kills, races.
#![cfg(test)]

mod crashes;
mod damage;
mod log_recovery;
mod simulation;
mod sqlite_log;
