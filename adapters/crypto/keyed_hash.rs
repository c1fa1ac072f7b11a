//! HMAC-SHA-256 (RFC 2104, FIPS 180-4).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Starts an HMAC-SHA-256 (RFC 2104) with a 32-byte key.
#[must_use]
pub fn mac(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    // HMAC pads a key with zeros to the hash's block of 64 bytes. We pad it here, so that this function can't
    // fail.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(padded, byte)| *padded = *byte);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    mac.update(message);
    mac
}

/// The keyed hashes that identify a command with an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandHashes {
    /// The hash of the caller and the idempotency key.
    pub command: [u8; 32],
    /// The hash of the request. Where one of its parts ends is part of it.
    pub contents: [u8; 32],
}

/// Hashes a command, so that a store of answers holds nothing that a caller sent.
#[must_use]
pub fn command_hashes(
    key: &[u8; 32],
    caller: &str,
    idempotency_key: &str,
    contents: &[&[u8]],
) -> CommandHashes {
    let mut digest = mac(key, b"contents");
    for part in contents {
        digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    let command = mac(key, format!("command\0{caller}\0{idempotency_key}").as_bytes());
    CommandHashes {
        command: command.finalize().into_bytes().into(),
        contents: digest.finalize().into_bytes().into(),
    }
}
