//! "I forgot my password": the same answer in the same time, whoever asks.

use crate::account::{self, Command};
use crate::fact::Context;
use crate::values::email_address::EmailAddress;

use super::{App, TransactError, Unavailable};

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
        let Some(account) = self.holder(&hash).await? else { return Ok(self.ports.store.decoy().await?) };
        let stream = account::stream(account);
        match self.accounts.transact(&stream, context, Command::RequestPasswordReset).await {
            Ok(committed) if !committed.facts.is_empty() => Ok(()),
            // As many as one hour allows were sent, or the account is not active, or it is gone. Whichever it is, the
            // answer is the same.
            Ok(_) | Err(TransactError::Refused(_)) => Ok(self.ports.store.decoy().await?),
            Err(TransactError::Unavailable(unavailable)) => Err(unavailable),
        }
    }
}
