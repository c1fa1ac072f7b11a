//! The adapters of the sample data: ids that depend on the seed, one password for everybody, and one secret
//! for every second step.

use std::sync::{Mutex, PoisonError};

use loquet_credentials::one_time_codes::TotpCodes;
use loquet_domain::Moment;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{
    BoxFuture, Busy, Identities, OneTimeCodes, OtpAuth, PasswordHasher, Verification,
};
use loquet_domain::values::one_time_code::{RecoveryHash, TotpSecret};
use loquet_domain::values::password::{Password, PasswordHash};
use uuid::Uuid;

use super::dice::Dice;

tokio::task_local! {
    /// The dice of the running act.
    static DICE: Mutex<Dice>;
}

/// Runs an act that draws its ids from its own dice, whatever runs at the same time.
pub(super) async fn with_dice<T>(roll: u64, doing: impl Future<Output = T>) -> T {
    DICE.scope(Mutex::new(Dice::of(roll, &[])), doing).await
}

/// Returns the first id that an act with this roll draws.
pub(super) fn first_identity(roll: u64) -> Uuid {
    Dice::of(roll, &[]).uuid()
}

/// Draws ids from the dice of the running act.
pub(crate) struct Seeded;

impl Identities for Seeded {
    #[expect(clippy::disallowed_methods, reason = "outside an act no dice are at hand")]
    fn fresh(&self) -> Uuid {
        let drawn = DICE.try_with(|dice| dice.lock().unwrap_or_else(PoisonError::into_inner).uuid());
        drawn.unwrap_or_else(|_| Uuid::new_v4())
    }
}

/// One password, hashed once. A million hashes, each with its own salt, would take days.
pub(crate) struct OnePassword {
    password: Password,
    hash: PasswordHash,
}

impl OnePassword {
    pub(crate) fn new(password: Password, hash: PasswordHash) -> Self {
        Self { password, hash }
    }
}

impl PasswordHasher for OnePassword {
    fn hash(&self, _: Password) -> BoxFuture<'_, Result<PasswordHash, Busy>> {
        Box::pin(std::future::ready(Ok(self.hash.clone())))
    }

    fn verify(&self, password: Password, _: PasswordHash) -> BoxFuture<'_, Result<Verification, Busy>> {
        let verdict = match password == self.password {
            true => Verification::Match { rehashed: None },
            false => Verification::Mismatch,
        };
        Box::pin(std::future::ready(Ok(verdict)))
    }

    fn verify_decoy(&self, _: Password) -> BoxFuture<'_, Result<(), Busy>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The 20 bytes from which the codes of every second step are made.
const SECRET: &[u8; 20] = b"Loquet-Demo-Secret-7";
/// Stands for the code that an app shows at that moment, in the history only. A server on the sample data
/// accepts the codes that follow from the secret.
pub(super) const CODE: &str = "the code of now";
/// The recovery codes of every account.
pub(super) const RECOVERY: [&str; 10] = [
    "DEM0-0000-0000-0001",
    "DEM0-0000-0000-0002",
    "DEM0-0000-0000-0003",
    "DEM0-0000-0000-0004",
    "DEM0-0000-0000-0005",
    "DEM0-0000-0000-0006",
    "DEM0-0000-0000-0007",
    "DEM0-0000-0000-0008",
    "DEM0-0000-0000-0009",
    "DEM0-0000-0000-0010",
];

/// One secret and ten recovery codes for everybody, so that anybody can try them.
pub(crate) struct OneSecret;

impl OneTimeCodes for OneSecret {
    fn secret(&self) -> TotpSecret {
        TotpSecret::new(SECRET.to_vec())
    }

    fn otp_auth(&self, secret: &TotpSecret, issuer: &str, account: &str) -> Option<OtpAuth> {
        TotpCodes.otp_auth(secret, issuer, account)
    }

    fn step_of(&self, _: &TotpSecret, code: &str, at: Moment) -> Option<u64> {
        u64::try_from(at.timestamp() / 30).ok().filter(|_| code == CODE)
    }

    fn recovery_codes(&self) -> Vec<String> {
        RECOVERY.map(str::to_owned).to_vec()
    }

    fn recovery_hash(&self, account: AccountId, code: &str) -> RecoveryHash {
        TotpCodes.recovery_hash(account, code)
    }
}
