//! The engine within the test's process: real use cases, real sealing and real (cheap) hashing, over any
//! store.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use loquet_credentials::one_time_codes::TotpCodes;
use loquet_credentials::password_blocklist::PasswordBlocklist;
use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::ServerKey;
use loquet_crypto::tokens::HmacTokens;
use loquet_domain::Moment;
use loquet_domain::account::{Account, Admission};
use loquet_domain::app::{App, Credentials, Login, NewColleague, NewOrder, Ports};
use loquet_domain::company::{CompanyName, Registration};
use loquet_domain::fact::{Actor, Context};
use loquet_domain::ids::{AccountId, CorrelationId, OrderId};
use loquet_domain::order::{Channel, Contact, Content, Line};
use loquet_domain::policies::Policies;
use loquet_domain::ports::{
    AnonymousGuesses, BoxFuture, Busy, EventStore, Identities, LinkClaims, PasswordHasher, Purpose, Tokens,
    Verification,
};
use loquet_domain::values::address::Address;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language;
use loquet_domain::values::password::{Password, PasswordHash};
use loquet_domain::values::person::{Person, PersonName};
use loquet_memory::anonymous_guesses::MemoryAnonymousGuesses;
use loquet_memory::keyed_lock::KeyedLocks;
use loquet_memory::session_activity::SessionActivity;
use loquet_memory::state_cache::MemoryStateCache;
use loquet_sqlite::key_store::KeyStore;

pub const PASSWORD: &str = "Boulange7!";

/// Counts the passwords that were really verified.
pub struct CountedHasher {
    pool: Argon2Pool,
    pub verified: std::sync::atomic::AtomicUsize,
    pub hashed: std::sync::atomic::AtomicUsize,
}

impl PasswordHasher for CountedHasher {
    fn hash(&self, password: Password) -> BoxFuture<'_, Result<PasswordHash, Busy>> {
        self.hashed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.pool.hash(password)
    }
    fn verify(&self, password: Password, hash: PasswordHash) -> BoxFuture<'_, Result<Verification, Busy>> {
        self.verified.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.pool.verify(password, hash)
    }
    fn verify_decoy(&self, password: Password) -> BoxFuture<'_, Result<(), Busy>> {
        self.verified.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.pool.verify_decoy(password)
    }
}

/// One node: an engine with its own caches, over a store that several nodes may share.
pub struct Node {
    pub app: Arc<App>,
    pub codec: Arc<JsonCodec>,
    pub keys: KeyStore,
    pub tokens: Arc<HmacTokens>,
    pub hasher: Arc<CountedHasher>,
}

impl Node {
    pub fn new(store: Arc<dyn EventStore>, folder: &Path) -> Self {
        Self::with(Policies::default(), store, folder)
    }

    /// A node with other rules.
    #[track_caller]
    pub fn with(policies: Policies, store: Arc<dyn EventStore>, folder: &Path) -> Self {
        let path = folder.join("server.key");
        let key = ServerKey::load(&path).or_else(|_| ServerKey::create(&path)).unwrap();
        let keys = KeyStore::open(&folder.join("keys.db"), &key).unwrap();
        let codec = Arc::new(JsonCodec::new(Arc::new(keys.clone()), "test".to_owned()));
        let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        let pool = Argon2Pool::start(cost, 2, 10_000).unwrap();
        let hasher = Arc::new(CountedHasher { pool, verified: 0.into(), hashed: 0.into() });
        let tokens = Arc::new(HmacTokens::new(&key));
        Self::over(policies, (store, codec, keys), tokens, hasher, own_guesses())
    }

    /// A node with the same keys over another log.
    pub fn beside(&self, store: Arc<dyn EventStore>) -> Self {
        self.beside_counting(store, own_guesses())
    }

    /// A node with the same keys over another log. It counts guesses at unknown addresses in `guesses`.
    pub fn beside_counting(&self, store: Arc<dyn EventStore>, guesses: Arc<dyn AnonymousGuesses>) -> Self {
        let log = (store, self.codec.clone(), self.keys.clone());
        Self::over(self.app.policies().clone(), log, self.tokens.clone(), self.hasher.clone(), guesses)
    }

    #[track_caller]
    fn over(
        policies: Policies,
        (store, codec, keys): (Arc<dyn EventStore>, Arc<JsonCodec>, KeyStore),
        tokens: Arc<HmacTokens>,
        hasher: Arc<CountedHasher>,
        guesses: Arc<dyn AnonymousGuesses>,
    ) -> Self {
        let ports = Ports {
            store,
            codec: codec.clone(),
            keys: Arc::new(keys.clone()),
            hasher: hasher.clone(),
            tokens: tokens.clone(),
            codes: Arc::new(TotpCodes),
            identities: Arc::new(RandomIdentities),
            keyed_lock: Arc::new(KeyedLocks::default()),
            blocklist: Arc::new(PasswordBlocklist::default()),
            session_uses: Arc::new(SessionActivity::new(chrono::TimeDelta::hours(2))),
            guesses,
            accounts: Arc::new(MemoryStateCache::new(1000)),
            claims: Arc::new(MemoryStateCache::new(1000)),
            companies: Arc::new(MemoryStateCache::new(1000)),
            orders: Arc::new(MemoryStateCache::new(1000)),
            terminals: Arc::new(MemoryStateCache::new(1000)),
            serials: Arc::new(MemoryStateCache::new(1000)),
            access: Arc::new(MemoryStateCache::new(1000)),
            receipts: Arc::new(MemoryStateCache::new(1000)),
            logos: Arc::new(MemoryStateCache::new(1000)),
            takeovers: Arc::new(MemoryStateCache::new(1000)),
            administration: Arc::new(MemoryStateCache::new(1)),
        };
        Self { app: Arc::new(App::new(policies, ports)), codec, keys, tokens, hasher }
    }

    /// Returns how many passwords were verified on this node.
    pub fn verified(&self) -> usize {
        self.hasher.verified.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Returns how many new passwords were hashed on this node.
    pub fn hashed(&self) -> usize {
        self.hasher.hashed.load(std::sync::atomic::Ordering::SeqCst)
    }

    #[track_caller]
    pub fn order(&self, number: u32, company: u32, email: &str) -> NewOrder {
        let address = Address {
            street: "Rue Neuve".to_owned(),
            number: "12".to_owned(),
            r#box: None,
            postal_code: "1000".to_owned(),
            town: "Bruxelles".to_owned(),
            country: "BE".to_owned(),
        };
        let digits = format!("{company:08}{:02}", 97 - company % 97);
        let person = Person {
            email: email_address(email),
            given_name: PersonName::parse("Marie").unwrap(),
            family_name: PersonName::parse("Dupont").unwrap(),
        };
        NewOrder {
            content: Content {
                id: OrderId::parse(&format!("SO-{number}")).unwrap(),
                channel: Channel::Online,
                placed_at: minute(0),
                company: Erasable::Known(Registration {
                    number: EnterpriseNumber::parse(Country::Belgium, &digits).unwrap(),
                    legal_name: CompanyName::parse("Boulangerie").unwrap(),
                    trading_name: None,
                    registered_office: address.clone(),
                }),
                language: Language::Fr,
                email_hash: self.tokens.email_hash(&person.email),
                lines: vec![Line {
                    model: "PAX A920 Mobile".to_owned(),
                    quantity: 1,
                    serials: Vec::new(),
                    delivery_address: Erasable::Known(address),
                }],
            },
            contact: Contact { person, language: Language::Fr },
        }
    }

    /// Makes an active account, by an order and its link.
    pub async fn active(&self, number: u32, email: &str) -> AccountId {
        let order = self.order(number, number, email);
        let account = self.app.place_order(&context(0), order).await.unwrap().onboarded.account;
        let token = self.activation_token(account).await;
        self.app.activate(&context(0), &token, password(PASSWORD)).await.unwrap();
        account
    }

    /// Makes another administrator for an account's company, because the last one can't be deleted.
    pub async fn successor(&self, account: AccountId) {
        let company = self.app.account(account).await.unwrap().profile().unwrap().company;
        let person = Person {
            email: email_address(&format!("successor-{account}@example.be")),
            given_name: PersonName::parse("Paul").unwrap(),
            family_name: PersonName::parse("Dupont").unwrap(),
        };
        let role = Admission::Administrator;
        let new = NewColleague { company, role, language: Language::Fr, person, creator: None };
        let (successor, _) = self.app.create_account(&context(0), new).await.unwrap();
        let token = self.activation_token(successor).await;
        self.app.activate(&context(0), &token, password(PASSWORD)).await.unwrap();
    }

    pub async fn activation_token(&self, account: AccountId) -> String {
        let Account::Invited(invited) = self.app.account(account).await.unwrap() else {
            panic!("not invited")
        };
        let (event, expires_at) = (invited.activation.event, invited.activation.expires_at);
        self.tokens.link(&LinkClaims { purpose: Purpose::Activation, account, event, expires_at })
    }

    pub async fn log_in(&self, at: i64, email: &str, text: &str) -> Login {
        let (email, password) = (email_address(email), password(text));
        let credentials = Credentials { email, password, second: None, devices: Vec::new() };
        self.app.log_in(&context(at), credentials).await.unwrap()
    }
}

/// Returns a store of guesses at unknown addresses for one node alone.
fn own_guesses() -> Arc<dyn AnonymousGuesses> {
    Arc::new(MemoryAnonymousGuesses::new(NonZeroUsize::new(1000).unwrap()))
}

#[track_caller]
pub fn email_address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

/// Returns the moment this number of minutes into the test.
#[track_caller]
pub fn minute(minute: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

pub fn context(at: i64) -> Context {
    Context {
        at: minute(at),
        actor: Actor::Anonymous,
        correlation: CorrelationId(RandomIdentities.fresh()),
        causation: None,
        client: None,
        reason: None,
    }
}

/// An address with another house number.
#[must_use]
pub fn renumbered(address: &Erasable<Address>, number: &str) -> Erasable<Address> {
    address.clone().map(|address| Address { number: number.to_owned(), ..address })
}

/// The enterprise number of an order.
///
/// # Panics
/// If the company of the order was erased.
#[must_use]
pub fn number_of(order: &NewOrder) -> EnterpriseNumber {
    order.content.company.known().unwrap().number.clone()
}
