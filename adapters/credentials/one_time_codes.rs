//! Codes of the second step: TOTP (RFC 6238: SHA-1, 6 digits, 30 s) and recovery codes.

use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{OneTimeCodes, OtpAuth};
use loquet_domain::values::one_time_code::{RecoveryHash, TotpSecret};
use sha2::{Digest, Sha256};
use totp_rs::{Builder, Secret, Totp};

/// The number of recovery codes that are made at once.
const CODES: usize = 10;
/// Random bytes of a recovery code: 80 bits, above the 64 that a single-use code asks for.
const BYTES: usize = 10;
/// Letters and digits that are hard to mistake for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Makes codes from the operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct TotpCodes;

fn totp(secret: &TotpSecret) -> Builder {
    Builder::new().with_secret(secret.expose().to_vec()).with_skew(1)
}

impl OneTimeCodes for TotpCodes {
    fn secret(&self) -> TotpSecret {
        TotpSecret::new(Secret::generate().as_bytes().to_vec())
    }

    fn otp_auth(&self, secret: &TotpSecret, issuer: &str, account: &str) -> Option<OtpAuth> {
        // A colon separates issuer and account in the address.
        let line = |text: &str| text.replace(':', " ");
        let totp = totp(secret).with_account_name(line(account)).with_issuer(Some(line(issuer)));
        let uri = totp.build().ok()?.to_url().ok()?;
        Some(OtpAuth { secret: Secret::from(secret.expose().to_vec()).to_base32(), uri })
    }

    fn step_of(&self, secret: &TotpSecret, code: &str, at: Moment) -> Option<u64> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let six = code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
        let totp: Totp = totp(secret).build().ok().filter(|_| six)?;
        totp.check(&code, u64::try_from(at.timestamp()).ok()?)
    }

    #[expect(clippy::disallowed_methods, reason = "new codes")]
    fn recovery_codes(&self) -> Vec<String> {
        (0..CODES).map(|_| spelled(rand::random::<[u8; BYTES]>())).collect()
    }

    fn recovery_hash(&self, account: AccountId, code: &str) -> RecoveryHash {
        let mut hash = Sha256::new_with_prefix(b"loquet/recovery/1");
        hash.update(account.0.as_bytes());
        hash.update(plain(code).as_bytes());
        RecoveryHash::new(base16ct::lower::encode_string(&hash.finalize()))
    }
}

/// Writes sixteen letters in groups of four.
fn spelled(bytes: [u8; BYTES]) -> String {
    let number = bytes.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let letter = |place: u32| {
        let place = usize::try_from(number >> (place * 5) & 31).unwrap_or_default();
        char::from(ALPHABET.get(place).copied().unwrap_or(b'0'))
    };
    let letters: Vec<char> = (0..16).rev().map(letter).collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// Brings a typed code into its stored form: no spaces or hyphens, capital letters, and look-alike characters
/// replaced by the ones they stand for.
fn plain(code: &str) -> String {
    let told = code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase());
    told.map(|c| match c {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(second: i64) -> Moment {
        Moment::from_timestamp(second, 0).unwrap()
    }

    /// RFC 6238, appendix B, SHA-1. Our codes are the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = TotpSecret::new(b"12345678901234567890".to_vec());
        for (second, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(TotpCodes.step_of(&secret, code, at(second)), Some(second.unsigned_abs() / 30));
        }
    }

    #[test]
    fn a_code_holds_exactly_one_step_either_side() {
        let secret = TotpSecret::new(b"12345678901234567890".to_vec());
        let step = 59 / 30;
        let seen = |second| TotpCodes.step_of(&secret, "287 082", at(second));
        assert_eq!([seen(0), seen(29), seen(30), seen(89)], [Some(step); 4]);
        assert_eq!([seen(90), seen(119), seen(-1)], [None; 3]);
        for wrong in ["", "28708", "2870822", "28708a", "２８７０８２", "287083"] {
            assert_eq!(TotpCodes.step_of(&secret, wrong, at(59)), None, "{wrong:?}");
        }
    }

    #[test]
    fn ten_recovery_codes_of_80_bits_are_known_however_they_are_typed() {
        let codes = TotpCodes.recovery_codes();
        let mut different = codes.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 10);
        let (marie, jan) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        for code in &codes {
            assert_eq!(code.len(), 19, "{code}");
            let hash = TotpCodes.recovery_hash(marie, code);
            let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(TotpCodes.recovery_hash(marie, &typed), hash);
            assert_ne!(TotpCodes.recovery_hash(jan, code), hash);
        }
    }

    #[test]
    fn a_secret_has_160_bits_and_is_shown_as_an_address_and_as_text() {
        let (one, other) = (TotpCodes.secret(), TotpCodes.secret());
        assert_eq!(one.expose().len(), 20);
        assert_ne!(one, other);
        let shown = TotpCodes.otp_auth(&one, "My:CCV", "marie@example.be").unwrap();
        assert!(shown.uri.starts_with("otpauth://totp/My%20CCV:marie"), "{}", shown.uri);
        assert!(
            shown.uri.contains(&format!("secret={}", shown.secret)) && shown.uri.contains("issuer=My%20CCV")
        );
    }
}
