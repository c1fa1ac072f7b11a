//! What the use cases need of the outside, as the sample world has it: identities that follow from the seed,
//! and one password for everybody.

use std::sync::{Mutex, PoisonError};

use loquet_domain::password::{Password, PasswordHash};
use loquet_domain::ports::{BoxFuture, Busy, Identities, PasswordHasher, Verification};
use uuid::Uuid;

use super::dice::Dice;

tokio::task_local! {
    /// The dice of the act that is going on.
    static DICE: Mutex<Dice>;
}

/// Does something whose identities fall as this act's dice do, whatever goes on beside it.
pub(super) async fn with_dice<T>(roll: u64, doing: impl Future<Output = T>) -> T {
    DICE.scope(Mutex::new(Dice::of(roll, &[])), doing).await
}

/// The first identity that an act with this roll draws.
pub(super) fn first_identity(roll: u64) -> Uuid {
    Dice::of(roll, &[]).uuid()
}

/// Identities from the dice of the act that draws them.
pub(crate) struct Seeded;

impl Identities for Seeded {
    fn fresh(&self) -> Uuid {
        let drawn = DICE.try_with(|dice| dice.lock().unwrap_or_else(PoisonError::into_inner).uuid());
        drawn.unwrap_or_else(|_| Uuid::new_v4())
    }
}

/// One password, hashed once: a million hashes with a salt of their own would take days.
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
