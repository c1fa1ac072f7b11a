//! Memory of the program with a million accounts. A tenth of them were active recently.
//!
//! The goal is for the memory of its own. The pages of files that it has mapped are resident, too, but the system takes them
//! back when it needs them.
//!
//! Every account came by its own order, so there are four streams for each account. This is more than in
//! practice, where customers order twice or have colleagues. Then a tenth of the accounts get a wrong
//! password each, over HTTP, with all steps of a login. Some log in, each with a hash of the usual cost. The
//! program runs as in production, with its read models.
//!
//! `-- --accounts N` changes the number. `--folder PATH` keeps the data for the next run, which saves
//! minutes. `--program PATH` measures a program that was built elsewhere.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark is started by hand, and prints what it measured")]

use loquet_benches::client::{Connection, request};
use loquet_benches::history::{Extent, History, PASSWORD};
use loquet_benches::program::{Program, executable, megabytes};
use loquet_benches::{Outcome, argument};

const ACCOUNTS: u32 = 1_000_000;
/// One in this many accounts was active recently.
const ACTIVE: u32 = 10;
/// One in this many of those logs in. The others enter a wrong password.
const RIGHT: u32 = 200;
/// The goal, in MB.
const GOAL: f64 = 300.0;
const CALLERS: u32 = 256;

fn main() -> Outcome<()> {
    let executable = executable()?;
    let extent = Extent { accounts: argument("--accounts")?.unwrap_or(ACCOUNTS), days: 0 };
    let history = History::prepare(extent)?;
    history.bring_up_to_date(&executable)?;
    let program = Program::start(&executable, &history.folder)?;
    program.current()?;
    println!("resident memory over {} accounts, in MB", extent.accounts);
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "", "resident", "of its own", "of files", "most ever");
    print_memory("after the start", &program)?;
    let active = extent.accounts / ACTIVE;
    let own = be_active(&program, active).and_then(|()| {
        program.current()?;
        print_memory(&format!("{active} of them recently active"), &program)
    })?;
    let verdict = if own < GOAL { "reached" } else { "missed" };
    println!("goal under {GOAL:.0} of its own {verdict}");
    program.stop()
}

/// Prints the resident memory. Returns what is the program's own.
fn print_memory(when: &str, program: &Program) -> Outcome<f64> {
    let of = |figure| megabytes(program.process(), figure);
    let own = of("RssAnon")?;
    println!("{when:<34} {:>9.0} {own:>9.0} {:>9.0} {:>9.0}", of("VmRSS")?, of("RssFile")?, of("VmHWM")?);
    Ok(own)
}

/// Tries to log in at this many accounts, mostly with a wrong password. The server delays refused logins to
/// fixed steps, so many requests run at once.
fn be_active(program: &Program, accounts: u32) -> Outcome<()> {
    let mut connections =
        (0..CALLERS).map(|_| Connection::open(program.address)).collect::<Outcome<Vec<_>>>()?;
    let mut numbers = (0..accounts).map(|number| number * ACTIVE);
    loop {
        let turn: Vec<_> = connections.iter_mut().zip(numbers.by_ref()).collect();
        if turn.is_empty() {
            return Ok(());
        }
        let mut under_way = Vec::with_capacity(turn.len());
        for (connection, number) in turn {
            let (password, status) =
                if number % (ACTIVE * RIGHT) == 0 { (PASSWORD, 201) } else { ("Guess1234!", 401) };
            let body = format!(r#"{{"email":"{}","password":"{password}"}}"#, History::email(number));
            connection.send(&request("POST", "/v1/logins", None, &body))?;
            under_way.push((connection, status));
        }
        for (connection, status) in under_way {
            connection.receive()?.expect(status)?;
        }
    }
}
