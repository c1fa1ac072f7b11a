//! The answers that handlers return.

pub(crate) mod carry_out;
pub(crate) mod created;
pub(crate) mod done;
pub(crate) mod faults;
pub(crate) mod localize;
pub(crate) mod page;
pub(crate) mod pages;
pub(crate) mod problem;
pub(crate) mod tagged;
