//! `loquet serve`.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use loquet_adapters::http::{self, Api, Probe, router};
use loquet_adapters::mail_folder::MailFolder;
use loquet_adapters::mail_journal::SqliteJournal;
use loquet_adapters::read_store::SqliteReadStore;
use loquet_adapters::server_key::ServerKey;
use loquet_adapters::service_tokens::{Scope, ServiceTokens};
use loquet_adapters::smtp::Smtp;
use loquet_projections::mail::{Letterhead, Letters, Sender};
use loquet_projections::ports::{Clock, Mailer, ReactionJournal, ReadStore};
use loquet_projections::reactions::{Erasure, Mails, Onboarding, Reaction, ReactionRunner};
use loquet_projections::runner::{Runner, Status};
use loquet_projections::views;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::cli::{Place, Serve};
use crate::clock;
use crate::settings::read_secret;
use crate::system::{Access, System};

/// How long mails that are being handed over may take to end.
const HAND_OVER: Duration = Duration::from_secs(10);

pub(crate) async fn run(place: &Place, serve: Box<Serve>) -> anyhow::Result<()> {
    let public_url = serve.link_base()?;
    let policies = serve.rules.policies()?;
    let clock = clock::system();
    place.make_folder()?;
    if serve.dev && !place.server_key().exists() && !place.file("keys.db").exists() {
        ServerKey::create(&place.server_key())?;
    }
    let (mailer, dev_mail) = mailer(place, &serve, &clock)?;
    // Bound before the log is opened: whoever finds the port in use has not touched the log.
    let listener = TcpListener::bind(serve.listen).await.with_context(|| {
        format!("can't listen on {}: choose another address with LOQUET_HTTP_LISTEN", serve.listen)
    })?;
    let system = System::open(place, Access::Write, policies, serve.rules.cost(), serve.node.clone())?;
    let service_tokens = ServiceTokens::open(&place.file("tokens.db"))?;
    if serve.dev {
        dev_token(place, &service_tokens)?;
    }
    let head =
        Letterhead { brand: serve.brand.clone(), public_url: public_url.clone(), time_zone: serve.time_zone };
    let (api, mut background) =
        project(place, &system, &clock, mailer, Letters::new(head)?, |rows, status| Api {
            app: system.app.clone(),
            store: Arc::new(system.store.clone()),
            codec: system.codec.clone(),
            rows,
            status,
            service_tokens,
            clock: clock.clone(),
            brand: serve.brand.clone(),
            probe: Probe::default(),
            dev_mail,
        })?;
    greet(place, &serve, listener.local_addr()?);
    let ended = tokio::select! {
        () = http::serve(listener, router(Arc::new(api)), asked_to_stop()?) => Ok(()),
        // They run for as long as the server does; one that ends has failed in a way nobody foresaw.
        _ = background.tasks.join_next() => Err(anyhow::anyhow!("a view, a reaction or the mail sender ended by itself")),
    };
    background.stop().await;
    system.close().await?;
    ended
}

/// Starts the views, the reactions and the mail sender.
fn project(
    place: &Place,
    system: &System,
    clock: &Clock,
    mailer: Arc<dyn Mailer>,
    letters: Letters,
    api: impl FnOnce(Arc<dyn ReadStore>, Status) -> Api,
) -> anyhow::Result<(Api, Background)> {
    let views = views::all();
    let ids: Vec<_> = views.iter().map(|view| view.id()).collect();
    let rows: Arc<dyn ReadStore> = Arc::new(SqliteReadStore::open(&place.file("views.db"), &ids)?);
    let journal: Arc<dyn ReactionJournal> = Arc::new(SqliteJournal::open(&place.file("reactions.db"))?);
    let status = Status::default();
    let queued = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let runner = Runner {
        store: Arc::new(system.store.clone()),
        codec: system.codec.clone(),
        rows: rows.clone(),
        views,
        status: status.clone(),
    };
    tasks.spawn(runner.run());
    let reactions: [Arc<dyn Reaction>; 3] = [
        Arc::new(Mails { rows: rows.clone(), status: status.clone() }),
        Arc::new(Onboarding { app: system.app.clone(), clock: clock.clone() }),
        Arc::new(Erasure { app: system.app.clone() }),
    ];
    for reaction in reactions {
        let runner = ReactionRunner {
            store: Arc::new(system.store.clone()),
            codec: system.codec.clone(),
            journal: journal.clone(),
            status: status.clone(),
            reaction,
            clock: clock.clone(),
            queued: queued.clone(),
        };
        tasks.spawn(runner.run());
    }
    let sender = Sender {
        store: Arc::new(system.store.clone()),
        codec: system.codec.clone(),
        app: system.app.clone(),
        journal,
        mailer,
        letters,
        clock: clock.clone(),
        queued,
    };
    let (stop_mail, stopped) = watch::channel(false);
    let sender = tokio::spawn(sender.run(stopped));
    Ok((api(rows, status), Background { tasks, sender, stop_mail }))
}

/// What runs beside the server.
struct Background {
    tasks: JoinSet<()>,
    sender: JoinHandle<()>,
    stop_mail: watch::Sender<bool>,
}

impl Background {
    /// Lets the mails that are being handed over end, so that none is sent again at the next start.
    async fn stop(mut self) {
        self.stop_mail.send_replace(true);
        if tokio::time::timeout(HAND_OVER, &mut self.sender).await.is_err() {
            tracing::warn!("the mail server did not answer in time: what it was given may be sent again");
            self.sender.abort();
        }
        self.tasks.shutdown().await;
    }
}

fn mailer(place: &Place, serve: &Serve, clock: &Clock) -> anyhow::Result<(Arc<dyn Mailer>, Option<PathBuf>)> {
    if let Some(settings) = serve.smtp.settings()? {
        return Ok((Arc::new(Smtp::new(&settings)?), None));
    }
    if !serve.dev {
        bail!("mails need a server: set LOQUET_SMTP_HOST (or run with --dev, which puts them into a folder)");
    }
    let folder = place.file("mail");
    let mails =
        MailFolder::open(&folder, &serve.smtp.smtp_from, clock.clone()).map_err(anyhow::Error::msg)?;
    Ok((Arc::new(mails), Some(folder)))
}

/// Makes a token with every scope, unless the one in the folder still holds.
fn dev_token(place: &Place, tokens: &ServiceTokens) -> anyhow::Result<()> {
    let path = place.file("dev-token");
    let now = clock::now();
    let held = path.exists().then(|| read_secret(&path)).transpose()?;
    if held.is_some_and(|held| tokens.find(&held, now).is_ok_and(|service| service.is_some())) {
        return Ok(());
    }
    let scopes = BTreeSet::from(Scope::ALL);
    let token = tokens.create("dev", &scopes, now, None).map_err(anyhow::Error::msg)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&path).and_then(|mut file| writeln!(file, "{token}"));
    written.with_context(|| format!("can't write {}", path.display()))
}

fn greet(place: &Place, serve: &Serve, address: SocketAddr) {
    println!("Loquet is listening on http://{address}");
    if serve.dev {
        println!("  the API, to read and to try   http://{address}/docs");
        println!("  the mails it sends            http://{address}/dev/mail");
        println!("  a token with every scope      {}", place.file("dev-token").display());
        println!("Development mode: anybody who reaches this address can read every mail.");
    }
}

async fn stop_signal(mut terminate: tokio::signal::unix::Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: finishing what was accepted; a second signal stops at once");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        std::process::exit(1);
    });
}

fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(stop_signal(signal(SignalKind::terminate())?))
}
