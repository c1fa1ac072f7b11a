//! The values that each profile gives to the settings of its section. `docs/profiles.md` gives the reasons.

/// Values for the settings that are not given explicitly.
pub(super) struct Profile {
    /// The setting that chooses it.
    pub(super) of: &'static str,
    pub(super) name: &'static str,
    /// Each setting and its value.
    pub(super) says: &'static [(&'static str, &'static str)],
}

/// Every profile except `default`. That one is the defaults of the table: the rules that this portal's customers know.
pub(super) const PROFILES: [Profile; 4] = [
    // NIST SP 800-63B-4, 3.2.2: at most 100 failures in a row, whatever lies between them.
    Profile {
        of: "lockout.profile",
        name: "nist",
        says: &[("lockout.attempts", "7"), ("lockout.duration", "15m"), ("lockout.cap", "100")],
    },
    // PCI DSS 4.0, 8.3.4: at most 10 attempts, 30 minutes or until the identity is confirmed.
    Profile {
        of: "lockout.profile",
        name: "pci",
        says: &[("lockout.attempts", "10"), ("lockout.duration", "30m"), ("lockout.cap", "0")],
    },
    // NIST SP 800-63B-4, 3.1.1.2: 15 characters when the password is the only factor, no rules of composition, a
    // blocklist with words of the context.
    Profile {
        of: "password.profile",
        name: "nist",
        says: &[
            ("password.min_length", "15"),
            ("password.composition", "free"),
            ("password.history", "0"),
            ("password.blocklist", "on"),
            ("password.context", "on"),
        ],
    },
    // PCI DSS 4.0, 8.3.6: 12 characters, numeric and alphabetic; 8.3.7: none of the last four.
    Profile {
        of: "password.profile",
        name: "pci",
        says: &[
            ("password.min_length", "12"),
            ("password.composition", "letters-and-digits"),
            ("password.history", "4"),
            ("password.blocklist", "off"),
            ("password.context", "off"),
        ],
    },
];

/// The lockout of a profile: the guesses, the duration and the cap (0 for none). Returns `None` for an unknown profile.
pub(crate) fn lockout_profile(name: &str) -> Option<(u32, &'static str, u32)> {
    let own = PROFILES.iter().find(|profile| profile.of == "lockout.profile" && profile.name == name);
    if own.is_none() && name != "default" {
        return None;
    }
    let value = |key: &str| {
        let says = own.and_then(|profile| profile.says.iter().find(|(said, _)| *said == key));
        let default = || super::SETTINGS.iter().find(|setting| setting.key == key)?.default;
        says.map(|(_, value)| *value).or_else(default)
    };
    Some((
        value("lockout.attempts")?.parse().ok()?,
        value("lockout.duration")?,
        value("lockout.cap")?.parse().ok()?,
    ))
}
