//! `loquet projections list`, `rebuild` and `verify`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use indicatif::ProgressBar;
use loquet_domain::ports::Position;
use loquet_projections::erased_view::ErasedView;
use loquet_projections::ports::BuildState;
use loquet_projections::runner::{Builder, Verdict};
use loquet_projections::views;
use serde_json::json;

use super::show::{progress, table};
use crate::adapters::{self, Access};
use crate::cli::{DataDirectory, Output, ProjectionsCommand};
use crate::output::{columns, line, result, shown};
use crate::self_check::compare;
use crate::system::{Parts, System};

/// How often the progress of a running server is checked.
const POLL: Duration = Duration::from_millis(200);
/// How long a running server may take to begin a rebuild.
const BEGINS: Duration = Duration::from_secs(20);

pub(crate) async fn run(directory: &DataDirectory, command: ProjectionsCommand) -> anyhow::Result<ExitCode> {
    match command {
        ProjectionsCommand::List(how) => {
            list(directory, Output::of(how.json)).await.map(|()| ExitCode::SUCCESS)
        }
        ProjectionsCommand::Rebuild(which) => {
            rebuild(directory, chosen(&[which.name])).await.map(|()| ExitCode::SUCCESS)
        }
        ProjectionsCommand::Verify(which) => verify(directory, chosen(&which.names)).await,
    }
}

/// The views with these names. Without names, or with `all`, every view.
fn chosen(names: &[String]) -> Vec<Arc<dyn ErasedView>> {
    let all = views::all();
    let every = names.is_empty() || names.iter().any(|name| name == "all");
    all.into_iter().filter(|view| every || names.iter().any(|name| name == view.id().name)).collect()
}

async fn list(directory: &DataDirectory, output: Output) -> anyhow::Result<()> {
    let head = System::open_to_read(directory).await?.store.head().await?;
    let mut shown = table(&["NAME", "VERSION", "STATE", "POSITION", "LAG", "STOPPED BY"]);
    let mut add = |name: &str, version: &str, state: &str, position: Position, failure: Option<String>| {
        // A reaction stores its position only from time to time. Only the server knows its real position.
        let lag = (!version.is_empty()).then(|| head.0.saturating_sub(position.0));
        if output == Output::Json {
            let row = json!({
                "name": name, "version": version, "state": state, "position": position, "lag": lag,
                "failure": failure,
            });
            line(&row);
            return;
        }
        let failure = failure.unwrap_or_default();
        let lag = lag.map_or_else(|| "-".to_owned(), |lag| lag.to_string());
        shown.add_row([name, version, state, &position.to_string(), &lag, &failure]);
    };
    for BuildState { build, position, serving, failure } in
        adapters::read_models(directory, Access::Read)?.builds().await?
    {
        let state = match (&failure, serving) {
            (Some(_), true) => "stopped",
            (None, true) => "serves",
            (None, false) => "is being built",
            (Some(_), false) => "can't be built",
        };
        add(&build.view.name, &build.view.version.to_string(), state, position, failure);
    }
    let journal = adapters::mail_journal(directory, Access::Read).await?;
    for (name, position) in journal.checkpoints().await? {
        add(&format!("reaction {name}"), "", "noted", position, None);
    }
    if output == Output::Text {
        columns(&shown);
    }
    Ok(())
}

/// Asks a running server to rebuild, because only it may write the read models while it runs. Without a
/// server, rebuilds here.
async fn rebuild(directory: &DataDirectory, wanted: Vec<Arc<dyn ErasedView>>) -> anyhow::Result<()> {
    match System::open(directory, Access::Write, Parts::default()).await {
        Ok(system) => here(directory, system, wanted).await,
        Err(error) if adapters::says_in_use(&error) => by_the_server(directory, wanted).await,
        Err(error) => Err(error),
    }
}

async fn here(
    directory: &DataDirectory,
    system: System,
    wanted: Vec<Arc<dyn ErasedView>>,
) -> anyhow::Result<()> {
    let rows = adapters::read_models(directory, Access::Write)?;
    let goal = system.store.head().await?;
    let names = names(&wanted);
    let (bar, begun) = (progress(goal.0, &names)?, Instant::now());
    let store = system.store.clone();
    let mut builder = Builder::begin(store, system.codec.clone(), rows, wanted).await?;
    builder.build(goal, |position| bar.set_position(position.0)).await?;
    builder.take_over().await?;
    report(&bar, &names, goal, begun);
    system.close().await
}

async fn by_the_server(directory: &DataDirectory, wanted: Vec<Arc<dyn ErasedView>>) -> anyhow::Result<()> {
    let rows = adapters::read_models(directory, Access::Read)?;
    let goal = System::open_to_read(directory).await?.store.head().await?;
    let before = rows.builds().await?;
    let requests = adapters::read_models(directory, Access::Write)?;
    for view in &wanted {
        requests.request_rebuild(view.id().name.to_owned()).await?;
    }
    drop(requests);
    let all = names(&wanted);
    let (bar, started) = (progress(goal.0, &all)?, Instant::now());
    let mut begun = BTreeSet::new();
    loop {
        let now = rows.builds().await?;
        let fresh: Vec<_> =
            now.iter().filter(|state| !before.iter().any(|b| b.build == state.build)).collect();
        let mut furthest_behind = goal;
        let mut serving = 0;
        for name in wanted.iter().map(|view| view.id().name) {
            match fresh
                .iter()
                .filter(|state| state.build.view.name == name)
                .max_by_key(|s| s.build.generation)
            {
                Some(BuildState { failure: Some(failure), .. }) => {
                    bail!(
                        "the server can't build {name} now: {failure}; it tries again, and the old one answers queries"
                    )
                }
                Some(state) => {
                    begun.insert(name);
                    serving += usize::from(state.serving);
                    furthest_behind = furthest_behind.min(state.position);
                }
                None => {
                    ensure!(
                        !begun.contains(name),
                        "the server started to build {name} and stopped: its log says why"
                    );
                    ensure!(
                        started.elapsed() < BEGINS,
                        "the server has not started to build {name}: another build may be running, or the server may be stuck. Its log says which"
                    );
                    furthest_behind = Position::default();
                }
            }
        }
        if serving == wanted.len() {
            report(&bar, &all, goal, started);
            return Ok(());
        }
        ensure!(
            adapters::is_in_use(directory),
            "the server has stopped; at its next start it continues the build"
        );
        bar.set_position(furthest_behind.0);
        tokio::time::sleep(POLL).await;
    }
}

fn names(views: &[Arc<dyn ErasedView>]) -> String {
    views.iter().map(|view| view.id().name).collect::<Vec<_>>().join(", ")
}

fn report(bar: &ProgressBar, names: &str, goal: Position, begun: Instant) {
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let events = u32::try_from(goal.0).map_or(f64::MAX, f64::from);
    let rate = events / seconds.max(0.001);
    result(
        format_args!(
            "{names}: {goal} events in {seconds:.1} s, {rate:.0} a second; the new one serves queries now"
        ),
        &json!({ "views": names.split(", ").collect::<Vec<_>>(), "position": goal, "seconds": seconds }),
    );
}

/// Verifies a copy of the read models, so that a running server is not disturbed. Fails if something differs.
async fn verify(directory: &DataDirectory, wanted: Vec<Arc<dyn ErasedView>>) -> anyhow::Result<ExitCode> {
    let bar = progress(0, "")?;
    let open = async || {
        let system = System::open_to_read(directory).await?;
        Ok((system.store.clone(), system.codec.clone()))
    };
    let reached = |name, position: Position, goal: Position| {
        bar.set_message(name);
        bar.set_length(goal.0);
        bar.set_position(position.0);
    };
    let verdicts = compare(directory, open, wanted, reached).await?;
    bar.finish_and_clear();
    let mut differs = false;
    for (view, verdict) in verdicts {
        let Some(Verdict { position, differing, .. }) = verdict else {
            shown(
                format_args!("{view}: another version of it answers queries, so there is nothing to compare"),
                &json!({ "view": view, "equal": null }),
            );
            continue;
        };
        let text = match differing.as_slice() {
            [] => format!("{view}: equals a replay of the log up to position {position}"),
            keys => format!(
                "{view}: DIFFERS from a replay up to position {position}, at {} (the first {}); repair it with `loquet projections rebuild {view}`",
                keys.join(", "),
                keys.len()
            ),
        };
        let equals = differing.is_empty();
        differs |= !equals;
        shown(text, &json!({ "view": view, "position": position, "equal": equals, "differing": differing }));
    }
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
