//! Tokens that are not stored: each one carries its content and an HMAC-SHA-256 (RFC 2104) of it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use loquet_domain::Moment;
use loquet_domain::ids::{AccountId, DeviceId, EventId, SessionId};
use loquet_domain::ports::{ChallengeClaims, DeviceClaims, LinkClaims, Purpose, SessionClaims, Tokens};
use loquet_domain::values::email_address::{EmailAddress, EmailHash};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keyed_hash::mac;
use crate::server_key::ServerKey;

const FORMAT: u8 = 1;
const PAYLOAD: usize = 1 + 16 + 16 + 8;
const TAG: usize = 32;

type Key = Zeroizing<[u8; 32]>;

/// The keys that sign the tokens of one generation.
#[derive(Clone)]
pub struct Signing {
    activation: Key,
    reset: Key,
    session: Key,
    challenge: Key,
    device: Key,
}

/// The keys that sign tokens, the keys that still verify older tokens, and the key that hashes addresses.
#[derive(Clone)]
pub struct TokenKeys {
    /// Hashes e-mail addresses.
    pub email: Key,
    /// Signs new tokens.
    pub current: Signing,
    /// Verifies tokens that earlier server keys signed. Each is valid until the given moment.
    pub older: Vec<(Signing, Moment)>,
}

impl Signing {
    /// Derives the keys from a server key.
    #[must_use]
    pub fn of(key: &ServerKey) -> Self {
        Self {
            activation: key.derive("loquet/link/activation/1"),
            reset: key.derive("loquet/link/password-reset/1"),
            session: key.derive("loquet/session/1"),
            challenge: key.derive("loquet/challenge/1"),
            device: key.derive("loquet/device/1"),
        }
    }

    /// Returns the keys one after another, in the form that a key store keeps.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let [activation, reset] = [self.activation.as_slice(), self.reset.as_slice()];
        let [session, challenge] = [self.session.as_slice(), self.challenge.as_slice()];
        Zeroizing::new([activation, reset, session, challenge, self.device.as_slice()].concat())
    }

    /// Reads what [`Signing::to_bytes`] wrote. Returns `None` if the length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (activation, rest) = bytes.split_first_chunk::<32>()?;
        let (reset, rest) = rest.split_first_chunk::<32>()?;
        let (session, rest) = rest.split_first_chunk::<32>()?;
        // Stored keys from before challenges or devices existed lack these keys. A random key takes their
        // place, and no token matches it.
        let (challenge, rest) = Self::kept_or_unknown(rest)?;
        let (device, rest) = Self::kept_or_unknown(rest)?;
        let key = |bytes: &[u8; 32]| Zeroizing::new(*bytes);
        let (activation, reset, session) = (key(activation), key(reset), key(session));
        rest.is_empty().then_some(Self { activation, reset, session, challenge, device })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a key that nobody has: what it signed cannot be read any more"
    )]
    fn kept_or_unknown(bytes: &[u8]) -> Option<(Key, &[u8])> {
        match bytes {
            [] => Some((Zeroizing::new(rand::random()), bytes)),
            bytes => bytes.split_first_chunk::<32>().map(|(key, rest)| (Zeroizing::new(*key), rest)),
        }
    }

    fn link(&self, purpose: Purpose) -> &Key {
        match purpose {
            Purpose::Activation => &self.activation,
            Purpose::PasswordReset => &self.reset,
        }
    }
}

impl TokenKeys {
    /// Derives the keys from a server key that has no predecessor.
    #[must_use]
    pub fn of(key: &ServerKey) -> Self {
        Self { email: Self::email_of(key), current: Signing::of(key), older: Vec::new() }
    }

    /// Derives the key that hashes addresses, from a server key that has no predecessor.
    #[must_use]
    pub fn email_of(key: &ServerKey) -> Key {
        key.derive("loquet/email/1")
    }

    /// Returns the token's content, verified with the first key that matches. A token of an earlier
    /// generation must end before that generation does.
    fn open(&self, which: impl Fn(&Signing) -> &Key, token: &str) -> Option<(Uuid, Uuid, Moment)> {
        open(which(&self.current), token).or_else(|| {
            let mut older = self.older.iter();
            older.find_map(|(signing, ends)| open(which(signing), token).filter(|said| said.2 <= *ends))
        })
    }
}

/// Makes and verifies tokens with keys derived from the server key.
pub struct HmacTokens {
    keys: Arc<RwLock<TokenKeys>>,
}

impl HmacTokens {
    /// Tokens of a server whose key is never rotated.
    #[must_use]
    pub fn new(key: &ServerKey) -> Self {
        Self::sharing(Arc::new(RwLock::new(TokenKeys::of(key))))
    }

    /// Tokens whose keys change when the key store rotates the server key.
    #[must_use]
    pub fn sharing(keys: Arc<RwLock<TokenKeys>>) -> Self {
        Self { keys }
    }

    /// Returns a keyed hash of a word of a name. Its key is derived from the key that hashes addresses, so it
    /// stays the same through every rotation of the server key. Half of the hash is enough, because each
    /// match is compared with the real name afterwards.
    pub(crate) fn hash_word(&self, word: &str) -> String {
        // No e-mail address has this form, so no address can have the same hash as this key.
        let key = mac(&self.keys().email, b"loquet/words of names/1").finalize().into_bytes();
        let hash = mac(&Zeroizing::new(key.into()), word.as_bytes()).finalize().into_bytes();
        base16ct::lower::encode_string(hash.get(..16).unwrap_or(&hash))
    }

    /// Returns a secret that signs deliveries to a webhook. It is derived and not stored. Its key is derived from the key
    /// that hashes addresses, so it stays the same through every rotation of the server key.
    #[must_use]
    pub fn webhook_secret(&self, endpoint: Uuid, number: u32) -> Zeroizing<[u8; 32]> {
        // No e-mail address has this form, so no address can have the same hash as this key.
        let key = mac(&self.keys().email, b"loquet/webhooks/1").finalize().into_bytes();
        let message = [endpoint.as_bytes().as_slice(), &number.to_be_bytes()].concat();
        Zeroizing::new(mac(&Zeroizing::new(key.into()), &message).finalize().into_bytes().into())
    }

    fn keys(&self) -> RwLockReadGuard<'_, TokenKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens for HmacTokens {
    fn email_hash(&self, email: &EmailAddress) -> EmailHash {
        let tag = mac(&self.keys().email, email.as_str().as_bytes()).finalize().into_bytes();
        EmailHash(base16ct::lower::encode_string(&tag))
    }

    fn link(&self, claims: &LinkClaims) -> String {
        let keys = self.keys();
        seal(keys.current.link(claims.purpose), claims.account.0, claims.event.0, claims.expires_at)
    }

    fn read_link(&self, purpose: Purpose, token: &str) -> Option<LinkClaims> {
        let (account, event, expires_at) = self.keys().open(|signing| signing.link(purpose), token)?;
        Some(LinkClaims { purpose, account: AccountId(account), event: EventId(event), expires_at })
    }

    fn challenge(&self, claims: &ChallengeClaims) -> String {
        seal(&self.keys().current.challenge, claims.account.0, claims.event.0, claims.expires_at)
    }

    fn read_challenge(&self, token: &str) -> Option<ChallengeClaims> {
        let (account, event, expires_at) = self.keys().open(|signing| &signing.challenge, token)?;
        Some(ChallengeClaims { account: AccountId(account), event: EventId(event), expires_at })
    }

    fn session(&self, claims: &SessionClaims) -> String {
        seal(&self.keys().current.session, claims.account.0, claims.session.0, claims.expires_at)
    }

    fn device(&self, claims: &DeviceClaims) -> String {
        seal(&self.keys().current.device, claims.account.0, claims.device.0, claims.expires_at)
    }

    fn read_device(&self, token: &str) -> Option<DeviceClaims> {
        let (account, device, expires_at) = self.keys().open(|signing| &signing.device, token)?;
        Some(DeviceClaims { account: AccountId(account), device: DeviceId(device), expires_at })
    }

    fn read_session(&self, token: &str) -> Option<SessionClaims> {
        let (account, session, expires_at) = self.keys().open(|signing| &signing.session, token)?;
        Some(SessionClaims { account: AccountId(account), session: SessionId(session), expires_at })
    }
}

fn seal(key: &[u8; 32], first: Uuid, second: Uuid, expires_at: Moment) -> String {
    let mut token = Vec::with_capacity(PAYLOAD + TAG);
    token.push(FORMAT);
    token.extend_from_slice(first.as_bytes());
    token.extend_from_slice(second.as_bytes());
    token.extend_from_slice(&expires_at.timestamp_micros().to_be_bytes());
    let tag = mac(key, &token).finalize().into_bytes();
    token.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(token)
}

/// Returns the token's content if its tag matches. Compares in constant time.
fn open(key: &[u8; 32], token: &str) -> Option<(Uuid, Uuid, Moment)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (payload, tag) = bytes.split_at_checked(PAYLOAD)?;
    mac(key, payload).verify_slice(tag).ok()?;
    let (format, rest) = payload.split_first()?;
    let (first, rest) = rest.split_first_chunk::<16>()?;
    let (second, rest) = rest.split_first_chunk::<16>()?;
    let expires = i64::from_be_bytes(*rest.first_chunk::<8>()?);
    let expires_at = Moment::from_timestamp_micros(expires)?;
    (*format == FORMAT).then(|| (Uuid::from_bytes(*first), Uuid::from_bytes(*second), expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> LinkClaims {
        LinkClaims {
            purpose: Purpose::Activation,
            account: AccountId(Uuid::from_u128(1)),
            event: EventId(Uuid::from_u128(2)),
            expires_at: Moment::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let tokens = HmacTokens::new(&ServerKey::random());
        assert_eq!(tokens.read_link(Purpose::Activation, &tokens.link(&claims())), Some(claims()));
    }

    #[test]
    fn a_token_for_one_purpose_serves_no_other_and_no_other_server_takes_it() {
        let (ours, theirs) = (HmacTokens::new(&ServerKey::random()), HmacTokens::new(&ServerKey::random()));
        let token = ours.link(&claims());
        assert_eq!(ours.read_link(Purpose::PasswordReset, &token), None);
        assert_eq!(ours.read_session(&token), None);
        assert_eq!(ours.read_device(&token), None);
        assert_eq!(theirs.read_link(Purpose::Activation, &token), None);
    }

    #[test]
    fn an_altered_truncated_or_extended_token_is_refused() {
        let tokens = HmacTokens::new(&ServerKey::random());
        let token = tokens.link(&claims());
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(tokens.read_link(Purpose::Activation, &altered), None, "altered at {at}");
            assert_eq!(tokens.read_link(Purpose::Activation, &token[..at]), None, "cut at {at}");
        }
        assert_eq!(tokens.read_link(Purpose::Activation, &format!("{token}AAAA")), None);
        assert_eq!(tokens.read_link(Purpose::Activation, "é"), None);
    }
}
