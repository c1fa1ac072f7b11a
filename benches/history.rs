//! A data directory with a history. Accounts came by orders, were activated, and logged in over many days.
//! Every event is encoded and sealed as the program does it.
//!
//! A tenth of the accounts are in use at a time. They come, and their days are written side by side; then the
//! next tenth comes. So the events of one stream are thousands of events apart in the log, and no two of them
//! are on the same page.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, TimeDelta};
use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::server_key::ServerKey;
use loquet_crypto::tokens::HmacTokens;
use loquet_domain::Moment;
use loquet_domain::account::{self, Origin, Role};
use loquet_domain::company::{self, CompanyName, Registration};
use loquet_domain::email_claim;
use loquet_domain::fact::{Actor, Client, Context, Fact};
use loquet_domain::ids::{AccountId, CompanyId, CorrelationId, EventId, OrderId, SessionId};
use loquet_domain::order::{self, Channel, Content, Line, Outcome as Onboarding};
use loquet_domain::ports::{EventCodec, EventStore, PasswordHasher, Revision, StreamId, Tokens};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::address::Address;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language;
use loquet_domain::values::password::{Password, PasswordHash};
use loquet_domain::values::person::{Person, PersonName};
use loquet_projections::ports::{Acquired, Lease, ReactionJournal};
use loquet_projections::reactions;
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::key_store::KeyStore;
use loquet_sqlite::mail_journal::SqliteJournal;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::program::Program;
use crate::{Outcome, argument};

/// The password of every account.
pub const PASSWORD: &str = "Boulange7!";
/// The events of an account before its first day: an order is received and onboarded, an address claimed, a
/// company registered, and an account created and activated.
const BIRTH: u32 = 6;
/// The number of groups in which the accounts come.
const TENTHS: u32 = 10;
/// The number of accounts that are written at once.
const WRITERS: u32 = 2048;
/// The event of each day: a login, a wrong password, or a password reset that was requested or completed.
const DAYS: [Day; 18] = {
    use Day::{Failed, In, Requested, Reset};
    [In, In, Failed(1), In, In, In, In, Failed(1), Failed(2), In, In, In, In, In, Requested, Reset, In, In]
};

#[derive(Clone, Copy)]
enum Day {
    In,
    Failed(u32),
    Requested,
    Reset,
}

/// The amount of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The number of accounts.
    pub accounts: u32,
    /// How many of the 18 days are written for each account. Each day is one event.
    pub days: usize,
}

impl Extent {
    /// Returns the number of accounts for this number of events in all. Each account has streams of about 20
    /// events.
    #[must_use]
    pub fn of_events(events: u32) -> Self {
        let days = DAYS.len();
        let each = BIRTH.saturating_add(u32::try_from(days).unwrap_or(u32::MAX));
        Self { accounts: (events / each).max(1), days }
    }

    /// Returns the number of events.
    #[must_use]
    pub fn events(&self) -> u64 {
        let days = u64::try_from(self.days).unwrap_or(u64::MAX);
        u64::from(self.accounts) * (u64::from(BIRTH) + days)
    }
}

/// A folder with a history.
pub struct History {
    /// The folder.
    pub folder: PathBuf,
    /// The amount of history in it.
    pub extent: Extent,
    tokens: HmacTokens,
    _temporary: Option<TempDir>,
}

impl History {
    /// Returns the folder named by `--folder`. Writes the history unless the folder holds it already. Without
    /// `--folder`, uses a temporary folder.
    ///
    /// # Errors
    /// An error if it can't be written, or if it holds another history.
    pub fn prepare(extent: Extent) -> Outcome<Self> {
        let (folder, temporary) = match argument::<PathBuf>("--folder")? {
            Some(folder) => (folder, None),
            None => {
                let temporary = tempfile::tempdir()?;
                (temporary.path().join("var"), Some(temporary))
            }
        };
        let (mark, wanted) = (folder.join("history"), format!("{extent:?}"));
        if folder.exists() {
            let held = fs::read_to_string(&mark).unwrap_or_default();
            if held != wanted {
                return Err(format!("{} holds '{held}', not '{wanted}'", folder.display()).into());
            }
        } else {
            eprintln!("writing {} events of {} accounts …", extent.events(), extent.accounts);
            fs::create_dir_all(&folder)?;
            write(&folder, extent)?;
            fs::write(&mark, &wanted)?;
        }
        let tokens = HmacTokens::new(&ServerKey::load(&folder.join("server.key"))?);
        Ok(Self { folder, extent, tokens, _temporary: temporary })
    }

    /// Starts the program, waits until its read models have reached the end of the log, and stops it.
    ///
    /// # Errors
    /// An error if they do not reach it.
    pub fn bring_up_to_date(&self, program: &Path) -> Outcome<()> {
        eprintln!("building the read models …");
        let program = Program::start(program, &self.folder)?;
        program.current()?;
        program.stop()
    }

    /// Returns one of the accounts.
    ///
    /// # Errors
    /// An error if there is no such account.
    pub fn account(&self, number: u32) -> Outcome<AccountId> {
        Ok(Life::of(number, &self.tokens)?.account)
    }

    /// Returns the address of one of the accounts.
    #[must_use]
    pub fn email(number: u32) -> String {
        format!("marie.dupont.{number}@boulangerie.example")
    }
}

/// What writing a history needs.
struct Pen {
    store: SqliteStore,
    codec: JsonCodec,
    tokens: HmacTokens,
    hash: Erasable<PasswordHash>,
}

fn write(folder: &Path, extent: Extent) -> Outcome<()> {
    let key = ServerKey::create(&folder.join("server.key"))?;
    let keys = KeyStore::open(&folder.join("keys.db"), &key)?;
    let store = SqliteStore::open(&folder.join("log.db"))?;
    let journal = SqliteJournal::open(&folder.join("reactions.db"))?;
    Runtime::new()?.block_on(async {
        let pen = Arc::new(Pen {
            store: store.clone(),
            codec: JsonCodec::new(Arc::new(keys), "bench".to_owned()),
            tokens: HmacTokens::new(&key),
            hash: Erasable::Known(quick_hash().await?),
        });
        for tenth in 0..TENTHS {
            let accounts = share(extent.accounts, tenth)..share(extent.accounts, tenth + 1);
            write_all(&pen, accounts.clone(), None).await?;
            for day in 0..extent.days {
                write_all(&pen, accounts.clone(), Some(day)).await?;
            }
        }
        // What the reactions would do counts as done.
        let head = store.head().await?;
        let now = moment(0, extent.days);
        let Acquired::Given(fence) = journal.acquire("bench", now, now).await? else {
            return Err("the new journal is somebody else's".into());
        };
        for reaction in reactions::NAMES {
            journal.advance(fence, reaction, head, Vec::new(), now).await?;
        }
        Outcome::Ok(())
    })?;
    store.close();
    Ok(())
}

/// A hash that takes no time to verify. A wrong password against it costs only the work around the hash.
async fn quick_hash() -> Outcome<PasswordHash> {
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    Ok(Argon2Pool::start(cost, 1, 1)?.hash(Password::new(PASSWORD.to_owned())).await?)
}

/// Returns the number of the first account of a group.
fn share(accounts: u32, tenth: u32) -> u32 {
    u32::try_from(u64::from(accounts) * u64::from(tenth) / u64::from(TENTHS)).unwrap_or(accounts)
}

/// Writes one day of these accounts, or their first events.
async fn write_all(pen: &Arc<Pen>, accounts: Range<u32>, day: Option<usize>) -> Outcome<()> {
    let next = Arc::new(AtomicU32::new(accounts.start));
    let mut writing = JoinSet::new();
    for _ in 0..WRITERS {
        let (pen, next) = (pen.clone(), next.clone());
        writing.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= accounts.end {
                    return Outcome::Ok(());
                }
                let life = Life::of(number, &pen.tokens)?;
                match day {
                    None => pen.birth(&life).await?,
                    Some(day) => pen.day(&life, day).await?,
                }
            }
        });
    }
    writing.join_all().await.into_iter().collect()
}

/// One account.
struct Life {
    number: u32,
    account: AccountId,
    company: CompanyId,
    content: Content,
    person: Person,
}

impl Life {
    fn of(number: u32, tokens: &HmacTokens) -> Outcome<Self> {
        let person = Person {
            email: EmailAddress::parse(&History::email(number))?,
            given_name: PersonName::parse("Marie")?,
            family_name: PersonName::parse("Dupont")?,
        };
        let digits = format!("{number:08}{:02}", 97 - number % 97);
        let office = Address {
            street: "Rue Neuve".to_owned(),
            number: "12".to_owned(),
            r#box: None,
            postal_code: "1000".to_owned(),
            town: "Bruxelles".to_owned(),
            country: "BE".to_owned(),
        };
        let number_in_register = EnterpriseNumber::parse(Country::Belgium, &digits)?;
        let content = Content {
            id: OrderId::parse(&format!("SO-{number}"))?,
            channel: Channel::Online,
            placed_at: moment(number, 0),
            company: Erasable::Known(Registration {
                number: number_in_register.clone(),
                legal_name: CompanyName::parse(&format!("Boulangerie {number}"))?,
                trading_name: None,
                registered_office: office.clone(),
            }),
            language: Language::Fr,
            email_hash: tokens.email_hash(&person.email),
            lines: vec![Line {
                model: "PAX A920 Mobile".to_owned(),
                quantity: 1,
                serials: Vec::new(),
                delivery_address: Erasable::Known(office),
            }],
        };
        let account = AccountId::of_order(&content.id, &content.email_hash);
        let company = CompanyId::registered_as(&number_in_register);
        Ok(Self { number, account, company, content, person })
    }

    fn stream(&self) -> StreamId {
        account::stream(self.account)
    }

    /// Returns the id of a day's event.
    fn event(&self, day: usize) -> EventId {
        let day = u64::try_from(day).unwrap_or(u64::MAX);
        EventId(Uuid::from_u64_pair(
            0x6c6f_7175_6574_4000 + day,
            0x8000_0000_0000_0000 + u64::from(self.number),
        ))
    }
}

/// Returns the moment of an account's day.
fn moment(number: u32, day: usize) -> Moment {
    let first = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    first
        + TimeDelta::days(i64::try_from(day).unwrap_or(0))
        + TimeDelta::milliseconds(i64::from(number % 80_000_000))
}

impl Pen {
    async fn birth(&self, life: &Life) -> Outcome<()> {
        let Life { account, company, content, person, .. } = life;
        let order = order::stream(&content.id);
        let claim = email_claim::stream(&content.email_hash);
        let registered = company::stream(*company);
        let received = order::Event::OrderReceived {
            content: Box::new(content.clone()),
            company: *company,
            account: *account,
            person: Erasable::Known(person.clone()),
        };
        let onboarded = order::Event::OrderOnboarded {
            company: *company,
            account: *account,
            outcome: Onboarding::FirstOrder,
        };
        let registration = company::Event::CompanyRegistered {
            order: content.id.clone(),
            country: Country::Belgium,
            registration: content.company.clone(),
        };
        let created = account::Event::AccountCreated {
            company: *company,
            role: Role::Administrator,
            language: content.language,
            email_hash: content.email_hash.clone(),
            origin: Origin::Order { order_id: content.id.clone() },
            activation_expires_at: moment(life.number, 7),
            person: Erasable::Known(person.clone()),
        };
        let activated = account::Event::AccountActivated { link: life.event(101), hash: self.hash.clone() };
        let claimed = email_claim::Event::EmailClaimed { account: *account };
        let events = [
            (&order, 0, DomainEvent::Order(received)),
            (&claim, 0, DomainEvent::EmailClaim(claimed)),
            (&registered, 0, DomainEvent::Company(registration)),
            (&life.stream(), 0, DomainEvent::Account(created)),
            (&order, 1, DomainEvent::Order(onboarded)),
            (&life.stream(), 1, DomainEvent::Account(activated)),
        ];
        for (at, (stream, revision, event)) in events.into_iter().enumerate() {
            self.append(life, stream, revision, (0, 98 + at), event).await?;
        }
        Ok(())
    }

    async fn day(&self, life: &Life, day: usize) -> Outcome<()> {
        let event = match DAYS.get(day).ok_or("no such day")? {
            Day::In => account::Event::LoginSucceeded {
                session: SessionId(life.event(1000 + day).0),
                session_expires_at: moment(life.number, day + 1) + TimeDelta::hours(12),
                cleared: account::Rows::Account,
                on: None,
            },
            Day::Failed(failures) => account::Event::LoginFailed {
                failures: account::Counts { account: Some(*failures), device: None },
            },
            Day::Requested => {
                account::Event::PasswordResetRequested { expires_at: moment(life.number, day + 3) }
            }
            Day::Reset => {
                account::Event::PasswordReset { link: life.event(day - 1), hash: self.hash.clone() }
            }
        };
        let revision = u64::try_from(day)? + 2;
        self.append(life, &life.stream(), revision, (day + 1, day), DomainEvent::Account(event)).await
    }

    /// Appends one event. The day and the number say where it is in the account's history.
    async fn append(
        &self,
        life: &Life,
        stream: &StreamId,
        revision: u64,
        (day, number): (usize, usize),
        event: DomainEvent,
    ) -> Outcome<()> {
        let id = life.event(number);
        let context = Context {
            at: moment(life.number, day),
            actor: Actor::Anonymous,
            correlation: CorrelationId(id.0),
            causation: None,
            client: Some(Client {
                address: Some("203.0.113.7".to_owned()),
                agent: Some(
                    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
                ),
            }),
            reason: None,
        };
        let encoded = self.codec.encode(stream, vec![Fact { id, context, event }]).await?;
        self.store.append(stream, Revision(revision), encoded).await?;
        Ok(())
    }
}
