//! Take-overs by id, company and status.

use std::collections::BTreeSet;

use loquet_domain::Moment;
use loquet_domain::company::MergedSite;
use loquet_domain::ids::{AccountId, CompanyId, SiteId, TakeOverId, TerminalId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::takeover::{Cancellation, Event, Side};
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// The stage of a take-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakeOverStatus {
    /// A company has not agreed yet, or support has not completed it.
    Open,
    /// Things are moving.
    Completing,
    /// Everything has moved.
    Completed,
    /// Cancelled: nothing moves.
    Cancelled,
}

impl TakeOverStatus {
    /// Its name in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completing => "completing",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A take-over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TakeOverRow {
    pub takeover_id: TakeOverId,
    pub from_company_id: CompanyId,
    pub to_company_id: CompanyId,
    pub site_ids: Vec<SiteId>,
    pub account_ids: Vec<AccountId>,
    pub terminal_ids: Vec<TerminalId>,
    /// The sites that became one with a site that the new company had at the same address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedSite>,
    pub reference: String,
    pub status: TakeOverStatus,
    pub confirmed: BTreeSet<Side>,
    pub opened_at: Moment,
    pub due_at: Moment,
    pub ended_at: Option<Moment>,
    pub cancellation: Option<Cancellation>,
}

impl TakeOverRow {
    /// What it waits for, in the words of the API. Empty if it is completed or cancelled.
    #[must_use]
    pub fn waits_for(&self) -> Vec<&'static str> {
        if self.status == TakeOverStatus::Completing {
            return vec!["support_completion"];
        }
        if self.status != TakeOverStatus::Open {
            return Vec::new();
        }
        let word = |side| match side {
            Side::Transferor => "transferor_confirmation",
            Side::Acquirer => "acquirer_confirmation",
        };
        let sides = [Side::Transferor, Side::Acquirer].into_iter();
        let waiting: Vec<_> = sides.filter(|side| !self.confirmed.contains(side)).map(word).collect();
        if waiting.is_empty() { vec!["support_completion"] } else { waiting }
    }
}

impl TakeOverRow {
    /// All take-overs: `<opened>`.
    pub const BY_OPENING: Index<Self> = Index::new("created");
    /// The take-overs in a stage: `<status>/<opened>`.
    pub const BY_STATUS: Index<Self> = Index::new("status");
    /// The take-overs that a company takes part in: `<company>/<opened>`.
    pub const BY_COMPANY: Index<Self> = Index::new("company");
    /// The take-overs in a stage that a company takes part in: `<company>/<status>/<opened>`.
    pub const BY_COMPANY_AND_STATUS: Index<Self> = Index::new("company_status");
}

impl Row for TakeOverRow {
    const VIEW: ViewId = ViewId { name: "takeovers", version: 1 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let (status, opened) = (self.status.word(), sortable(self.opened_at));
        let of = |company: CompanyId| {
            [
                Self::BY_COMPANY.entry(format!("{company}/{opened}")),
                Self::BY_COMPANY_AND_STATUS.entry(format!("{company}/{status}/{opened}")),
            ]
        };
        let own =
            [Self::BY_STATUS.entry(format!("{status}/{opened}")), Self::BY_OPENING.entry(opened.as_str())];
        own.into_iter().chain(of(self.from_company_id)).chain(of(self.to_company_id)).collect()
    }
}

/// The view of take-overs.
pub struct TakeOvers;

impl View for TakeOvers {
    type Row = TakeOverRow;

    fn apply(&self, rows: &mut Table<'_, TakeOverRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::TakeOver(event), Ok(takeover_id)) =
            (&envelope.fact.event, envelope.stream.id().parse())
        else {
            return Ok(());
        };
        let key = envelope.stream.id();
        let at = envelope.fact.context.at;
        match event {
            Event::TakeOverOpened { from, to, sites, accounts, reference, due_at } => rows.put(
                key,
                TakeOverRow {
                    takeover_id,
                    from_company_id: *from,
                    to_company_id: *to,
                    site_ids: sites.clone(),
                    account_ids: accounts.clone(),
                    terminal_ids: Vec::new(),
                    merged: Vec::new(),
                    reference: reference.clone(),
                    status: TakeOverStatus::Open,
                    confirmed: BTreeSet::new(),
                    opened_at: at,
                    due_at: *due_at,
                    ended_at: None,
                    cancellation: None,
                },
            ),
            Event::TakeOverConfirmed { side } => rows.change(key, |row| {
                row.confirmed.insert(*side);
            }),
            Event::TakeOverBegun { accounts } => rows.change(key, |row| {
                row.status = TakeOverStatus::Completing;
                row.account_ids = accounts.clone();
            }),
            Event::TakeOverCompleted { terminals, merged, .. } => rows.change(key, |row| {
                row.merged = merged.clone();
                row.status = TakeOverStatus::Completed;
                row.terminal_ids = terminals.clone();
                row.ended_at = Some(at);
            }),
            Event::TakeOverCancelled { reason } => rows.change(key, |row| {
                row.status = TakeOverStatus::Cancelled;
                row.cancellation = Some(*reason);
                row.ended_at = Some(at);
            }),
        }
    }
}
