//! Which types of problems (RFC 9457) an operation answers with: the ones that follow from what the operation takes, and
//! the ones of its own rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// What an operation takes. Types of problems follow from it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are facts about an operation, independent of each other"
)]
#[derive(Clone, Copy, Default)]
pub(super) struct Takes {
    pub(super) id: bool,
    pub(super) token: bool,
    /// The token may be the one of a program or of staff.
    pub(super) service: bool,
    pub(super) body: bool,
    /// What comes with a command is held against the rules of the domain.
    pub(super) checked: bool,
    pub(super) key: bool,
    pub(super) condition: bool,
    /// The answer waits for a position of the log.
    pub(super) position: bool,
}

/// The types of problems of an operation, by status.
pub(super) type ByStatus = BTreeMap<&'static str, BTreeSet<&'static str>>;

pub(super) fn of(operation: &str, takes: Takes) -> ByStatus {
    let mut types = ByStatus::new();
    let mut add = |status: &'static str, slugs: &[&'static str]| {
        types.entry(status).or_default().extend(slugs);
    };
    add("400", &["host-invalid", "malformed-request"]);
    add("421", &["not-a-development-host"]);
    add("429", &["too-many-requests"]);
    add("500", &["internal"]);
    add("503", &["busy", "fate-unknown", "store-unavailable"]);
    let facts: [(bool, &'static str, &[&'static str]); 13] = [
        (takes.body, "400", &["malformed"]),
        (takes.body, "413", &["too-large"]),
        (takes.body, "415", &["content-coding", "not-json"]),
        (takes.checked, "422", &["invalid"]),
        (takes.token, "401", &["unauthenticated"]),
        (takes.token, "403", &["forbidden"]),
        (takes.service, "403", &["scope-missing"]),
        (takes.id, "404", &["not-found"]),
        (takes.key, "400", &["idempotency-key-invalid"]),
        (takes.key, "409", &["idempotency-under-way"]),
        (takes.key, "422", &["idempotency-key-reused"]),
        (takes.condition, "412", &["precondition-failed"]),
        (takes.position, "503", &["view-behind"]),
    ];
    for (takes, status, slugs) in facts {
        if takes {
            add(status, slugs);
        }
    }
    if takes.position {
        add("409", &["position-ahead"]);
    }
    for (_, slugs) in OF_OPERATIONS.iter().filter(|(names, _)| names.contains(&operation)) {
        for (status, slug) in *slugs {
            add(status, &[slug]);
        }
    }
    types
}

/// The description of an answer that is one of these problems.
pub(super) fn answer(description: &str, slugs: &BTreeSet<&str>) -> Value {
    let mut schema = json!({ "$ref": "#/components/schemas/Problem" });
    if !slugs.is_empty() {
        let types: Vec<String> = slugs.iter().map(|slug| format!("urn:loquet:problem:{slug}")).collect();
        schema =
            json!({ "allOf": [schema, { "type": "object", "properties": { "type": { "enum": types } } }] });
    }
    json!({ "description": description, "content": { "application/problem+json": { "schema": schema } } })
}

/// Adds the types of its problems to a described answer.
pub(super) fn complete(response: &mut Map<String, Value>, slugs: &BTreeSet<&str>) {
    let description = response.get("description").and_then(Value::as_str).unwrap_or_default();
    if let Value::Object(completed) = answer(description, slugs) {
        response.extend(completed);
    }
}

/// Locked accounts. A lockout that only a new password ends has a type of its own.
const LOCKED: [(&str, &str); 2] = [("423", "locked"), ("423", "locked-until-reset")];

/// Operations, and the status and the type of each problem that only they answer with.
type Row = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// An operation may stand in several rows.
const OF_OPERATIONS: &[Row] = &[
    (
        &["log_in", "answer_challenge", "change_password", "propose_second_step", "confirm_second_step"],
        &LOCKED,
    ),
    (&["replace_recovery_codes", "disable_second_step"], &LOCKED),
    (&["log_in"], &[("401", "wrong-credentials"), ("401", "wrong-code"), ("403", "awaiting-conversion")]),
    (
        &["answer_challenge"],
        &[("401", "challenge-void"), ("401", "wrong-code"), ("403", "awaiting-conversion")],
    ),
    (&["log_out"], &[("401", "unauthenticated")]),
    (
        &["activate", "confirm_password_reset"],
        &[("400", "link-invalid"), ("410", "link-used"), ("410", "link-expired")],
    ),
    (
        &["change_password", "propose_second_step", "replace_recovery_codes", "disable_second_step"],
        &[("403", "wrong-password"), ("409", "not-active")],
    ),
    (&["propose_second_step"], &[("409", "second-step-on")]),
    (&["confirm_second_step"], &[("403", "wrong-code"), ("409", "no-proposal"), ("409", "not-active")]),
    (&["replace_recovery_codes", "disable_second_step"], &[("403", "wrong-code"), ("409", "no-second-step")]),
    (&["reset_second_step"], &[("409", "no-second-step"), ("409", "not-active")]),
    (
        &["create_account"],
        &[("404", "not-found"), ("409", "email-taken"), ("429", "enough-activation-mails")],
    ),
    (&["invite_staff"], &[("409", "email-taken"), ("429", "enough-activation-mails")]),
    (&["change_profile"], &[("409", "not-active")]),
    (&["delete_account"], &[("409", "last-administrator"), ("409", "account-leaving")]),
    (&["erase_person"], &[("409", "last-administrator"), ("409", "account-leaving")]),
    (&["convert_account"], &[("409", "not-temporary"), ("409", "of-staff"), ("409", "account-leaving")]),
    (
        &["change_role"],
        &[
            ("409", "last-administrator"),
            ("409", "account-leaving"),
            ("409", "awaits-conversion"),
            ("409", "of-staff"),
        ],
    ),
    (&["send_activation_mail"], &[("409", "already-active"), ("429", "enough-activation-mails")]),
    (
        &[
            "send_password_reset_mail",
            "forget_all_devices",
            "forget_device",
            "end_all_sessions",
            "end_session",
        ],
        &[("409", "not-active")],
    ),
    (&["release_lockout"], &[("409", "not-locked"), ("409", "not-active")]),
    (&["place_order"], &[("409", "order-differs"), ("409", "order-company-erased")]),
    (
        &["resolve_order"],
        &[
            ("409", "email-taken"),
            ("409", "order-not-waiting"),
            ("409", "order-resolved"),
            ("409", "order-company-erased"),
            ("429", "enough-activation-mails"),
        ],
    ),
    (
        &["change_company"],
        &[
            ("409", "contact-support"),
            ("409", "enterprise-number-taken"),
            ("409", "address-in-use"),
            ("409", "takeover-overlaps"),
        ],
    ),
    (
        &["erase_company"],
        &[("409", "company-has-terminals"), ("409", "company-has-accounts"), ("409", "company-in-takeover")],
    ),
    (
        &["change_site"],
        &[("409", "address-in-use"), ("409", "site-name-taken"), ("409", "takeover-overlaps")],
    ),
    (&["note_serial"], &[("409", "serial-taken"), ("409", "terminal-has-serial")]),
    (&["assign_terminals"], &[("415", "not-csv")]),
    (&["list_terminals", "list_sites", "list_accounts", "ask_permission"], &[("404", "not-found")]),
    (&["create_group", "change_group"], &[("403", "beyond-own-permissions"), ("409", "group-name-taken")]),
    (&["create_group"], &[("409", "too-many-groups")]),
    (&["delete_group"], &[("403", "beyond-own-permissions"), ("409", "group-has-members")]),
    (
        &["set_member"],
        &[("403", "beyond-own-permissions"), ("409", "not-a-user"), ("409", "account-leaving")],
    ),
    (
        &[
            "save_receipt_layout",
            "try_receipt_picture",
            "try_receipt_text",
            "preview_receipt_picture",
            "preview_receipt_text",
        ],
        &[("409", "contact-support"), ("409", "no-terminal")],
    ),
    (&["fetch_receipt_layout"], &[("409", "contact-support")]),
    (
        &["open_takeover"],
        &[
            ("404", "not-found"),
            ("409", "takeover-circular"),
            ("409", "takeover-overlaps"),
            ("409", "account-leaving"),
        ],
    ),
    (&["confirm_takeover"], &[("409", "takeover-completed"), ("409", "takeover-cancelled")]),
    (&["cancel_takeover"], &[("409", "takeover-completed")]),
    (&["complete_takeover"], &[("409", "takeover-waits"), ("409", "takeover-cancelled")]),
    (
        &[
            "follow_events",
            "save_receipt_layout",
            "try_receipt_text",
            "try_receipt_picture",
            "assign_terminals",
            "export_personal_data",
            "try_policies",
        ],
        &[("429", "too-many-at-once")],
    ),
    (&["begin_export"], &[("429", "too-many-exports")]),
    (&["search"], &[("422", "invalid"), ("429", "too-many-searches")]),
    (&["diagnose_login", "list_accounts", "list_sites", "count_activity"], &[("422", "invalid")]),
    (&["follow_events"], &[("429", "too-many-followers"), ("429", "too-many-followers-of-token")]),
];
