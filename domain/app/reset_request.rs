//! "I forgot my password": the same answer in the same time, whoever asks.

use crate::account::Command;
use crate::email_address::EmailAddress;
use crate::fact::Context;

use super::streams::account_stream;
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
                let stream = account_stream(account);
                self.decide_account(&stream, context, || Command::RequestPasswordReset).await.map(drop)
            }
            None => Err(Failure::Refused(crate::account::Refusal::NoSuchAccount)),
        };
        match asked {
            Ok(()) => Ok(()),
            Err(Failure::Unavailable(unavailable)) => Err(unavailable),
            Err(_) => Ok(self.ports.store.decoy().await?),
        }
    }
}
