//! The event log and what is folded from it: damage, faults of the disk, kills, races.

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod log_recovery;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod sqlite_log;
