//! Support sends a reset link to an account's owner. Support does not see the link and does not choose the password.

use crate::account::Command;
use crate::fact::Context;
use crate::ids::AccountId;
use crate::ports::Position;

use super::{App, Failure};

impl App {
    /// Sends a reset link to an account's owner. The limit of one hour is for requests that anybody can make in the
    /// owner's name. It does not stop support, and what support sends does not count.
    ///
    /// # Errors
    /// [`crate::account::Refusal::NotActive`] if the account has no password yet.
    pub async fn send_reset(&self, context: &Context, account: AccountId) -> Result<Position, Failure> {
        self.change_account(context, account, Command::SendPasswordReset).await
    }
}
