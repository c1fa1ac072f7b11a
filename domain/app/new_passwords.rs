//! What a new password must be, where more than the password is needed to tell: a list, the person and
//! their company, the passwords before it.

use crate::account::{Account, Active};
use crate::company;
use crate::policies::password_context::ContextWords;
use crate::policies::password_policy::{Blocklisted, Context, PasswordRule};
use crate::ports::Verification;
use crate::values::password::Password;

use super::{App, Unavailable};

impl App {
    /// Every rule that a new password of this account breaks, but for those that cost a hash.
    pub(super) async fn rules_broken(
        &self,
        account: &Account,
        password: &Password,
    ) -> Result<Vec<PasswordRule>, Unavailable> {
        let policy = &self.policies.password;
        let mut broken = policy.check(password).err().unwrap_or_default();
        if policy.blocklist() == Blocklisted::Refused
            && self.ports.blocklist.contains(password.clone()).await?
        {
            broken.push(PasswordRule::Common);
        }
        if let Context::Refused { words } = policy.context()
            && self.words_around(account, words).await?.are_nearly_all_of(password)
        {
            broken.push(PasswordRule::Context);
        }
        Ok(broken)
    }

    async fn words_around(&self, account: &Account, more: &[String]) -> Result<ContextWords, Unavailable> {
        let Some(profile) = account.profile() else { return Ok(ContextWords::default()) };
        let company = self.companies.load(&company::stream(profile.company)).await?.state;
        Ok(ContextWords::of(profile.person.known(), &company.names(), more))
    }

    /// The rule that a new password breaks that is one of the account's last ones. Each costs a hash, so
    /// it is asked only of who has proved something: a link, or the present password.
    pub(super) async fn reuse(
        &self,
        active: Option<&Active>,
        password: &Password,
    ) -> Result<Option<PasswordRule>, Unavailable> {
        let count = self.policies.password.history();
        for hash in active.into_iter().flat_map(|active| active.last_passwords(count)) {
            let verified = self.ports.hasher.verify(password.clone(), hash.clone()).await?;
            if matches!(verified, Verification::Match { .. }) {
                return Ok(Some(PasswordRule::Reused(count)));
            }
        }
        Ok(None)
    }
}
