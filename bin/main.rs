//! Loquet: accounts, logins and lockouts of a customer portal.
#![forbid(unsafe_code)]

mod adapters;
mod administration;
mod cli;
mod clock;
mod commands;
mod config;
mod demo;
mod disk;
mod engine;
mod exit_codes;
mod extract;
#[cfg_attr(not(feature = "kafka"), path = "without_kafka.rs")]
mod kafka;
mod mode;
mod moments;
mod output;
mod owners;
mod past;
mod plain_log;
mod proof;
mod protections;
mod self_check;
mod settings;
mod snapshots;
mod system;
mod telemetry;
mod terminal_table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, FromArgMatches};

use cli::{
    Cli, Command, ConfigCommand, DataDirectory, EventsCommand, KeysCommand, LogCommand, OrderCommand, Output,
    PermissionCommand,
};
use config::Config;
use mode::Mode;
use settings::Logging;
use telemetry::Traces;

/// Takes less time and less memory than the system's allocator: see `docs/performance.md`.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The number of threads that may wait for a disk or a lock. More would wait for the same disk, and each
/// takes memory.
const BLOCKING: usize = 16;

/// How long the end of the program waits for threads that still wait for something.
const SHUTDOWN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let read = cli::command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (matches, cli)));
    output::ending(match read {
        Ok((matches, cli)) => begin(&matches, cli),
        Err(said) => output::usage(&said),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the variables, which the configuration checks"
)]
fn begin(matches: &ArgMatches, cli: Cli) -> ExitCode {
    output::print_results_as(Output::of(cli::json_results::is_asked(matches)));
    let file = matches.get_one::<PathBuf>("config");
    let config = Config::read(file.map(PathBuf::as_path), matches, std::env::vars_os());
    let logging = Logging::of(&config);
    let traces = if matches!(cli.command, Command::Serve(_)) { Traces::Sent } else { Traces::Dropped };
    // Set up before the runtime starts, because the trace exporter has its own threads.
    let telemetry = match telemetry::init(&logging, traces) {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(&error),
    };
    let ended = run(cli, config, cli::past::asked(matches));
    telemetry.end();
    ended.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::failure(format_args!("{error:#}"));
    ExitCode::FAILURE
}

fn run(cli: Cli, mut config: Config, as_of: Option<String>) -> anyhow::Result<ExitCode> {
    // These commands need no data. They work or report faults even if the configuration is wrong.
    match &cli.command {
        Command::Config(ConfigCommand::Check(check)) => {
            return Ok(commands::config::check(config, Mode::of(check.dev)));
        }
        Command::Config(ConfigCommand::Show(show)) => {
            return commands::config::show(&config, Output::of(show.json));
        }
        Command::Config(ConfigCommand::Sample) => {
            commands::config::sample();
            return Ok(ExitCode::SUCCESS);
        }
        Command::Openapi => return done(commands::openapi::run()),
        Command::Asyncapi => return done(commands::event_contract::asyncapi()),
        Command::Schema(schema) => return done(commands::event_contract::schemas(schema)),
        Command::Completions { shell } => {
            commands::man::completions(*shell);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Man { to } => return done(commands::man::pages(to.as_deref())),
        _ => {}
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING).enable_all().build()?;
    if let Command::Doctor(doctor) = cli.command {
        return runtime.block_on(commands::doctor::run(config, doctor));
    }
    if let Command::Health(health) = cli.command {
        return runtime.block_on(commands::health::run(&config, health));
    }
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    let directory = DataDirectory { as_of, ..DataDirectory::of(&mut config) };
    directory.refuse_strange_files()?;
    let ended = runtime.block_on(async move {
        if !matches!(cli.command, Command::Serve(_)) {
            commands::config::refuse_faults(&config)?;
        }
        match cli.command {
            Command::Serve(serve) => {
                done(commands::serve::run(&directory, config, Mode::of(serve.dev)).await)
            }
            Command::Order(OrderCommand::Import(import)) => {
                commands::order_import::run(&directory, &mut config, import).await
            }
            #[cfg(feature = "kafka")]
            Command::Order(OrderCommand::DeadLetters(command)) => {
                commands::dead_letters::run(&mut config, command).await
            }
            #[cfg(feature = "kafka")]
            Command::Kafka(command) => commands::kafka::run(&directory, &mut config, command).await,
            #[cfg(feature = "kafka")]
            Command::Publish(publish) => done(commands::publish::run(&directory, &mut config, publish).await),
            Command::Staff(command) => done(commands::staff::run(&directory, &mut config, command).await),
            Command::Account(command) => done(commands::account::run(&directory, &mut config, command).await),
            Command::Company(command) => done(commands::company::run(&directory, command).await),
            Command::Site(command) => done(commands::site::run(&directory, command).await),
            Command::Lockout(command) => done(commands::lockout::run(&directory, command).await),
            Command::Terminal(command) => commands::terminal::run(&directory, &mut config, command).await,
            Command::Permission(PermissionCommand::Ask(ask)) => {
                commands::permission::ask(&directory, ask).await
            }
            Command::Takeover(command) => done(commands::takeover::run(&directory, command).await),
            Command::Demo(demo) => done(commands::demo::run(&directory, demo).await),
            Command::Events(EventsCommand::Tail(tail)) => {
                done(commands::events_tail::run(&directory, tail).await)
            }
            Command::Log(LogCommand::Copy(copy)) => done(commands::log_copy::run(&copy).await),
            Command::Projections(command) => commands::projections::run(&directory, command).await,
            Command::Mail(command) => done(commands::mail::run(&directory, command).await),
            Command::Find(sought) => done(commands::find::run(&directory, sought).await),
            Command::Diagnose(whose) => done(commands::diagnose::run(&directory, config, whose).await),
            Command::Audit(command) => commands::audit::run(&directory, command).await,
            Command::Webhook(command) => done(commands::webhook::run(&directory, &config, command).await),
            Command::Token(command) => done(commands::token::run(&directory, command).await),
            Command::Keys(KeysCommand::Create) => done(commands::keys::create(&directory)),
            Command::Keys(KeysCommand::Prepare) => done(commands::keys::prepare(&directory).await),
            Command::Keys(KeysCommand::Rotate(rotate)) => {
                done(commands::keys::rotate(&directory, &rotate).await)
            }
            Command::Backup(backup) => done(commands::backup::take(&directory, &backup)),
            Command::Restore(restore) => done(commands::backup::restore(&directory, &restore)),
            // This command was run above.
            Command::Config(_)
            | Command::Doctor(_)
            | Command::Health(_)
            | Command::Openapi
            | Command::Asyncapi
            | Command::Schema(_)
            | Command::Completions { .. }
            | Command::Man { .. } => Ok(ExitCode::SUCCESS),
        }
    });
    // A call to a broker that does not answer may still hold a thread.
    runtime.shutdown_timeout(SHUTDOWN);
    ended
}

fn done(ended: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    ended.map(|()| ExitCode::SUCCESS)
}
