//! The time from the program's start until it is ready, on a log of 5 million events with current read
//! models.
//!
//! `-- --events N` changes the number. `--folder PATH` keeps the data for the next run, which saves minutes.
//! `--program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use loquet_benches::history::{Extent, History};
use loquet_benches::program::{Program, executable};
use loquet_benches::{Outcome, Spread, argument, cores};

const ROUNDS: u32 = 7;
const EVENTS: u32 = 5_000_000;
/// The goal, in seconds.
const GOAL: f64 = 1.0;

fn main() -> Outcome<()> {
    let executable = executable()?;
    let history = History::prepare(Extent::of_events(argument("--events")?.unwrap_or(EVENTS)))?;
    history.bring_up_to_date(&executable)?;
    let starts = (0..ROUNDS)
        .map(|_| {
            let program = Program::start(&executable, &history.folder)?;
            let ready = program.ready()?;
            let current = program.current()?;
            program.stop()?;
            Ok((ready.as_secs_f64(), current.as_secs_f64()))
        })
        .collect::<Outcome<Vec<_>>>()?;

    println!(
        "from start to ready over {} events of {} accounts, after a clean stop",
        history.extent.events(),
        history.extent.accounts
    );
    println!("{} cores; {ROUNDS} starts; seconds, median (least to greatest)", cores());
    let spread = |figure: fn(&(f64, f64)) -> f64| {
        Spread::of(starts.iter().map(figure).collect()).ok_or("nothing was measured")
    };
    let (ready, current) = (spread(|start| start.0)?, spread(|start| start.1)?);
    let verdict = if ready.median < GOAL { "reached" } else { "missed" };
    println!("ready                      {ready:.3}   goal under {GOAL:.1} {verdict}");
    println!("read models said current   {current:.3}");
    Ok(())
}
