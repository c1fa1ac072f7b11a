//! The rules for a new password that need more than the password: the blocklist, the words of the person and of their
//! company, and earlier passwords.

use crate::account::{Account, Active};
use crate::company;
use crate::policies::password_context::ContextWords;
use crate::policies::password_policy::{Blocklisted, Context, PasswordRule};
use crate::ports::Verification;
use crate::values::password::Password;

use super::{App, Unavailable};

impl App {
    /// All rules that a new password of this account breaks, without the rule on earlier passwords, which costs
    /// hashes.
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

    /// The rule that a new password breaks if it is one of the account's last ones. Each comparison costs a hash. So
    /// it is checked only for a caller who proved something: a link, or the present password.
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
