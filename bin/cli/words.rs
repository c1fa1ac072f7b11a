//! The words that an argument may be, so that help and completions list them.

use std::fmt::Display;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use loquet_domain::account::Admission;
use loquet_domain::fact::StaffRole;
use loquet_domain::ids::{AccountId, CompanyId, TerminalId};
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_domain::values::plain_text::is_text;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_http_ports::scope::Scope;
use loquet_projections::views;

use crate::moments;

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

/// The roles to which a temporary administrator is admitted.
pub(super) fn admissions() -> impl TypedValueParser<Value = Admission> {
    PossibleValuesParser::new(["administrator", "user"]).map(|name| match name.as_str() {
        "administrator" => Admission::Administrator,
        _ => Admission::User,
    })
}

/// A reason or another remark: 1 to 500 characters that can be displayed.
pub(super) fn remark(text: &str) -> Result<String, &'static str> {
    match is_text(text, 500) {
        true => Ok(text.to_owned()),
        false => Err("write 1 to 500 characters that can be displayed"),
    }
}

/// The address of a server, as `http://` or `https://` URL.
pub(super) fn server_url(text: &str) -> Result<String, &'static str> {
    match reqwest::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => {
            Ok(text.to_owned())
        }
        _ => {
            Err("write the whole address, with http:// or https:// before it, such as https://portal.example")
        }
    }
}

/// A moment, a date or a position of the log.
pub(super) fn point(text: &str) -> Result<String, &'static str> {
    moments::point(text).map(|_| text.to_owned()).map_err(
        |_| "write a date (2026-11-01), a moment (2026-11-01T08:00:00Z) or a position of the log (1042)",
    )
}

/// A moment or a date.
pub(super) fn moment(text: &str) -> Result<String, &'static str> {
    let read = moments::moment(text);
    read.map(|_| text.to_owned()).map_err(|_| "write a date (2026-11-01) or a moment (2026-11-01T08:00:00Z)")
}

/// An account: its id, or its e-mail address.
pub(super) fn account(text: &str) -> Result<String, &'static str> {
    match text.parse::<AccountId>().is_ok() || EmailAddress::parse(text).is_ok() {
        true => Ok(text.to_owned()),
        false => Err("this is neither the id of an account nor an e-mail address"),
    }
}

/// A company: its id, or its enterprise number.
pub(super) fn company(text: &str) -> Result<String, &'static str> {
    let registers = [Country::Belgium, Country::Netherlands];
    let is_number = registers.iter().any(|country| EnterpriseNumber::parse(*country, text).is_ok());
    match text.parse::<CompanyId>().is_ok() || is_number {
        true => Ok(text.to_owned()),
        false => Err("this is neither the id of a company nor an enterprise number"),
    }
}

/// A terminal: its id, or its serial number.
pub(super) fn terminal(text: &str) -> Result<String, &'static str> {
    match text.parse::<TerminalId>().is_ok() || SerialNumber::parse(text).is_ok() {
        true => Ok(text.to_owned()),
        false => Err("this is neither the id of a terminal nor a serial number"),
    }
}

/// An id.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse()
        .map_err(|_| "this is no id: an id has 36 characters, such as 0198c0de-0000-4000-8000-000000000000")
}

fn parsed<T>(names: Vec<&'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Display + std::error::Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}
