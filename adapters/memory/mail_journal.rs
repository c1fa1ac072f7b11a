//! The mail journal in memory, for tests and simulation.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, Position};
use loquet_projections::mail::{
    LedgerEntry, MailCounts, MailLedger, MailState, MailStatus, Trouble, Urgency,
};
use loquet_projections::ports::{
    Acquired, ClaimedMail, Fence, Fenced, Hold, Lease, MailOutcome, QueuedMail, ReactionJournal, StoreFailed,
    UnnotedFate, WriteFailed,
};
use uuid::Uuid;

/// A journal that exists until the process ends. Clones share it, as several nodes do.
#[derive(Clone, Default)]
pub struct MemoryJournal {
    journal: Arc<Mutex<Journal>>,
}

#[derive(Default)]
struct Journal {
    checkpoints: BTreeMap<&'static str, Position>,
    mails: HashMap<Uuid, Held>,
    hold: Option<Hold>,
    lease: Given,
}

/// The last lease that was given.
#[derive(Default)]
struct Given {
    fence: Fence,
    holder: Option<String>,
    ends_at: Moment,
}

/// A mail and its state.
struct Held {
    mail: QueuedMail,
    state: MailState,
    tries: u32,
    waited: TimeDelta,
    queued_at: Moment,
    /// The mail is tried from this moment on: when it was queued, or put back into the queue by hand.
    since: Moment,
    due_at: Moment,
    tried_at: Option<Moment>,
    ended_at: Option<Moment>,
    trouble: Option<Trouble>,
    /// The log must be told the result from this moment on. `None` if the log knows it, or if there is
    /// nothing to tell.
    note_at: Option<Moment>,
    unnoted: Option<String>,
}

impl Held {
    fn new(mail: QueuedMail, now: Moment) -> Self {
        Self {
            mail,
            state: MailState::Pending,
            tries: 0,
            waited: TimeDelta::zero(),
            queued_at: now,
            since: now,
            due_at: now,
            tried_at: None,
            ended_at: None,
            trouble: None,
            note_at: None,
            unnoted: None,
        }
    }

    fn is_due(&self, now: Moment) -> bool {
        self.state == MailState::Pending && self.due_at <= now
    }

    fn conclude(&mut self, outcome: MailOutcome, now: Moment) {
        let concluded = outcome.conclusion(now);
        (self.state, self.trouble) = (concluded.state, concluded.trouble.cloned());
        (self.due_at, self.ended_at) = (concluded.due_at, concluded.ended_at);
        (self.note_at, self.unnoted) = (concluded.note_at, None);
        self.waited = concluded.waited.unwrap_or(self.waited);
    }

    fn retry(&mut self, now: Moment) {
        (self.state, self.tries, self.waited, self.ended_at) =
            (MailState::Pending, 0, TimeDelta::zero(), None);
        (self.due_at, self.since) = (now, now);
    }

    fn entry(&self) -> LedgerEntry {
        LedgerEntry {
            mail: self.mail.clone(),
            state: self.state,
            tries: self.tries,
            queued_at: self.queued_at,
            due_at: self.due_at,
            ended_at: self.ended_at,
            why: self.trouble.as_ref().map(|trouble| trouble.why.clone()),
            verdict: self.trouble.as_ref().and_then(|trouble| trouble.verdict),
            unnoted: self.unnoted.clone(),
        }
    }
}

impl Journal {
    fn is_over(&self, shown: Fence) -> Result<(), Fenced> {
        let newest = self.lease.fence;
        match newest == shown && self.lease.holder.is_some() {
            true => Ok(()),
            false => Err(Fenced { shown, newest }),
        }
    }

    fn acquire(&mut self, holder: &str, now: Moment, until: Moment) -> Acquired {
        let Given { fence, holder: held, ends_at } = &self.lease;
        if held.as_ref().is_some_and(|held| held != holder) && now < *ends_at {
            return Acquired::Taken { until: *ends_at };
        }
        let fence = Fence(fence.0.saturating_add(1));
        self.lease = Given { fence, holder: Some(holder.to_owned()), ends_at: until };
        Acquired::Given(fence)
    }

    fn claim(&mut self, now: Moment, limit: usize) -> Vec<ClaimedMail> {
        let mut due: Vec<&mut Held> = self.mails.values_mut().filter(|held| held.is_due(now)).collect();
        due.sort_by_key(|held| (Urgency::of(held.mail.kind), held.due_at, held.mail.position));
        let claimed = due.into_iter().take(limit).map(|held| {
            held.state = MailState::Sending;
            held.tries = held.tries.saturating_add(1);
            held.tried_at = Some(now);
            ClaimedMail { mail: held.mail.clone(), tries: held.tries, waited: held.waited }
        });
        claimed.collect()
    }

    fn unnoted(&self, now: Moment, limit: usize) -> Vec<UnnotedFate> {
        let due = self.mails.values().filter_map(|held| {
            let (note_at, at) = (held.note_at.filter(|at| *at <= now)?, held.ended_at?);
            let why = held.trouble.as_ref().map(|trouble| trouble.why.clone()).unwrap_or_default();
            let given_up = (held.state == MailState::Dead).then_some(why);
            Some((note_at, UnnotedFate { mail: held.mail.clone(), at, given_up }))
        });
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(note_at, fate)| (*note_at, fate.mail.position));
        due.into_iter().map(|(_, fate)| fate).take(limit).collect()
    }

    fn newest_first(&self, which: impl Fn(&Held) -> bool, limit: u32) -> Vec<&Held> {
        let mut held: Vec<&Held> = self.mails.values().filter(|held| which(held)).collect();
        held.sort_by_key(|held| (held.queued_at, held.mail.position));
        held.into_iter().rev().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
    }

    fn counts(&self) -> MailCounts {
        let count = |which: fn(&Held) -> bool| {
            u64::try_from(self.mails.values().filter(|held| which(held)).count()).unwrap_or(u64::MAX)
        };
        let pending = self.mails.values().filter(|held| held.state == MailState::Pending);
        MailCounts {
            pending: count(|held| held.state == MailState::Pending),
            sending: count(|held| held.state == MailState::Sending),
            dead: count(|held| held.state == MailState::Dead),
            tried_in_vain: count(|held| held.state == MailState::Pending && held.tries > 0),
            unnoted: count(|held| held.note_at.is_some() && held.unnoted.is_some()),
            oldest_pending: pending.map(|held| held.since).min(),
        }
    }
}

impl MemoryJournal {
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Journal) -> T,
    ) -> BoxFuture<'_, Result<T, StoreFailed>> {
        let read = read(&self.journal.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async move { Ok(read) })
    }

    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Journal) -> T,
    ) -> BoxFuture<'_, Result<T, StoreFailed>> {
        let changed = change(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async move { Ok(changed) })
    }

    /// Writes under the lease. Writes nothing if the lease of this fence has ended.
    fn write<T: Send + 'static>(
        &self,
        fence: Fence,
        write: impl FnOnce(&mut Journal) -> T,
    ) -> BoxFuture<'_, Result<T, WriteFailed>> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let written = journal.is_over(fence).map(|()| write(&mut journal));
        Box::pin(async move { Ok(written?) })
    }

    fn on_mail(
        &self,
        fence: Fence,
        effect: Uuid,
        write: impl FnOnce(&mut Held),
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.write(fence, |journal| journal.mails.get_mut(&effect).map(write).unwrap_or_default())
    }
}

impl Lease for MemoryJournal {
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>> {
        self.change(|journal| journal.acquire(holder, now, until))
    }

    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.write(fence, |journal| journal.lease.ends_at = until)
    }

    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>> {
        self.change(|journal| {
            if journal.lease.fence == fence {
                journal.lease.holder = None;
            }
        })
    }
}

impl ReactionJournal for MemoryJournal {
    fn checkpoint(&self, reaction: &'static str) -> BoxFuture<'_, Result<Position, StoreFailed>> {
        self.read(|journal| journal.checkpoints.get(reaction).copied().unwrap_or_default())
    }

    fn advance(
        &self,
        fence: Fence,
        reaction: &'static str,
        up_to: Position,
        mails: Vec<QueuedMail>,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.write(fence, |journal| {
            journal.checkpoints.insert(reaction, up_to);
            for mail in mails {
                journal.mails.entry(mail.effect).or_insert_with(|| Held::new(mail, now));
            }
        })
    }

    fn claim_due(
        &self,
        fence: Fence,
        now: Moment,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ClaimedMail>, WriteFailed>> {
        self.write(fence, |journal| journal.claim(now, limit))
    }

    fn reclaim(&self, fence: Fence) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.write(fence, |journal| {
            let claimed = journal.mails.values_mut().filter(|held| held.state == MailState::Sending);
            claimed.for_each(|held| held.state = MailState::Pending);
        })
    }

    fn conclude(
        &self,
        fence: Fence,
        effect: Uuid,
        outcome: MailOutcome,
        now: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.on_mail(fence, effect, |held| held.conclude(outcome, now))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Moment>, StoreFailed>> {
        self.read(|journal| {
            let pending = journal.mails.values().filter(|held| held.state == MailState::Pending);
            pending.map(|held| held.due_at).min()
        })
    }

    fn unnoted(&self, now: Moment, limit: usize) -> BoxFuture<'_, Result<Vec<UnnotedFate>, StoreFailed>> {
        self.read(|journal| journal.unnoted(now, limit))
    }

    fn not_noted(
        &self,
        fence: Fence,
        effect: Uuid,
        why: String,
        again: Moment,
    ) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.on_mail(fence, effect, |held| {
            held.note_at = held.note_at.map(|_| again);
            held.unnoted = Some(why);
        })
    }

    fn noted(&self, fence: Fence, effect: Uuid) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.on_mail(fence, effect, |held| (held.note_at, held.unnoted) = (None, None))
    }

    fn hold(&self, fence: Fence, hold: Option<Hold>) -> BoxFuture<'_, Result<(), WriteFailed>> {
        self.write(fence, |journal| journal.hold = hold)
    }

    fn held(&self) -> BoxFuture<'_, Result<Option<Hold>, StoreFailed>> {
        self.read(|journal| journal.hold.clone())
    }

    fn mails_of(
        &self,
        account: AccountId,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<MailStatus>, StoreFailed>> {
        self.read(|journal| {
            let mails = journal.newest_first(|held| held.mail.recipient == account, limit).into_iter();
            mails.map(|held| MailStatus::of(held.entry(), held.tried_at, journal.hold.as_ref())).collect()
        })
    }

    fn mails_about(
        &self,
        account: AccountId,
        positions: Vec<Position>,
    ) -> BoxFuture<'_, Result<Vec<Uuid>, StoreFailed>> {
        self.read(|journal| {
            let about = journal
                .mails
                .values()
                .filter(|held| held.mail.recipient == account || positions.contains(&held.mail.position));
            about.map(|held| held.mail.effect).collect()
        })
    }
}

impl MailLedger for MemoryJournal {
    fn list(
        &self,
        state: Option<MailState>,
        recipient: Option<AccountId>,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<LedgerEntry>, StoreFailed>> {
        self.read(|journal| {
            let which = |held: &Held| {
                state.is_none_or(|state| state == held.state)
                    && recipient.is_none_or(|recipient| recipient == held.mail.recipient)
            };
            journal.newest_first(which, limit).into_iter().map(Held::entry).collect()
        })
    }

    fn entry(&self, mail: Uuid) -> BoxFuture<'_, Result<Option<LedgerEntry>, StoreFailed>> {
        self.read(|journal| journal.mails.get(&mail).map(Held::entry))
    }

    fn retry(&self, mail: Uuid, now: Moment) -> BoxFuture<'_, Result<bool, StoreFailed>> {
        self.change(|journal| {
            let can = |held: &&mut Held| matches!(held.state, MailState::Dead | MailState::Pending);
            journal.mails.get_mut(&mail).filter(can).map(|held| held.retry(now)).is_some()
        })
    }

    fn retry_all_dead(&self, now: Moment) -> BoxFuture<'_, Result<usize, StoreFailed>> {
        self.change(|journal| {
            let dead = journal.mails.values_mut().filter(|held| held.state == MailState::Dead);
            dead.map(|held| held.retry(now)).count()
        })
    }

    fn checkpoints(&self) -> BoxFuture<'_, Result<Vec<(String, Position)>, StoreFailed>> {
        self.read(|journal| {
            let checkpoints = journal.checkpoints.iter();
            checkpoints.map(|(reaction, position)| ((*reaction).to_owned(), *position)).collect()
        })
    }

    fn counts(&self) -> BoxFuture<'_, Result<MailCounts, StoreFailed>> {
        self.read(Journal::counts)
    }
}
