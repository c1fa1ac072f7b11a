//! The events of a logo as they are stored.

use crate::logo::{Event, Logo};

stored_events!(Logo:
    "logo-kept" => LogoKept {
        logo as "logo": Logo,
    },
);
