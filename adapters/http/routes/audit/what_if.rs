//! What lockouts would have done under other policies.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use loquet_domain::account::what_if::{History, Outcome, Trial};
use loquet_domain::ids::AccountId;
use loquet_domain::policies::lockout::LockoutPolicy;
use loquet_domain::ports::OpenEvent;
use loquet_http_ports::scope::Scope;
use loquet_projections::what_if::{Period, judge};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::body::Body;
use crate::extractors::numbers::whole;
use crate::limits::shares::Costly;
use crate::responses::faults::Faults;
use crate::responses::problem::Problem;
use crate::state::Shared;

/// The most policies of one question. Each takes memory for every account with wrong guesses.
const MOST_POLICIES: usize = 8;
/// The most accounts that an answer names in each list.
const MOST_NAMED: usize = 1000;

/// A lockout policy to try.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TriedPolicy)]
pub(crate) struct PolicyBody {
    /// The number of wrong guesses in a row that lock an account.
    #[schema(value_type = u32, example = 5)]
    attempts: Number,
    /// How long a lockout lasts, in seconds: 1 second to 30 days.
    #[schema(value_type = u32, example = 1800)]
    duration_seconds: Number,
    /// The number of wrong guesses across lockouts after which only a new password helps. Absent: there is no such number.
    #[schema(value_type = Option<u32>)]
    cap: Option<Number>,
    /// Whether a lockout that others cause leaves trusted devices alone. Default: true.
    trusted_devices: Option<bool>,
}

/// Which policies to try, on which part of history.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhatIf)]
pub(crate) struct WhatIfBody {
    /// The first moment whose guesses count. Default: the beginning of the log.
    from: Option<DateTime<Utc>>,
    /// The first moment after them. Default: the end of the log.
    to: Option<DateTime<Utc>>,
    /// The policies: 1 to 8. All are tried in one pass over the log.
    policies: Vec<PolicyBody>,
}

/// What really happened.
#[derive(Serialize, ToSchema)]
#[schema(as = LockoutHistory)]
pub(crate) struct HistoryBody {
    /// The lockouts that began.
    lockouts: u64,
    /// The number of accounts that were locked out at least once.
    accounts_locked: usize,
    /// The wrong guesses that were judged.
    guesses_judged: u64,
    /// The logins that were completed.
    logins: u64,
}

/// What a policy would have done.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyOutcome)]
pub(crate) struct OutcomeBody {
    /// The lockouts that it would have begun.
    lockouts: u64,
    /// The number of accounts that it would have locked out at least once.
    accounts_locked: usize,
    /// The number of accounts that it alone would have locked out.
    locked_only_then: usize,
    /// Up to 1,000 of these accounts.
    locked_only_then_ids: Vec<Uuid>,
    /// The number of accounts that were locked out, and would not have been.
    locked_only_really: usize,
    /// Up to 1,000 of these accounts.
    locked_only_really_ids: Vec<Uuid>,
    /// The wrong guesses that it would have judged.
    guesses_judged: u64,
    /// The wrong guesses that it would have refused, though they were judged.
    guesses_stopped: u64,
    /// The completed logins that it would have refused.
    logins_refused: u64,
    /// The number of accounts whose logins it would have refused.
    owners_kept_out: usize,
}

/// What each policy would have done.
#[derive(Serialize, ToSchema)]
#[schema(as = WhatIfAnswer)]
pub(crate) struct AnswerBody {
    /// What really happened.
    history: HistoryBody,
    /// The outcome of each policy, in the order of the question.
    policies: Vec<OutcomeBody>,
}

impl PolicyBody {
    fn check(self, under: &str, faults: &mut Faults) -> Option<Trial> {
        let attempts = whole(&self.attempts).unwrap_or_default();
        let seconds = whole(&self.duration_seconds).unwrap_or_default();
        let mut told = |field: &str, rule: &'static str| faults.add(format!("{under}/{field}"), rule);
        let (valid, lasting) = (LockoutPolicy::default().attempts(), LockoutPolicy::default().duration());
        if LockoutPolicy::new(attempts, lasting).is_err() {
            told("attempts", "attempts-range");
        }
        let duration = TimeDelta::seconds(i64::from(seconds));
        if LockoutPolicy::new(valid, duration).is_err() {
            told("duration_seconds", "duration-range");
        }
        let cap = self.cap.as_ref().map(|cap| whole(cap).unwrap_or_default());
        if cap.is_some_and(|cap| LockoutPolicy::default().with_cap(cap).is_err()) {
            told("cap", "cap-range");
        }
        let policy = LockoutPolicy::new(attempts, duration).ok()?;
        let lockout = cap.map_or(Ok(policy), |cap| policy.with_cap(cap)).ok()?;
        Some(Trial { lockout, trusts_devices: self.trusted_devices.unwrap_or(true) })
    }
}

impl HistoryBody {
    fn of(history: &History) -> Self {
        Self {
            lockouts: history.lockouts,
            accounts_locked: history.accounts.len(),
            guesses_judged: history.guesses_judged,
            logins: history.logins,
        }
    }
}

impl OutcomeBody {
    fn of(outcome: &Outcome, history: &History) -> Self {
        let only = |some: &BTreeSet<AccountId>, others: &BTreeSet<AccountId>| {
            let count = some.difference(others).count();
            let named = some.difference(others).take(MOST_NAMED).map(|account| account.0).collect();
            (count, named)
        };
        let (locked_only_then, locked_only_then_ids) = only(&outcome.accounts, &history.accounts);
        let (locked_only_really, locked_only_really_ids) = only(&history.accounts, &outcome.accounts);
        Self {
            lockouts: outcome.lockouts,
            accounts_locked: outcome.accounts.len(),
            locked_only_then,
            locked_only_then_ids,
            locked_only_really,
            locked_only_really_ids,
            guesses_judged: outcome.guesses_judged,
            guesses_stopped: outcome.guesses_stopped,
            logins_refused: outcome.logins_refused,
            owners_kept_out: outcome.owners_kept_out.len(),
        }
    }
}

/// Try other lockout policies on the history of guesses.
///
/// The guesses that were judged are judged again, by the same rule. A guess that a lockout refused is not in the log, so a
/// policy that locks later shows only what is known. The request reads the whole log, and changes nothing. Requires the scope
/// `events:read`.
#[utoipa::path(
    post, path = "/v1/audit/what-if", operation_id = "try_policies", tag = "audit", request_body = WhatIfBody,
    security(("service" = [])),
    responses((status = 200, description = "What each policy would have done", body = AnswerBody))
)]
pub(crate) async fn ask(
    State(api): Shared,
    caller: Caller,
    Body(body): Body<WhatIfBody>,
) -> Result<Json<AnswerBody>, Problem> {
    caller.service(Scope::EventsRead)?;
    let mut faults = Faults::default();
    let period = Period { from: body.from, to: body.to };
    if period.from.zip(period.to).is_some_and(|(from, to)| to <= from) {
        faults.add("/from", "moments-reversed");
    }
    if body.policies.is_empty() || body.policies.len() > MOST_POLICIES {
        faults.add_with("/policies", "policies-count", "most", MOST_POLICIES);
    }
    let tried = body.policies.into_iter().take(MOST_POLICIES).enumerate();
    let trials: Vec<_> =
        tried.filter_map(|(n, policy)| policy.check(&format!("/policies/{n}"), &mut faults)).collect();
    let trials = faults.finish(Some(trials))?;
    let _share = api.admit_costly(&caller, Costly::Trial)?;
    let codec = api.codec.clone();
    let open = move |event: &OpenEvent<'_>| codec.decode_briefly(event);
    let (history, outcomes) = judge(api.store.clone(), open, trials, period, |_| {}).await?;
    let policies = outcomes.iter().map(|outcome| OutcomeBody::of(outcome, &history)).collect();
    Ok(Json(AnswerBody { history: HistoryBody::of(&history), policies }))
}
