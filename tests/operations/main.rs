//! Running it: configuration, keys, backups, metrics, the command line and its outputs, the sample world.

#[cfg(test)]
mod demo;
#[cfg(test)]
mod observability;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod output;
