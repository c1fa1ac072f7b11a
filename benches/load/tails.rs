//! The slowest answers, at half of the greatest rate, while the server has other work to do.
//!
//! Each caller sends its requests at set times. If an answer is late, the next request is late too, and the time that it waited
//! counts as its own: otherwise, a stall would be seen by one request only (Gil Tene calls this coordinated omission).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use loquet_benches::Outcome;
use loquet_benches::history::{Extent, History};
use loquet_benches::program::{Program, executable};

use crate::merchants::{self, Merchant};
use crate::record::Record;
use crate::visits::Visitor;

/// How long the greatest rate is measured.
const GREATEST: Duration = Duration::from_secs(15);
/// How often work is begun again that ends before its phase.
const AGAIN: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Tails {
    /// The events of the log that the server begins with.
    #[arg(long, default_value_t = 1_000_000)]
    events: u32,
    /// How long each phase is measured.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// The number of concurrent callers.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    callers: u32,
    /// The number of merchants that are created before the measurement begins.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    merchants: u32,
    /// Measure a program that was built elsewhere.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Keep the log in this directory for the next run.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// The callers and what they call.
struct Load {
    address: SocketAddr,
    token: String,
    merchants: Arc<Vec<Merchant>>,
    callers: u32,
}

pub(crate) fn run(tails: &Tails) -> Outcome<()> {
    let executable = executable()?;
    let history = History::prepare(Extent::of_events(tails.events))?;
    let program = Program::start(&executable, &history.folder)?;
    program.current()?;
    let (address, token) = (program.address, program.token.clone());
    let merchants = Arc::new(merchants::open(address, &token, tails.merchants)?);
    let load = Load { address, token, merchants, callers: tails.callers };
    let greatest = load.run(GREATEST, None)?.answers();
    let greatest = f64::from(u32::try_from(greatest)?) / GREATEST.as_secs_f64();
    let pace = Duration::from_secs_f64(f64::from(tails.callers) / (greatest / 2.0));
    println!(
        "{} events, {} callers: at most {greatest:.0} answers a second; the phases ask for {:.0} a second, {} s each",
        history.extent.events(),
        tails.callers,
        greatest / 2.0,
        tails.seconds
    );
    let backups = tempfile::tempdir()?;
    let loquet = |arguments: &[&str]| {
        let mut command = Command::new(&executable);
        command.arg("--data-dir").arg(&history.folder).args(arguments);
        command
    };
    let phase = |what: &str, work: Option<&(dyn Fn(u32) -> Command + Sync)>| -> Outcome<()> {
        let stop = AtomicBool::new(false);
        let (record, times) = thread::scope(|scope| {
            let working = scope.spawn(|| work.map_or(Ok(0), |work| repeat(work, &stop)));
            let record = load.run(Duration::from_secs(tails.seconds), Some(pace));
            stop.store(true, Ordering::Relaxed);
            let times = working.join().unwrap_or_else(|_| Err("the work panicked".into()));
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((record?, times?))
        })?;
        let often = if times > 0 { format!(", {times} times") } else { String::new() };
        println!("\n{what}{often}");
        record.print_tails();
        Ok(())
    };
    phase("nothing beside", None)?;
    phase("beside a rebuild of all read models", Some(&|_| loquet(&["projections", "rebuild", "all"])))?;
    let to = |number: u32| path(&backups.path().join(number.to_string()));
    phase("beside a backup", Some(&|number| loquet(&["backup", &to(number)])))?;
    phase("beside checkpoints", Some(&|_| loquet(&["audit", "checkpoint", "--now"])))?;
    program.stop()
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Does work again and again until the phase is over. Returns how often.
fn repeat(work: &(dyn Fn(u32) -> Command + Sync), stop: &AtomicBool) -> Outcome<u32> {
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut begun = work(times).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        while begun.try_wait()?.is_none() && !stop.load(Ordering::Relaxed) {
            loquet_benches::pause(AGAIN / 10);
        }
        if begun.try_wait()?.is_none() {
            begun.kill()?;
        }
        let ended = begun.wait_with_output()?;
        if !ended.status.success() && !stop.load(Ordering::Relaxed) {
            return Err(String::from_utf8_lossy(&ended.stderr).into_owned().into());
        }
        times += 1;
        loquet_benches::pause(AGAIN);
    }
    Ok(times)
}

impl Load {
    /// Lets all callers send requests for a time: one after another, or at a pace.
    fn run(&self, length: Duration, pace: Option<Duration>) -> Outcome<Record> {
        let (record, stop) = (Record::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            let callers: Vec<_> = (0..self.callers)
                .map(|number| {
                    let visitor =
                        Visitor::new(self.address, self.token.clone(), self.merchants.clone(), number);
                    let (record, stop, callers) = (&record, &stop, self.callers);
                    // The callers do not begin all at the same time.
                    let first = pace.map(|pace| Instant::now() + pace * number / callers);
                    scope.spawn(move || visitor.visit(record, stop, pace.zip(first)))
                })
                .collect();
            loquet_benches::pause(length);
            stop.store(true, Ordering::Relaxed);
            callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| "a caller panicked"))
        })?;
        Ok(record)
    }
}
