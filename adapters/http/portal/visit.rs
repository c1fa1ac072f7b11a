//! Who visits a page, and what they ask the API for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite};
use loquet_domain::account::Role;
use loquet_domain::app::{Authenticated, Authorisation};
use loquet_domain::ids::SiteId;
use loquet_domain::values::language::Language;
use loquet_domain::values::permission::Permission;
use serde_json::Value;
use tower::ServiceExt;

use super::Portal;
use crate::design::Look;
use crate::design::form::{Form, Told};
use crate::middleware::as_of;
use crate::request_parts::{ClientAddress, RequestId, cookie};
use crate::responses::localize::{self, Reader};
use crate::responses::problem::Problem;

/// The cookie with the token of a session. `__Host-` makes the browser accept it only from this host, over TLS, for every path
/// (RFC 6265bis, 4.1.3.2).
const SESSION: &str = "__Host-loquet-session";
/// Its name on a development server, which has no TLS.
const SESSION_WITHOUT_TLS: &str = "loquet-session";
/// The largest answer of the API that a page reads, in bytes.
const LARGEST: usize = 32 * 1024 * 1024;
const JSON: &str = "application/json";
/// The greatest form, in fields.
const MOST_FIELDS: usize = 2000;

/// A visit of anybody.
pub(crate) struct Visit {
    pub(crate) portal: Arc<Portal>,
    pub(crate) look: Look,
    headers: HeaderMap,
    request_id: Option<RequestId>,
    address: Option<ClientAddress>,
    /// The token of the session. Empty if there is none.
    token: String,
    person: Option<Authenticated>,
}

/// A visit of somebody who is logged in.
pub(crate) struct Member {
    pub(crate) visit: Visit,
    pub(crate) person: Authenticated,
    pub(crate) may: Authorisation,
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a page answers if it can't be shown.
pub(crate) struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl FromRequestParts<Arc<Portal>> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Infallible> {
        let api = &portal.api;
        let token = cookie(&parts.headers, session_cookie(portal)).unwrap_or_default();
        let person = match token.is_empty() {
            true => None,
            // If the log can't be read, the page says so when it asks for something.
            false => api.app.authenticate((api.clock)(), &token).await.unwrap_or_default(),
        };
        let chosen = cookie(&parts.headers, localize::LANGUAGE).and_then(|code| Language::parse(&code));
        let own = person.as_ref().map(|person| person.profile.language);
        let language = chosen.or(own).unwrap_or_else(|| localize::language(&parts.headers));
        let path = parts.uri.path();
        let done = done_of(parts.uri.query().unwrap_or_default());
        let mut look = Look {
            here: path.trim_start_matches('/').to_owned(),
            ..api.look(language, localize::root_from(path))
        };
        look.done = done.map(|name| look.t(&name));
        if let Some(person) = &person {
            look.person = Some(name_of(person));
        }
        Ok(Self {
            portal: portal.clone(),
            look,
            headers: parts.headers.clone(),
            request_id: parts.extensions.get().copied(),
            address: parts.extensions.get().copied(),
            token,
            person,
        })
    }
}

/// The sentence about what was done on the page before. Only sentences that exist can be asked for.
fn done_of(query: &str) -> Option<String> {
    let done = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?.1;
    let name = format!("done-{done}");
    crate::words::has(&name).then_some(name)
}

fn name_of(person: &Authenticated) -> String {
    let known = person.profile.person.known();
    known
        .map(|person| format!("{} {}", person.given_name.as_str(), person.family_name.as_str()))
        .unwrap_or_default()
}

fn session_cookie(portal: &Portal) -> &'static str {
    if portal.api.dev_mail.is_some() { SESSION_WITHOUT_TLS } else { SESSION }
}

impl FromRequestParts<Arc<Portal>> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let Ok(visit) = Visit::from_request_parts(parts, portal).await;
        visit.member().await
    }
}

impl Visit {
    /// The visit of whoever is logged in. Others are led to the login, and back from there.
    pub(crate) async fn member(mut self) -> Result<Member, Response> {
        let Some(person) = self.person.take() else {
            let back = if self.headers.contains_key("x-part") { "" } else { self.look.here.as_str() };
            return Err(self.go(&format!("login?next={back}")));
        };
        let may = self.portal.api.app.authorisation(person.account).await;
        match may {
            Ok(Some(may)) => {
                self.look.menu = menu(&may);
                Ok(Member { visit: self, person, may })
            }
            Ok(None) => Err(Problem::not_found().into_response()),
            Err(unavailable) => Err(Problem::from(unavailable).into_response()),
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.person.is_some()
    }

    /// Asks the API, as the person who is logged in.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| (JSON, Body::from(body.to_string())));
        self.ask_with(method, path, body, &[]).await
    }

    /// Asks the API for an answer of a type.
    pub(crate) async fn ask_for(&self, method: Method, path: &str, kind: &str) -> Answer {
        self.ask_with(method, path, None, &[(header::ACCEPT, kind)]).await
    }

    /// Asks the API with a body of any type, and further headers.
    pub(crate) async fn ask_with(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Body)>,
        further: &[(HeaderName, &str)],
    ) -> Answer {
        let Some(response) = self.send(method, path, body, further).await else {
            return Answer { status: StatusCode::NOT_FOUND, headers: HeaderMap::new(), body: Bytes::new() };
        };
        self.read(response).await
    }

    /// Reads a file from the API, and passes it on while it is read.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Response, Refused> {
        match self.send(Method::GET, path, None, &[]).await {
            Some(response) if response.status().is_success() => Ok(response),
            Some(response) => Err(self.refused(&self.read(response).await)),
            None => Err(self.problem(&self.no_such_page()).into()),
        }
    }

    /// Sends a request to the routes of the API. `None` if the path is none.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Body)>,
        further: &[(HeaderName, &str)],
    ) -> Option<Response> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(headers) = request.headers_mut() {
            for name in [header::USER_AGENT, header::COOKIE] {
                if let Some(value) = self.headers.get(&name) {
                    headers.insert(name, value.clone());
                }
            }
            if let Ok(value) = HeaderValue::from_str(&format!("Bearer {}", self.token))
                && !self.token.is_empty()
            {
                headers.insert(header::AUTHORIZATION, value);
            }
            for (name, value) in further {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.insert(name.clone(), value);
                }
            }
            if let Some((kind, _)) = &body {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
        }
        let request = request.body(body.map_or_else(Body::empty, |(_, body)| body));
        let mut request = request.ok()?;
        // The router's own notes about the page stay behind.
        let extensions = request.extensions_mut();
        if let Some(id) = self.request_id {
            extensions.insert(id);
        }
        if let Some(address) = self.address {
            extensions.insert(address);
        }
        let Portal { api, inner, past } = self.portal.as_ref();
        Some(match as_of::answer(api, *past, request).await {
            Ok(response) => response,
            Err(request) => {
                let Ok(response) = inner.clone().oneshot(request).await;
                response
            }
        })
    }

    /// Reads an answer whole.
    async fn read(&self, response: Response) -> Answer {
        let (parts, body) = response.into_parts();
        let told = parts.extensions.get::<Problem>().cloned();
        let is_told = told.is_some() || parts.status.is_success();
        let body = match told.or_else(|| (!is_told).then(|| Problem::new(parts.status, "internal"))) {
            Some(problem) => serde_json::to_vec(&self.told(problem)).map(Bytes::from).unwrap_or_default(),
            None => to_bytes(body, LARGEST).await.unwrap_or_default(),
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    fn told(&self, problem: Problem) -> impl serde::Serialize + use<> {
        let id = self.request_id.unwrap_or(RequestId(uuid::Uuid::nil()));
        let reader = Reader { language: self.look.language, time_zone: self.look.time_zone, page_of: None };
        localize::write(&reader, problem, id)
    }

    /// Reads something from the API. What can't be read is the page's own problem.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Refused> {
        let answer = self.ask(Method::GET, path, None).await;
        if answer.status.is_success() { Ok(answer.json()) } else { Err(self.refused(&answer)) }
    }

    /// All items of a list of the API.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, Refused> {
        self.list_up_to(path, usize::MAX).await
    }

    /// The first items of a list: at least `most` of them, if there are so many.
    pub(crate) async fn list_up_to(&self, path: &str, most: usize) -> Result<Vec<Value>, Refused> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}{joint}limit=200{cursor}")).await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if items.len() < most => cursor = format!("&cursor={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// Makes the API do something. `Err` says why it did not.
    pub(crate) async fn do_it(&self, method: Method, path: &str, body: Value) -> Result<Answer, Told> {
        let answer = self.ask(method, path, Some(body)).await;
        if answer.status.is_success() { Ok(answer) } else { Err(told_of(&answer)) }
    }

    /// The page for an answer that is a problem.
    pub(crate) fn refused(&self, answer: &Answer) -> Refused {
        if answer.status == StatusCode::UNAUTHORIZED {
            return self.go(&format!("login?next={}", self.look.here)).into();
        }
        self.problem(&told_of(answer)).into()
    }

    /// What is said of a page that is not there, or not for this person.
    pub(crate) fn no_such_page(&self) -> Told {
        let (title, detail) = (self.look.t("no-such-page"), self.look.t("no-such-page-text"));
        Told { status: 404, title, detail, errors: Vec::new() }
    }

    /// A page with a problem.
    pub(crate) fn problem(&self, told: &Told) -> Response {
        let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let main = maud::html! {
            h1 { (told.title) }
            p { (told.detail) }
            ul { @for (_, message) in &told.errors { li { (message) } } }
        };
        self.look.page(status, &told.title, &main)
    }

    /// Leads to another page, so that reloading it sends nothing again.
    pub(crate) fn go(&self, path: &str) -> Response {
        let to = self.look.to(path);
        (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
    }

    /// Gives the browser the token of a session, until it ends.
    pub(crate) fn keep_session(&self, mut response: Response, token: &str, seconds: i64) -> Response {
        let name = session_cookie(&self.portal);
        let cookie = Cookie::build((name, token))
            .path("/")
            .http_only(true)
            .secure(name == SESSION)
            .same_site(SameSite::Lax)
            .max_age(
                std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
                    .try_into()
                    .unwrap_or_default(),
            );
        add_cookie(&mut response, &cookie.build());
        response
    }
}

/// A text as a part of a query.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Adds a cookie to an answer.
pub(crate) fn add_cookie(response: &mut Response, cookie: &Cookie<'_>) {
    if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

pub(crate) fn told_of(answer: &Answer) -> Told {
    let body = answer.json();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let errors = body.get("errors").and_then(Value::as_array).into_iter().flatten();
    let of =
        |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Told {
        status: answer.status.as_u16(),
        title: text("title"),
        detail: text("detail"),
        errors: errors.map(|error| (of(error, "pointer"), of(error, "message"))).collect(),
    }
}

impl Member {
    pub(crate) fn look(&self) -> &Look {
        &self.visit.look
    }

    pub(crate) fn is_administrator(&self) -> bool {
        self.may.role == Some(Role::Administrator)
    }

    pub(crate) fn may_at(&self, permission: Permission, site: &str) -> bool {
        site.parse().is_ok_and(|site| self.may.may(permission, SiteId(site)))
    }

    /// The path of the person's own account in the API.
    pub(crate) fn own(&self, rest: &str) -> String {
        format!("/v1/accounts/{}{rest}", self.person.account)
    }

    /// The path of the person's company in the API.
    pub(crate) fn company(&self, rest: &str) -> String {
        format!("/v1/companies/{}{rest}", self.person.profile.company)
    }
}

/// The pages that a person may use. What they may not do is not offered.
fn menu(may: &Authorisation) -> Vec<(&'static str, &'static str)> {
    if may.role.is_some_and(|role| role.of_staff().is_some()) {
        return vec![
            ("support", "menu-support"),
            ("support/queues", "queues"),
            ("support/lockouts", "lockouts-now"),
            ("support/numbers", "numbers"),
            ("audit", "menu-history"),
        ];
    }
    let is_administrator = may.role == Some(Role::Administrator);
    let mut menu = vec![("", "menu-overview"), ("sites", "menu-sites"), ("terminals", "menu-terminals")];
    if may.may_anywhere(Permission::ManageUsers) {
        menu.push(("users", "menu-users"));
    }
    if may.may_everywhere(Permission::ManageUsers) {
        menu.push(("groups", "menu-groups"));
    }
    if is_administrator || may.may_everywhere(Permission::ManageCompany) {
        menu.push(("company", "menu-company"));
    }
    if is_administrator {
        menu.push(("takeovers", "menu-takeovers"));
    }
    menu
}

/// The fields of a form that this portal's own page sent.
pub(crate) struct Posted(pub(crate) Vec<(String, String)>);

impl Posted {
    /// A field. Empty if it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// A field with its spaces, such as a password.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The form again, with what is wrong.
    pub(crate) fn again(&self, told: Told) -> Form {
        let values: BTreeMap<_, _> = self.0.iter().cloned().collect();
        Form::again(values, told)
    }
}

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        only_from_here(request.headers())?;
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if !is_form {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-a-form"));
        }
        let malformed = |_| Problem::new(StatusCode::BAD_REQUEST, "malformed-request");
        let bytes = Bytes::from_request(request, state).await.map_err(malformed)?;
        let fields = form_urlencoded::parse(&bytes).into_owned().take(MOST_FIELDS);
        Ok(Self(fields.collect()))
    }
}

/// Refuses a form that another site's page sent (OWASP CSRF Prevention, Fetch Metadata, with the origin as fallback).
pub(crate) fn only_from_here(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => text("origin")
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, host)| text("host").is_some_and(|named| named.eq_ignore_ascii_case(host))),
    };
    if is_own { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "cross-site")) }
}

/// A page of this portal that a link may lead back to. Other texts lead to the overview.
pub(crate) fn own_page(path: &str) -> &str {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "/-?=&_.~%".contains(c);
    let is_own = path.chars().all(is_of_path) && !path.starts_with('/') && !path.contains("//");
    if is_own { path } else { "" }
}

/// A text of an answer of the API.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
