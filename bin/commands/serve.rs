//! `loquet serve`.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use loquet_credentials::one_time_codes::TotpCodes;
use loquet_crypto::account_keys::{AccountKeys, Noticed};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_crypto::server_key::ServerKey;
use loquet_files::{create_private, remove_if_there};
use loquet_http::Drawing;
use loquet_http::{
    Api, Branding, CompanyMails, Connections, DevHosts, Followers, History, Limiter, metrics_router, router,
};
use loquet_http_ports::scope::Scope;
use loquet_http_ports::service_tokens::Grant;
use loquet_http_ports::service_tokens::ServiceTokens;
use loquet_metrics::Metrics;
use loquet_projections::causes::Causes;
use loquet_projections::leader::{EndedByItself, Leader, Leadership, ShownLeadership, Term};
use loquet_projections::mail::{Accent, Accents, Letterhead, Letters, Mailboxes, Sender};
use loquet_projections::ports::{Clock, Fenced, Hold, Mailer, ReactionJournal, ReadStore, Webhooks};
use loquet_projections::reactions::{Erasure, Mails, Onboarding, Reaction, ReactionRunner, Settling};
use loquet_projections::runner::{Runner, Status};
use loquet_projections::views;
use loquet_public_events::Contract;
use loquet_webhooks::{Troubles, WebhookSender};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::config::refuse_faults;
use super::show::place_of;
use crate::adapters::{self, Access, Mail, Reactions};
use crate::administration::Administration;
use crate::cli::DataDirectory;
use crate::clock::{self, SharedClock};
use crate::config::Config;
use crate::extract::ExportJobs;
use crate::kafka;
use crate::mode::Mode;
use crate::output::greeting;
use crate::past::remove_left_over;
use crate::proof::{Proof, ShownProof};
use crate::self_check::SelfCheck;
use crate::settings::{Logging, Settings, read_secret};
use crate::snapshots::SnapshotKeeper;
use crate::system::{Parts, System, VERSION};

/// How often the server checks whether its key was rotated.
const LOOK_AT_KEYS: Duration = Duration::from_secs(2);

/// The time at whose multiples refused logins are answered, from the time that a hash takes on this machine.
async fn refusal_step(system: &System) -> anyhow::Result<Duration> {
    let started = Instant::now();
    Ok(loquet_http::refusal_step(system.app.time_a_hash(|| started.elapsed()).await?))
}

pub(crate) async fn run(directory: &DataDirectory, mut config: Config, mode: Mode) -> anyhow::Result<()> {
    let settings = Settings::of(&mut config, mode);
    refuse_faults(&config)?;
    let settings = settings.context("the configuration is not valid")?;
    directory.make_folder()?;
    directory.refuse_files_of_others()?;
    let _occupied = adapters::occupy(directory)?;
    dev_key(directory, mode)?;
    let (clock, shared_clock) = adapters::clock(directory).await?;
    let Mail { mailer, dev_mails } = adapters::mail(directory, &settings, &clock)?;
    // The port is bound before the log is opened. If the port is in use, the log stays untouched.
    let listener = bind(settings.listen, "LOQUET_HTTP_LISTEN").await?;
    let monitoring = bind_monitoring(&settings).await?;
    let metrics = Arc::new(Metrics::new(VERSION, &settings.node));
    let system = open(directory, &settings, &metrics).await?;
    let status = Status::default();
    let proof = Proof::open(directory, &settings, &system.store, &clock, &status, &mailer).await?;
    let clock = clock::noted_by(system.app.clone(), clock);
    let refusal_step = refusal_step(&system).await?;
    let service_tokens = adapters::service_tokens(directory).await?;
    if mode == Mode::Development {
        dev_token(directory, service_tokens.as_ref()).await?;
    }
    let reactions = adapters::reactions(directory).await?;
    let journal = reactions.journal.clone();
    let rows = adapters::read_models(directory, Access::Write)?;
    let answers = adapters::answers(directory, system.keys.as_ref()).await?;
    let contract = Arc::new(settings.contract.clone());
    let webhooks = adapters::webhooks(directory).await?;
    let webhooks = webhook_sender(webhooks, &system, &settings, &contract, &status, &metrics, &clock);
    let known =
        Known { rows: rows.clone(), reactions, webhooks, status: status.clone(), metrics: metrics.clone() };
    let mut background = project(&settings, &system, &clock, mailer, known)?;
    background.tasks.spawn(self_check(directory, &settings, &system, &status, &metrics, &clock).keep());
    background.tasks.spawn(snapshots(directory, &settings, &system, &status).keep());
    let acts = administration(directory, &system, &service_tokens, &clock, &settings.node);
    background.watch(acts, &metrics, shared_clock)?;
    let leadership = background.leadership.clone();
    let kafka = use_kafka(&settings, &system, &contract, &status, &metrics, &clock, leadership);
    let keeping = tokio::spawn(system.keep_activity());
    let exports = ExportJobs::begin(&system, directory, &clock)?;
    let proof = proof.start();
    let (listening, logging) = (listener.local_addr()?, Logging::of(&config));
    let dev_hosts = (mode == Mode::Development).then(|| DevHosts::of(listening, &settings.public_url));
    let api = Arc::new(Api {
        app: system.app.clone(),
        store: system.store.clone(),
        codec: system.codec.clone(),
        contract,
        rows,
        status,
        max_lag: settings.max_lag,
        keys: system.keys.clone(),
        service_tokens,
        identities: Arc::new(RandomIdentities),
        codes: Arc::new(TotpCodes),
        clock,
        refusal_step,
        brand: settings.brand.clone(),
        branding: settings.branding.clone(),
        time_zone: settings.time_zone,
        support_contact: settings.support_contact.clone(),
        traced: logging.traces.is_some(),
        docs: settings.docs,
        probe: Arc::default(),
        dev_mail: dev_mails,
        dev_hosts,
        answers,
        metrics,
        proof: Arc::new(ShownProof { directory: directory.clone() }),
        exports: Arc::new(exports.clone()),
        dead_letters: settings.kafka.as_ref().and_then(kafka::dead_letters),
        mails: journal,
        trusted_proxies: settings.trusted_proxies.clone(),
        limiter: Arc::new(Limiter::new(&settings.limits)),
        company_mails: Arc::new(CompanyMails::new(settings.mails_per_company)),
        drawing: Drawing::on(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        followers: Arc::new(Followers::new(settings.limits.event_streams)),
        under_way: Arc::default(),
        history: History::present(Arc::new(system.pasts(directory))),
        stopping: watch::Sender::new(false),
    });
    greet(directory, &settings, config.text("store.engine").unwrap_or_default(), logging.json, listening);
    let stop = stop_signal(signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    let ended = listen(&api, listener, monitoring, settings.connections.clone(), stop, &mut background).await;
    exports.stop();
    background.stop().await;
    if let Some(kafka) = kafka {
        kafka.stop().await;
    }
    keeping.abort();
    proof.stop().await;
    system.close().await?;
    ended
}

/// Opens the log and the keys. All files are opened, and damaged ones refused, before the first mail is sent or the first
/// request is answered.
async fn open(
    directory: &DataDirectory,
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<System> {
    let parts = Parts {
        policies: settings.policies.clone(),
        blocklist: settings.blocklist.clone(),
        cost: settings.cost,
        node: settings.node.clone(),
        metrics: metrics.clone(),
    };
    let system = System::open(directory, Access::Write, parts).await?;
    remove_left_over(&directory.data_dir);
    system.refuse_altered(directory).await?;
    system.note_last_moment().await?;
    Ok(system)
}

/// Makes what records the acts of operators.
fn administration(
    directory: &DataDirectory,
    system: &System,
    tokens: &Arc<dyn ServiceTokens>,
    clock: &Clock,
    node: &str,
) -> Administration {
    Administration {
        app: system.app.clone(),
        tokens: tokens.clone(),
        keys: system.keys.clone(),
        identities: Arc::new(RandomIdentities),
        directory: directory.clone(),
        clock: clock.clone(),
        node: node.to_owned(),
    }
}

/// Makes what compares the read models with the log.
fn self_check(
    directory: &DataDirectory,
    settings: &Settings,
    system: &System,
    status: &Status,
    metrics: &Arc<Metrics>,
    clock: &Clock,
) -> SelfCheck {
    SelfCheck {
        directory: directory.clone(),
        store: system.store.clone(),
        codec: system.codec.clone(),
        every: settings.verify_every,
        clock: clock.clone(),
        status: status.clone(),
        metrics: metrics.clone(),
    }
}

/// Makes what keeps snapshots of the read models.
fn snapshots(
    directory: &DataDirectory,
    settings: &Settings,
    system: &System,
    status: &Status,
) -> SnapshotKeeper {
    let (store, codec) = (system.store.clone(), system.codec.clone());
    SnapshotKeeper::new(directory, store, codec, status.clone(), settings.snapshots)
}

/// Starts what runs with Kafka, if it is used.
fn use_kafka(
    settings: &Settings,
    system: &System,
    contract: &Arc<Contract>,
    status: &Status,
    metrics: &Metrics,
    clock: &Clock,
    leadership: watch::Receiver<Leadership>,
) -> Option<kafka::Running> {
    let server = kafka::Server {
        store: &system.store,
        codec: system.codec.clone(),
        app: &system.app,
        contract,
        status,
        metrics,
        clock,
        node: &settings.node,
        leadership,
    };
    settings.kafka.as_ref().map(|kafka| kafka::start(kafka, server))
}

/// Makes what sends events to webhooks.
fn webhook_sender(
    webhooks: Arc<dyn Webhooks>,
    system: &System,
    settings: &Settings,
    contract: &Arc<Contract>,
    status: &Status,
    metrics: &Metrics,
    clock: &Clock,
) -> WebhookSender {
    let tokens = system.keys.tokens();
    WebhookSender {
        store: system.store.clone(),
        codec: system.codec.clone(),
        contract: contract.clone(),
        webhooks,
        secrets: Arc::new(move |endpoint, number| tokens.webhook_secret(endpoint, number)),
        guard: settings.guard.clone(),
        clock: clock.clone(),
        status: status.clone(),
        deliveries: metrics.webhooks.clone(),
        troubles: Troubles::default(),
    }
}

async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("can't listen on {address}: choose another address with {variable}"))
}

/// Binds the address of /metrics, if it has one of its own.
async fn bind_monitoring(settings: &Settings) -> anyhow::Result<Option<TcpListener>> {
    match settings.metrics_listen {
        Some(address) => bind(address, "LOQUET_METRICS_LISTEN").await.map(Some),
        None => Ok(None),
    }
}

/// Serves until a signal stops it, or until a background task ends unexpectedly.
async fn listen(
    api: &Arc<Api>,
    listener: TcpListener,
    monitoring: Option<TcpListener>,
    connections: Connections,
    stop: impl Future<Output = ()>,
    background: &mut Background,
) -> anyhow::Result<()> {
    let stopping = async {
        stop.await;
        api.stopping.send_replace(true);
    };
    let mut stopped = api.stopping.subscribe();
    let monitored = async {
        if let Some(listener) = monitoring {
            let stop = async { drop(stopped.wait_for(|stopping| *stopping).await) };
            loquet_http::serve(listener, metrics_router(api.clone()), Connections::uncounted(64), stop).await;
        }
    };
    let serving = loquet_http::serve(listener, router(api.clone()), connections, stopping);
    tokio::select! {
        _ = async { tokio::join!(serving, monitored) } => Ok(()),
        // Background tasks run as long as the server. If one ends, it has failed unexpectedly.
        _ = background.tasks.join_next() => Err(anyhow::anyhow!("a view or another background task ended unexpectedly")),
        ended = &mut background.leader => match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        },
    }
}

/// The stores beside the log.
struct Known {
    rows: Arc<dyn ReadStore>,
    reactions: Reactions,
    webhooks: WebhookSender,
    status: Status,
    metrics: Arc<Metrics>,
}

/// Starts the views, the reactions, the mail sender, and the check for a rotated server key.
fn project(
    settings: &Settings,
    system: &System,
    clock: &Clock,
    mailer: Arc<dyn Mailer>,
    known: Known,
) -> anyhow::Result<Background> {
    let Known { rows, reactions: Reactions { journal, lease, holder, lasts }, webhooks, status, metrics } =
        known;
    let journal: Arc<dyn ReactionJournal> = journal;
    let queued = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let runner = Runner {
        store: system.store.clone(),
        codec: system.codec.clone(),
        rows: rows.clone(),
        views: views::all(),
        status: status.clone(),
    };
    // A server that is asked before its views have begun must not say that it is ready.
    runner.register();
    tasks.spawn(runner.run());
    let erasure = Erasure {
        app: system.app.clone(),
        keys: system.keys.clone(),
        store: system.store.clone(),
        codec: system.codec.clone(),
        journal: journal.clone(),
        mailer: mailer.clone(),
    };
    let reactions: [Arc<dyn Reaction>; 4] = [
        Arc::new(Mails { rows: rows.clone(), status: status.clone() }),
        Arc::new(Onboarding { app: system.app.clone(), clock: clock.clone() }),
        Arc::new(Settling { app: system.app.clone(), clock: clock.clone() }),
        Arc::new(erasure),
    ];
    tasks.spawn(look_at_keys(system.keys.clone()));
    let head = Letterhead {
        brand: settings.brand.clone(),
        public_url: settings.public_url.clone(),
        time_zone: settings.time_zone,
        accents: accents(&settings.branding),
    };
    let held = watch::Sender::new(None);
    tasks.spawn(tell_whether_mails_go(held.subscribe(), metrics));
    // An embedded store has one process. A publisher in it needs no lease.
    let (shown, leadership) =
        watch::channel(if lasts.is_some() { Leadership::NotHeld } else { Leadership::Sole });
    let leader = Leader { lease, holder, lasts, clock: clock.clone() };
    let (store, codec, app) = (system.store.clone(), system.codec.clone(), system.app.clone());
    let (letters, mailboxes) = (Arc::new(Letters::new(head)?), Arc::new(Mailboxes::default()));
    let (sending, clock) = (settings.sending, clock.clone());
    let begin = move |fence| {
        let mut running = JoinSet::new();
        for reaction in &reactions {
            let runner = ReactionRunner {
                store: store.clone(),
                codec: codec.clone(),
                journal: journal.clone(),
                fence,
                status: status.clone(),
                reaction: reaction.clone(),
                clock: clock.clone(),
                queued: queued.clone(),
            };
            running.spawn(runner.run());
        }
        if lasts.is_some() {
            running.spawn(lead(ShownLeadership::new(shown.clone(), fence)));
        }
        let fenced = webhooks.webhooks.under(fence);
        running.spawn(send_webhooks(WebhookSender { webhooks: fenced, ..webhooks.clone() }));
        let sender = Sender {
            store: store.clone(),
            codec: codec.clone(),
            app: app.clone(),
            journal: journal.clone(),
            fence,
            mailer: mailer.clone(),
            letters: letters.clone(),
            sending,
            clock: clock.clone(),
            queued: queued.clone(),
            mailboxes: mailboxes.clone(),
            held: held.clone(),
        };
        let (stop_sender, stopped) = watch::channel(false);
        let mut sending = JoinSet::new();
        sending.spawn(sender.run(stopped));
        Term { reactions: running, sender: sending, stop_sender }
    };
    let (stop_leading, stopped) = watch::channel(false);
    let leader = tokio::spawn(leader.run(begin, stopped));
    Ok(Background { tasks, leader, stop_leading, leadership })
}

/// Shows that this process holds the lease, until the task is dropped.
async fn lead(_shown: ShownLeadership) -> Result<(), Fenced> {
    std::future::pending().await
}

/// Sends events to webhooks, until the task is dropped.
async fn send_webhooks(sender: WebhookSender) -> Result<(), Fenced> {
    let _told = sender.status.tell_at_end(loquet_webhooks::NAME, "another node sends them");
    if let Err(error) = sender.run().await {
        tracing::error!(error = %Causes(&error), "webhooks can't be sent");
    }
    std::future::pending().await
}

/// Keeps the metric up to date that shows whether mails can be sent.
async fn tell_whether_mails_go(mut held: watch::Receiver<Option<Hold>>, metrics: Arc<Metrics>) {
    loop {
        metrics.asked.tell_whether_mails_go(held.borrow_and_update().as_ref());
        if held.changed().await.is_err() {
            // The sender has ended. Another task notices that.
            return std::future::pending().await;
        }
    }
}

/// Checks whether `loquet keys rotate` has rotated the server key beside this process.
async fn look_at_keys(keys: Arc<dyn AccountKeys>) {
    let mut now_and_then = tokio::time::interval(LOOK_AT_KEYS);
    loop {
        now_and_then.tick().await;
        match keys.refresh().await {
            Ok(Noticed::Rotation) => tracing::info!("the server key was rotated: the new one is in use"),
            Ok(Noticed::Nothing) => {}
            Err(error) => {
                tracing::error!(error = %Causes(&error), "the accounts' keys can't be used, or can't be looked at");
            }
        }
    }
}

/// The background tasks of the server.
struct Background {
    tasks: JoinSet<()>,
    leader: JoinHandle<Result<(), EndedByItself>>,
    stop_leading: watch::Sender<bool>,
    leadership: watch::Receiver<Leadership>,
}

impl Background {
    /// Records what operators do, measures the files of the stores, and keeps the clock of several nodes right.
    fn watch(
        &mut self,
        acts: Administration,
        metrics: &Arc<Metrics>,
        shared_clock: Option<SharedClock>,
    ) -> anyhow::Result<()> {
        self.tasks.spawn(adapters::watch_files(&acts.directory, metrics.clone(), acts.clock.clone())?);
        self.tasks.spawn(acts.keep());
        if let Some(clock) = shared_clock {
            self.tasks.spawn(clock.keep());
        }
        Ok(())
    }

    /// Waits for mails that are being sent, so that none is sent again at the next start.
    async fn stop(mut self) {
        self.stop_leading.send_replace(true);
        if !self.leader.is_finished() {
            drop((&mut self.leader).await);
        }
        self.tasks.shutdown().await;
    }
}

/// Makes the server key of a development server, unless there is one, or keys that another one opens.
fn dev_key(directory: &DataDirectory, mode: Mode) -> anyhow::Result<()> {
    if mode == Mode::Development && !directory.server_key().exists() && !directory.file("keys.db").exists() {
        ServerKey::create(&directory.server_key())?;
    }
    Ok(())
}

/// Makes a token with every scope, unless the token in the folder is still valid.
async fn dev_token(directory: &DataDirectory, tokens: &dyn ServiceTokens) -> anyhow::Result<()> {
    let path = directory.file("dev-token");
    let now = clock::now();
    let held = path.exists().then(|| read_secret(&path)).transpose()?;
    if let Some(held) = held
        && tokens.find(&held, now).await.is_ok_and(|service| service.is_some())
    {
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        return Ok(std::fs::set_permissions(&path, private)?);
    }
    let every = Grant::Program(Scope::ALL.iter().copied().collect());
    let token = tokens.create("dev", &every, now, None).await?;
    write_private(&path, &token).with_context(|| format!("can't write {}", place_of(&path)))
}

/// Writes a file that only its owner can read. Removes an unfinished old file first, because only new files
/// get the right permissions.
fn write_private(path: &Path, secret: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    remove_if_there(&unfinished)?;
    writeln!(create_private(&unfinished)?, "{secret}")?;
    std::fs::rename(unfinished, path)
}

/// Says that the server is ready, in its log and on standard output. If the log is JSON, standard output is too.
fn greet(directory: &DataDirectory, settings: &Settings, store: &str, is_json: bool, address: SocketAddr) {
    tracing::info!(
        version = VERSION, node = settings.node, store, listen = %address, public_url = settings.public_url,
        is_dev = settings.mode == Mode::Development, "started"
    );
    let is_dev = settings.mode == Mode::Development;
    if is_json {
        let page = |path: &str| is_dev.then(|| format!("http://{address}{path}"));
        greeting(json!({
            "message": "Loquet is listening", "url": format!("http://{address}"), "portal": page("/"), "docs": page("/docs"),
            "mails": page("/dev/mail"), "token_file": is_dev.then(|| directory.file("dev-token")),
        }));
        return;
    }
    greeting(format_args!("Loquet is listening on http://{address}"));
    if settings.mode == Mode::Development {
        greeting(format_args!("  the portal                    http://{address}/"));
        greeting(format_args!("  API documentation             http://{address}/docs"));
        greeting(format_args!("  mails that were sent          http://{address}/dev/mail"));
        greeting(format_args!("  a token with every scope      {}", place_of(&directory.file("dev-token"))));
        greeting("Development mode: anybody who reaches this address can read every mail.");
    }
}

/// Waits for a signal to stop: SIGTERM, SIGINT, or the SIGHUP of a terminal that was closed.
async fn stop_signal(mut terminate: tokio::signal::unix::Signal, mut hangup: tokio::signal::unix::Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: finishing accepted requests; a second signal stops immediately");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[expect(clippy::disallowed_methods, reason = "who sends a second signal wants nothing finished")]
        std::process::exit(1);
    });
}

/// The colours of the pages, for mails.
fn accents(branding: &Branding) -> Accents {
    let [light, dark] = branding
        .accents()
        .map(|(colour, text)| Accent { colour: colour.to_string(), text: text.to_string() });
    Accents { light, dark }
}
