//! Authorisation: what a caller may do at which site of which company.

use loquet_domain::access::Grantor;
use loquet_domain::account::Role;
use loquet_domain::app::Authorisation;
use loquet_domain::ids::{CompanyId, SiteId};
use loquet_domain::values::permission::Permission;

use crate::caller::Caller;
use crate::responses::problem::Problem;
use crate::state::Api;
use loquet_http_ports::scope::Scope;

/// A permission that a caller needs, and where.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    permission: Permission,
    place: Place,
}

impl Need {
    /// The permission at one site.
    pub(crate) const fn at(permission: Permission, site: SiteId) -> Self {
        Self { permission, place: Place::Site(site) }
    }

    /// The permission at any site.
    pub(crate) const fn anywhere(permission: Permission) -> Self {
        Self { permission, place: Place::Anywhere }
    }

    /// The permission at every site.
    pub(crate) const fn everywhere(permission: Permission) -> Self {
        Self { permission, place: Place::Everywhere }
    }
}

/// Where a permission is needed.
#[derive(Clone, Copy)]
enum Place {
    /// At one site.
    Site(SiteId),
    /// At any site at all.
    Anywhere,
    /// Every site.
    Everywhere,
}

/// The part of a company that a caller may see.
pub(crate) enum Sight {
    /// The whole company.
    All,
    /// The sites at which the caller's groups grant a permission.
    Granted(Box<Authorisation>),
}

impl Sight {
    /// Whether the caller may see a site.
    pub(crate) fn includes(&self, site: SiteId) -> bool {
        match self {
            Self::All => true,
            Self::Granted(authorisation) => {
                Permission::ALL.into_iter().any(|permission| authorisation.may(permission, site))
            }
        }
    }
}

impl Api {
    /// Lets through an administrator of the company, a user with the permission, or a program with the scope. Returns
    /// what the caller may grant. A person of another company gets 404.
    pub(crate) async fn permit(
        &self,
        caller: &Caller,
        scope: Scope,
        company: CompanyId,
        need: Need,
    ) -> Result<Grantor, Problem> {
        let Some(authorisation) = self.authorisation_in(caller, scope, company).await? else {
            return Ok(Grantor::Anything);
        };
        let permission = need.permission;
        let allowed = match need.place {
            Place::Site(site) => authorisation.may(permission, site),
            Place::Anywhere => authorisation.may_anywhere(permission),
            Place::Everywhere => authorisation.may_everywhere(permission),
        };
        match (allowed, authorisation.role) {
            (true, Some(Role::Administrator)) => Ok(Grantor::Anything),
            (true, _) => Ok(Grantor::User(authorisation.account)),
            (false, _) => Err(Problem::forbidden()),
        }
    }

    /// Returns the part of a company that a caller may see. An administrator, or a program with
    /// `companies:read`, sees the whole company. A user sees the sites where they have a permission.
    pub(crate) async fn sight(&self, caller: &Caller, company: CompanyId) -> Result<Sight, Problem> {
        match self.authorisation_in(caller, Scope::CompaniesRead, company).await? {
            Some(authorisation) if authorisation.role != Some(Role::Administrator) => {
                Ok(Sight::Granted(Box::new(authorisation)))
            }
            _ => Ok(Sight::All),
        }
    }

    /// Returns the part of a list that a caller may see. A person sees their company's part. A program sees
    /// the part of one company, or the whole list.
    pub(crate) async fn sight_of(
        &self,
        caller: &Caller,
        company: Option<CompanyId>,
    ) -> Result<Sight, Problem> {
        match company {
            Some(company) => self.sight(caller, company).await,
            None => Ok(Sight::All),
        }
    }

    /// Returns a person's authorisation in their own company. Returns `None` for a program.
    async fn authorisation_in(
        &self,
        caller: &Caller,
        scope: Scope,
        company: CompanyId,
    ) -> Result<Option<Authorisation>, Problem> {
        match caller {
            Caller::Service(_) => caller.service(scope).map(|_| None),
            Caller::Person(person) if person.profile.company != company => Err(Problem::not_found()),
            Caller::Person(person) => {
                let authorisation = self.app.authorisation(person.account).await?;
                authorisation.map(Some).ok_or_else(Problem::not_found)
            }
        }
    }

    /// Returns the company of a list: a person's own, or the one that a program names.
    pub(crate) fn company_asked(
        caller: &Caller,
        asked: Option<uuid::Uuid>,
    ) -> Result<Option<CompanyId>, Problem> {
        match caller {
            Caller::Service(_) => {
                caller.service(Scope::CompaniesRead)?;
                Ok(asked.map(CompanyId))
            }
            Caller::Person(person) => match asked {
                Some(asked) if asked != person.profile.company.0 => Err(Problem::not_found()),
                _ => Ok(Some(person.profile.company)),
            },
        }
    }
}
