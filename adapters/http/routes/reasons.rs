//! The reason that the supplier's staff give for what they do.
//!
//! A request with a body has the reason in its field `reason`. A request without one has it in its body, which may then
//! be left out by others ([`WhyBody`]), or, with the method DELETE and with a file, in its query ([`Why`]).

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::caller::{Because, Caller};
use crate::responses::faults::Faults;
use crate::responses::problem::Problem;

/// The reason for a request without a body.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Why {
    /// The reason, in your own words. Required from the supplier's staff.
    reason: Option<String>,
}

impl Why {
    /// Checks the reason. The supplier's staff must give one.
    pub(crate) fn check(self, caller: &Caller) -> Result<Because, Problem> {
        let mut faults = Faults::default();
        let because = faults.because(caller, "?reason", self.reason);
        faults.finish(Some(because))
    }
}

/// The reason for a request that needs no other body.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyBody {
    /// The reason, in your own words. Required from the supplier's staff.
    #[schema(example = "Says that no mail came; address checked by telephone")]
    reason: Option<String>,
}

impl WhyBody {
    /// Checks the reason, also of a request without a body. The supplier's staff must give one.
    pub(crate) fn check(body: Option<Self>, caller: &Caller, faults: &mut Faults) -> Because {
        faults.because(caller, "/reason", body.and_then(|body| body.reason))
    }
}
