//! The HTTP interface without a network: requests go to its routes within the process.

use std::fs::File;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use chrono::{SubsecRound, Utc};
use loquet_credentials::one_time_codes::TotpCodes;
use loquet_credentials::password_hasher::Cost;
use loquet_crypto::account_keys::AccountKeys;
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::ServerKey;
use loquet_domain::app::App;
use loquet_domain::ports::{BoxFuture, EventCodec, EventStore, Position};
use loquet_http::{
    Api, CompanyMails, Drawing, Followers, History, Limiter, Limits, Past, Pasts, Rate, router,
};
use loquet_http_ports::exports::{ArchiveUnreadable, Export, Exports, NewExport, NotBegun};
use loquet_http_ports::log_proof::{LogProof, ProofState, ProofUnreadable};
use loquet_http_ports::scope::Scope;
use loquet_http_ports::service_tokens::{Grant, ServiceTokens};
use loquet_metrics::Metrics;
use loquet_projections::ports::{Clock, ReadStore, StoreFailed};
use loquet_projections::runner::{Builder, Status};
use loquet_projections::views;
use loquet_public_events::Contract;
use loquet_sqlite::answers::SqliteAnswers;
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::key_store::KeyStore;
use loquet_sqlite::mail_journal::SqliteJournal;
use loquet_sqlite::read_store::SqliteReadStore;
use loquet_sqlite::service_tokens::SqliteServiceTokens;
use tokio::sync::watch;
use uuid::Uuid;

use crate::Outcome;
use crate::engine::{context, open};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// The address from which the requests come.
const CLIENT: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 40_000));

/// The whole interface over the program's own adapters. Hashing a password takes next to no time here.
pub struct Server {
    /// The use cases.
    pub app: Arc<App>,
    /// The log.
    pub store: SqliteStore,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// A token with every scope.
    pub token: String,
    rows: Arc<dyn ReadStore>,
    api: Api,
    routes: Option<Router>,
}

/// Nothing here asks about the past.
struct NoPasts;

impl Pasts for NoPasts {
    fn open(&self, position: Position) -> BoxFuture<'_, Result<Past, StoreFailed>> {
        let refused = StoreFailed::new(format!("the past at {position} is not kept"));
        Box::pin(std::future::ready(Err(refused)))
    }
}

/// Nothing here takes an extract.
struct NoExports;

impl Exports for NoExports {
    fn begin(&self, _: NewExport) -> BoxFuture<'_, Result<(), NotBegun>> {
        Box::pin(async { Err(NotBegun::TooMany(0)) })
    }

    fn list(&self) -> Vec<Export> {
        Vec::new()
    }

    fn open(&self, _: Uuid) -> Result<Option<File>, ArchiveUnreadable> {
        Ok(None)
    }
}

/// Nothing here asks about the proof.
struct NoProof;

impl LogProof for NoProof {
    fn state(&self, _: usize, _: u64) -> BoxFuture<'_, Result<ProofState, ProofUnreadable>> {
        Box::pin(std::future::ready(Err(ProofUnreadable("it is not kept".to_owned()))))
    }
}

impl Server {
    /// Opens everything in an empty folder.
    ///
    /// # Errors
    /// An error if a store can't be opened.
    pub async fn open(folder: &Path) -> Outcome<Self> {
        let (app, store) = open(folder, Cost { memory_kib: 8, passes: 1, lanes: 1 })?;
        let key = ServerKey::load(&folder.join("server.key"))?;
        let keys = Arc::new(KeyStore::open(&folder.join("keys.db"), &key)?);
        let codec = Arc::new(JsonCodec::new(keys.clone(), "bench".to_owned()));
        let rows: Arc<dyn ReadStore> = Arc::new(SqliteReadStore::open(&folder.join("views.db"))?);
        let service_tokens = SqliteServiceTokens::open(&folder.join("tokens.db"))?;
        let every = Grant::Program(Scope::ALL.iter().copied().collect());
        let token = service_tokens.create("bench", &every, context().at, None).await?;
        let api = Api {
            app: app.clone(),
            store: Arc::new(store.clone()),
            codec: codec.clone(),
            contract: Arc::new(Contract::without_personal_data("https://portal.example".to_owned())),
            rows: rows.clone(),
            status: Status::default(),
            max_lag: 1_000,
            service_tokens: Arc::new(service_tokens),
            identities: Arc::new(RandomIdentities),
            codes: Arc::new(TotpCodes),
            clock: clock(),
            refusal_step: Duration::from_millis(1),
            brand: "Portal".to_owned(),
            branding: Arc::default(),
            time_zone: chrono_tz::Europe::Brussels,
            support_contact: None,
            traced: false,
            docs: false,
            probe: Arc::default(),
            dev_mail: None,
            dev_hosts: None,
            answers: Arc::new(SqliteAnswers::open(&folder.join("answers.db"), keys.commands_key().await?)?),
            keys,
            metrics: Arc::new(Metrics::new("0", "bench")),
            proof: Arc::new(NoProof),
            exports: Arc::new(NoExports),
            dead_letters: None,
            mails: Arc::new(SqliteJournal::open(&folder.join("reactions.db"))?),
            trusted_proxies: Vec::new(),
            limiter: Arc::new(Limiter::new(&UNLIMITED)),
            company_mails: Arc::new(CompanyMails::new(usize::MAX)),
            drawing: Drawing::on(NonZeroUsize::MIN),
            followers: Arc::new(Followers::new(1)),
            under_way: Arc::default(),
            history: History::present(Arc::new(NoPasts)),
            stopping: watch::Sender::new(false),
        };
        Ok(Self { app, store, codec, token, rows, api, routes: None })
    }

    /// Builds every read model from the log. Requests are answered from then on.
    ///
    /// # Errors
    /// An error if a view can't be built.
    pub async fn build_views(&mut self) -> Outcome<()> {
        let head = self.store.head().await?;
        let store: Arc<dyn EventStore> = Arc::new(self.store.clone());
        let mut builder = Builder::begin(store, self.codec.clone(), self.rows.clone(), views::all()).await?;
        builder.build(head, |_| ()).await?;
        builder.take_over().await?;
        self.api.status = Status::at(views::all().iter().map(|view| view.id()), head);
        self.routes = Some(router(Arc::new(self.api.clone())));
        Ok(())
    }

    /// Sends a request, and reads the answer.
    ///
    /// # Errors
    /// An error if the answer has another status, or if the views were not built yet.
    pub async fn call(&self, mut request: Request<Body>, status: StatusCode) -> Outcome<Response<Vec<u8>>> {
        use tower::ServiceExt;
        request.extensions_mut().insert(ConnectInfo(CLIENT));
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("portal.example"));
        let routes = self.routes.clone().ok_or("the views were not built yet")?;
        let answer = routes.oneshot(request).await?;
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, LARGEST).await?.to_vec();
        match head.status == status {
            true => Ok(Response::from_parts(head, body)),
            false => Err(format!("{}: {}", head.status, String::from_utf8_lossy(&body)).into()),
        }
    }
}

const MANY: NonZeroU32 = NonZeroU32::MIN.saturating_add(1_000_000);
const UNLIMITED: Limits = {
    let rate = Rate { per_second: MANY, burst: MANY };
    Limits { requests: rate, anonymous: rate, all_anonymous: rate, event_streams: 1 }
};

#[expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own")]
fn clock() -> Clock {
    Arc::new(|| Utc::now().trunc_subsecs(6))
}
