//! What handlers read from requests.

pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod csv_file;
pub(crate) mod devices;
pub(crate) mod numbers;
pub(crate) mod query;
pub(crate) mod shape;
