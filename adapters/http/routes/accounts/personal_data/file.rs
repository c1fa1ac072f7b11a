//! Everything that is held on one person, as a file (GDPR, articles 15 and 20).
//!
//! The events are the record, so the file is made of them: the account's own stream, and every event of its companies,
//! of its orders and of its take-overs that names the account or was caused by it. What is computed from the events
//! stands before them, so that a person need not read the events to learn it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use loquet_domain::account::{self, Account, Event, Profile, Role};
use loquet_domain::fact::{Actor, Fact};
use loquet_domain::ids::{AccountId, CompanyId, OrderId, TakeOverId};
use loquet_domain::ports::{RecordedEvent, Revision, StreamId};
use loquet_domain::schema::{self, DomainEvent};
use loquet_domain::values::language::Language;
use loquet_domain::values::mail_kind::MailKind;
use loquet_domain::values::permission::Permission;
use loquet_domain::{Moment, access, company, email_claim, order, receipt, takeover, terminals};
use loquet_projections::local_time::TimeZone;
use loquet_projections::people::{Unreadable, person_at};
use loquet_projections::table::{RowQuery, select};
use loquet_projections::views::orders::OrderRow;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::responses::localize::say;
use crate::responses::problem::Problem;
use crate::routes::events::EventBody;
use crate::state::Api;

use super::text;

/// The name and version of the file's format.
const FORMAT: &str = "loquet.personal-data.v1";
/// The sentences that say what the file leaves out and why, by their names in the texts.
const LEFT_OUT: [&str; 4] =
    ["data-left-out-secrets", "data-left-out-others", "data-left-out-invoicing", "data-left-out-copies"];
/// The sentence that says where support's notes are.
const NOTES_LEFT_OUT: &str = "data-left-out-notes";

/// Everything that is held on one person.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalData)]
pub(crate) struct PersonalData {
    /// The name and version of this format.
    #[schema(example = "loquet.personal-data.v1")]
    format: &'static str,
    made_at: DateTime<Utc>,
    account: Identity,
    company: Option<CompanyNames>,
    login: LoginState,
    /// The groups of the account, and the sites where it has their permissions.
    groups: Vec<Membership>,
    /// The orders that name the person as their contact.
    orders: Vec<Order>,
    /// The mails to the person whose result is known.
    mails: Vec<Mail>,
    /// Every event of the account, the oldest first.
    events: Vec<EventBody>,
    /// The events of companies, orders and take-overs that name the account or that the person caused.
    other_events: Vec<EventBody>,
    /// What this file leaves out, and why, in the account's language.
    left_out: Vec<String>,
}

/// Who the person is.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataAccount)]
struct Identity {
    account_id: Uuid,
    email: String,
    given_name: String,
    family_name: String,
    #[schema(value_type = String, example = "fr")]
    language: Language,
    #[schema(value_type = String, example = "administrator")]
    role: Role,
    /// `awaiting_activation`, `active` or `deleted`.
    #[schema(example = "active")]
    status: &'static str,
}

/// The company of the account.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataCompany)]
struct CompanyNames {
    company_id: Uuid,
    legal_name: String,
    trading_name: Option<String>,
    #[schema(example = "BE")]
    country: String,
    #[schema(example = "0123456749")]
    enterprise_number: String,
}

/// How the account logs in.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataLogin)]
struct LoginState {
    /// Whether a password is set. Only its hash is stored.
    password_set: bool,
    /// Whether two-step verification is on.
    second_step: bool,
    recovery_codes_left: usize,
    /// The wrong logins in a row that count now.
    failures: u32,
    locked_until: Option<DateTime<Utc>>,
    sessions: Vec<OpenSession>,
    trusted_devices: Vec<TrustedDevice>,
}

/// A session that can still be used.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataSession)]
struct OpenSession {
    session_id: Uuid,
    started_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// A browser that the account trusts.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataDevice)]
struct TrustedDevice {
    device_id: Uuid,
    trusted_since: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// A group that the account is in.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataGroup)]
struct Membership {
    group_id: Uuid,
    name: String,
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Permission>,
    /// The sites. Null: every site.
    site_ids: Option<Vec<Uuid>>,
}

/// An order that names the person.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataOrder)]
struct Order {
    order_id: String,
    placed_at: DateTime<Utc>,
    email: String,
    given_name: String,
    family_name: String,
}

/// A mail to the person.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalDataMail)]
struct Mail {
    mail_id: Uuid,
    #[schema(value_type = String, example = "activation")]
    kind: MailKind,
    at: DateTime<Utc>,
    /// `sent` or `given_up`.
    #[schema(example = "sent")]
    outcome: &'static str,
}

impl PersonalData {
    /// Collects everything that is held on the owner of an account. The owner's own file leaves out the notes of
    /// support, which may say how support checks who somebody is. The file that support hands out has them.
    pub(crate) async fn collect(
        api: &Api,
        id: AccountId,
        now: Moment,
        with_notes: bool,
    ) -> Result<Self, Problem> {
        let account = api.app.account(id).await?;
        let profile = account.profile().ok_or_else(Problem::not_found)?;
        let person = profile.person.known().ok_or_else(Problem::not_found)?;
        let own = Reader { api, id, with_notes };
        let history = own.stream(&account::stream(id)).await?;
        let facts: Vec<_> = history.iter().map(|(fact, _)| fact).collect();
        let company = api.app.company(profile.company).await?.state;
        let orders = own.orders(person.email.as_str()).await?;
        let mut left_out: Vec<_> =
            LEFT_OUT.into_iter().map(|name| say(profile.language, name, &[])).collect();
        if !with_notes {
            left_out.push(say(profile.language, NOTES_LEFT_OUT, &[]));
        }
        Ok(Self {
            format: FORMAT,
            made_at: now,
            account: Identity {
                account_id: id.0,
                email: person.email.to_string(),
                given_name: person.given_name.as_str().to_owned(),
                family_name: person.family_name.as_str().to_owned(),
                language: profile.language,
                role: profile.role,
                status: status(&account),
            },
            company: company.registered.as_deref().map(|held| CompanyNames {
                company_id: profile.company.0,
                legal_name: held.legal_name.as_str().to_owned(),
                trading_name: held.trading_name.as_ref().map(|name| name.as_str().to_owned()),
                country: held.number.country().to_string(),
                enterprise_number: held.number.digits().to_owned(),
            }),
            login: login(&account, now),
            groups: own.groups(profile).await?,
            mails: facts.iter().filter_map(|fact| mail(fact)).collect(),
            other_events: own.elsewhere(profile, &facts, &orders).await?,
            orders: orders.into_iter().map(|(_, order)| order).collect(),
            events: history.into_iter().map(|(_, body)| body).collect(),
            left_out,
        })
    }

    /// The same as text to read, in a language, with the times of a time zone.
    pub(crate) fn text(&self, language: Language, time_zone: TimeZone) -> String {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        text::write(text::Reader { language, time_zone: Some(time_zone) }, &value)
    }
}

fn status(account: &Account) -> &'static str {
    match account {
        Account::Absent | Account::Invited(_) => "awaiting_activation",
        Account::Active(_) => "active",
        Account::Deleted(_) => "deleted",
    }
}

fn login(account: &Account, now: Moment) -> LoginState {
    let active = account.active();
    let second = active.and_then(|active| active.second_step.as_deref());
    let sessions = active.into_iter().flat_map(|active| active.sessions_at(now));
    let devices = active.into_iter().flat_map(|active| active.devices_at(now));
    LoginState {
        password_set: active.is_some(),
        second_step: second.is_some(),
        recovery_codes_left: second.map_or(0, |second| second.recovery.len()),
        failures: active.map_or(0, |active| active.lockout.failures_at(now)),
        locked_until: active
            .and_then(|active| active.lockout.locked_until(now))
            .and_then(loquet_domain::policies::lockout::LockEnd::moment),
        sessions: sessions
            .map(|session| OpenSession {
                session_id: session.id.0,
                started_at: session.started_at,
                expires_at: session.expires_at,
            })
            .collect(),
        trusted_devices: devices
            .map(|device| {
                let client = device.client.clone().unwrap_or_default();
                TrustedDevice {
                    device_id: device.id.0,
                    trusted_since: device.since,
                    expires_at: device.expires_at,
                    client_address: client.address,
                    client_agent: client.agent,
                }
            })
            .collect(),
    }
}

fn mail(fact: &Fact<DomainEvent>) -> Option<Mail> {
    let (mail_id, kind, outcome) = match &fact.event {
        DomainEvent::Account(Event::MailSent { mail, kind, .. }) => (*mail, *kind, "sent"),
        DomainEvent::Account(Event::MailGivenUp { mail, kind, .. }) => (*mail, *kind, "given_up"),
        _ => return None,
    };
    Some(Mail { mail_id, kind, at: fact.context.at, outcome })
}

/// Reads the events that concern one person.
struct Reader<'a> {
    api: &'a Api,
    id: AccountId,
    with_notes: bool,
}

impl Reader<'_> {
    /// Every event of a stream.
    async fn stream(&self, stream: &StreamId) -> Result<Vec<(Fact<DomainEvent>, EventBody)>, Problem> {
        let recorded = self.api.store.read_stream(stream, Revision::default()).await?;
        let mut events = Vec::with_capacity(recorded.len());
        for recorded in &recorded {
            events.push(self.read(recorded).await?);
        }
        Ok(events)
    }

    async fn read(&self, recorded: &RecordedEvent) -> Result<(Fact<DomainEvent>, EventBody), Problem> {
        let body = EventBody::read(self.api.codec.as_ref(), recorded).await?;
        let body = if self.with_notes { body } else { body.without_proofs() };
        Ok((self.api.codec.decode_open(recorded).map_err(Unreadable::from)?, body))
    }

    /// The groups of the account in its company.
    async fn groups(&self, profile: &Profile) -> Result<Vec<Membership>, Problem> {
        let access = self.api.app.access(profile.company).await?.state;
        let memberships = access.memberships(self.id).map(|(group, held, sites)| Membership {
            group_id: group.0,
            name: held.name.as_str().to_owned(),
            permissions: held.permissions.iter().copied().collect(),
            site_ids: match sites {
                access::Where::Everywhere => None,
                access::Where::Sites(sites) => Some(sites.iter().map(|site| site.0).collect()),
            },
        });
        Ok(memberships.collect())
    }

    /// The orders that name the person as their contact.
    async fn orders(&self, email: &str) -> Result<Vec<(OrderId, Order)>, Problem> {
        let by = Some(OrderRow::BY_ACCOUNT.under(self.id));
        let wanted = RowQuery { by, limit: usize::MAX, ..RowQuery::default() };
        let mut orders = Vec::new();
        for (_, row) in select(self.api.rows.as_ref(), wanted).await? {
            let person = person_at(self.api.store.as_ref(), self.api.codec.as_ref(), row.person_at).await?;
            // An order whose contact support replaced names somebody else.
            if let Some(person) = person.known().filter(|person| person.email.as_str() == email) {
                let order = Order {
                    order_id: row.order_id.to_string(),
                    placed_at: row.placed_at,
                    email: person.email.to_string(),
                    given_name: person.given_name.as_str().to_owned(),
                    family_name: person.family_name.as_str().to_owned(),
                };
                orders.push((row.order_id, order));
            }
        }
        Ok(orders)
    }

    /// The events of other streams that concern the person, the oldest first.
    async fn elsewhere(
        &self,
        profile: &Profile,
        own: &[&Fact<DomainEvent>],
        orders: &[(OrderId, Order)],
    ) -> Result<Vec<EventBody>, Problem> {
        let mut streams = vec![email_claim::stream(&profile.email_hash)];
        streams.extend(orders.iter().map(|(id, _)| order::stream(id)));
        for company in companies(own) {
            streams.extend([company::stream(company), terminals::stream(company), access::stream(company)]);
            let sites = &self.api.app.company(company).await?.state.sites;
            streams.extend(sites.iter().map(|(site, _)| receipt::stream(site)));
        }
        streams.extend(takeovers(own).into_iter().map(takeover::stream));
        let mut found = Vec::new();
        for stream in &streams {
            for recorded in self.api.store.read_stream(stream, Revision::default()).await? {
                let fact = self.api.codec.decode_open(&recorded).map_err(Unreadable::from)?;
                if self.concerns(&fact, &recorded) {
                    found.push((recorded.position, self.read(&recorded).await?.1));
                }
            }
        }
        found.sort_by_key(|(position, _)| *position);
        Ok(found.into_iter().map(|(_, body)| body).collect())
    }

    /// Whether an event names the account, is sealed with its key, or was caused by its owner.
    fn concerns(&self, fact: &Fact<DomainEvent>, recorded: &RecordedEvent) -> bool {
        let caused = fact.context.actor == Actor::Account { account_id: self.id };
        let sealed = schema::write(&fact.event).subject == Some(self.id);
        let named = || {
            let data = serde_json::from_slice(&recorded.event.data).unwrap_or(Value::Null);
            names(&data, &self.id.to_string())
        };
        caused || sealed || named()
    }
}

/// Whether a text stands somewhere in a value, as a value or as a key.
fn names(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(items) => items.iter().any(|item| names(item, wanted)),
        Value::Object(fields) => fields.iter().any(|(name, field)| name == wanted || names(field, wanted)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The companies that the account belonged to.
fn companies(own: &[&Fact<DomainEvent>]) -> BTreeSet<CompanyId> {
    let company = |fact: &&Fact<DomainEvent>| match &fact.event {
        DomainEvent::Account(Event::AccountCreated { company, .. } | Event::AccountMoved { company, .. }) => {
            Some(*company)
        }
        _ => None,
    };
    own.iter().filter_map(company).collect()
}

/// The take-overs that moved the account.
fn takeovers(own: &[&Fact<DomainEvent>]) -> BTreeSet<TakeOverId> {
    let takeover = |fact: &&Fact<DomainEvent>| match &fact.event {
        DomainEvent::Account(Event::AccountMoved { takeover, .. }) => Some(*takeover),
        _ => None,
    };
    own.iter().filter_map(takeover).collect()
}
