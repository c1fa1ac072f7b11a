//! Creating an account for a colleague.

use crate::account::{self, Admission, Command, Creation, Origin, Refusal, Role};
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId};
use crate::ports::Position;
use crate::values::language::Language;
use crate::values::person::Person;

use super::{App, Failure, TransactError};

/// An account that somebody of the company wants for a colleague.
#[derive(Clone, Debug)]
pub struct NewColleague {
    /// Of which company.
    pub company: CompanyId,
    /// Administrator or user.
    pub role: Admission,
    /// In which language they are written to.
    pub language: Language,
    /// Who they are.
    pub person: Person,
    /// The colleague who asks; none where a service does.
    pub creator: Option<AccountId>,
}

impl App {
    /// Creates an account; its activation mail follows.
    ///
    /// # Errors
    /// [`Failure::EmailTaken`] where the address is an account's already, [`Failure::NoSuchCompany`] where
    /// nobody ordered for that company yet.
    pub async fn create_account(
        &self,
        context: &Context,
        new: NewColleague,
    ) -> Result<(AccountId, Position), Failure> {
        if self.company(new.company).await?.state.registered.is_none() {
            return Err(Failure::NoSuchCompany(new.company));
        }
        let email_hash = self.ports.tokens.email_hash(&new.person.email);
        let candidate = AccountId(self.ports.identities.fresh());
        let account = self.claim(context, &email_hash, candidate).await?;
        let creation = Creation {
            company: new.company,
            role: Role::from(new.role),
            language: new.language,
            email_hash,
            origin: Origin::Colleague { account_id: new.creator },
            person: new.person,
        };
        let created =
            self.accounts.transact(&account::stream(account), context, Command::Create(creation)).await;
        match created {
            Ok(committed) if new.role == Admission::Administrator => {
                let noted = self.settle_access(context, account).await?;
                Ok((account, committed.position.max(noted)))
            }
            Ok(committed) => Ok((account, committed.position)),
            Err(TransactError::Refused(Refusal::AlreadyExists)) => Err(Failure::EmailTaken),
            Err(other) => Err(other.into()),
        }
    }
}
