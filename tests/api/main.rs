//! What programs and support ask over HTTP: the description, lists, events, repeated commands, bounds.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod facade;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod support;
