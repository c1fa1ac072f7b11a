//! Creates an account for a colleague.

use crate::account::{self, Admission, Command, Creation, Origin, Refusal, Role};
use crate::fact::{Context, StaffRole};
use crate::ids::{AccountId, CompanyId};
use crate::ports::Position;
use crate::values::email_address::{EmailAddress, EmailHash};
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

/// A member of the supplier's staff who gets an account.
#[derive(Clone, Debug)]
pub struct NewStaff {
    /// The role.
    pub role: StaffRole,
    /// The language of their pages and mails.
    pub language: Language,
    /// Who they are.
    pub person: Person,
}

impl App {
    /// Creates an account for a member of the supplier's staff. An activation mail follows.
    ///
    /// # Errors
    /// [`Failure::EmailTaken`] if the address belongs to an account already.
    pub async fn invite_staff(
        &self,
        context: &Context,
        new: NewStaff,
    ) -> Result<(AccountId, Position), Failure> {
        let creation = |email_hash| Creation {
            company: CompanyId::SUPPLIER,
            role: new.role.into(),
            language: new.language,
            email_hash,
            origin: Origin::Colleague { account_id: None },
            person: new.person.clone(),
        };
        self.create(context, &new.person.email, creation).await
    }

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
        let creation = |email_hash| Creation {
            company: new.company,
            role: Role::from(new.role),
            language: new.language,
            email_hash,
            origin: Origin::Colleague { account_id: new.creator },
            person: new.person.clone(),
        };
        let (account, position) = self.create(context, &new.person.email, creation).await?;
        if new.role == Admission::Administrator {
            let noted = self.settle_access(context, account).await?;
            return Ok((account, position.max(noted)));
        }
        Ok((account, position))
    }

    /// Claims an address, and creates an account for it.
    async fn create(
        &self,
        context: &Context,
        email: &EmailAddress,
        creation: impl FnOnce(EmailHash) -> Creation,
    ) -> Result<(AccountId, Position), Failure> {
        let email_hash = self.ports.tokens.email_hash(email);
        let candidate = AccountId(self.ports.identities.fresh());
        let account = self.claim(context, &email_hash, candidate).await?;
        let command = Command::Create(creation(email_hash));
        let created = self.accounts.transact(&account::stream(account), context, command).await;
        match created {
            Ok(committed) => Ok((account, committed.position)),
            Err(TransactError::Refused(Refusal::AlreadyExists)) => Err(Failure::EmailTaken),
            Err(other) => Err(other.into()),
        }
    }
}
