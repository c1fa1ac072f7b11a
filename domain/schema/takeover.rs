//! The stored form of the events of a take-over.

use crate::Moment;
use crate::company::MergedSite;
use crate::ids::{AccountId, CompanyId, SiteId, TerminalId};
use crate::takeover::{Cancellation, Event, Side};

stored_events!(TakeOver:
    "takeover-opened" => TakeOverOpened {
        from as "from_company_id": CompanyId,
        to as "to_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
        accounts as "account_ids": Vec<AccountId>,
        reference as "reference": String,
        due_at as "due_at": Moment,
    },
    "takeover-confirmed" => TakeOverConfirmed { side as "side": Side },
    "takeover-begun" => TakeOverBegun { accounts as "account_ids": Vec<AccountId> },
    "takeover-completed" => TakeOverCompleted {
        from as "from_company_id": CompanyId,
        to as "to_company_id": CompanyId,
        sites as "site_ids": Vec<SiteId>,
        terminals as "terminal_ids": Vec<TerminalId>,
        accounts as "account_ids": Vec<AccountId>,
        merged as #[serde(default, skip_serializing_if = "Vec::is_empty")] "merged": Vec<MergedSite>,
    },
    "takeover-cancelled" => TakeOverCancelled { reason as "reason": Cancellation },
);
