//! The ports: what the domain needs from outside. Adapters implement these traits. Nothing here names a technology.
//!
//! The traits are object-safe and their futures are boxed, because a setting chooses the adapters at start-up. The
//! cost of an allocation is small beside a commit to disk.

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

/// A future that needs no particular runtime.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A stream that needs no particular runtime.
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// The encrypted part of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The account whose key decrypts it.
    pub subject: AccountId,
    /// The nonce and the ciphertext.
    pub bytes: Vec<u8>,
}

/// An encoded event, ready to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// Its stored name.
    pub name: String,
    /// The version of its stored shape.
    pub version: u16,
    /// The unencrypted part, as JSON.
    pub data: Vec<u8>,
    /// Its context (when, who and why), as JSON.
    pub metadata: Vec<u8>,
    /// The encrypted part, if it has one.
    pub sealed: Option<Sealed>,
}

/// An event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its position in the whole log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its revision in the stream. The first is 1.
    pub revision: Revision,
    /// The event that was appended.
    pub event: NewEvent,
}

impl RecordedEvent {
    /// The event without its encrypted part.
    #[must_use]
    pub fn open(&self) -> OpenEvent<'_> {
        OpenEvent {
            position: self.position,
            stream: self.stream.as_str(),
            revision: self.revision,
            id: self.event.id,
            name: &self.event.name,
            version: self.event.version,
            data: &self.event.data,
            metadata: &self.event.metadata,
        }
    }
}

/// An event in the log without its encrypted part, as it lies in a store. See [`RecordedEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenEvent<'a> {
    /// Its position in the whole log.
    pub position: Position,
    /// The name of its stream.
    pub stream: &'a str,
    /// Its revision in the stream.
    pub revision: Revision,
    /// Its id.
    pub id: EventId,
    /// Its stored name.
    pub name: &'a str,
    /// The version of its stored shape.
    pub version: u16,
    /// The unencrypted part, as JSON.
    pub data: &'a [u8],
    /// Its context, as JSON.
    pub metadata: &'a [u8],
}

/// Is shown one event after the other.
pub type Look = Box<dyn FnMut(&OpenEvent<'_>) + Send>;

/// The events that a store without a quicker way reads at once, to show them.
const PAGE: usize = 500;

/// An append that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of its last event.
    pub position: Position,
    /// The stream's revision after it.
    pub revision: Revision,
}

/// Why an append did not happen, or may not have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another append came first: load the new events and decide again.
    #[error("the stream is at revision {actual:?}, not at the expected one")]
    Conflict {
        /// The revision of the stream.
        actual: Revision,
    },
    /// Nothing was written. The text says why and how to solve it.
    #[error("the event store can't write: {0}")]
    Unavailable(String),
    /// The events may have been written. Appending them again at the same revision tells (law 2).
    #[error("the event store did not say whether it wrote: {0}")]
    Unknown(String),
}

/// The log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event store can't be read: {0}")]
pub struct ReadError(pub String);

/// What a subscription delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// The next event.
    Event(Box<RecordedEvent>),
    /// All stored events have been delivered, and the next ones are new. Sent each time the subscription has caught
    /// up.
    CaughtUp(Position),
}

/// The log of events. Every adapter passes the conformance suite in `tests/`.
pub trait EventStore: Send + Sync {
    /// Appends events to a stream that must be at `expected`: all of them or none. Returns when they are durable.
    /// Appending the same event ids at the same revision again changes nothing and returns the same answer.
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>>;

    /// The events of a stream after revision `after`, in order.
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>>;

    /// At most `limit` events of the whole log after `after`, in order and without gaps. `after` is the start of the log
    /// (0) or the position of an event. Some stores count positions in steps greater than one, so nothing can be
    /// computed from a position.
    fn read_all(&self, after: Position, limit: usize)
    -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>>;

    /// Shows each event after `after`, up to `up_to`, that has one of these names, in order and without its encrypted part.
    /// Returns how many events there are in all between the two positions. A store need not copy anything.
    fn look_at_named(
        &self,
        after: Position,
        up_to: Position,
        names: &'static [&'static str],
        mut look: Look,
    ) -> BoxFuture<'_, Result<usize, ReadError>> {
        Box::pin(async move {
            let (mut at, mut passed) = (after, 0);
            while at < up_to {
                let page = self.read_all(at, PAGE).await?;
                let Some(last) = page.last().map(|last| last.position) else { break };
                at = last;
                for recorded in page.iter().take_while(|recorded| recorded.position <= up_to) {
                    passed += 1;
                    if names.contains(&recorded.event.name.as_str()) {
                        look(&recorded.open());
                    }
                }
            }
            Ok(passed)
        })
    }

    /// The event at exactly this position. Returns `None` if there is none.
    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>>;

    /// The newest events, at most `limit`, in their order.
    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>>;

    /// All events after `after`, then each new event as it comes. Each event comes once and in order.
    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>>;

    /// The position of the last durable event.
    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>>;

    /// Takes as long as an append and appends nothing. An answer to an anonymous caller about an unknown address
    /// waits for it, so that the time does not tell addresses apart (law 11).
    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>>;
}

/// An event could not be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Something in the log cannot be read. The reader stops.
    #[error("event {id} at {place} can't be read: {why}")]
    Unreadable {
        /// The event's id.
        id: EventId,
        /// Its stream and revision.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The person's data was erased, so nothing can be encrypted for this account.
    #[error("account {0} was erased")]
    Erased(AccountId),
    /// The key store cannot be used.
    #[error("the key store can't be used: {0}")]
    Keys(String),
}

/// Encodes events for the store and decodes them: JSON with an encrypted part.
pub trait EventCodec: Send + Sync {
    /// Encodes events of one stream. Private parts are encrypted with the key of their account.
    fn encode<'a>(
        &'a self,
        stream: &'a StreamId,
        facts: Vec<Fact<DomainEvent>>,
    ) -> BoxFuture<'a, Result<Vec<NewEvent>, CodecError>>;

    /// Decodes stored events. Parts encrypted with a deleted key are returned as erased.
    fn decode<'a>(
        &'a self,
        recorded: &'a RecordedEvent,
    ) -> BoxFuture<'a, Result<Fact<DomainEvent>, CodecError>>;

    /// Makes ready to decode these events: fetches at once the keys that decoding them would fetch one by one. Leaves what it
    /// can't fetch to [`EventCodec::decode`], which says why.
    fn prepare<'a>(&'a self, events: &'a [&'a RecordedEvent]) -> BoxFuture<'a, ()>;

    /// Decodes only the unencrypted part, without a key. Encrypted parts are returned as erased. Views read events in
    /// this way, because they may hold no personal data (law 6).
    ///
    /// # Errors
    /// [`CodecError`] if the unencrypted part can't be read.
    fn decode_open(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError>;

    /// Decodes only the moment and the unencrypted part, as [`EventCodec::decode_open`] does.
    ///
    /// # Errors
    /// [`CodecError`] if they can't be read.
    fn decode_briefly(&self, event: &OpenEvent<'_>) -> Result<(Moment, DomainEvent), CodecError>;

    /// The keyed hash of a word of a name. A read model may hold this hash, but not the word. It does not change when
    /// the server key changes.
    fn hash_word(&self, word: &str) -> String;
}

/// The keys that encrypt personal data. Each account has one.
pub trait KeyVault: Send + Sync {
    /// Deletes the account's key for ever. Nothing can be encrypted for this account again.
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>>;

    /// The accounts among these that have a key, or whose key is not deleted for good yet. Erased accounts can have a
    /// key again after an older backup of the key store was restored.
    fn still_held(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AccountId>, CodecError>>;

    /// Why the keys could not be updated after a rotation of the server key. Returns `None` if they are up to date.
    /// While there is a reason, no account can be created, and nothing that the new server key signed or encrypted
    /// can be read.
    fn failure(&self) -> Option<String>;
}

/// The result of verifying a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The password is right.
    Match {
        /// The same password hashed with the newest parameters, if the stored hash has others.
        rehashed: Option<PasswordHash>,
    },
    /// The password is wrong, or the hash can't be read.
    Mismatch,
}

/// The server cannot hash a password now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being verified; try again shortly")]
pub struct Busy;

/// Hashes passwords with a slow, memory-hard function. The number of hashes at the same time is limited.
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password with the newest parameters and a new salt.
    fn hash(&self, password: Password) -> BoxFuture<'_, Result<PasswordHash, Busy>>;

    /// Verifies a password against a hash.
    fn verify(&self, password: Password, hash: PasswordHash) -> BoxFuture<'_, Result<Verification, Busy>>;

    /// Takes as long as [`PasswordHasher::verify`] and verifies nothing.
    fn verify_decoy(&self, password: Password) -> BoxFuture<'_, Result<(), Busy>>;
}

/// A secret of the second step in the two forms that its owner can give to an authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub struct OtpAuth {
    /// The secret as text to type in (base 32, RFC 4648).
    pub secret: String,
    /// The `otpauth://` address for a QR code (Google Authenticator's key URI format).
    pub uri: String,
}

impl fmt::Debug for OtpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpAuth(…)")
    }
}

/// Makes and checks codes of the second step.
pub trait OneTimeCodes: Send + Sync {
    /// A new random secret.
    fn secret(&self) -> TotpSecret;
    /// A secret in the forms that an authenticator app accepts. The app displays `issuer` and `account`. Returns
    /// `None` if the secret is shorter than RFC 6238 allows.
    fn otp_auth(&self, secret: &TotpSecret, issuer: &str, account: &str) -> Option<OtpAuth>;
    /// The time step of a code: the number of 30-second steps since 1970 (RFC 6238). Returns `None` if the code does
    /// not belong to the step of `at` or to one beside it.
    fn step_of(&self, secret: &TotpSecret, code: &str, at: Moment) -> Option<u64>;
    /// Ten new recovery codes to show to the owner. Each has at least 64 random bits.
    fn recovery_codes(&self) -> Vec<String>;
    /// The hash of an account's recovery code. Different spellings of one code have the same hash.
    fn recovery_hash(&self, account: AccountId, code: &str) -> RecoveryHash;
}

/// The purpose of a mailed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To choose a first password.
    Activation,
    /// To choose a new password.
    PasswordReset,
}

/// The content of a link's token. It is derived from an event and not stored (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkClaims {
    /// The purpose.
    pub purpose: Purpose,
    /// The account.
    pub account: AccountId,
    /// The event that created the link.
    pub event: EventId,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

/// The content of a challenge's token: the password was right, and a code is asked for. It is derived from an event
/// and not stored (law 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeClaims {
    /// The account.
    pub account: AccountId,
    /// The event that opened the challenge.
    pub event: EventId,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

/// The content of a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

/// The content of a device's token: the device is trusted until the account's state says otherwise. It authorises
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceClaims {
    /// The account that trusts it.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The first moment at which it no longer works.
    pub expires_at: Moment,
}

/// Makes and reads signed tokens, and hashes e-mail addresses. Both use the server's key.
pub trait Tokens: Send + Sync {
    /// The keyed hash of an address, for stream names and read models.
    fn email_hash(&self, email: &EmailAddress) -> EmailHash;
    /// Makes the token of a mailed link.
    fn link(&self, claims: &LinkClaims) -> String;
    /// Reads a link's token. Returns `None` if this server did not make it for this purpose.
    fn read_link(&self, purpose: Purpose, token: &str) -> Option<LinkClaims>;
    /// Makes the token of a challenge.
    fn challenge(&self, claims: &ChallengeClaims) -> String;
    /// Reads a challenge's token. Returns `None` if this server did not make it.
    fn read_challenge(&self, token: &str) -> Option<ChallengeClaims>;
    /// Makes the token of a session.
    fn session(&self, claims: &SessionClaims) -> String;
    /// Reads a session's token. Returns `None` if this server did not make it.
    fn read_session(&self, token: &str) -> Option<SessionClaims>;
    /// Makes the token of a trusted device.
    fn device(&self, claims: &DeviceClaims) -> String;
    /// Reads a device's token. Returns `None` if this server did not make it.
    fn read_device(&self, token: &str) -> Option<DeviceClaims>;
}

/// Makes new random ids.
pub trait Identities: Send + Sync {
    /// A new id: 122 bits from a cryptographically secure source.
    fn fresh(&self) -> Uuid;
}

/// The blocklist of passwords can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the blocklist of passwords can't be read: {0}")]
pub struct BlocklistUnreadable(pub String);

/// The blocklist: common passwords and passwords known from a breach, which attackers try first.
pub trait Blocklist: Send + Sync {
    /// Whether a password is on the list, in any case of its letters.
    fn contains(&self, password: Password) -> BoxFuture<'_, Result<bool, BlocklistUnreadable>>;
}

/// The precision of [`SessionUses`]: the time that it returns may be this much too early.
pub const SESSION_USE_GRAIN: TimeDelta = TimeDelta::seconds(10);

/// The store of session uses can't be used. The text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the last use of sessions can't be read or written: {0}")]
pub struct SessionUsesUnavailable(pub String);

/// The times at which sessions were last used. They are not part of a decision, and the log has no event for them.
/// All nodes share them, so a session that is used on one node does not end on another.
///
/// An adapter guarantees:
/// - **The latest use wins**, in whatever order and on whatever node uses are recorded.
/// - **To within 10 seconds** ([`SESSION_USE_GRAIN`]): the returned time is never later than the latest use, and at
///   most 10 seconds earlier. So the adapter may skip a use that follows another one closely.
/// - **Not durable**: a crash may lose the newest minute. A lost use makes a session end too early, never too late.
/// - **Forgetting is allowed** for a session that has been unused for longer than any setting allows.
///
/// Every request with a session reads and records a use. So an adapter answers without waiting for a disk.
pub trait SessionUses: Send + Sync {
    /// Returns when a session was last used. Returns `None` if no use is known.
    ///
    /// # Errors
    /// [`SessionUsesUnavailable`] if the store can't be read.
    fn last_use(&self, session: SessionId) -> BoxFuture<'_, Result<Option<Moment>, SessionUsesUnavailable>>;

    /// Records that a session is used at `at`.
    ///
    /// # Errors
    /// [`SessionUsesUnavailable`] if the use may not have been recorded. The caller may try again.
    fn note_use(&self, session: SessionId, at: Moment) -> BoxFuture<'_, Result<(), SessionUsesUnavailable>>;
}

/// Lets one caller at a time through for each key, in the order in which they came.
pub trait KeyedLock: Send + Sync {
    /// Waits for the lock of this key. The lock ends when the returned value is dropped.
    fn acquire(&self, key: String) -> BoxFuture<'_, Box<dyn Send>>;
}

/// The store of wrong guesses at unknown addresses can't be used. The text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wrong guesses at unknown addresses can't be read or counted: {0}")]
pub struct GuessesUnavailable(pub String);

/// Why a guess at an unknown address was not counted, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountError {
    /// Another guess was counted first. Judge again from the present state.
    #[error("another guess at the address was counted first")]
    Conflict {
        /// The present state.
        actual: Lockout,
    },
    /// The guess may have been counted or not.
    #[error(transparent)]
    Unavailable(#[from] GuessesUnavailable),
}

/// The wrong guesses at addresses that no active account has. All nodes share them. So an unknown address is locked
/// after as many guesses as a known one, however many nodes the guesses reach (law 11).
///
/// An adapter guarantees:
/// - **A guess is counted once.** [`replace`](Self::replace) compares and writes in one step. If two nodes judged
///   from the same state, one of them gets [`CountError::Conflict`], as it gets a conflict from the log for a known
///   address.
/// - **All nodes see it at once**: the next `get` or `replace` on any node finds what `replace` wrote.
/// - **Bounded**: anybody can make up addresses, so their number has a limit. At the limit an adapter forgets the
///   address whose last guess is oldest. A forgotten address counts from zero.
/// - **Not durable**: a crash may lose the newest counts. An adapter does not wait for a disk. The answer for an
///   unknown address waits once, in [`EventStore::decoy`]. A second wait would tell addresses apart.
/// - **The same time for every address**, whether or not there was a guess at it before.
/// - The adapter stores a hash, and never the address itself.
pub trait AnonymousGuesses: Send + Sync {
    /// The guesses at an address. Returns the default, no guesses, for an address that is not stored.
    ///
    /// # Errors
    /// [`GuessesUnavailable`] if the store can't be read.
    fn get<'a>(&'a self, email: &'a EmailHash) -> BoxFuture<'a, Result<Lockout, GuessesUnavailable>>;

    /// Writes `next` if the stored state is still `judged`, from which `next` was computed. The default stands for an
    /// address that is not stored.
    ///
    /// # Errors
    /// [`CountError::Conflict`] if the stored state is another one; then nothing is written.
    /// [`CountError::Unavailable`] if the store did not say whether it wrote.
    fn replace<'a>(
        &'a self,
        email: &'a EmailHash,
        judged: Lockout,
        next: Lockout,
    ) -> BoxFuture<'a, Result<(), CountError>>;
}

/// The state of an aggregate, and the revision that it is loaded up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded<S> {
    /// The state. The cache and its readers share it, so reading an account takes the same time whatever the size of
    /// its state.
    pub state: Arc<S>,
    /// The revision of the last event in it.
    pub revision: Revision,
    /// The position of that event in the whole log.
    pub position: Position,
}

/// A bounded cache of states. An outdated state is harmless: the append's revision check detects it.
pub trait StateCache<S>: Send + Sync {
    /// The newest state in this cache.
    fn get(&self, stream: &StreamId) -> Option<Folded<S>>;
    /// Stores a state.
    fn put(&self, stream: &StreamId, folded: &Folded<S>);
    /// Removes a state, because it holds erased data.
    fn remove(&self, stream: &StreamId);
    /// Removes all states, because one of them holds erased data.
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
