//! Authenticated encryption: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) with a random nonce.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const NONCE: usize = 24;

/// Makes a random key of 256 bits.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a key")]
pub fn random_key() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(rand::random())
}

/// Encrypts `message` and binds it to `context`. Returns the nonce followed by the ciphertext. Returns `None` if the
/// message is longer than the cipher takes (256 GiB).
#[must_use]
pub fn seal(key: &[u8; 32], message: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "a nonce")]
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: message, aad: context };
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(nonce), payload).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

/// Decrypts what [`seal`] returned. Returns `None` if the ciphertext, the key or the context does not match.
#[must_use]
pub fn open(key: &[u8; 32], sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: context };
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_message_opens_under_its_key_and_in_its_context_alone() {
        let (key, other) = ([1; 32], [2; 32]);
        let mut sealed = seal(&key, b"message", b"context").unwrap();
        assert_eq!(open(&key, &sealed, b"context").as_deref(), Some(b"message".as_slice()));
        assert_eq!(open(&other, &sealed, b"context"), None);
        assert_eq!(open(&key, &sealed, b"another"), None);
        sealed[30] ^= 1;
        assert_eq!(open(&key, &sealed, b"context"), None);
        assert_eq!(open(&key, b"short", b"context"), None);
    }
}
