//! The steps of a rotation of the server key. A key store makes each of them durable before the next one begins. So a
//! rotation that was killed continues when it is started again.
//!
//! 1. The new key is written above the old one in the key file ([`Beginning::of`]).
//! 2. The key store records the new generation, and keeps what must survive the old key ([`Beginning::record`]).
//! 3. The account keys are wrapped again, some hundreds in each transaction ([`Rewrapping`]).
//! 4. When none is left, the old generation is deleted from the store.
//! 5. The old key is deleted from the key file ([`KeyFile::without_older`]).

use chrono::TimeDelta;
use loquet_domain::Moment;
use zeroize::Zeroizing;

use crate::key_ring::{COMMANDS, EMAIL, Generation, Ring, RingError, Stored, StoredSecret};
use crate::sealing::{open, seal};
use crate::server_key::{KeyFile, ServerKey, ServerKeyError};

/// How long links and sessions signed with the old key stay valid: the longest time that any of them may
/// last.
const GRACE: TimeDelta = TimeDelta::days(366);

/// Why the server key is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A planned rotation. Links and sessions signed with the old key stay valid until they expire.
    Routine,
    /// Somebody else knows the old key. Links and sessions that it signed end at once.
    Compromise,
}

/// What a rotation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationReport {
    /// The number of the new server key, starting at one.
    pub generation: u32,
    /// Whether it continues an interrupted rotation.
    pub resumed: bool,
}

impl RotationReport {
    /// Returns whether a whole new rotation must follow this one. An interrupted rotation ends with the key that it
    /// had made, and an attacker who has read the file since knows that key as well.
    #[must_use]
    pub fn must_be_followed(self, cause: Cause) -> bool {
        self.resumed && cause == Cause::Compromise
    }
}

/// Writes a new key above the old one in the file, so that the file can be copied to other nodes before the rotation
/// begins there. Until then, every store goes on with the old key. The rotation then takes the key that is in the file,
/// as if it had been interrupted. After a compromise, a second key follows, so nothing is won by preparing.
///
/// # Errors
/// The file system's error. The file is then unchanged.
pub fn prepare(file: &KeyFile) -> Result<KeyFile, ServerKeyError> {
    let file = file.reload()?;
    if file.is_being_rotated() { Ok(file) } else { file.put_above(ServerKey::random()) }
}

/// Why a rotation can't begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// The store and the file do not fit together.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] ServerKeyError),
}

/// A rotation whose new key is in the file.
pub struct Beginning {
    /// The file, with the new key and the old one.
    pub file: KeyFile,
    /// Whether the new key comes from a rotation that was interrupted.
    pub resumed: bool,
    /// The file as the store knows it.
    known: KeyFile,
}

/// What a key store records before it wraps the first key again.
pub enum Record {
    /// The new generation, with the fingerprint of its key. These secrets replace all that are stored.
    Generation(Generation, Vec<u8>, Vec<StoredSecret>),
    /// The interrupted rotation recorded its generation. The secrets that have an end must be deleted.
    EndOfOldTokens,
    /// The interrupted rotation recorded everything.
    Nothing,
}

impl Beginning {
    /// Reads the file again, and writes the new key into it. The file may have a new key from an interrupted rotation.
    /// The caller prevents that two rotations begin at once: each would write a key, and one would be lost.
    ///
    /// # Errors
    /// [`CannotBegin`]. Nothing is lost.
    pub fn of(file: &KeyFile, stored: &Stored) -> Result<Self, CannotBegin> {
        let file = file.reload()?;
        let is_known = |key: &ServerKey| stored.generation_of(key).is_some();
        // A key that is in the file but unknown to the store comes from a rotation that was killed at that
        // moment.
        let unheard = file.older.iter().find(|older| is_known(older)).filter(|_| !is_known(&file.newest));
        let known = unheard.map_or_else(|| file.clone(), KeyFile::from);
        Ring::of(known.clone(), stored)?;
        let resumed = stored.generations.len() > 1 || !file.older.is_empty();
        let file = if resumed { file } else { file.put_above(ServerKey::random())? };
        Ok(Self { file, resumed, known })
    }

    /// Returns what the store must record, in one transaction. `stored` must be what it holds in this transaction.
    ///
    /// # Errors
    /// [`RingError`] if an entry of the store can't be read.
    pub fn record(&self, stored: &Stored, now: Moment, cause: Cause) -> Result<Record, RingError> {
        let new = &self.file.newest;
        if stored.generation_of(new).is_some() {
            return Ok(match cause {
                Cause::Compromise => Record::EndOfOldTokens,
                Cause::Routine => Record::Nothing,
            });
        }
        let ring = Ring::of(self.known.clone(), stored)?;
        let generation = ring.newest().saturating_add(1);
        let mut secrets = Vec::new();
        for (name, secret, ends_at) in kept(&ring, stored, now, cause)? {
            let wrapped = seal(&new.wrapping(), &secret, name.as_bytes());
            let wrapped = wrapped.ok_or_else(|| RingError::Altered(name.clone()))?;
            secrets.push(StoredSecret { name, wrapped, generation, ends_at });
        }
        Ok(Record::Generation(generation, new.fingerprint(), secrets))
    }
}

/// A secret of the server, with its name and its end.
type Kept = (String, Zeroizing<Vec<u8>>, Option<Moment>);

/// Returns what must survive the old key.
fn kept(ring: &Ring, stored: &Stored, now: Moment, cause: Cause) -> Result<Vec<Kept>, RingError> {
    let keys = ring.token_keys();
    let mut kept: Vec<Kept> = vec![(EMAIL.to_owned(), Zeroizing::new(keys.email.to_vec()), None)];
    if let Some(key) = ring.kept_key(stored, COMMANDS)? {
        kept.push((COMMANDS.to_owned(), Zeroizing::new(key.to_vec()), None));
    }
    if cause == Cause::Routine {
        let signing = std::iter::once((keys.current, now + GRACE)).chain(keys.older);
        kept.extend(signing.filter(|(_, ends)| now < *ends).enumerate().map(|(n, (signing, ends))| {
            let age = u32::try_from(n).unwrap_or(u32::MAX);
            let name = format!("signing/{}", ring.newest().saturating_sub(age));
            (name, signing.to_bytes(), Some(ends))
        }));
    }
    Ok(kept)
}

/// Wraps account keys again, which older generations wrap.
pub struct Rewrapping {
    newest: Generation,
    new: Zeroizing<[u8; 32]>,
    old: Vec<(Generation, Zeroizing<[u8; 32]>)>,
}

impl Rewrapping {
    /// Begins after the new generation was recorded.
    #[must_use]
    pub fn of(file: &KeyFile, stored: &Stored) -> Self {
        let old = file.older.iter().filter_map(|key| Some((stored.generation_of(key)?, key.wrapping())));
        Self { newest: stored.newest().unwrap_or(1), new: file.newest.wrapping(), old: old.collect() }
    }

    /// Returns the generation that wraps the keys from now on.
    #[must_use]
    pub fn newest(&self) -> Generation {
        self.newest
    }

    /// Wraps a key again. Returns `None` if it can't be unwrapped, because it was altered.
    #[must_use]
    pub fn rewrap(&self, wrapped: &[u8], generation: Generation, context: &[u8]) -> Option<Vec<u8>> {
        let (_, old) = self.old.iter().find(|(old, _)| *old == generation)?;
        seal(&self.new, &Zeroizing::new(open(old, wrapped, context)?), context)
    }
}
