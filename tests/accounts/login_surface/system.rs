//! The real use cases over the memory store, and the tokens that they gave out: what the steps of a story are done to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::Moment;
use loquet_domain::account::{Account, Admission, Authority, Refusal, SessionEnd};
use loquet_domain::app::{App, Authenticated, Credentials, Failure, Login, Owner};
use loquet_domain::fact::{Actor, Client, Context};
use loquet_domain::ids::{AccountId, CorrelationId, DeviceId, EventId, SessionId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::ports::{ChallengeClaims, Identities, LinkClaims, Purpose, Tokens};
use loquet_domain::values::one_time_code::{OneTimeCode, TotpSecret};
use loquet_domain::values::password::Password;
use loquet_memory::event_store::MemoryStore;
use loquet_tests::kit::{Node, email_address, minute, password};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::audit::{self, Audit, Fact};
use super::model::{Code, From, Model, Role, Said, Stage, Start, Step, Transition, Typed, newest};

const EMAIL: &str = "marie@example.be";
const COLLEAGUE: &str = "paul@example.be";

/// The number of each story's order.
static ORDERS: AtomicU32 = AtomicU32::new(2);
/// The keys of every story, and who has them open: each story has a log of its own.
static KEYS: LazyLock<(TempDir, Node)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::new(Arc::new(MemoryStore::default()), folder.path());
    (folder, node)
});

pub(crate) struct System {
    /// None once two codes of one window were the same by chance: what a code is of can't be told then.
    real: Option<Real>,
    runtime: Runtime,
}

struct Real {
    node: Node,
    store: MemoryStore,
    account: AccountId,
    /// What a device of another account shows.
    foreign_device: String,
    now: i64,
    /// So many passwords were chosen so far.
    passwords: usize,
    history: Vec<Fact>,
    activation_links: Vec<String>,
    reset_links: Vec<String>,
    sessions: Vec<String>,
    challenges: Vec<String>,
    devices: Vec<String>,
    proposed: Option<TotpSecret>,
    enrolled: Option<TotpSecret>,
    recovery: Vec<Vec<String>>,
}

/// Two codes of one window are the same.
struct SameByChance;

type Answer = Result<Said, SameByChance>;

impl System {
    #[track_caller]
    pub(crate) fn start(start: Start) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let real = runtime.block_on(Real::start());
        let told = Self { real: Some(real), runtime };
        start.steps().into_iter().fold(told, |told, step| told.after(&Transition { times: 1, step }).0)
    }

    /// What it answers, each time; nothing where the story can't be told any further.
    pub(crate) fn after(mut self, transition: &Transition) -> (Self, Option<Vec<Said>>) {
        let Some(mut real) = self.real.take() else { return (self, None) };
        let said = self.runtime.block_on(async {
            let mut said = Vec::new();
            for _ in 0..transition.times {
                said.push(real.take(transition.step).await.ok()?);
            }
            Some(said)
        });
        self.real = said.is_some().then_some(real);
        (self, said)
    }

    #[track_caller]
    pub(crate) fn agrees_with(&mut self, model: &Model) {
        let Some(real) = &mut self.real else { return };
        self.runtime.block_on(async {
            let held = real.held(&real.node).await;
            let history = real.read_on(&held).await;
            assert_eq!(held, audit::folded(history), "what is in memory is not what the log says");
            Audit::of(history).check(&held);
            agree_on_counts(&held, model, real.now());
            real.node.app.note_time(real.now());
            real.agrees_on_sessions(&real.node.app, model.sessions().collect()).await;
        });
    }

    /// And a node that opens the key store anew says so too.
    #[track_caller]
    pub(crate) fn ends_as(&self, model: &Model) {
        let Some(real) = &self.real else { return };
        self.runtime.block_on(async {
            let other = Node::new(Arc::new(real.store.clone()), KEYS.0.path());
            assert_eq!(real.held(&other).await, real.held(&real.node).await);
            agree_on_counts(&real.held(&other).await, model, real.now());
            real.agrees_on_sessions(&other.app, model.sessions_elsewhere().collect()).await;
        });
    }
}

/// Counts, locks, devices and challenges.
#[track_caller]
fn agree_on_counts(held: &Account, model: &Model, now: Moment) {
    let stage = match held {
        Account::Absent => panic!("it was never created"),
        Account::Invited(_) => Stage::Invited,
        Account::Active(_) => Stage::Active,
        Account::Deleted(_) => Stage::Deleted,
    };
    assert_eq!(stage, model.stage);
    let Some(active) = held.active() else { return };
    let until = |end: Option<LockEnd>| end.map(seconds_until);
    assert_eq!(active.lockout.failures_at(now), model.account.wrong(model.now), "wrong guesses");
    assert_eq!(active.lockout.codes_at(now), model.account.codes(model.now), "wrong codes");
    assert_eq!(until(active.locked_for(None, now)), model.account.locked(model.now));
    assert_eq!(active.second_step.is_some(), model.has_second_step());
    let devices = active.devices.iter().map(|device| {
        let count = (device.lockout.failures_at(now), until(device.lockout.locked_until(now)));
        (seconds(device.expires_at), count)
    });
    let told = model
        .devices
        .iter()
        .map(|device| (device.until, (device.count.wrong(model.now), device.count.locked(model.now))));
    assert_eq!(devices.collect::<Vec<_>>(), told.collect::<Vec<_>>(), "devices and what counts on each");
    let open = active.challenges.iter().filter(|challenge| challenge.link.holds(now)).count();
    assert_eq!(open, model.challenges().filter(|open| *open).count(), "open challenges");
}

fn seconds(moment: Moment) -> i64 {
    (moment - minute(0)).num_seconds()
}

#[track_caller]
fn seconds_until(end: LockEnd) -> i64 {
    seconds(end.moment().expect("without a cap every lockout ends by itself"))
}

fn context(at: Moment, client: Option<String>) -> Context {
    Context {
        at,
        actor: Actor::Anonymous,
        correlation: CorrelationId(RandomIdentities.fresh()),
        causation: None,
        client: client.map(|agent| Client { address: None, agent: Some(agent) }),
        reason: None,
    }
}

/// The so-many-th from the newest; beyond the oldest, something that nobody was given.
#[track_caller]
fn shown(given: &[String], back: usize) -> &str {
    newest(back, given.len()).map_or("AAAA", |n| &given[n])
}

fn admission(to: Role) -> Admission {
    match to {
        Role::User => Admission::User,
        Role::Administrator | Role::Waiting => Admission::Administrator,
    }
}

#[track_caller]
fn done<T>(result: Result<T, Failure>) -> Said {
    match result {
        Ok(_) => Said::Done,
        Err(Failure::Refused(Refusal::Locked { until })) => Said::Locked { until: seconds_until(until) },
        Err(Failure::Refused(Refusal::EnoughActivationMails { again_at })) => {
            Said::EnoughMails { again: seconds(again_at) }
        }
        Err(Failure::Refused(refusal)) => Said::No(refusal),
        Err(Failure::Link(refused)) => Said::Link(refused),
        Err(Failure::WrongPassword) => Said::WrongPassword,
        Err(Failure::WrongCode) => Said::WrongCode,
        Err(other) => panic!("{other:?}"),
    }
}

impl Real {
    async fn start() -> Self {
        let store = MemoryStore::default();
        let node = KEYS.1.beside(Arc::new(store.clone()));
        // A colleague who stays, so that the company's last administrator never goes.
        node.active(1, COLLEAGUE).await;
        // Ids follow from the order's number, and nothing is sealed again for whoever was erased.
        let order = node.order(ORDERS.fetch_add(1, Ordering::Relaxed), 1, EMAIL);
        let placed = node.app.place_order(&context(minute(0), None), order).await.unwrap();
        let account = placed.onboarded.account;
        let (email, password) = (email_address(COLLEAGUE), password(loquet_tests::kit::PASSWORD));
        let of_colleague = Credentials { email, password, second: None, devices: Vec::new() };
        let known = context(minute(0), Some("colleague/1".to_owned()));
        let entered = node.app.log_in(&known, of_colleague).await.unwrap();
        let Login::Succeeded { device: Some(device), .. } = entered else { panic!("no device") };
        let activation_links = vec![node.activation_token(account).await];
        Self {
            node,
            store,
            account,
            foreign_device: device.token,
            now: 0,
            passwords: 0,
            history: Vec::new(),
            activation_links,
            reset_links: Vec::new(),
            sessions: Vec::new(),
            challenges: Vec::new(),
            devices: Vec::new(),
            proposed: None,
            enrolled: None,
            recovery: Vec::new(),
        }
    }

    async fn held(&self, node: &Node) -> Account {
        node.app.account(self.account).await.unwrap()
    }

    /// The account's events so far. Those of an erased person are read anew: their sealed parts are gone.
    async fn read_on(&mut self, held: &Account) -> &[Fact] {
        if held.profile().is_some_and(|profile| profile.erased) {
            self.history.clear();
        }
        let read = audit::history(&self.store, &self.node, self.account, self.history.len()).await;
        self.history.extend(read);
        &self.history
    }

    async fn agrees_on_sessions(&self, app: &App, told: Vec<bool>) {
        let mut speaks = Vec::new();
        for session in &self.sessions {
            let who = app.authenticate(self.now(), session).await.unwrap();
            assert!(who.as_ref().is_none_or(|who| who.account == self.account));
            speaks.push(who.is_some());
        }
        assert_eq!(speaks, told, "sessions that speak, oldest first");
        for challenge in &self.challenges {
            let session = app.authenticate(self.now(), challenge).await.unwrap();
            assert_eq!(session, None, "a challenge authorises nothing");
        }
    }

    fn now(&self) -> Moment {
        minute(0) + chrono::TimeDelta::seconds(self.now)
    }

    fn context(&self) -> Context {
        context(self.now(), None)
    }

    fn client(&self, from: From) -> Context {
        let agent = match from {
            From::Unknown => None,
            From::Machine(n) => Some(format!("machine/{n}")),
            From::Device(_) => Some("machine/9".to_owned()),
            From::Foreign => Some("machine/0".to_owned()),
        };
        context(self.now(), agent)
    }

    fn devices(&self, from: From) -> Vec<String> {
        match from {
            From::Unknown | From::Machine(_) => Vec::new(),
            From::Device(back) => vec![shown(&self.devices, back).to_owned()],
            From::Foreign => vec![self.foreign_device.clone()],
        }
    }

    fn typed(&self, typed: Typed) -> Password {
        password(&match typed {
            Typed::Right => format!("Boulange{}!", self.passwords),
            Typed::Former => format!("Boulange{}!", self.passwords.wrapping_sub(1)),
            Typed::Wrong => "Croissant1!".to_owned(),
        })
    }

    fn next_password(&self) -> Password {
        password(&format!("Boulange{}!", self.passwords + 1))
    }

    #[track_caller]
    fn code(&self, secret: Option<&TotpSecret>, code: Code) -> Result<OneTimeCode, SameByChance> {
        let Code::Recovery { lists_ago, number } = code else {
            return self.of_app(secret, code).map(OneTimeCode::Totp);
        };
        let list = newest(lists_ago, self.recovery.len());
        let nobodys = "0000-0000-0000-0000".to_owned();
        Ok(OneTimeCode::Recovery(list.map_or(nobodys, |n| self.recovery[n][number].clone())))
    }

    #[track_caller]
    fn of_app(&self, secret: Option<&TotpSecret>, code: Code) -> Result<String, SameByChance> {
        let Some(secret) = secret else { return Ok("123456".to_owned()) };
        let app: totp_rs::Totp =
            totp_rs::Builder::new().with_secret(secret.expose().to_vec()).build().expect("a secret");
        let at =
            |off: i64| app.generate(u64::try_from(self.now().timestamp() + off * 30).unwrap()).to_string();
        let window: Vec<_> = (-2..=2).map(at).collect();
        if window.iter().enumerate().any(|(n, code)| window[..n].contains(code)) {
            return Err(SameByChance);
        }
        Ok(match code {
            Code::App(off) => at(off),
            _ => (0..9).map(|n| format!("00000{n}")).find(|wrong| !window.contains(wrong)).unwrap(),
        })
    }

    async fn speaks(&self, back: usize) -> Option<Authenticated> {
        self.node.app.authenticate(self.now(), shown(&self.sessions, back)).await.unwrap()
    }

    #[track_caller]
    fn logged_in(&mut self, login: Login) -> Said {
        match login {
            Login::Succeeded { account, session_token, expires_at, device, .. } => {
                assert_eq!(account, self.account, "somebody else's session");
                self.sessions.push(session_token);
                let device_until = device.as_ref().map(|device| seconds(device.expires_at));
                self.devices.extend(device.map(|device| device.token));
                Said::In { until: seconds(expires_at), device_until }
            }
            Login::SecondStep { challenge, expires_at } => {
                self.challenges.push(challenge);
                Said::Challenge { until: seconds(expires_at) }
            }
            Login::WrongCode => Said::WrongCode,
            Login::ChallengeVoid => Said::ChallengeVoid,
            Login::Refused => Said::Refused,
            Login::AwaitingConversion => Said::AwaitingConversion,
            Login::Locked { until } => Said::Locked { until: seconds_until(until) },
        }
    }

    async fn take(&mut self, step: Step) -> Answer {
        match step {
            Step::Wait(seconds) => self.now += seconds,
            Step::LogIn { .. } | Step::Answer { .. } => return self.acquire(step).await,
            Step::AskReset | Step::OpenReset { .. } | Step::FollowReset { .. } => {
                return Ok(self.reset(step).await);
            }
            Step::Activate { .. } | Step::SendActivation => return Ok(self.activation(step).await),
            Step::LogOut { session } => return Ok(self.log_out(session).await),
            Step::ChangePassword { by, .. }
            | Step::Propose { by, .. }
            | Step::Confirm { by, .. }
            | Step::Disable { by, .. }
            | Step::ReplaceRecovery { by, .. } => {
                let Some(who) = self.speaks(by.session).await else { return Ok(Said::Unauthenticated) };
                let owner = self.node.app.owner(self.now(), who.account, who.session, &self.devices(by.from));
                return self.own(step, owner).await;
            }
            _ => return Ok(self.support(step).await),
        }
        Ok(Said::Done)
    }

    async fn acquire(&mut self, step: Step) -> Answer {
        let app = self.node.app.clone();
        let enrolled = self.enrolled.as_ref();
        let login = match step {
            Step::LogIn { from, password, code } => {
                let second = code.map(|code| self.code(enrolled, code)).transpose()?;
                let (email, password) = (email_address(EMAIL), self.typed(password));
                let credentials = Credentials { email, password, second, devices: self.devices(from) };
                app.log_in(&self.client(from), credentials).await
            }
            Step::Answer { from, challenge, code } => {
                let code = self.code(enrolled, code)?;
                let given = newest(challenge, self.challenges.len());
                let challenge =
                    given.map_or_else(|| self.nobodys_challenge(), |n| self.challenges[n].clone());
                app.answer_challenge(&self.client(from), &challenge, code).await
            }
            _ => unreachable!(),
        };
        Ok(self.logged_in(login.unwrap()))
    }

    /// Signed by this server for this account; but that challenge was never given.
    fn nobodys_challenge(&self) -> String {
        let (account, event) = (self.account, EventId(RandomIdentities.fresh()));
        let expires_at = self.now() + chrono::TimeDelta::minutes(5);
        self.node.tokens.challenge(&ChallengeClaims { account, event, expires_at })
    }

    async fn reset(&mut self, step: Step) -> Said {
        let app = self.node.app.clone();
        match step {
            Step::AskReset => {
                let asked = app.request_password_reset(&self.context(), &email_address(EMAIL)).await;
                asked.unwrap();
                let held = self.held(&self.node).await;
                let link = held.active().and_then(|active| active.reset).map(|link| {
                    let (purpose, account) = (Purpose::PasswordReset, self.account);
                    let (event, expires_at) = (link.event, link.expires_at);
                    self.node.tokens.link(&LinkClaims { purpose, account, event, expires_at })
                });
                self.reset_links.extend(link.filter(|link| self.reset_links.last() != Some(link)));
                Said::Done
            }
            Step::OpenReset { link, from } => {
                let (link, devices) = (shown(&self.reset_links, link), self.devices(from));
                match app.open_reset_link(&self.client(from), link, &devices).await {
                    Ok(given) => {
                        let device_until = given.as_ref().map(|device| seconds(device.expires_at));
                        self.devices.extend(given.map(|device| device.token));
                        Said::Opened { device_until }
                    }
                    refused => done(refused),
                }
            }
            Step::FollowReset { link } => {
                let (link, new) = (shown(&self.reset_links, link), self.next_password());
                let chosen = done(app.reset_password(&self.context(), link, new).await);
                self.passwords += usize::from(chosen == Said::Done);
                chosen
            }
            _ => unreachable!(),
        }
    }

    async fn activation(&mut self, step: Step) -> Said {
        let app = self.node.app.clone();
        if let Step::Activate { link } = step {
            let (link, new) = (shown(&self.activation_links, link), self.next_password());
            let chosen = done(app.activate(&self.context(), link, new).await);
            self.passwords += usize::from(chosen == Said::Done);
            return chosen;
        }
        let sent = app.request_activation(&self.context(), Authority::Supplier, self.account).await;
        if sent.is_ok() {
            self.activation_links.push(self.node.activation_token(self.account).await);
        }
        done(sent)
    }

    async fn log_out(&mut self, session: usize) -> Said {
        let Some(who) = self.speaks(session).await else { return Said::Unauthenticated };
        let reason = SessionEnd::LoggedOut;
        done(self.node.app.end_session(&self.context(), who.account, who.session, reason).await)
    }

    async fn own(&mut self, step: Step, owner: Owner) -> Answer {
        let (app, context) = (self.node.app.clone(), self.context());
        Ok(match step {
            Step::ChangePassword { password, .. } => {
                let (current, new) = (self.typed(password), self.next_password());
                let changed = done(app.change_password(&context, owner, current, new).await);
                self.passwords += usize::from(changed == Said::Done);
                changed
            }
            Step::Propose { password, .. } => {
                let shown = app.propose_second_step(&context, owner, self.typed(password)).await;
                if let Ok(shown) = &shown {
                    self.proposed = Some(shown.secret.clone());
                }
                done(shown)
            }
            Step::Confirm { code, .. } => {
                let code = match code {
                    Code::Recovery { .. } => Code::Wrong,
                    other => other,
                };
                let code = self.of_app(self.proposed.as_ref(), code)?;
                let on = app.confirm_second_step(&context, owner, &code).await;
                if let Ok((recovery, _)) = &on {
                    self.recovery.push(recovery.clone());
                    self.enrolled = self.proposed.take();
                }
                done(on)
            }
            Step::Disable { password, code, .. } => {
                let code = self.code(self.enrolled.as_ref(), code)?;
                done(app.disable_second_step(&context, owner, self.typed(password), code).await)
            }
            Step::ReplaceRecovery { password, code, .. } => {
                let code = self.code(self.enrolled.as_ref(), code)?;
                let shown = app.replace_recovery_codes(&context, owner, self.typed(password), code).await;
                self.recovery.extend(shown.as_ref().ok().map(|(recovery, _)| recovery.clone()));
                done(shown)
            }
            other => unreachable!("{other:?} is not an owner's"),
        })
    }

    async fn support(&mut self, step: Step) -> Said {
        let (app, context, account) = (self.node.app.clone(), self.context(), self.account);
        let supplier = Authority::Supplier;
        done(match step {
            Step::RevokeSession { session } => {
                let given = self.node.tokens.read_session(shown(&self.sessions, session));
                let nobodys = SessionId(RandomIdentities.fresh());
                let session = given.map_or(nobodys, |claims| claims.session);
                app.end_session(&context, account, session, SessionEnd::Revoked).await
            }
            Step::ForgetDevice { device } => {
                let given = self.node.tokens.read_device(shown(&self.devices, device));
                let device = given.map_or(DeviceId(RandomIdentities.fresh()), |claims| claims.device);
                app.forget_devices(&context, account, Some(device)).await
            }
            Step::ForgetDevices => app.forget_devices(&context, account, None).await,
            Step::EndSessions => app.end_sessions(&context, account).await,
            Step::Release => app.release(&context, account, "called back").await,
            Step::LoseSecond => app.reset_second_step(&context, account, "called back").await,
            Step::Convert(to) => app.convert(&context, supplier, account, admission(to)).await,
            Step::ChangeRole(to) => app.change_role(&context, supplier, account, admission(to)).await,
            Step::Delete => app.delete_account(&context, supplier, account, "left").await,
            Step::Erase => app.erase_account(&context, account, "asked to").await,
            other => unreachable!("{other:?} is not support's"),
        })
    }
}
