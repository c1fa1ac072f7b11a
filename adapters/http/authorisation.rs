//! Who may do what at which site of which company, whoever asks.

use loquet_domain::access::Grantor;
use loquet_domain::account::Role;
use loquet_domain::app::Standing;
use loquet_domain::ids::{CompanyId, SiteId};
use loquet_domain::values::permission::Permission;

use crate::caller::Caller;
use crate::responses::problem::Problem;
use crate::state::Api;
use loquet_http_ports::scope::Scope;

/// Where a permission is needed.
#[derive(Clone, Copy)]
pub(crate) enum Needed {
    /// At one site.
    At(SiteId),
    /// At any site at all.
    Anywhere,
    /// At every site.
    Everywhere,
}

/// What of a company somebody sees.
pub(crate) enum Sight {
    /// All of it.
    All,
    /// The sites at which their groups grant them something.
    Granted(Box<Standing>),
}

impl Sight {
    /// Whether a site is in sight.
    pub(crate) fn includes(&self, site: SiteId) -> bool {
        match self {
            Self::All => true,
            Self::Granted(standing) => {
                Permission::ALL.into_iter().any(|permission| standing.may(permission, site))
            }
        }
    }
}

impl Api {
    /// Lets through an administrator of the company, a user with the permission, or a program with the scope;
    /// says what they have to grant. Whoever is of another company is told that there is none.
    pub(crate) async fn permit(
        &self,
        caller: &Caller,
        scope: Scope,
        company: CompanyId,
        (permission, needed): (Permission, Needed),
    ) -> Result<Grantor, Problem> {
        let Some(standing) = self.standing_in(caller, scope, company).await? else {
            return Ok(Grantor::Anything);
        };
        let allowed = match needed {
            Needed::At(site) => standing.may(permission, site),
            Needed::Anywhere => standing.may_anywhere(permission),
            Needed::Everywhere => standing.may_everywhere(permission),
        };
        match (allowed, standing.role) {
            (true, Some(Role::Administrator)) => Ok(Grantor::Anything),
            (true, _) => Ok(Grantor::User(standing.account)),
            (false, _) => Err(Problem::forbidden()),
        }
    }

    /// What of a company somebody sees: all of it as an administrator or a program with `companies:read`, the
    /// sites where they may do something as a user.
    pub(crate) async fn sight(&self, caller: &Caller, company: CompanyId) -> Result<Sight, Problem> {
        match self.standing_in(caller, Scope::CompaniesRead, company).await? {
            Some(standing) if standing.role != Some(Role::Administrator) => {
                Ok(Sight::Granted(Box::new(standing)))
            }
            _ => Ok(Sight::All),
        }
    }

    /// What of a list somebody sees that is one company's, or everybody's for a program.
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

    /// A person's standing in their own company; none for a program.
    async fn standing_in(
        &self,
        caller: &Caller,
        scope: Scope,
        company: CompanyId,
    ) -> Result<Option<Standing>, Problem> {
        match caller {
            Caller::Service(_) => caller.service(scope).map(|_| None),
            Caller::Person(person) if person.profile.company != company => Err(Problem::not_found()),
            Caller::Person(person) => {
                let standing = self.app.standing(person.account).await?;
                standing.map(Some).ok_or_else(Problem::not_found)
            }
        }
    }

    /// The company that a list is of: a person's own, or the one that a program names.
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
