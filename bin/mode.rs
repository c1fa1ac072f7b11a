//! Production or development.

/// What the server is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For real users. Links need a public address, and mails need a mail server.
    Production,
    /// For developers. It needs no settings, and shows every mail.
    Development,
}

impl Mode {
    /// Returns the mode for the flag `--dev`.
    pub(crate) fn of(dev: bool) -> Self {
        if dev { Self::Development } else { Self::Production }
    }
}
