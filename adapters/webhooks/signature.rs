//! Signatures of deliveries, as Standard Webhooks 1.0 describes them: HMAC-SHA-256 over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use loquet_domain::Moment;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A secret that signs the deliveries to one endpoint: 32 bytes.
pub type Secret = Zeroizing<[u8; 32]>;

/// The secret as its receiver gets it.
#[must_use]
pub fn written(secret: &Secret) -> String {
    format!("whsec_{}", STANDARD.encode(secret.as_slice()))
}

/// The header `webhook-signature`: a signature with each secret, the newest first, separated by spaces.
#[must_use]
pub fn header(secrets: &[Secret], id: Uuid, at: Moment, body: &[u8]) -> String {
    let signed = secrets.iter().map(|secret| sign(secret, id, at, body));
    signed.collect::<Vec<_>>().join(" ")
}

fn sign(secret: &Secret, id: Uuid, at: Moment, body: &[u8]) -> String {
    let key = secret.as_slice();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(format!("{id}.{}.", at.timestamp()).as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the package `standardwebhooks` 1.1 for Python.
    #[test]
    fn a_signature_is_what_standard_webhooks_says() {
        let secret = Zeroizing::new([7u8; 32]);
        assert_eq!(written(&secret), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        let at = Moment::from_timestamp(1_764_150_000, 0).unwrap();
        let id = Uuid::from_u128(1);
        let signed = header(&[secret], id, at, br#"{"a":1}"#);
        assert_eq!(signed, "v1,h9+y3zjtMfizscnKKOEYJ7VLlFLaR1t21I0sEA9eBuM=");
    }
}
