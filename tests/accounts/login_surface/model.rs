//! What the login surface must answer, told naively: numbers, lists and one clock; no event, no hash, no key.

use std::collections::BTreeSet;
use std::fmt;

use loquet_domain::account::Refusal;
use loquet_domain::app::LinkRefused;

const GUESSES: u32 = 7;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LOCKOUT: i64 = 15 * MINUTE;
const SESSION: i64 = 12 * HOUR;
const IDLE: i64 = 2 * HOUR;
const CHALLENGE: i64 = 5 * MINUTE;
const ENROLMENT: i64 = 15 * MINUTE;
const ACTIVATION_LINK: i64 = 90 * DAY;
const RESET_LINK: i64 = HOUR;
const RESETS_AN_HOUR: usize = 5;
const ACTIVATION_MAILS_AN_HOUR: usize = 5;
const TRUST: i64 = 180 * DAY;
const MOST_A_DAY: usize = 10;
const TRUST_FOR_RESET: i64 = DAY;
/// The client that shows a device's token, wherever that was given.
const ROAMING: u8 = 9;

/// Where a story begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// An order has named the contact: to be converted, and to be activated.
    Ordered,
    Active,
    WithSecondStep,
}

impl Start {
    pub(crate) fn steps(self) -> Vec<Step> {
        let from = From::Machine(0);
        let (by, password) = (By { session: 0, from }, Typed::Right);
        let active = [Step::Convert(Role::Administrator), Step::Activate { link: 0 }];
        let on = [
            Step::LogIn { from, password, code: None },
            Step::Propose { by, password },
            Step::Confirm { by, code: Code::App(0) },
            Step::Wait(MINUTE),
        ];
        match self {
            Self::Ordered => Vec::new(),
            Self::Active => active.to_vec(),
            Self::WithSecondStep => active.into_iter().chain(on).collect(),
        }
    }
}

/// From where somebody logs in. What is numbered counts from the newest; beyond the oldest, nothing real is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// Nothing is known of it.
    Unknown,
    Machine(u8),
    /// It shows this device's token, forgotten or out of time as it may be.
    Device(usize),
    /// It shows a device of another account.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Right,
    /// The one before: no password here is chosen twice.
    Former,
    Wrong,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Code {
    /// Of the app, for so many steps of 30 s from now.
    App(i64),
    Wrong,
    /// So many lists of recovery codes ago, this one.
    Recovery {
        lists_ago: usize,
        number: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Waiting,
    Administrator,
    User,
}

/// In which session an owner acts, and what device the request shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) session: usize,
    pub(crate) from: From,
}

/// What somebody does. Sessions, challenges, links and devices are counted from the newest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    LogIn { from: From, password: Typed, code: Option<Code> },
    Answer { from: From, challenge: usize, code: Code },
    Wait(i64),
    AskReset,
    OpenReset { link: usize, from: From },
    FollowReset { link: usize },
    ChangePassword { by: By, password: Typed },
    Propose { by: By, password: Typed },
    Confirm { by: By, code: Code },
    Disable { by: By, password: Typed, code: Code },
    ReplaceRecovery { by: By, password: Typed, code: Code },
    LogOut { session: usize },
    ForgetDevice { device: usize },
    ForgetDevices,
    RevokeSession { session: usize },
    EndSessions,
    Release,
    LoseSecond,
    Activate { link: usize },
    SendActivation,
    Convert(Role),
    ChangeRole(Role),
    Delete,
    Erase,
}

/// A step, and how often it is taken in a row.
#[derive(Clone, Copy)]
pub(crate) struct Transition {
    pub(crate) times: u8,
    pub(crate) step: Step,
}

impl fmt::Debug for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            1 => write!(f, "{:?}", self.step),
            times => write!(f, "{times} × {:?}", self.step),
        }
    }
}

/// What is answered. Moments are seconds since the story began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    In {
        until: i64,
        device_until: Option<i64>,
    },
    Challenge {
        until: i64,
    },
    Refused,
    WrongCode,
    ChallengeVoid,
    AwaitingConversion,
    Locked {
        until: i64,
    },
    /// No further activation mail before this.
    EnoughMails {
        again: i64,
    },
    WrongPassword,
    Unauthenticated,
    Link(LinkRefused),
    Opened {
        device_until: Option<i64>,
    },
    Done,
    No(Refusal),
}

/// Wrong guesses in a row, the wrong codes that no reset forgives, and the lockout that they led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    wrong: u32,
    codes: u32,
    until: Option<i64>,
}

/// What was wrong about a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Password,
    Code,
}

impl Count {
    pub(crate) fn locked(self, now: i64) -> Option<i64> {
        self.until.filter(|until| now < *until)
    }

    pub(crate) fn wrong(self, now: i64) -> u32 {
        self.settled(now).wrong
    }

    pub(crate) fn codes(self, now: i64) -> u32 {
        self.settled(now).codes
    }

    /// A lockout that is over takes with it what led to it.
    fn settled(self, now: i64) -> Self {
        if self.until.is_some_and(|until| now >= until) { Self::default() } else { self }
    }

    /// One more. Gives whether a lockout begins: one that is running is not lengthened.
    fn one_more(&mut self, now: i64, wrong: Wrong) -> bool {
        *self = self.settled(now);
        self.wrong += 1;
        self.codes += u32::from(wrong == Wrong::Code);
        let enough = self.wrong >= GUESSES || (wrong == Wrong::Code && self.codes >= GUESSES);
        let begins = enough && self.until.is_none();
        if begins {
            self.until = Some(now + LOCKOUT);
        }
        begins
    }

    /// A new password through a mailed link.
    fn reset(&mut self, now: i64) {
        *self = Self { codes: self.codes(now), ..Self::default() };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Invited,
    Active,
    Deleted,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: usize,
    pub(crate) until: i64,
    pub(crate) count: Count,
    /// Whether a login was ever completed on it.
    opened: bool,
    client: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
struct DeviceToken {
    device: usize,
    until: i64,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    since: i64,
    last_seen: i64,
    /// What the clock would show if it had not been put back since it began.
    reached: i64,
    until: i64,
    ended: bool,
}

impl Session {
    /// On the node whose clock was put back, its time goes on.
    fn speaks(&self, now: i64) -> bool {
        self.holds(now) && self.holds(self.reached) && self.reached - self.last_seen < IDLE
    }

    /// On a node that has seen nothing of it.
    fn speaks_elsewhere(&self, now: i64) -> bool {
        self.holds(now) && now - self.since < IDLE
    }

    /// Whether it can be ended: one that was not used for long is not over before its time.
    fn holds(&self, now: i64) -> bool {
        !self.ended && now < self.until
    }
}

#[derive(Clone, Copy, Debug)]
struct Challenge {
    since: i64,
    until: i64,
    /// What the clock would show if it had not been put back since it was given.
    reached: i64,
    void: bool,
    from: Option<usize>,
}

#[derive(Clone, Debug)]
struct SecondStep {
    newest_step: i64,
    recovery: BTreeSet<usize>,
}

#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) start: Start,
    pub(crate) now: i64,
    /// The latest moment that the clock was ever put back from.
    furthest: i64,
    pub(crate) stage: Stage,
    /// Wrong guesses at the address while nobody could log in there.
    anonymous: Count,
    /// Wrong guesses from anywhere.
    pub(crate) account: Count,
    /// In the order of their becoming trusted.
    pub(crate) devices: Vec<Device>,
    /// When logins made devices trusted that were not.
    devices_added: Vec<i64>,
    role: Role,
    /// Until when each holds, oldest first; only the newest ever does.
    activation_links: Vec<i64>,
    /// The same, and the device on which each makes its opener trusted.
    reset_links: Vec<(i64, Option<usize>)>,
    newest_reset_is_unused: bool,
    resets_asked: Vec<i64>,
    /// The order that named the contact was the first.
    activations_asked: Vec<i64>,
    device_tokens: Vec<DeviceToken>,
    devices_ever: usize,
    sessions: Vec<Session>,
    challenges: Vec<Challenge>,
    proposal: Option<i64>,
    second: Option<SecondStep>,
    /// What the last transition was answered, each time.
    pub(crate) said: Vec<Said>,
}

/// Where its story begins: the steps tell the rest.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.fmt(f)
    }
}

/// The so-many-th from the newest, of so many.
pub(crate) fn newest(back: usize, count: usize) -> Option<usize> {
    count.checked_sub(back + 1)
}

/// What a clock that was ahead has made does not work until it is due.
fn has_begun(since: i64, now: i64) -> bool {
    since - now <= 5 * MINUTE
}

fn step_of(now: i64) -> i64 {
    now.div_euclid(30)
}

impl Model {
    pub(crate) fn new(start: Start) -> Self {
        let fresh = Self {
            start,
            now: 0,
            furthest: i64::MIN,
            stage: Stage::Invited,
            anonymous: Count::default(),
            account: Count::default(),
            devices: Vec::new(),
            devices_added: Vec::new(),
            role: Role::Waiting,
            activation_links: vec![ACTIVATION_LINK],
            reset_links: Vec::new(),
            newest_reset_is_unused: false,
            resets_asked: Vec::new(),
            activations_asked: vec![0],
            device_tokens: Vec::new(),
            devices_ever: 0,
            sessions: Vec::new(),
            challenges: Vec::new(),
            proposal: None,
            second: None,
            said: Vec::new(),
        };
        let once = |step| Transition { times: 1, step };
        start.steps().into_iter().map(once).fold(fresh, |model, step| model.after(&step))
    }

    /// After each transition every session is tried, and so used.
    pub(crate) fn after(mut self, transition: &Transition) -> Self {
        let before = self.now;
        self.said = (0..transition.times).map(|_| self.take(transition.step)).collect();
        let now = self.now;
        if now < before {
            self.furthest = self.furthest.max(before);
        }
        let (passed, more) = (now >= self.furthest, (now - before).max(0));
        let on = |reached: i64| if passed { now } else { reached + more };
        self.sessions.iter_mut().for_each(|session| session.reached = on(session.reached));
        self.challenges.iter_mut().for_each(|challenge| challenge.reached = on(challenge.reached));
        for session in self.sessions.iter_mut().filter(|session| session.speaks(now)) {
            session.last_seen = session.last_seen.max(session.reached);
        }
        self
    }

    /// Whether each session that was ever opened still speaks for its owner.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = bool> {
        self.sessions.iter().map(|session| session.speaks(self.now))
    }

    /// The same on a node on which none was used yet.
    pub(crate) fn sessions_elsewhere(&self) -> impl Iterator<Item = bool> {
        self.sessions.iter().map(|session| session.speaks_elsewhere(self.now))
    }

    /// Whether each challenge that was ever given can still be answered.
    pub(crate) fn challenges(&self) -> impl Iterator<Item = bool> {
        self.challenges
            .iter()
            .map(|held| !held.void && has_begun(held.since, self.now) && self.now < held.until)
    }

    pub(crate) fn has_second_step(&self) -> bool {
        self.second.is_some()
    }

    fn take(&mut self, step: Step) -> Said {
        let outcome = match step {
            Step::Wait(seconds) => {
                self.now += seconds;
                Ok(Said::Done)
            }
            Step::LogIn { from, password, code } => self.log_in(from, password, code),
            Step::Answer { from, challenge, code } => self.answer(from, challenge, code),
            Step::AskReset => Ok(self.ask_reset()),
            Step::OpenReset { link, from } => self.open_reset(link, from),
            Step::FollowReset { link } => self.follow_reset(link),
            Step::ChangePassword { by, password } => self.change_password(by, password),
            Step::Propose { by, password } => self.propose(by, password),
            Step::Confirm { by, code } => self.confirm(by, code),
            Step::Disable { by, password, code } => {
                self.with_both(by, password, code).map(|()| self.without_second_step())
            }
            Step::ReplaceRecovery { by, password, code } => {
                self.with_both(by, password, code).map(|()| self.shown_recovery())
            }
            Step::LogOut { session } => self.speaks(session).map(|n| self.end_session(n)),
            Step::RevokeSession { session } => self.revoke(session),
            Step::EndSessions => self.end_all(),
            Step::ForgetDevice { device } => self.forget_device(device),
            Step::ForgetDevices => self.in_use().map(|()| self.forget(|_| true)),
            Step::Release => self.release(),
            Step::LoseSecond => self.take_second_step(),
            Step::Activate { link } => self.activate(link),
            Step::SendActivation => self.send_activation(),
            Step::Convert(to) => self.convert(to),
            Step::ChangeRole(to) => self.change_role(to),
            Step::Delete => self.live().map(|()| self.gone()),
            Step::Erase => Ok(self.gone()),
        };
        outcome.unwrap_or_else(|refused| refused)
    }

    fn live(&self) -> Result<(), Said> {
        if self.stage == Stage::Deleted { Err(Said::No(Refusal::NoSuchAccount)) } else { Ok(()) }
    }

    fn in_use(&self) -> Result<(), Said> {
        self.live()?;
        if self.stage == Stage::Active { Ok(()) } else { Err(Said::No(Refusal::NotActive)) }
    }

    // Guessing.

    fn log_in(&mut self, from: From, password: Typed, code: Option<Code>) -> Result<Said, Said> {
        if self.stage != Stage::Active {
            locked(self.anonymous.locked(self.now))?;
            self.anonymous.one_more(self.now, Wrong::Password);
            return Err(Said::Refused);
        }
        let on = self.shown(from).filter(|device| self.device(*device).is_some());
        if self.judge(on, password)? == Typed::Wrong {
            return Err(Said::Refused);
        }
        if self.role == Role::Waiting {
            return Err(Said::AwaitingConversion);
        }
        match (self.second.is_some(), code) {
            (true, None) => {
                // What is out of time by then stays so, wherever the clock is put.
                let (now, until) = (self.now, self.now + CHALLENGE);
                self.void(|challenge| now >= challenge.until);
                self.challenges.push(Challenge { since: now, until, reached: now, void: false, from: on });
                return Ok(Said::Challenge { until });
            }
            (true, Some(code)) => self.judge_code(on, code)?,
            (false, _) => {}
        }
        Ok(self.admit(on, client_of(from)))
    }

    fn answer(&mut self, from: From, challenge: usize, code: Code) -> Result<Said, Said> {
        let void = self.stage != Stage::Active || self.second.is_none();
        let found = newest(challenge, self.challenges.len()).and_then(|n| self.challenges.get(n).copied());
        let open = found.filter(|held| {
            !held.void
                && has_begun(held.since, self.now)
                && self.now < held.until
                && held.reached < held.until
        });
        if void {
            return Err(Said::ChallengeVoid);
        }
        let on = open.and_then(|held| held.from).filter(|device| self.device(*device).is_some());
        locked(self.count(on).locked(self.now))?;
        open.ok_or(Said::ChallengeVoid)?;
        self.judge_code(on, code)?;
        Ok(self.admit(on, client_of(from)))
    }

    /// Right, or wrong and counted.
    fn judge(&mut self, on: Option<usize>, password: Typed) -> Result<Typed, Said> {
        locked(self.count(on).locked(self.now))?;
        if password == Typed::Right {
            return Ok(Typed::Right);
        }
        self.wrong(on, Wrong::Password);
        Ok(Typed::Wrong)
    }

    fn judge_code(&mut self, on: Option<usize>, code: Code) -> Result<(), Said> {
        let only_a_link = on.and_then(|id| self.device(id)).is_some_and(|device| !device.opened);
        if only_a_link && self.account.codes(self.now) >= GUESSES {
            locked(self.account.locked(self.now))?;
        }
        if self.accepts(code) {
            return Ok(());
        }
        self.wrong(on, Wrong::Code);
        Err(Said::WrongCode)
    }

    fn accepts(&mut self, code: Code) -> bool {
        let now = step_of(self.now);
        let Some(second) = &mut self.second else { return false };
        match code {
            Code::App(off) if off.abs() <= 1 && now + off > second.newest_step => {
                second.newest_step = now + off;
                true
            }
            Code::Recovery { lists_ago: 0, number } => second.recovery.remove(&number),
            _ => false,
        }
    }

    /// It counts on the account, and on the device.
    fn wrong(&mut self, on: Option<usize>, wrong: Wrong) {
        let wrong = if self.second.is_some() { wrong } else { Wrong::Password };
        let now = self.now;
        if self.account.one_more(now, wrong) {
            self.void(|challenge| challenge.from.is_none());
        }
        let device = self.devices.iter_mut().find(|device| Some(device.id) == on);
        if device.is_some_and(|device| device.count.one_more(now, wrong)) {
            self.void(|challenge| challenge.from == on);
        }
    }

    fn count(&self, on: Option<usize>) -> Count {
        on.and_then(|id| self.device(id)).map_or(self.account, |device| device.count)
    }

    /// A complete login: the account counts from zero, and so does the device that it came from.
    fn admit(&mut self, on: Option<usize>, client: Option<u8>) -> Said {
        // A lockout that others caused goes on.
        self.account = Count { until: self.account.locked(self.now), ..Count::default() };
        for device in self.devices.iter_mut().filter(|device| Some(device.id) == on) {
            device.count = Count::default();
        }
        self.void(|_| true);
        let (now, until) = (self.now, self.now + SESSION);
        self.sessions.iter_mut().for_each(|session| session.ended |= now >= session.until);
        self.sessions.push(Session { since: now, last_seen: now, reached: now, until, ended: false });
        let device_until = self.trust(on, client);
        Said::In { until, device_until }
    }

    // Devices.

    fn device(&self, id: usize) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id && self.now < device.until)
    }

    fn shown(&self, from: From) -> Option<usize> {
        let From::Device(back) = from else { return None };
        let token = self.device_tokens.get(newest(back, self.device_tokens.len())?)?;
        (self.now < token.until).then_some(token.device)
    }

    fn trust(&mut self, on: Option<usize>, client: Option<u8>) -> Option<i64> {
        let now = self.now;
        let here = |device: &&Device| {
            now < device.until && device.opened && client.is_some() && device.client == client
        };
        let shown = on.and_then(|id| self.device(id));
        // One that had only opened a link gets another token: whoever else opened it has the same.
        if let (Some(link_only), true) =
            (shown.filter(|device| !device.opened).map(|device| device.id), client.is_some())
        {
            self.devices.retain(|device| device.id != link_only);
            let id = self.devices_ever;
            let until = self.trusted(id, TRUST, client);
            self.opened_on(id);
            return Some(until);
        }
        // One that shows no token is known by its client, and given the token again.
        let known = shown.or_else(|| self.devices.iter().find(here)).map(|device| (device.id, device.until));
        match known {
            Some((id, until)) if until - now > TRUST / 2 => {
                self.opened_on(id);
                if on.is_some() {
                    return None;
                }
                self.device_tokens.push(DeviceToken { device: id, until });
                Some(until)
            }
            None if client.is_none() => None,
            // This login is noted already; the first of all makes its device trusted, whatever links were opened.
            None if self.sessions.len() > 1 && self.came_lately() >= MOST_A_DAY => None,
            _ => {
                if known.is_none() {
                    self.devices_added.push(now);
                }
                let id = known.map_or(self.devices_ever, |(id, _)| id);
                let until = self.trusted(id, TRUST, client);
                self.opened_on(id);
                Some(until)
            }
        }
    }

    fn came_lately(&self) -> usize {
        self.devices_added.iter().filter(|added| **added <= self.now && self.now - **added < DAY).count()
    }

    fn opened_on(&mut self, id: usize) {
        for device in self.devices.iter_mut().filter(|device| device.id == id) {
            (device.opened, device.count) = (true, Count::default());
        }
    }

    fn trusted(&mut self, id: usize, lasts: i64, client: Option<u8>) -> i64 {
        let (now, until) = (self.now, self.now + lasts);
        self.devices_ever = self.devices_ever.max(id + 1);
        self.devices.retain(|device| device.id == id || now < device.until);
        match self.devices.iter_mut().find(|device| device.id == id) {
            Some(device) => (device.until, device.client) = (until, client),
            None => {
                self.devices.push(Device { id, until, count: Count::default(), opened: false, client });
            }
        }
        self.device_tokens.push(DeviceToken { device: id, until });
        until
    }

    fn forget_device(&mut self, back: usize) -> Result<Said, Said> {
        self.in_use()?;
        let token = newest(back, self.device_tokens.len()).and_then(|n| self.device_tokens.get(n));
        let id = token.map(|token| token.device).filter(|id| self.device(*id).is_some());
        let id = id.ok_or(Said::No(Refusal::NoSuchDevice))?;
        Ok(self.forget(|device| device.id == id))
    }

    fn forget(&mut self, which: impl Fn(&Device) -> bool) -> Said {
        let now = self.now;
        let gone = |device: &Device| now < device.until && which(device);
        let ids: Vec<_> = self.devices.iter().filter(|device| gone(device)).map(|device| device.id).collect();
        self.devices.retain(|device| !ids.contains(&device.id));
        self.void(|challenge| challenge.from.is_some_and(|from| ids.contains(&from)));
        Said::Done
    }

    // Links.

    fn activate(&mut self, link: usize) -> Result<Said, Said> {
        let at = newest(link, self.activation_links.len());
        let ends = at.and_then(|n| self.activation_links.get(n)).copied();
        self.holds(link, (ends, ACTIVATION_LINK), self.stage == Stage::Invited)?;
        self.stage = Stage::Active;
        Ok(Said::Done)
    }

    fn send_activation(&mut self) -> Result<Said, Said> {
        self.live()?;
        if self.stage == Stage::Active {
            return Err(Said::No(Refusal::AlreadyActive));
        }
        let now = self.now;
        let lately = |at: &i64| (now - HOUR + 1..=now).contains(at);
        let mut asked: Vec<_> = self.activations_asked.iter().copied().filter(lately).collect();
        asked.sort_unstable();
        if let Some(oldest) = asked.iter().rev().nth(ACTIVATION_MAILS_AN_HOUR - 1) {
            return Err(Said::EnoughMails { again: oldest + HOUR });
        }
        asked.push(now);
        self.activations_asked = asked;
        self.activation_links.push(now + ACTIVATION_LINK);
        Ok(Said::Done)
    }

    #[track_caller]
    fn ask_reset(&mut self) -> Said {
        let (now, lately) = (self.now, self.now - HOUR..=self.now);
        let asked = self.resets_asked.iter().copied();
        let asked: Vec<_> = asked.filter(|at| lately.contains(at) && now - at < HOUR).collect();
        if self.stage == Stage::Active && asked.len() < RESETS_AN_HOUR {
            self.resets_asked = asked.into_iter().chain([now]).collect();
            self.reset_links.push((now + RESET_LINK, None));
            self.newest_reset_is_unused = true;
        }
        Said::Done
    }

    fn open_reset(&mut self, link: usize, from: From) -> Result<Said, Said> {
        self.reset_holds(link)?;
        if self.shown(from).is_some_and(|id| self.device(id).is_some()) {
            return Ok(Said::Opened { device_until: None });
        }
        let made = self.reset_links.last().and_then(|(_, device)| *device);
        let id = made.unwrap_or(self.devices_ever);
        self.reset_links.iter_mut().rev().take(1).for_each(|(_, device)| *device = Some(id));
        if !self.devices.iter().any(|device| device.id == id) {
            let until = self.trusted(id, TRUST_FOR_RESET, client_of(from));
            return Ok(Said::Opened { device_until: Some(until) });
        }
        let device_until = self.device(id).map(|device| device.until);
        self.device_tokens.extend(device_until.map(|until| DeviceToken { device: id, until }));
        Ok(Said::Opened { device_until })
    }

    fn follow_reset(&mut self, link: usize) -> Result<Said, Said> {
        self.reset_holds(link)?;
        let now = self.now;
        self.account.reset(now);
        self.devices.iter_mut().for_each(|device| device.count.reset(now));
        Ok(self.other_password())
    }

    fn reset_holds(&self, link: usize) -> Result<(), Said> {
        let at = newest(link, self.reset_links.len());
        let ends = at.and_then(|n| self.reset_links.get(n)).map(|(ends, _)| *ends);
        self.holds(link, (ends, RESET_LINK), self.stage == Stage::Active && self.newest_reset_is_unused)
    }

    fn holds(&self, back: usize, (ends, lasts): (Option<i64>, i64), usable: bool) -> Result<(), Said> {
        let ends = ends.ok_or(Said::Link(LinkRefused::Invalid))?;
        if self.now >= ends {
            return Err(Said::Link(LinkRefused::Expired));
        }
        match usable && back == 0 {
            // An activation link, which lasts for weeks, works before it is due.
            true if lasts == ACTIVATION_LINK || has_begun(ends - lasts, self.now) => Ok(()),
            true => Err(Said::Link(LinkRefused::Expired)),
            false => Err(Said::Link(LinkRefused::Used)),
        }
    }

    // What an owner does in a session.

    fn session_at(&self, n: usize) -> Option<&Session> {
        self.sessions.get(n).filter(|session| session.speaks(self.now))
    }

    fn speaks(&self, back: usize) -> Result<usize, Said> {
        let n = newest(back, self.sessions.len()).filter(|n| self.session_at(*n).is_some());
        n.ok_or(Said::Unauthenticated)
    }

    /// The device whose count the guesses out of a session move too: the one that is shown.
    fn session_counts_on(&self, by: By) -> Result<Option<usize>, Said> {
        self.speaks(by.session)?;
        Ok(self.shown(by.from).filter(|id| self.device(*id).is_some()))
    }

    /// Gives on what it counts.
    fn proves(&mut self, by: By, password: Typed) -> Result<Option<usize>, Said> {
        let on = self.session_counts_on(by)?;
        if self.judge(on, password)? == Typed::Wrong { Err(Said::WrongPassword) } else { Ok(on) }
    }

    fn change_password(&mut self, by: By, password: Typed) -> Result<Said, Said> {
        self.proves(by, password)?;
        self.resets_asked.clear();
        Ok(self.other_password())
    }

    fn propose(&mut self, by: By, password: Typed) -> Result<Said, Said> {
        self.proves(by, password)?;
        if self.second.is_some() {
            return Err(Said::No(Refusal::SecondStepOn));
        }
        self.proposal = Some(self.now + ENROLMENT);
        Ok(Said::Done)
    }

    fn confirm(&mut self, by: By, code: Code) -> Result<Said, Said> {
        let on = self.session_counts_on(by)?;
        let until = self.proposal.ok_or(Said::No(Refusal::NoProposal))?;
        locked(self.count(on).locked(self.now))?;
        if self.now >= until {
            return Err(Said::No(Refusal::NoProposal));
        }
        match code {
            Code::App(off) if off.abs() <= 1 => {
                self.proposal = None;
                let newest_step = step_of(self.now) + off;
                self.second = Some(SecondStep { newest_step, recovery: BTreeSet::new() });
                self.forget_codes();
                // Whoever else was logged in had proved the password alone.
                let here = newest(by.session, self.sessions.len());
                let now = self.now;
                for (n, session) in self.sessions.iter_mut().enumerate() {
                    session.ended |= session.holds(now) && Some(n) != here;
                }
                Ok(self.shown_recovery())
            }
            _ => {
                self.wrong(on, Wrong::Code);
                Err(Said::WrongCode)
            }
        }
    }

    fn shown_recovery(&mut self) -> Said {
        self.second.iter_mut().for_each(|second| second.recovery = (0..10).collect());
        Said::Done
    }

    fn with_both(&mut self, by: By, password: Typed, code: Code) -> Result<(), Said> {
        let on = self.proves(by, password)?;
        self.second.as_ref().ok_or(Said::No(Refusal::NoSecondStep))?;
        self.judge_code(on, code)
    }

    fn without_second_step(&mut self) -> Said {
        self.second = None;
        self.forget_codes();
        self.void(|_| true);
        Said::Done
    }

    /// Wrong codes of another second step count no more.
    fn forget_codes(&mut self) {
        self.account.codes = 0;
        self.devices.iter_mut().for_each(|device| device.count.codes = 0);
    }

    fn other_password(&mut self) -> Said {
        self.newest_reset_is_unused = false;
        self.every_session_ends()
    }

    fn every_session_ends(&mut self) -> Said {
        self.sessions.iter_mut().for_each(|session| session.ended = true);
        self.void(|_| true);
        Said::Done
    }

    fn end_session(&mut self, n: usize) -> Said {
        self.sessions.get_mut(n).into_iter().for_each(|session| session.ended = true);
        Said::Done
    }

    fn void(&mut self, which: impl Fn(&Challenge) -> bool) {
        self.challenges.iter_mut().for_each(|challenge| challenge.void |= which(challenge));
    }

    // What support and administrators do.

    fn revoke(&mut self, session: usize) -> Result<Said, Said> {
        self.in_use()?;
        let now = self.now;
        let held = |n: &usize| self.sessions.get(*n).is_some_and(|session| session.holds(now));
        let n = newest(session, self.sessions.len()).filter(held);
        let n = n.ok_or(Said::No(Refusal::NoSuchSession))?;
        Ok(self.end_session(n))
    }

    fn end_all(&mut self) -> Result<Said, Said> {
        self.live()?;
        Ok(self.every_session_ends())
    }

    fn release(&mut self) -> Result<Said, Said> {
        self.in_use()?;
        let now = self.now;
        let trusted = self.devices.iter().filter(|device| now < device.until);
        let device = trusted.map(|device| device.count.locked(now)).any(|until| until.is_some());
        if self.account.locked(now).is_none() && !device {
            return Err(Said::No(Refusal::NotLocked));
        }
        self.account = Count::default();
        self.devices.iter_mut().for_each(|device| device.count = Count::default());
        Ok(Said::Done)
    }

    fn take_second_step(&mut self) -> Result<Said, Said> {
        self.in_use()?;
        self.second.as_ref().ok_or(Said::No(Refusal::NoSecondStep))?;
        self.without_second_step();
        Ok(self.every_session_ends())
    }

    fn convert(&mut self, to: Role) -> Result<Said, Said> {
        self.live()?;
        if self.role != Role::Waiting {
            return Err(Said::No(Refusal::NotTemporary));
        }
        self.role = to;
        Ok(Said::Done)
    }

    fn change_role(&mut self, to: Role) -> Result<Said, Said> {
        self.live()?;
        if self.role == Role::Waiting {
            return Err(Said::No(Refusal::AwaitingConversion));
        }
        self.role = to;
        Ok(Said::Done)
    }

    fn gone(&mut self) -> Said {
        self.stage = Stage::Deleted;
        self.every_session_ends()
    }
}

fn locked(until: Option<i64>) -> Result<(), Said> {
    until.map_or(Ok(()), |until| Err(Said::Locked { until }))
}

fn client_of(from: From) -> Option<u8> {
    match from {
        From::Unknown => None,
        From::Machine(n) => Some(n),
        From::Device(_) => Some(ROAMING),
        From::Foreign => Some(0),
    }
}
