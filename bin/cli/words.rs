//! The words that an argument may be, so that help and completions list them.

use std::fmt::Display;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use loquet_domain::fact::StaffRole;
use loquet_http_ports::scope::Scope;
use loquet_projections::views;

/// The names of the read models.
pub(super) fn read_models() -> PossibleValuesParser {
    PossibleValuesParser::new(views::all().iter().map(|view| view.id().name).collect::<Vec<_>>())
}

/// The names of the read models, and `all`.
pub(super) fn read_models_or_all() -> PossibleValuesParser {
    let names = views::all().iter().map(|view| view.id().name).chain(["all"]).collect::<Vec<_>>();
    PossibleValuesParser::new(names)
}

/// The types of events that webhooks can be sent.
pub(super) fn event_types() -> PossibleValuesParser {
    PossibleValuesParser::new(loquet_public_events::types().map(|known| known.name).collect::<Vec<_>>())
}

/// The scopes of a program's token.
pub(super) fn scopes() -> impl TypedValueParser<Value = Scope> {
    parsed(Scope::ALL.iter().map(|scope| scope.name()).collect())
}

/// The roles of staff.
pub(super) fn roles() -> impl TypedValueParser<Value = StaffRole> {
    parsed(StaffRole::ALL.map(StaffRole::name).to_vec())
}

fn parsed<T>(names: Vec<&'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Display + std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}
