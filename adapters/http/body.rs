//! Reads JSON bodies strictly. A refusal lists every broken rule.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use futures_util::StreamExt;
use hyper::body::Body as _;
use loquet_domain::company::{CompanyName, InvalidCompanyName};
use loquet_domain::email_address::{EmailAddress, InvalidEmail};
use loquet_domain::language::Language;
use loquet_domain::person::{InvalidName, Person, PersonName};
use serde::de::DeserializeOwned;

use super::MOST_BYTES;
use super::caller::Caller;
use super::problem::{Fault, Problem};

/// A body of the shape `T`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json"));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large"))?;
        read(&bytes).map(Self)
    }
}

/// A body of the shape `T`, or none.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(Some(body)))
    }
}

/// Reads the whole body before its request is handled. So the time of a command is that of its last byte, and not of
/// its first.
pub(crate) async fn buffered(request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(Request::from_parts(parts, body));
    }
    Ok(Request::from_parts(parts, whole(body).await?.into()))
}

/// Reads the whole body. If it is too large, the rest is read for a while and dropped: a client that is still sending
/// when the connection closes never sees the answer.
async fn whole(body: axum::body::Body) -> Result<Vec<u8>, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "malformed-request"))?;
        length = length.saturating_add(chunk.len());
        if length <= MOST_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if length > MOST_BYTES * 8 {
            break;
        }
    }
    if length <= MOST_BYTES {
        Ok(bytes)
    } else {
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large"))
    }
}

/// Reads JSON. An error names the place of the fault and never its content, which may be secret.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let malformed = |why: String| Problem::new(StatusCode::BAD_REQUEST, "malformed").with("why", why);
    // serde would take a list of the fields' values too, in the order in which they are declared.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(malformed("a list, where an object is asked for".to_owned()));
    }
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        malformed(format!("{path}: {}", without_values(error.inner())))
    })?;
    json.end().map_err(|error| malformed(without_values(&error)))?;
    Ok(value)
}

/// The message of serde, without the values that it quotes.
fn without_values(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let known = ["missing field", "unknown field", "duplicate field", "unknown variant"];
    match known.iter().find(|known| said.starts_with(**known)) {
        Some(_) => said
            .split(", expected")
            .next()
            .unwrap_or_default()
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned(),
        None if error.is_data() => format!("not of the right type (line {line}, column {column})"),
        None => format!("not JSON from line {line}, column {column} on"),
    }
}

/// Collects broken rules while a body is turned into values.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, rule: &'static str) {
        self.0.push(Fault { pointer: pointer.into(), rule, places: Vec::new() });
    }

    pub(crate) fn add_with(
        &mut self,
        pointer: &str,
        rule: &'static str,
        place: &'static str,
        text: impl ToString,
    ) {
        self.0.push(Fault { pointer: pointer.to_owned(), rule, places: vec![(place, text.to_string())] });
    }

    /// A value, or the rule that it breaks.
    pub(crate) fn check<T, E>(
        &mut self,
        pointer: &str,
        value: Result<T, E>,
        rule: impl FnOnce(&E) -> &'static str,
    ) -> Option<T> {
        value.map_err(|error| self.add(pointer, rule(&error))).ok()
    }

    pub(crate) fn email(&mut self, pointer: &str, text: &str) -> Option<EmailAddress> {
        self.check(pointer, EmailAddress::parse(text), |error| match error {
            InvalidEmail::TooLong => "email-too-long",
            InvalidEmail::NotAscii => "email-not-ascii",
            InvalidEmail::Malformed => "email-malformed",
        })
    }

    pub(crate) fn language(&mut self, pointer: &str, code: &str) -> Option<Language> {
        self.check(pointer, Language::parse(code).ok_or(()), |()| "language-unknown")
    }

    pub(crate) fn person(&mut self, under: &str, email: &str, given: &str, family: &str) -> Option<Person> {
        let email = self.email(&format!("{under}/email"), email);
        let mut name = |field: &str, text| {
            self.check(&format!("{under}/{field}"), PersonName::parse(text), |fault| match fault {
                InvalidName::Text => "name-invalid",
                InvalidName::Link => "name-with-link",
            })
        };
        let (given_name, family_name) = (name("given_name", given), name("family_name", family));
        Some(Person { email: email?, given_name: given_name?, family_name: family_name? })
    }

    pub(crate) fn company_name(&mut self, pointer: &str, text: &str) -> Option<CompanyName> {
        self.check(pointer, CompanyName::parse(text), |fault| match fault {
            InvalidCompanyName::Text => "company-name-invalid",
            InvalidCompanyName::Link => "name-with-scheme",
        })
    }

    /// Checks the length of a link's token.
    pub(crate) fn token(&mut self, token: &str) {
        if !(1..=1000).contains(&token.len()) {
            self.add("/token", "token-invalid");
        }
    }

    /// A reason in a person's words.
    pub(crate) fn reason(&mut self, reason: &str) {
        if !loquet_domain::plain_text::is_text(reason, 500) {
            self.add("/reason", "reason-invalid");
        }
    }

    /// Checks a reason, if one was given. The supplier's staff must give one.
    pub(crate) fn reason_of(&mut self, caller: &Caller, pointer: &str, reason: Option<&str>) {
        match reason {
            None if caller.is_staff() => self.add(pointer, "reason-required"),
            Some(reason) if !loquet_domain::plain_text::is_text(reason, 500) => {
                self.add(pointer, "reason-invalid")
            }
            _ => {}
        }
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.0
    }

    /// The value that was built, unless a rule was broken on the way.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problem::invalid(self.0)),
        }
    }
}
