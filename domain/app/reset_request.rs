//! "I forgot my password": every caller gets the same answer in the same time.

use crate::account::{self, Command};
use crate::fact::Context;
use crate::values::email_address::EmailAddress;

use super::{App, TransactError, Unavailable};

impl App {
    /// Sends a reset link if the address belongs to an active account. The result does not say whether it does (law
    /// 11): an unknown address waits for the disk as a known one does.
    ///
    /// # Errors
    /// [`Unavailable`] if the store does not write, for every address.
    pub async fn request_password_reset(
        &self,
        context: &Context,
        email: &EmailAddress,
    ) -> Result<(), Unavailable> {
        let hash = self.ports.tokens.email_hash(email);
        let Some((account, _)) = self.holder(&hash).await? else {
            return Ok(self.ports.store.decoy().await?);
        };
        let stream = account::stream(account);
        match self.accounts.transact(&stream, context, Command::RequestPasswordReset).await {
            Ok(committed) if !committed.facts.is_empty() => Ok(()),
            // The limit of one hour is reached, or the account is not active or was deleted. The answer is the same
            // for all three.
            Ok(_) | Err(TransactError::Refused(_)) => Ok(self.ports.store.decoy().await?),
            Err(TransactError::Unavailable(unavailable)) => Err(unavailable),
        }
    }
}
