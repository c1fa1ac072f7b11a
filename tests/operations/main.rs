//! Running it: configuration, keys, backups, metrics, the command line and its outputs, the sample world.
#![cfg(test)]

mod administration;
mod audit;
mod demo;
mod helping;
mod observability;
mod operations;
mod output;
mod owners;
mod proof;
mod snapshots;
mod tools;
