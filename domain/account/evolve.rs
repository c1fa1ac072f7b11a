//! How each event changes an account. Every event is accepted in every stage: one that means nothing in a stage
//! changes nothing (law 8). So a history that was once written can always be read.

use std::collections::BTreeMap;

use crate::Moment;
use crate::account::activation::{ActivationMails, Asker};
use crate::account::device::Device;
use crate::account::event::{Counts, DeviceOrigin, Event, Rows};
use crate::account::link::Link;
use crate::account::second_step::{Proposal, SecondStep};
use crate::account::state::{Account, Active, Challenge, Credential, Invited, Profile, Session};
use crate::fact::{Actor, Fact};
use crate::ids::DeviceId;
use crate::policies::lockout::Lockout;
use crate::policies::password_history::PasswordHistory;
use crate::values::erasable::Erasable;
use crate::values::mail_kind::MailKind;
use crate::values::one_time_code::RecoveryHash;
use crate::values::password::PasswordHash;

/// The account after one more event.
#[must_use]
pub fn evolve(account: Account, fact: &Fact<Event>) -> Account {
    match (account, &fact.event) {
        (Account::Absent, Event::AccountCreated { .. }) => created(fact),
        (Account::Invited(invited), Event::ActivationRequested { expires_at }) => {
            let activation = Link { event: fact.id, since: fact.context.at, expires_at: *expires_at };
            let mut invited = Invited { activation, ..*invited };
            invited.profile.activations.note_asked(fact.context.at, Asker::of(&fact.context.actor));
            Account::Invited(Box::new(invited))
        }
        (Account::Invited(invited), Event::AccountActivated { hash, .. }) => {
            Account::Active(Box::new(Active {
                // Somebody who follows the link wanted the mail, so the mails before no longer count.
                profile: Profile { activations: ActivationMails::default(), ..invited.profile },
                credential: Credential { id: fact.id, hash: hash.clone() },
                former: PasswordHistory::default(),
                lockout: Lockout::default(),
                has_logged_in: false,
                devices: Vec::new(),
                devices_added: Vec::new(),
                last_failure_at: None,
                locked_since: None,
                reset: None,
                resets_asked: Vec::new(),
                sessions: Vec::new(),
                second_step: None,
                proposal: None,
                challenges: Vec::new(),
                code_asked_at: None,
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
                    // This includes an account that has been deleted since: its mailbox got the mail.
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
        activation: Link { event: fact.id, since: fact.context.at, expires_at: *activation_expires_at },
    }))
}

#[expect(clippy::too_many_lines, reason = "one match over every event of an account in use")]
fn in_use(active: &mut Active, fact: &Fact<Event>) {
    let at = fact.context.at;
    match &fact.event {
        Event::LoginSucceeded { session, session_expires_at, cleared, on } => {
            logged_in(active, *cleared, *on, at);
            active.has_logged_in = true;
            // This ends the answered challenge and all others. Anybody else who has the password must log in again.
            active.challenges.clear();
            active.code_asked_at = None;
            active.sessions.retain(|session| at < session.expires_at);
            let (expires_at, device) = (*session_expires_at, *on);
            active.sessions.push(Session { id: *session, started_at: at, expires_at, device });
        }
        Event::LoginFailed { failures } => failed(active, failures, &Counts::default(), at),
        Event::SecondStepFailed { failures, codes } => failed(active, failures, codes, at),
        Event::AccountLocked { until, rows, .. } => {
            if rows.has_account() {
                active.lockout = active.lockout.locked(*until);
                active.locked_since = Some(at);
            }
            if let Some(device) = rows.device().and_then(|device| active.device_mut(device)) {
                device.lockout = device.lockout.locked(*until);
            }
            active.challenges.retain(|challenge| match challenge.from {
                None => !rows.has_account(),
                from => rows.device() != from,
            });
        }
        Event::LockoutReleased { .. } => {
            active.forgive();
            active.devices.iter_mut().for_each(|device| device.lockout = Lockout::default());
        }
        Event::DeviceTrusted { device, expires_at, by } => trusted(active, *device, (*expires_at, *by), fact),
        Event::DeviceForgotten { device, .. } => {
            active.devices.retain(|held| held.id != *device);
            active.challenges.retain(|challenge| challenge.from != Some(*device));
        }
        Event::PasswordResetRequested { expires_at } => {
            let at = fact.context.at;
            // The mails that support sends do not use up what the owner may request.
            if matches!(fact.context.actor, Actor::Anonymous | Actor::Account { .. }) {
                active.resets_asked = active.resets_asked_at(at).copied().chain([at]).collect();
            }
            active.reset = Some(Link { event: fact.id, since: fact.context.at, expires_at: *expires_at });
        }
        Event::PasswordReset { hash, .. } => {
            let codes_alone = active.lockout.after_reset(at);
            active.forgive();
            active.lockout = codes_alone;
            for device in &mut active.devices {
                device.lockout = device.lockout.after_reset(at);
            }
            set_password(active, fact, hash);
        }
        Event::PasswordChanged { hash } => {
            // Somebody who knows the old password may request reset mails again. Somebody who followed a link may
            // not, because each reset mail gives one more guess at a code.
            active.resets_asked.clear();
            set_password(active, fact, hash);
        }
        Event::PasswordRehashed { hash } => {
            active.credential = Credential { id: fact.id, hash: hash.clone() }
        }
        Event::SecondStepAsked { expires_at, device } => {
            let link = Link { event: fact.id, since: fact.context.at, expires_at: *expires_at };
            active.code_asked_at = Some(at);
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
            let link = Link { event: fact.id, since: fact.context.at, expires_at: *expires_at };
            active.proposal = Some(Box::new(Proposal { link, secret: secret.clone() }));
        }
        Event::SecondStepEnabled { proposal, step, recovery } => {
            let shown = active.proposal.take().filter(|shown| shown.link.event == *proposal);
            active.second_step = shown.map(|shown| {
                let recovery = numbered(recovery);
                Box::new(SecondStep { id: *proposal, secret: shown.secret, used: *step, recovery, since: at })
            });
            active.forget_codes();
        }
        Event::RecoveryCodesReplaced { recovery } => {
            if let Some(second) = &mut active.second_step {
                second.recovery = numbered(recovery);
            }
        }
        Event::SecondStepDisabled | Event::SecondStepReset { .. } => {
            active.second_step = None;
            active.challenges.clear();
            active.code_asked_at = None;
            active.forget_codes();
        }
        Event::SessionEnded { session, .. } => active.sessions.retain(|held| held.id != *session),
        Event::SessionsEnded => {
            active.sessions.clear();
            active.challenges.clear();
        }
        other => of_profile(&mut active.profile, other),
    }
}

/// Sets the rows to the counts in the event.
fn failed(active: &mut Active, failures: &Counts, codes: &Counts, at: Moment) {
    let settled = active.lockout.settled(at);
    let wrong_codes = codes.account.unwrap_or(settled.codes_at(at));
    match failures.account {
        Some(failures) => {
            active.lockout = settled.failed(at, failures, wrong_codes);
            active.last_failure_at = Some(at);
            active.locked_since = active.locked_since.filter(|_| settled.locked_until(at).is_some());
        }
        None => active.lockout = settled.with_codes(at, wrong_codes),
    }
    let Some(counted) = failures.device else { return };
    if let Some(device) = active.device_mut(counted.device) {
        let codes = codes.device.map_or(device.lockout.codes_at(at), |codes| codes.count);
        device.lockout = device.lockout.failed(at, counted.count, codes);
    }
}

/// Sets the account's count to zero, and the count of the device that the login came from. Does not end a lockout of
/// the account. Other devices keep their counts, which say how many wrong guesses in a row came from each.
fn logged_in(active: &mut Active, cleared: Rows, on: Option<DeviceId>, at: Moment) {
    if cleared.has_account() {
        active.lockout = active.lockout.after_login(at);
        active.last_failure_at = None;
        active.locked_since = active.locked_since.filter(|_| active.lockout.locked_until(at).is_some());
    }
    if let Some(device) = cleared.device().and_then(|device| active.device_mut(device)) {
        device.lockout = Lockout::default();
    }
    if let Some(device) = on.and_then(|device| active.device_mut(device)) {
        device.lockout = Lockout::default();
        device.last_login_at = Some(at);
    }
}

fn trusted(active: &mut Active, id: DeviceId, (expires_at, by): (Moment, DeviceOrigin), fact: &Fact<Event>) {
    let (at, client) = (fact.context.at, fact.context.client.clone());
    active.devices.retain(|device| device.id == id || at < device.expires_at);
    if active.device_mut(id).is_none() {
        // A mail scanner opens reset links too. So a device trusted through a link does not use up the number that
        // logins may add in a day.
        if matches!(by, DeviceOrigin::FirstLogin | DeviceOrigin::Login) {
            active.devices_added = active.devices_added_at(at).copied().chain([at]).collect();
        }
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

    /// Sets the wrong codes to zero: they belong to another second step.
    fn forget_codes(&mut self) {
        self.lockout = self.lockout.without_codes();
        for device in &mut self.devices {
            device.lockout = device.lockout.without_codes();
        }
    }
}

/// The recovery codes by number. Erased codes count as used, because nobody knows them.
fn numbered(recovery: &Erasable<Vec<RecoveryHash>>) -> BTreeMap<u32, Erasable<RecoveryHash>> {
    let known = recovery.known().into_iter().flatten();
    (1..).zip(known).map(|(number, hash)| (number, Erasable::Known(hash.clone()))).collect()
}

/// Sets a new password. This voids a reset link that is still in the mail. Reset mails may be requested again.
fn set_password(active: &mut Active, fact: &Fact<Event>, hash: &Erasable<PasswordHash>) {
    let new = Credential { id: fact.id, hash: hash.clone() };
    let replaced = std::mem::replace(&mut active.credential, new);
    active.former = std::mem::take(&mut active.former).after(replaced.hash);
    active.reset = None;
    active.challenges.clear();
}

fn of_profile(profile: &mut Profile, event: &Event) {
    match event {
        Event::AccountConverted { to } | Event::RoleChanged { to } => profile.role = (*to).into(),
        Event::AccountMoved { company, role, .. } => {
            profile.company = *company;
            profile.role = *role;
        }
        Event::ProfileChanged { language, person } => {
            profile.language = *language;
            profile.person = person.clone();
        }
        Event::AccountErased => {
            profile.erased = true;
            profile.person = Erasable::Erased;
        }
        _ => {}
    }
}
