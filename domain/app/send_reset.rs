//! Support sends a reset link to an account's owner. Support does not see the link and does not choose the password.

use crate::account::{self, Command};
use crate::fact::Context;
use crate::ids::AccountId;
use crate::ports::Position;

use super::{App, Failure};

impl App {
    /// Sends a reset link to an account's owner. Returns `None` if the limit of one hour is reached: then the newest
    /// link still works. So an attacker who requests mails in the owner's name does not void the link that support
    /// sent.
    ///
    /// # Errors
    /// [`crate::account::Refusal::NotActive`] if the account has no password yet.
    pub async fn send_reset(
        &self,
        context: &Context,
        account: AccountId,
    ) -> Result<Option<Position>, Failure> {
        let stream = account::stream(account);
        let asked = self.accounts.transact(&stream, context, Command::RequestPasswordReset).await?;
        Ok((!asked.facts.is_empty()).then_some(asked.position))
    }
}
