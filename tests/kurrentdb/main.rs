//! The event log in EventStoreDB and KurrentDB. No registry has a real server, so a server of our own stands in for it.
//! Clients that others wrote hold that server to the protocol.
#![cfg(test)]

mod clients;
mod faults;
mod secured;
mod storage;
mod wholeness;
mod world;
