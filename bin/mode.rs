//! Production or development.

/// What it is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people: links need an address, mails a server.
    Production,
    /// For whoever develops beside it: needs nothing, and shows every mail.
    Development,
}

impl Mode {
    /// As `--dev` says.
    pub(crate) fn of(dev: bool) -> Self {
        if dev { Self::Development } else { Self::Production }
    }
}
