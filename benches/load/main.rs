//! The load driver. It simulates merchants who order, follow their links, log in and forget their passwords,
//! and programs that ask about them, all at once, against a running server.
//!
//! It connects only to the address that it is given, and ends by itself. The server limits how often one
//! address may try, and would refuse many requests. For a measurement, start the server with higher limits.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is started by hand, and prints what it measured"
)]

mod merchants;
mod record;
mod tails;
mod visits;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use loquet_benches::Outcome;

use crate::record::Record;
use crate::visits::Visitor;

/// How often the progress line is updated.
const SHOW_EVERY: Duration = Duration::from_millis(200);

#[derive(Parser)]
#[command(about = "Makes load for a running Loquet.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send a realistic mix of requests for some time, then print rates and times for each kind.
    Load(Load),
    /// Measure the slowest answers of a server that this command starts, at half of the greatest rate: alone, and beside a
    /// rebuild, a backup and checkpoints.
    Tails(tails::Tails),
}

#[derive(Args)]
struct Load {
    /// The server, `http://host:port`. Start it with --dev: this command reads its mails to follow their links.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file with a service token that has the scopes orders:write and accounts:read.
    #[arg(long, default_value = "var/dev-token")]
    token_file: PathBuf,
    /// How long to send requests.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// The number of concurrent callers.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    callers: u32,
    /// The number of merchants that are created before the measurement begins.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    merchants: u32,
}

fn main() -> Outcome<()> {
    match Cli::parse().command {
        Command::Load(load) => run(&load),
        Command::Tails(tails) => tails::run(&tails),
    }
}

fn run(load: &Load) -> Outcome<()> {
    let address = address(&load.url)?;
    let token = std::fs::read_to_string(&load.token_file)
        .map_err(|error| format!("can't read the token in {}: {error}", load.token_file.display()))?;
    let token = token.trim().to_owned();
    let merchants = Arc::new(merchants::open(address, &token, load.merchants)?);
    let record = Arc::new(Record::default());
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let callers: Vec<_> = (0..load.callers)
        .map(|number| {
            let (merchants, record, stop) = (merchants.clone(), record.clone(), stop.clone());
            let token = token.clone();
            thread::spawn(move || Visitor::new(address, token, merchants, number).visit(&record, &stop, None))
        })
        .collect();
    show(&record, start, Duration::from_secs(load.seconds), &callers);
    stop.store(true, Ordering::Relaxed);
    let ended: Outcome<()> =
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| "a caller panicked".into()));
    println!("{} callers, {} merchants, {}", load.callers, load.merchants, load.url);
    record.print(start.elapsed());
    ended
}

/// Returns the host and port of a URL. There is no TLS here: it would measure the proxy.
fn address(url: &str) -> Outcome<SocketAddr> {
    let host = url.strip_prefix("http://").ok_or("the address must begin with http://")?;
    let mut found =
        host.trim_end_matches('/').to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    found.next().ok_or_else(|| format!("{url} leads nowhere").into())
}

/// Shows the progress until the time is over, or until every caller has given up.
fn show(record: &Record, start: Instant, length: Duration, callers: &[thread::JoinHandle<()>]) {
    let bar = ProgressBar::new(length.as_secs());
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut before = (start, 0);
    while start.elapsed() < length && callers.iter().any(|caller| !caller.is_finished()) {
        loquet_benches::pause(SHOW_EVERY);
        let (now, answers) = (Instant::now(), record.answers());
        let rate =
            loquet_benches::rate_since(before.0, u32::try_from(answers - before.1).unwrap_or(u32::MAX));
        before = (now, answers);
        bar.set_position(start.elapsed().as_secs());
        bar.set_message(format!("{rate:.0} answers/s   {}", record.summary()));
    }
    bar.finish_and_clear();
}
