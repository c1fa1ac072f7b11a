//! The portal, as people use it: in a real browser.
#![cfg(test)]

mod pages;
mod stories;
