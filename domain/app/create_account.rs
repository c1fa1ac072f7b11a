//! Creates an account for a colleague.

use crate::account::{self, Admission, Command, Creation, Origin, Refusal, Role};
use crate::fact::Context;
use crate::ids::{AccountId, CompanyId};
use crate::ports::Position;
use crate::values::language::Language;
use crate::values::person::Person;

use super::{App, Failure, TransactError};

/// An account that somebody of the company asks for on behalf of a colleague.
#[derive(Clone, Debug)]
pub struct NewColleague {
    /// The company.
    pub company: CompanyId,
    /// Administrator or user.
    pub role: Admission,
    /// The language of the colleague's mails.
    pub language: Language,
    /// The colleague.
    pub person: Person,
    /// The account that asks. `None` if a service or the supplier's staff asks.
    pub creator: Option<AccountId>,
}

impl App {
    /// Creates an account. An activation mail follows.
    ///
    /// # Errors
    /// [`Failure::EmailTaken`] if the address belongs to an account already. [`Failure::NoSuchCompany`] if the
    /// company has no order yet.
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
