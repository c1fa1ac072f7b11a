//! "I forgot my password": the same answer in the same time, whoever asks.

use crate::account::{self, Command};
use crate::email_address::EmailAddress;
use crate::fact::Context;

use super::{App, Failure, Unavailable};

impl App {
    /// Has a reset link mailed, if the address is an active account's. Nothing that is returned says
    /// whether it is (law 11): an unknown address waits for the disk as a known one does.
    ///
    /// # Errors
    /// [`Unavailable`] when the store does not write, whoever's address it is.
    pub async fn request_password_reset(
        &self,
        context: &Context,
        email: &EmailAddress,
    ) -> Result<(), Unavailable> {
        let hash = self.ports.tokens.email_hash(email);
        let holder = self.holder(&hash).await?;
        let asked = match holder {
            Some(account) => {
                let stream = account::stream(account);
                let asked = self.decide_account(&stream, context, || Command::RequestPasswordReset).await;
                asked.map(|committed| !committed.facts.is_empty())
            }
            None => Err(Failure::Refused(crate::account::Refusal::NoSuchAccount)),
        };
        match asked {
            Ok(true) => Ok(()),
            Err(Failure::Unavailable(unavailable)) => Err(unavailable),
            Ok(false) | Err(_) => Ok(self.ports.store.decoy().await?),
        }
    }
}
