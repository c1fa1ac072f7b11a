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
