//! The stored form of the events of a logo.

use crate::logo::{Event, Logo};

stored_events!(Logo:
    "logo-kept" => LogoKept {
        logo as "logo": Logo,
    },
);
