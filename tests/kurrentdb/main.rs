//! The event log in EventStoreDB and KurrentDB. No registry has a real server, so a server of our own stands in for
//! it. Clients that others wrote hold that server to the protocol.
#![cfg(test)]

mod clients;
