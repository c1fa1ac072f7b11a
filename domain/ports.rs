//! What the domain asks of the outside. Adapters implement these; nothing here names a technology.
//!
//! The traits are object-safe and their futures boxed: which adapter runs is a setting, known only
//! when the program starts. Next to a commit to disk the allocation does not show.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::Stream;
use uuid::Uuid;

use crate::fact::Fact;
use crate::ids::{AccountId, DeviceId, EventId, SessionId};
use crate::policies::lockout::Lockout;
use crate::schema::DomainEvent;
use crate::values::email_address::{EmailAddress, EmailHash};
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::{Password, PasswordHash};
use crate::{Moment, account};

pub use crate::stream::{Position, Revision, StreamId};

/// A future tied to no runtime.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A stream tied to no runtime.
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// The sealed part of an event, and under whose key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The account whose key opens it.
    pub subject: AccountId,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// An encoded event, ready to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its identity.
    pub id: EventId,
    /// Its stored name.
    pub name: String,
    /// The version of its shape.
    pub version: u16,
    /// The open part, JSON.
    pub data: Vec<u8>,
    /// When, by whom, because of what: JSON.
    pub metadata: Vec<u8>,
    /// The sealed part, where there is one.
    pub sealed: Option<Sealed>,
}

/// An event as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Where in the whole log.
    pub position: Position,
    /// Of which stream.
    pub stream: StreamId,
    /// Where in its stream, from one.
    pub revision: Revision,
    /// What was appended.
    pub event: NewEvent,
}

/// An append that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its last event.
    pub position: Position,
    /// The stream's revision after it.
    pub revision: Revision,
}

/// Why an append did not happen, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream has moved on: fold what is new and decide again.
    #[error("the stream is at revision {actual:?}, not at the one decided on")]
    Conflict {
        /// Where it is.
        actual: Revision,
    },
    /// Nothing was written and nothing will be; says why and what mends it.
    #[error("the event store can't write: {0}")]
    Unavailable(String),
    /// It may have been written: the same events at the same revision again will tell (law 2).
    #[error("the event store did not say whether it wrote: {0}")]
    Unknown(String),
}

/// The log could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event store can't be read: {0}")]
pub struct ReadError(pub String);

/// What a subscription gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The next event.
    Event(Box<RecordedEvent>),
    /// Everything that was there is delivered; what follows is live. Given each time it is so anew.
    CaughtUp(Position),
}

/// The log. Every adapter passes the conformance suite in `tests/`.
pub trait EventStore: Send + Sync {
    /// Appends events to a stream that must be at `expected`, all of them or none. Answers once they
    /// are durable. Appending the same event ids at the same revision again changes nothing and
    /// gives the same answer.
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>>;

    /// A stream's events after revision `after`, in order.
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>>;

    /// At most `limit` events of the whole log after `after`, in order, without gaps.
    fn read_all(&self, after: Position, limit: usize)
    -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>>;

    /// Everything after `after`, then what comes, each event once and in order.
    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>>;

    /// The position of the last durable event.
    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>>;

    /// Takes as long as an append does and appends nothing. What is said to an anonymous caller about an
    /// unknown address waits for it, so that the clock does not tell addresses apart (law 11).
    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>>;
}

/// The sealed part could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Something in the log can't be read; the reader stops.
    #[error("event {id} at {place} can't be read: {why}")]
    Unreadable {
        /// Which event.
        id: EventId,
        /// Stream and revision.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The person was erased: nothing is sealed for them any more.
    #[error("account {0} was erased")]
    Erased(AccountId),
    /// The key store does not answer.
    #[error("the key store can't be used: {0}")]
    Keys(String),
}

/// Turns events into what a store keeps, and back: JSON outside, sealed inside.
pub trait EventCodec: Send + Sync {
    /// Encodes facts of one stream; what is private is sealed under their account's key.
    fn encode<'a>(
        &'a self,
        stream: &'a StreamId,
        facts: Vec<Fact<DomainEvent>>,
    ) -> BoxFuture<'a, Result<Vec<NewEvent>, CodecError>>;

    /// Decodes what a store gave back. What was sealed under a deleted key comes back as erased.
    fn decode<'a>(
        &'a self,
        recorded: &'a RecordedEvent,
    ) -> BoxFuture<'a, Result<Fact<DomainEvent>, CodecError>>;

    /// Decodes the open part alone, without asking for a key: what is sealed comes back as erased.
    /// Views read so; they may hold nothing of a person (law 6).
    ///
    /// # Errors
    /// [`CodecError`] if the open part can't be read.
    fn decode_open(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError>;

    /// A keyed hash of a word of a name: all that a read model may hold of it. It is the same whatever becomes of the
    /// server key.
    fn hash_word(&self, word: &str) -> String;
}

/// The keys of the sealed parts, one an account.
pub trait KeyVault: Send + Sync {
    /// Deletes the account's key for ever; nothing can be sealed for it again.
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>>;

    /// Those of these accounts that have a key, or had one whose deletion is not yet for good. After an older
    /// store of keys was put back, erased ones may.
    fn still_held(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AccountId>, CodecError>>;

    /// Why the keys could not be brought up to date with a rotation of the server key. Returns `None` when they are. As
    /// long as there is a reason, no account can be made, and what the new server key has signed or wrapped cannot be
    /// read.
    fn failure(&self) -> Option<String>;
}

/// What verifying said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Right; with the same password under the newest parameters, where the hash had others.
    Match {
        /// The newer hash.
        rehashed: Option<PasswordHash>,
    },
    /// Wrong, or the hash can't be read.
    Mismatch,
}

/// No password can be hashed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being verified; try again shortly")]
pub struct Busy;

/// A slow, memory-hard hash, a bounded number at a time.
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password under the newest parameters, with a salt of its own.
    fn hash(&self, password: Password) -> BoxFuture<'_, Result<PasswordHash, Busy>>;

    /// Verifies a password against a hash.
    fn verify(&self, password: Password, hash: PasswordHash) -> BoxFuture<'_, Result<Verification, Busy>>;

    /// Takes as long as [`PasswordHasher::verify`] and always says no.
    fn verify_decoy(&self, password: Password) -> BoxFuture<'_, Result<(), Busy>>;
}

/// A secret of the second step in the two forms that its owner can give to an authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpAuth {
    /// The secret as text (base 32, RFC 4648), to type in.
    pub secret: String,
    /// The `otpauth://` address (Google Authenticator's key URI format), which a QR code holds.
    pub uri: String,
}

impl fmt::Debug for OtpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpAuth(…)")
    }
}

/// Makes and checks codes of the second step.
pub trait OneTimeCodes: Send + Sync {
    /// A fresh secret.
    fn secret(&self) -> TotpSecret;
    /// Returns a secret as an authenticator app takes it. `issuer` and `account` are the two lines that the app shows.
    /// Returns `None` if the secret is shorter than RFC 6238 allows.
    fn otp_auth(&self, secret: &TotpSecret, issuer: &str, account: &str) -> Option<OtpAuth>;
    /// Of which step of 30 seconds a code is, if it is of the step of `at` or of one beside it (RFC 6238).
    fn step_of(&self, secret: &TotpSecret, code: &str, at: Moment) -> Option<u64>;
    /// Ten fresh recovery codes, as they are shown; each has at least 64 random bits.
    fn recovery_codes(&self) -> Vec<String>;
    /// What a recovery code of an account hashes to, however it is typed.
    fn recovery_hash(&self, account: AccountId, code: &str) -> RecoveryHash;
}

/// For what a link was mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To choose a first password.
    Activation,
    /// To choose another one.
    PasswordReset,
}

/// What a link's token says. It is derived from an event and stored nowhere (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkClaims {
    /// For what.
    pub purpose: Purpose,
    /// For whose account.
    pub account: AccountId,
    /// From which event.
    pub event: EventId,
    /// Until when.
    pub expires_at: Moment,
}

/// What a challenge says: a right password whose second step is yet to come. It is derived from an event and
/// stored nowhere (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeClaims {
    /// Of whose login.
    pub account: AccountId,
    /// From which event.
    pub event: EventId,
    /// Until when.
    pub expires_at: Moment,
}

/// What a session's token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub session: SessionId,
    /// Until when.
    pub expires_at: Moment,
}

/// What a device's token says: that it is trusted, until the account says otherwise. It authorises nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceClaims {
    /// By whose account.
    pub account: AccountId,
    /// Which.
    pub device: DeviceId,
    /// Until when.
    pub expires_at: Moment,
}

/// Makes and reads tokens with the server's key, and hashes addresses with it.
pub trait Tokens: Send + Sync {
    /// The keyed hash that stands for an address in stream names and read models.
    fn email_hash(&self, email: &EmailAddress) -> EmailHash;
    /// The token of a mailed link.
    fn link(&self, claims: &LinkClaims) -> String;
    /// What a link's token says, if this server made it for that purpose.
    fn read_link(&self, purpose: Purpose, token: &str) -> Option<LinkClaims>;
    /// The token of a challenge.
    fn challenge(&self, claims: &ChallengeClaims) -> String;
    /// What a challenge's token says, if this server made it.
    fn read_challenge(&self, token: &str) -> Option<ChallengeClaims>;
    /// The token of a session.
    fn session(&self, claims: &SessionClaims) -> String;
    /// What a session's token says, if this server made it.
    fn read_session(&self, token: &str) -> Option<SessionClaims>;
    /// The token of a trusted device.
    fn device(&self, claims: &DeviceClaims) -> String;
    /// What a device's token says, if this server made it.
    fn read_device(&self, token: &str) -> Option<DeviceClaims>;
}

/// Fresh random identities.
pub trait Identities: Send + Sync {
    /// 122 bits from a cryptographically secure source.
    fn fresh(&self) -> Uuid;
}

/// The blocklist of passwords can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the blocklist of passwords can't be read: {0}")]
pub struct BlocklistUnreadable(pub String);

/// Passwords that are used most, or are known from a breach: whoever guesses tries them first.
pub trait Blocklist: Send + Sync {
    /// Whether a password is among them, as it is typed or in other case.
    fn contains(&self, password: Password) -> BoxFuture<'_, Result<bool, BlocklistUnreadable>>;
}

/// How old the moment may be that [`SessionUses`] gives for a session that is in use.
pub const SESSION_USE_GRAIN: TimeDelta = TimeDelta::seconds(10);

/// The store of session uses can't be used. It says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it can't be read or noted when sessions were used: {0}")]
pub struct SessionUsesUnavailable(pub String);

/// When sessions were last used. It is no decision, and the log has no event of it. All nodes share it: a session that is
/// used on one of them does not end on another.
///
/// What an adapter keeps:
/// - **The latest use wins**, in whatever order uses are noted and on whatever node.
/// - **To within 10 seconds** ([`SESSION_USE_GRAIN`]): the moment that it gives is never later than the latest use, and at
///   most 10 seconds earlier. So it may skip a use that follows another one closely.
/// - **Not durable**: a crash may lose the newest minute. A lost use makes a session end too early, never too late.
/// - **Forgetting is allowed** for a session that was not used for longer than any session may stay unused.
///
/// Every request with a session asks and notes. So an adapter answers without waiting for a disk.
pub trait SessionUses: Send + Sync {
    /// Returns when a session was last used. Returns `None` if no use is known.
    ///
    /// # Errors
    /// [`SessionUsesUnavailable`] if the store can't be read.
    fn last_use(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Moment>, SessionUsesUnavailable>>;

    /// Notes that a session is used at `at`.
    ///
    /// # Errors
    /// [`SessionUsesUnavailable`] if it may not have been noted. The caller may repeat it.
    fn note_use(&self, session: SessionId, at: Moment) -> BoxFuture<'_, Result<(), SessionUsesUnavailable>>;
}

/// Lets one caller at a time through for each key, in the order of their coming.
pub trait KeyedLock: Send + Sync {
    /// Waits for its turn; the turn ends when what is returned is dropped.
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>>;
}

/// The store of wrong guesses at unknown addresses can't be used. It says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrong guesses at unknown addresses can't be read or counted: {0}")]
pub struct GuessesUnavailable(pub String);

/// Why a guess at an unknown address was not counted, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// Another guess was counted meanwhile: judge again from what is there now.
    #[error("another guess at the address was counted meanwhile")]
    Conflict {
        /// What is there now.
        actual: Lockout,
    },
    /// It may have been counted or not.
    #[error(transparent)]
    Unavailable(#[from] GuessesUnavailable),
}

/// The wrong guesses at addresses that no active account has. All nodes share them, so that an unknown address is locked
/// after as many guesses as a known one, on however many nodes they come (law 11).
///
/// What an adapter keeps:
/// - **A guess is counted once.** [`replace`](Self::replace) compares and writes in one step. Of two nodes that judged from
///   the same state, one gets [`CountError::Conflict`], as it would from the log for a known address.
/// - **All nodes see it at once**: what `replace` wrote is what the next `get` or `replace` finds, on every node.
/// - **Bounded**: names are made up by anybody, so the number of addresses has a limit. At the limit, an adapter forgets the
///   address that was least recently guessed at. A forgotten address counts from zero.
/// - **Not durable**: a crash may lose the newest counts. An adapter does not wait for a disk. The wait that shows in the
///   answer for a known address is made by [`EventStore::decoy`], and a second one would tell addresses apart.
/// - **The same time for every address**, whether it was guessed at before or never.
/// - It stores a hash, and never the address itself.
pub trait AnonymousGuesses: Send + Sync {
    /// Returns the guesses at an address. Returns the default, no guess, for an address that is not there.
    ///
    /// # Errors
    /// [`GuessesUnavailable`] if the store can't be read.
    fn get<'a>(&'a self, email: &'a EmailHash) -> BoxFuture<'a, Result<Lockout, GuessesUnavailable>>;

    /// Writes `next` if the address is still at `judged`, the state from which `next` was computed. The default stands for
    /// an address that is not there.
    ///
    /// # Errors
    /// [`CountError::Conflict`] if it is at another state; then nothing is written. [`CountError::Unavailable`] if the store
    /// did not say whether it wrote.
    fn replace<'a>(
        &'a self,
        email: &'a EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> BoxFuture<'a, Result<(), CountError>>;
}

/// A folded aggregate and the revision up to which it is folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded<S> {
    /// The state. The cache and whoever reads it share it: what a look at an account costs does not tell how much is known
    /// of it.
    pub state: Arc<S>,
    /// Up to here.
    pub revision: Revision,
    /// Where in the whole log its last event stands.
    pub position: Position,
}

/// A bounded cache of folds. A stale one is harmless: the append's revision check finds it out.
pub trait StateCache<S>: Send + Sync {
    /// The newest fold known here.
    fn get(&self, stream: &StreamId) -> Option<Folded<S>>;
    /// Keeps a fold.
    fn put(&self, stream: &StreamId, folded: &Folded<S>);
    /// Forgets a fold: it holds what was erased.
    fn remove(&self, stream: &StreamId);
    /// Forgets every fold: one of them holds what was erased.
    fn clear(&self);
}

impl From<Verification> for account::Verdict {
    fn from(verification: Verification) -> Self {
        match verification {
            Verification::Match { rehashed } => Self::Match { rehashed },
            Verification::Mismatch => Self::Mismatch,
        }
    }
}
