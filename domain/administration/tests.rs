use super::*;

fn at(second: i64) -> Moment {
    Moment::from_timestamp(second, 0).unwrap()
}

fn token(id: &str) -> TokenNotice {
    TokenNotice {
        id: id.to_owned(),
        first: id.to_owned(),
        name: "shop".to_owned(),
        role: None,
        scopes: vec!["orders:write".to_owned()],
        created_at: at(1),
        expires_at: None,
        created_by: Some("anna".to_owned()),
        revoked_at: None,
        revoked_by: None,
    }
}

fn key(generation: u32) -> ServerKeyNotice {
    let fingerprint = format!("{generation:064x}");
    ServerKeyNotice { generation, fingerprint, compromised: None, rotated_at: None, rotated_by: None }
}

fn restore(second: i64) -> RestoreNotice {
    RestoreNotice {
        restored_at: at(second),
        restored_by: None,
        taken_at: at(1),
        position: 7,
        version: "1.0.0".to_owned(),
    }
}

fn record(known: &mut Administration, observed: Observed) -> Vec<Event> {
    let events = decide(known, Command::Record(Box::new(observed)));
    for event in &events {
        *known = std::mem::take(known).evolve(&Fact::told(event.clone()));
    }
    events
}

#[test]
fn each_act_is_recorded_once_though_every_look_finds_it() {
    let mut known = Administration::default();
    let revoked = TokenNotice { revoked_at: Some(at(5)), revoked_by: Some("bart".to_owned()), ..token("a") };
    let successor = TokenNotice { id: "b".to_owned(), ..token("a") };
    let policies = |attempts| {
        let lockout = crate::policies::lockout::LockoutPolicy::new(attempts, chrono::TimeDelta::minutes(15));
        let policies = Policies { lockout: lockout.unwrap(), ..Policies::default() };
        Some((PoliciesInForce::of(&policies), "node-1".to_owned()))
    };
    let first = Observed {
        tokens: vec![token("a")],
        server_key: Some(key(1)),
        restore: None,
        policies: policies(7),
        exports: Vec::new(),
    };
    assert_eq!(record(&mut known, first.clone()).len(), 3);
    assert_eq!(record(&mut known, first.clone()), []);
    let later = Observed { tokens: vec![revoked, successor], ..first.clone() };
    let events = record(&mut known, later.clone());
    assert!(
        matches!(&events[..], [
            Event::TokenRevoked { token: ended, by: Some(by), .. },
            Event::TokenRotated { token, first, .. },
        ] if ended == "a" && by == "bart" && token == "b" && first == "a"),
        "{events:?}"
    );
    assert_eq!(record(&mut known, later), []);
    let rotated = Observed { server_key: Some(key(2)), policies: policies(5), ..Observed::default() };
    assert_eq!(record(&mut known, rotated.clone()).len(), 2);
    assert_eq!(record(&mut known, rotated), []);
    assert_eq!(record(&mut known, Observed { policies: policies(7), ..Observed::default() }).len(), 1);
}

#[test]
fn a_token_that_was_made_and_revoked_between_two_looks_has_both_events() {
    let mut known = Administration::default();
    let revoked = TokenNotice { revoked_at: Some(at(5)), ..token("a") };
    let events = record(&mut known, Observed { tokens: vec![revoked], ..Observed::default() });
    assert!(matches!(&events[..], [Event::TokenCreated { .. }, Event::TokenRevoked { .. }]), "{events:?}");
}

#[test]
fn a_restored_log_that_lacks_a_later_restore_gets_it_and_an_older_note_adds_nothing() {
    let mut known = Administration::default();
    let observed = |second| Observed { restore: Some(restore(second)), ..Observed::default() };
    assert_eq!(record(&mut known, observed(10)).len(), 1);
    assert_eq!(record(&mut known, observed(10)), []);
    assert_eq!(record(&mut known, observed(9)), []);
    assert_eq!(record(&mut known, observed(11)).len(), 1);
}

#[test]
fn each_extract_is_recorded_once() {
    let mut known = Administration::default();
    let export = ExportNotice {
        id: Uuid::from_u128(1),
        at: at(1),
        by: None,
        reason: Some("yearly audit".to_owned()),
        personal: true,
        from: None,
        to: Some(at(9)),
        head: 9,
    };
    let other = ExportNotice { id: Uuid::from_u128(2), ..export.clone() };
    let observed = |exports| Observed { exports, ..Observed::default() };
    assert_eq!(record(&mut known, observed(vec![export.clone()])).len(), 1);
    assert_eq!(record(&mut known, observed(vec![export, other])).len(), 1);
}
