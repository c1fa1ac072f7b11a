//! The handlers, a file for each resource.

pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod bulk;
pub(crate) mod companies;
pub(crate) mod dev_mail;
pub(crate) mod devices;
pub(crate) mod events;
pub(crate) mod feed;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod links;
pub(crate) mod logins;
pub(crate) mod metrics;
pub(crate) mod orders;
pub(crate) mod pages;
pub(crate) mod permissions;
pub(crate) mod problems;
pub(crate) mod reasons;
pub(crate) mod receipts;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod sites;
pub(crate) mod staff;
pub(crate) mod support;
pub(crate) mod takeovers;
pub(crate) mod terminals;
