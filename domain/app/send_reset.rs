//! Support has a reset link mailed: it starts a reset, and neither sees the link nor chooses a password.

use crate::account::{self, Command};
use crate::fact::Context;
use crate::ids::AccountId;
use crate::ports::Position;

use super::{App, Failure};

impl App {
    /// Has a reset link mailed to an account's owner. None where as many as one hour allows were sent: the newest
    /// goes on working, so that whoever asks for them in the owner's name does not void what support sent.
    ///
    /// # Errors
    /// [`crate::account::Refusal::NotActive`] where there is no password to reset yet.
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
