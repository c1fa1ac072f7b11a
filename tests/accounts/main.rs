//! Accounts over HTTP: from the order to the login, the lockout, the second step and the trusted device.
#![cfg(test)]

mod devices;
mod flows;
mod login_surface;
mod password_hashes;
mod persons;
mod profiles;
mod second_step;
