//! Mails: with a real mail server, and with one that says what a script tells it.
#![cfg(test)]

mod mail_servers;
mod smtp;
