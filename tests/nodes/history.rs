//! Checks a history. It knows only the log and what clients were told: every 201, 401 and 423 must follow from events.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use loquet_tests::server::Answer;
use serde_json::Value;

/// What a client was told about a guess at the account of an address.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) account: String,
    pub(crate) right: bool,
    /// When the request was sent, and when its answer came.
    pub(crate) sent: DateTime<Utc>,
    pub(crate) answered: DateTime<Utc>,
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn of(
        account: &str,
        right: bool,
        sent: DateTime<Utc>,
        answered: DateTime<Utc>,
        answer: &Answer,
    ) -> Self {
        let body = serde_json::from_str(&answer.text).unwrap_or_default();
        Self { account: account.to_owned(), right, sent, answered, status: answer.status.as_u16(), body }
    }
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// Panics unless each answer is explained by the log, and each verdict of the log was given to at most one client.
#[track_caller]
pub(crate) fn explains(log: &[Value], told: &[Told], bound: usize) {
    let accounts: BTreeSet<&str> = told.iter().map(|told| told.account.as_str()).collect();
    for account in accounts {
        let stream = format!("account-{account}");
        let events: Vec<&Value> = log.iter().filter(|event| event["stream"] == *stream).collect();
        let revisions: Vec<u64> = events.iter().map(|event| event["revision"].as_u64().unwrap()).collect();
        assert!(
            revisions.iter().copied().eq(1..=u64::try_from(events.len()).unwrap()),
            "{stream}: {revisions:?}"
        );
        let told: Vec<&Told> = told.iter().filter(|told| told.account == account).collect();
        of_account(&events, &told, bound);
    }
}

#[track_caller]
fn of_account(events: &[&Value], told: &[&Told], bound: usize) {
    let of_type = |name: &str| events.iter().filter(|event| event["type"] == name).count();
    // Each 201 names its own event.
    let mut logins = BTreeSet::new();
    for told in told.iter().filter(|told| told.status == 201) {
        assert!(told.right, "a wrong password logged in: {told:?}");
        let position = told.body["position"].as_u64().unwrap();
        assert!(logins.insert(position), "two logins have one event: {told:?}");
        let event = events.iter().find(|event| event["position"] == position);
        let event = event.unwrap_or_else(|| panic!("no event for {told:?}"));
        assert_eq!(event["type"], "login-succeeded");
    }
    // A verdict that was told is an event. An event whose answer was lost was told to nobody.
    let refused = told.iter().filter(|told| told.status == 401).count();
    assert!(told.iter().all(|told| told.status != 401 || !told.right), "a right password was refused");
    assert!(
        refused <= of_type("login-failed"),
        "{refused} were told 401, {} events",
        of_type("login-failed")
    );
    assert!(logins.len() <= of_type("login-succeeded"));
    // At most so many wrong guesses in a row are judged.
    let mut row = 0;
    for event in events {
        match event["type"].as_str().unwrap() {
            "login-failed" => row += 1,
            "login-succeeded" | "lockout-released" | "password-reset" => row = 0,
            "account-locked" => {
                assert_eq!(row, bound, "locked after {row} guesses");
                row = 0;
            }
            _ => {}
        }
        assert!(row <= bound, "{row} wrong guesses in a row were judged");
    }
    // A 423 lies within a lockout of the log, and says its end.
    let lockouts: Vec<DateTime<Utc>> = events
        .iter()
        .filter(|event| event["type"] == "account-locked")
        .map(|event| moment(&event["data"]["until"]))
        .collect();
    for told in told.iter().filter(|told| told.status == 423) {
        let until = moment(&told.body["locked_until"]);
        assert!(lockouts.contains(&until), "no lockout ends at {until}: {lockouts:?}");
        assert!(told.sent < until, "a lockout that was over was told of: {told:?}");
        assert!(told.answered >= told.sent);
    }
}
