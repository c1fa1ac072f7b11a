//! Accounts over HTTP: from the order to the login, the lockout, the second step and the trusted device.

#[cfg(test)]
mod devices;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod login_surface;
#[cfg(test)]
mod password_hashes;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod second_step;
