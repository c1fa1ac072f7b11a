//! Companies over HTTP: sites, terminals, groups, receipts and take-overs.

#[cfg(test)]
mod companies;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod take_overs;
