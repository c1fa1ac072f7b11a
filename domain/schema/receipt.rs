//! The events of a site's receipt layout as they are stored.

use crate::ids::CompanyId;
use crate::receipt::{Event, Layout};

stored_events!(Receipt:
    "receipt-layout-saved" => ReceiptLayoutSaved {
        company as "company_id": CompanyId,
        layout as "layout": Box<Layout>,
    },
);
