//! Loquet: who has an account, who gets in, who is locked out.
#![forbid(unsafe_code)]

mod cli;
mod clock;
mod commands;
mod settings;
mod system;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use cli::{AccountCommand, Cli, Command, EventsCommand, KeyCommand, OrderCommand, TokenCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOQUET_LOG").unwrap_or_else(|_| "info".into());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loquet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let place = cli.place;
    runtime.block_on(async move {
        let done = match cli.command {
            Command::Serve(serve) => commands::serve::run(&place, serve).await,
            Command::Order(OrderCommand::Import(import)) => {
                return commands::order_import::run(&place, import).await;
            }
            Command::Account(AccountCommand::Show(which)) => commands::account::show(&place, which).await,
            Command::Account(AccountCommand::History(which)) => {
                commands::account::history(&place, which).await
            }
            Command::Events(EventsCommand::Tail(tail)) => commands::events_tail::run(&place, tail).await,
            Command::Token(TokenCommand::Create(create)) => commands::token_create::run(&place, create),
            Command::Key(KeyCommand::Create) => commands::key_create::run(&place),
            Command::Openapi => commands::openapi::run(),
        };
        done.map(|()| ExitCode::SUCCESS)
    })
}
