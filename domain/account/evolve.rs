//! What each event changes. Total: an event that says nothing to a stage leaves it as it is
//! (law 8), since a history once written must always be readable.

use std::collections::BTreeMap;

use crate::Moment;
use crate::account::activation::{ActivationMails, Asker};
use crate::account::device::Device;
use crate::account::event::Event;
use crate::account::second_step::{Proposal, SecondStep};
use crate::account::state::{Account, Active, Challenge, Credential, Invited, Link, Profile, Session};
use crate::erasable::Erasable;
use crate::fact::Fact;
use crate::ids::DeviceId;
use crate::lockout::Lockout;
use crate::mail_kind::MailKind;
use crate::one_time_code::RecoveryHash;
use crate::password::PasswordHash;
use crate::password_history::PasswordHistory;

/// The account after one more fact.
#[must_use]
pub fn evolve(account: Account, fact: &Fact<Event>) -> Account {
    match (account, &fact.event) {
        (Account::Absent, Event::AccountCreated { .. }) => created(fact),
        (Account::Invited(invited), Event::ActivationRequested { expires_at }) => {
            let activation = Link { event: fact.id, expires_at: *expires_at };
            let mut invited = Invited { activation, ..*invited };
            invited.profile.activations.note_asked(fact.context.at, Asker::of(&fact.context.actor));
            Account::Invited(Box::new(invited))
        }
        (Account::Invited(invited), Event::AccountActivated { hash, .. }) => {
            Account::Active(Box::new(Active {
                // Whoever follows the link wanted it.
                profile: Profile { activations: ActivationMails::default(), ..invited.profile },
                credential: Credential { id: fact.id, hash: hash.clone() },
                former: PasswordHistory::default(),
                lockout: Lockout::default(),
                has_logged_in: false,
                devices: Vec::new(),
                last_failure_at: None,
                locked_since: None,
                reset: None,
                resets_asked: Vec::new(),
                sessions: Vec::new(),
                second_step: None,
                proposal: None,
                challenges: Vec::new(),
            }))
        }
        (Account::Active(mut active), event) => {
            if let Event::AccountDeleted { .. } = event {
                return Account::Deleted(Box::new(active.profile));
            }
            in_use(&mut active, fact);
            Account::Active(active)
        }
        (Account::Invited(invited), Event::AccountDeleted { .. }) => {
            Account::Deleted(Box::new(invited.profile))
        }
        (mut account, event) => {
            if let Some(profile) = account.profile_mut() {
                match event {
                    // Of an account that is deleted by now, too: the mailbox got it.
                    Event::MailSent { kind: MailKind::Activation, .. } => {
                        profile.activations.note_sent(fact.context.at);
                    }
                    event => of_profile(profile, event),
                }
            }
            account
        }
    }
}

fn created(fact: &Fact<Event>) -> Account {
    let Event::AccountCreated { company, role, language, email_hash, origin, activation_expires_at, person } =
        &fact.event
    else {
        return Account::Absent;
    };
    let mut activations = ActivationMails::default();
    activations.note_asked(fact.context.at, Asker::of(&fact.context.actor));
    Account::Invited(Box::new(Invited {
        profile: Profile {
            company: *company,
            role: *role,
            language: *language,
            email_hash: email_hash.clone(),
            origin: origin.clone(),
            person: person.clone(),
            erased: false,
            activations,
        },
        activation: Link { event: fact.id, expires_at: *activation_expires_at },
    }))
}

fn in_use(active: &mut Active, fact: &Fact<Event>) {
    let at = fact.context.at;
    match &fact.event {
        Event::LoginSucceeded { session, session_expires_at, device, on } => {
            logged_in(active, *device, *on, at);
            active.has_logged_in = true;
            // The one that it answered and any other: whoever else has the password begins anew.
            active.challenges.clear();
            active.sessions.retain(|session| at < session.expires_at);
            let (expires_at, device) = (*session_expires_at, *on);
            active.sessions.push(Session { id: *session, started_at: at, expires_at, device });
        }
        Event::LoginFailed { failures, device } => failed(active, *failures, *device, at),
        Event::SecondStepFailed { failures, codes, codes_locked_until, device } => {
            if *codes > 0 {
                let counted = active.wrong_codes_at(at).failed(*codes);
                active.count_codes(codes_locked_until.map_or(counted, |until| counted.locked(until.into())));
                // What has expired has set the codes to zero once, and must not do so again.
                active.lockout = active.lockout.settled(at);
            }
            failed(active, *failures, *device, at);
        }
        Event::AccountLocked { until, device, .. } => {
            match device.and_then(|device| active.device_mut(device)) {
                Some(device) => device.lockout = device.lockout.locked(*until),
                None => {
                    active.lockout = active.lockout.locked(*until);
                    active.locked_since = Some(at);
                }
            }
            active.challenges.retain(|challenge| challenge.from != *device);
        }
        Event::LockoutReleased { .. } => {
            active.forgive();
            active.count_codes(Lockout::default());
            active.devices.iter_mut().for_each(|device| device.lockout = Lockout::default());
        }
        Event::DeviceTrusted { device, expires_at, .. } => trusted(active, *device, *expires_at, fact),
        Event::DeviceForgotten { device, .. } => {
            active.devices.retain(|held| held.id != *device);
            active.challenges.retain(|challenge| challenge.from != Some(*device));
        }
        Event::PasswordResetRequested { expires_at } => {
            let at = fact.context.at;
            active.resets_asked = active.resets_asked_at(at).copied().chain([at]).collect();
            active.reset = Some(Link { event: fact.id, expires_at: *expires_at });
        }
        Event::PasswordReset { hash, .. } => {
            active.count_codes(active.wrong_codes_at(at));
            active.forgive();
            set_password(active, fact, hash);
        }
        Event::PasswordChanged { hash } => set_password(active, fact, hash),
        Event::PasswordRehashed { hash } => {
            active.credential = Credential { id: fact.id, hash: hash.clone() }
        }
        Event::SecondStepAsked { expires_at, device } => {
            let link = Link { event: fact.id, expires_at: *expires_at };
            active.challenged(Challenge { link, from: *device }, at);
        }
        Event::CodeAccepted { step } => {
            if let Some(second) = &mut active.second_step {
                second.used = second.used.max(*step);
            }
        }
        Event::RecoveryCodeUsed { number } => {
            if let Some(second) = &mut active.second_step {
                second.recovery.remove(number);
            }
        }
        Event::SecondStepProposed { expires_at, secret } => {
            let link = Link { event: fact.id, expires_at: *expires_at };
            active.proposal = Some(Box::new(Proposal { link, secret: secret.clone() }));
        }
        Event::SecondStepEnabled { proposal, step, recovery } => {
            let shown = active.proposal.take().filter(|shown| shown.link.event == *proposal);
            active.second_step = shown.map(|shown| {
                let recovery = numbered(recovery);
                Box::new(SecondStep {
                    id: *proposal,
                    secret: shown.secret,
                    used: *step,
                    recovery,
                    since: at,
                    wrong_codes: Lockout::default(),
                })
            });
        }
        Event::RecoveryCodesReplaced { recovery } => {
            if let Some(second) = &mut active.second_step {
                second.recovery = numbered(recovery);
            }
        }
        Event::SecondStepDisabled | Event::SecondStepReset { .. } => {
            active.second_step = None;
            active.challenges.clear();
        }
        Event::SessionEnded { session, .. } => active.sessions.retain(|held| held.id != *session),
        Event::SessionsEnded => {
            active.sessions.clear();
            active.challenges.clear();
        }
        other => of_profile(&mut active.profile, other),
    }
}

fn failed(active: &mut Active, failures: u32, device: Option<DeviceId>, at: Moment) {
    if let Some(device) = device.and_then(|device| active.device_mut(device)) {
        device.lockout = device.lockout.failed(failures);
        return;
    }
    active.count_codes(active.wrong_codes_at(at));
    active.lockout = active.lockout.failed(failures);
    active.last_failure_at = Some(at);
    active.locked_since = None;
}

/// A complete login sets to zero what its guesses would have counted on, and the count of the device that it is on.
fn logged_in(active: &mut Active, device: Option<DeviceId>, on: Option<DeviceId>, at: Moment) {
    let shown = device.and_then(|device| active.device_mut(device));
    let codes_counted_apart = shown.as_ref().is_none_or(|device| device.last_login_at.is_none());
    if shown.is_none() {
        active.forgive();
    }
    if codes_counted_apart {
        active.count_codes(Lockout::default());
    }
    if let Some(device) = on.and_then(|device| active.device_mut(device)) {
        device.lockout = Lockout::default();
        device.last_login_at = Some(at);
    }
}

fn trusted(active: &mut Active, id: DeviceId, expires_at: Moment, fact: &Fact<Event>) {
    let (at, client) = (fact.context.at, fact.context.client.clone());
    active.devices.retain(|device| device.id == id || at < device.expires_at);
    if active.device_mut(id).is_none() {
        let lockout = Lockout::default();
        active.devices.push(Device { id, since: at, expires_at, last_login_at: None, client: None, lockout });
    }
    let Some(device) = active.device_mut(id) else { return };
    device.expires_at = expires_at;
    device.client = client;
}

impl Active {
    fn device_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id)
    }
}

/// Codes that were erased are as good as used: nobody knows them.
fn numbered(recovery: &Erasable<Vec<RecoveryHash>>) -> BTreeMap<u32, Erasable<RecoveryHash>> {
    let known = recovery.known().into_iter().flatten();
    (1..).zip(known).map(|(number, hash)| (number, Erasable::Known(hash.clone()))).collect()
}

/// A new password voids the reset link that may be on its way, and whoever set it may ask for more.
fn set_password(active: &mut Active, fact: &Fact<Event>, hash: &Erasable<PasswordHash>) {
    let new = Credential { id: fact.id, hash: hash.clone() };
    let replaced = std::mem::replace(&mut active.credential, new);
    active.former = std::mem::take(&mut active.former).after(replaced.hash);
    active.reset = None;
    active.resets_asked.clear();
    active.challenges.clear();
}

fn of_profile(profile: &mut Profile, event: &Event) {
    match event {
        Event::AccountConverted { to } | Event::RoleChanged { to } => profile.role = (*to).into(),
        Event::AccountMoved { company, role, .. } => {
            profile.company = *company;
            profile.role = *role;
        }
        Event::AccountErased => {
            profile.erased = true;
            profile.person = Erasable::Erased;
        }
        _ => {}
    }
}
