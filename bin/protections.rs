//! Finds combinations of settings that would switch a protection off although each value is within its
//! bounds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use loquet_mail::smtp::{Security, SmtpSettings};

use crate::config::Config;
use crate::mode::Mode;

/// The shortest lockout for each wrong login that leads to it. It allows at most 120 guesses an hour, too few
/// to try the most common passwords in a night.
const REST_AFTER_A_GUESS: Duration = Duration::from_secs(30);
/// Pairs of memory (in KiB) and passes that OWASP considers equally strong (Password Storage Cheat Sheet,
/// Argon2id).
const STRONG_ENOUGH: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9216, 4), (7168, 5)];

/// Adds a fault to the configuration for each such combination.
pub(crate) fn check(config: &mut Config, mode: Mode) {
    lockout(config);
    unused(config);
    match mode {
        Mode::Production => hashing(config),
        Mode::Development => development(config),
    }
}

fn lockout(config: &mut Config) {
    let (Some(attempts), Some(duration)) =
        (config.parsed::<u32>("lockout.attempts"), config.duration("lockout.duration"))
    else {
        return;
    };
    let least = REST_AFTER_A_GUESS.saturating_mul(attempts);
    if duration < least {
        let why = format!(
            "{attempts} attempts and then {}s of lockout do not slow down an attacker: with so many attempts, lockout.duration must be at least {}s",
            duration.as_secs(),
            least.as_secs()
        );
        config.fault_of_either(["lockout.duration", "lockout.attempts"], why);
    }
}

/// Finds settings that protect nothing because another setting switches them off.
fn unused(config: &mut Config) {
    for (set, switch) in
        [("password.blocklist_file", "password.blocklist"), ("password.context_words", "password.context")]
    {
        if config.text(set).is_some() && config.text(switch) == Some("off") {
            config.fault(set, format!("it has no effect while {switch} is off: set {switch} to on"));
        }
    }
}

/// Refuses a development server that other machines can reach. It shows every mail, and so every link, to
/// anybody.
fn development(config: &mut Config) {
    let Some(listen) = config.parsed::<SocketAddr>("http.listen") else { return };
    if !listen.ip().to_canonical().is_loopback() {
        let why = format!(
            "with --dev the server shows every mail to anybody who can connect to it, and other machines can connect \
             to {}: listen on 127.0.0.1:{} or on [::1], or run without --dev",
            listen.ip(),
            listen.port()
        );
        config.fault("http.listen", why);
    }
}

fn hashing(config: &mut Config) {
    let (Some(memory), Some(passes)) =
        (config.parsed::<u32>("argon2.memory_kib"), config.parsed::<u32>("argon2.passes"))
    else {
        return;
    };
    let least = STRONG_ENOUGH.iter().find(|(least, _)| memory >= *least).map(|(_, passes)| *passes);
    if let Some(least) = least.filter(|least| passes < *least) {
        let why = format!(
            "with {memory} KiB of memory, at least {least} passes are required (OWASP), not {passes}"
        );
        config.fault_of_either(["argon2.passes", "argon2.memory_kib"], why);
    }
}

/// Finds a password that would be sent unencrypted.
pub(crate) fn password_in_the_clear(config: &mut Config, smtp: &SmtpSettings) {
    if smtp.credentials.is_some() && matches!(smtp.security, Security::None) && !is_this_machine(&smtp.host) {
        let why =
            format!("the password would be sent to {} unencrypted: it must be starttls or tls", smtp.host);
        config.fault("smtp.security", why);
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost" || name.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}
