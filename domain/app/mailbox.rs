//! The mails that one mailbox got, from all accounts that had its address.

use crate::Moment;
use crate::values::email_address::EmailHash;
use crate::{account, email_claim};

use super::{App, Unavailable};

impl App {
    /// When activation mails were sent to an address in the hour before `at`. This includes the mails of accounts
    /// that have been deleted since.
    ///
    /// # Errors
    /// [`Unavailable`] if the log can't be read.
    pub async fn activation_mails_sent_to(
        &self,
        address: &EmailHash,
        at: Moment,
    ) -> Result<Vec<Moment>, Unavailable> {
        let claim = self.claims.load(&email_claim::stream(address)).await?.state;
        let mut sent = Vec::new();
        for holder in claim.holders_within_the_hour(at) {
            let account = self.accounts.load(&account::stream(holder)).await?.state;
            let own = account.profile().filter(|profile| profile.email_hash == *address);
            sent.extend(own.into_iter().flat_map(|profile| profile.activations.sent_at(at)));
        }
        Ok(sent)
    }
}
