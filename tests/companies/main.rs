//! Companies over HTTP: sites, terminals, groups, receipts and take-overs.
#![cfg(test)]

mod companies;
mod erasure;
mod older_logs;
mod receipts;
mod take_overs;
